"""Results files of audits, from which the page is rendered.

Every report is the output of `replay` for an audit event. Large files are copies of these reports with other names.
"""

import hashlib
import io
import itertools
import json
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "123456789012", "us-west-2"

# Repository, tag, other tags, declared runtimes and date of push; the images are those of `events/images`.
SAMPLE = [
    ("grafana/grafana", "11.4.0", ["11.4", "11"], "apprunner", "2026-11-16T01:54:01Z"),
    ("team/app", "1.4.2-ecs-amd64", [], None, "2026-10-02T09:12:44Z"),
    ("team/app", "2.0.0", ["latest"], "ecs/arm64 ecs/amd64", "2026-11-18T16:40:09Z"),
    ("team/app", "4.0.0-arm64", [], "ecs/amd64", "2026-11-19T08:03:30Z"),
    ("team/worker", "v7-lambda-arm64", [], None, "2026-09-28T11:21:17Z"),
    ("team/worker", "7.0.0", [], "ecs/arm64", "2026-08-30T14:00:00Z"),
    ("team/worker", "8.0.0", [], None, "2026-07-04T10:10:10Z"),
    ("team/tools", "2.0.0", [], None, "2026-06-11T12:30:00Z"),
    ("team/tools", "chart-0.1.0", [], "apprunner", "2026-05-20T07:45:12Z"),
    ("team/tools", "5.0.0", [], "ecs/amd64", "2026-11-20T18:22:51Z"),
    ("team/tools", "6.0.0", [], "ecs/amd64 ecs/arm64", "2026-11-20T18:25:02Z"),
    ("team/typo", "2.0.0", [], "aprunner", "2026-11-01T19:04:55Z"),
    ("team/gone", "0.9.0", [], "apprunner", "2026-02-14T06:00:00Z"),
    ("team/signed", "3.0.0", [], "apprunner", "2026-03-03T15:15:15Z"),
]

# Programs that do not start, and one start that is not verified, because there is no command: the command, and the files of the image.
PROGRAMS = {
    "windows-lines": ("/run.sh", {"run.sh": (b"#!/bin/sh\r\nexec /app\r\n", 0o755)}),
    "no-first-line": ("/run.sh", {"run.sh": (b"echo hello\n", 0o755)}),
    "made-on-a-mac": ("/app", {"app": (b"\xcf\xfa\xed\xfe" + bytes(60), 0o755)}),
    "not-executable": ("/app.sh", {"app.sh": (b"#!/bin/sh\n", 0o644)}),
    "no-command": (None, {"etc/os-release": (b"ID=debian\n", 0o644)}),
    "missing": ("server", {"etc/os-release": (b"ID=debian\n", 0o644)}),
}


def replay(tool, layout, event, declared, directory):
    """Returns the report for an audit event."""
    file = directory / "event.json"
    file.write_text(json.dumps(event))
    command = [tool, "replay", file, "--layout", layout, "--format", "json"]
    command += [f"--declared={declared}"] if declared else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"{command}: {done.stderr}")
    return json.loads(done.stdout)


def event_of(repository, tag, also, pushed):
    event = json.loads((ROOT / "events/audit.json").read_text())
    event["account"], event["region"] = ACCOUNT, REGION
    detail = {"repository-name": repository, "image-tag": tag, "pushed-at": pushed}
    if also:
        detail["also-tagged"] = also
    event["detail"] = detail
    return event


def layout_of(directory):
    """Writes a layout with the images of PROGRAMS, each with one layer; returns its directory."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(media_type, data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    listed = []
    for tag, (command, files) in PROGRAMS.items():
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            for name, (data, mode) in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), mode
                tar.addfile(member, io.BytesIO(data))
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]}
        config = {"os": "linux", "architecture": "amd64", "config": {"Entrypoint": [command]} if command else {}, "rootfs": rootfs}
        config = blob("application/vnd.oci.image.config.v1+json", json.dumps(config).encode())
        layer = blob("application/vnd.oci.image.layer.v1.tar", layer.getvalue())
        media_type = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]}
        described = blob(media_type, json.dumps(manifest).encode())
        listed.append(described | {"annotations": {"org.opencontainers.image.ref.name": tag}})
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    return directory


def sample(tool, directory):
    """Returns reports with every verdict and most faults."""
    reports = [
        replay(tool, ROOT / "events/images", event_of(name, tag, also, pushed), declared, directory)
        for name, tag, also, declared, pushed in SAMPLE
    ]
    programs = layout_of(directory / "programs")
    for month, tag in enumerate(PROGRAMS, 1):
        event = event_of("team/programs", tag, [], f"2026-{month:02}-09T13:37:00Z")
        reports.append(replay(tool, programs, event, "ecs/amd64", directory))
    return reports


def many(reports, count):
    """Yields `count` copies of the reports under other names, most of which run, as in practice."""
    fails = [report for report in reports if report["verdict"] in ("fails", "unknown")]
    fine = [report for report in reports if report["verdict"] not in ("fails", "unknown")]
    fails, fine = itertools.cycle(fails), itertools.cycle(fine)
    for number in range(count):
        report = next(fails) if number % 10 == 0 else next(fine)
        text = json.dumps(report)
        arrival = report["arrival"]
        name, tag = arrival["repository"], arrival.get("tag") or "none"
        group, image = f"group-{number % 1009 % 97}/service-{number % 1009}", f"{number // 1009}.{number % 7}.{number % 31}"
        text = text.replace(f"{name}:{tag}", f"{group}:{image}").replace(f"amazonaws.com/{name}", f"amazonaws.com/{group}")
        report = json.loads(text)
        digest = "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()
        report["arrival"] |= {"repository": group, "tag": image, "pushedAt": f"20{10 + number % 17}-{1 + number % 12:02}-{1 + number % 28:02}T00:00:00Z"}
        if "image" in report:
            report["image"]["digest"] = digest
        yield report


HOSTILE = ["<img src=x onerror=\"document.title='owned'\">", "</script><script>document.title='owned'</script>", "<!--<script>", "a\u202eb\u2028c\u0001d", "x" * 5000, "{{script}}"]


def hostile(report):
    """Yields copies of a report with an injection attempt in every text."""
    for number, text in enumerate(HOSTILE):
        copy = json.loads(json.dumps(report))
        copy["arrival"] |= {"repository": text, "tag": text, "alsoTagged": [text], "pushedAt": text, "account": text, "region": text}
        copy["image"] |= {"reference": text, "digest": text, "platforms": [text]}
        for answer in copy["runtimes"]:
            answer["unknown"] = [text]
            for fault in answer["faults"]:
                fault |= {"evidence": text, "symptom": text, "remedy": [text, text], "advice": [text, f"{number}"], "code": text}
        copy["inUse"] = {"by": [{"service": text, "name": text, "container": text, "definition": text}], "notRead": [text]}
        for started in copy["exec"]:
            started |= {"argv": [text], "chain": [text], "reason": text, "platform": text, "path": text, "errno": text}
        yield copy


def write(file, reports):
    """Writes one report per line; returns the file."""
    with file.open("w", encoding="utf-8") as lines:
        for report in reports:
            lines.write(json.dumps(report, separators=(",", ":"), ensure_ascii=False) + "\n")
    return file
