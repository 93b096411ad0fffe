#!/usr/bin/env python3
"""Measures what the Lambda function costs, compared with a function that does nothing.

Runs the real binaries against a local Lambda runtime API and local servers for ECR, blob storage and SNS. The AWS
services use TLS. The function trusts them in addition to the system's root certificates, so that the cost of loading
those is included. Each event is a push of an arm64 image to a repository that is declared for App Runner, which causes
every request: manifest and repository tags, URL of the config, config, message.

Both functions run alternately, and the medians are compared: ratios are the same on any machine, milliseconds are not.
Needs Python 3.11 and openssl. Counts instructions if valgrind is installed.
"""

import argparse
import collections
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# The limits of `--check`.
MAX_START_RATIO = 1.25
MAX_PEAK_MIB = 12
MAX_ZIP_MB = 3
MAX_INSTRUCTIONS_M = 100
# For an event on open connections: 4.21 at the time of writing, of which a quarter hashes the message for its signature;
# 3.55 before e-mail and SMS had texts of their own. The limit is 10 % above it.
MAX_WARM_INSTRUCTIONS_M = 4.6

# The number of events after the first over which it is averaged.
WARM_EVENTS = 8

# Timeout for a response of the function, which is about fifty times slower under valgrind.
TIMEOUT_S = 20

# The function's features: without the command-line tool.
FUNCTION = ["--no-default-features", "--features", "lambda"]

ROOTS = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
ACCOUNT, REGION, NAME, TAG = "123456789012", "us-west-2", "team/app", "1.4.2"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


CONFIG = json.dumps(
    {
        "architecture": "arm64",
        "os": "linux",
        "config": {"Entrypoint": ["/usr/local/bin/app"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(b"a layer")]},
    }
).encode()
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": sha256(CONFIG),
            "size": len(CONFIG),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": sha256(b"a packed layer"),
                "size": 30_000_000,
            }
        ],
    }
)
DIGEST = sha256(MANIFEST.encode())


def event(number):
    """Returns the n-th event, as EventBridge sends it."""
    return {
        "version": "0",
        "id": f"00000000-0000-4000-8000-{number:012}",
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": ACCOUNT,
        "time": "2026-01-01T00:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {
            "action-type": "PUSH",
            "result": "SUCCESS",
            "repository-name": NAME,
            "image-digest": DIGEST,
            # A tag of its own, because the same message about a tag is not sent again.
            "image-tag": f"{TAG}-{number}",
            "manifest-media-type": MANIFEST_TYPE,
        },
    }


class Server:
    """An HTTP/1.1 server on loopback with a thread for each connection. Faster than the standard library's, which takes
    longer than what is measured."""

    def __init__(self, answer, tls=None):
        self.answer = answer
        self.tls = tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as reader:
                while line := reader.readline():
                    method, path, _ = line.decode().split()
                    headers = {}
                    while (line := reader.readline()) not in (b"\r\n", b""):
                        name, _, value = line.decode().partition(":")
                        headers[name.lower()] = value.strip()
                    kind, body, more = self.answer(method, path, headers, self.body(reader, headers))
                    head = [f"HTTP/1.1 {kind}", f"Content-Length: {len(body)}", *more]
                    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        except OSError:
            pass  # The function was stopped.

    @staticmethod
    def body(reader, headers):
        if headers.get("transfer-encoding") != "chunked":
            return reader.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(reader.readline(), 16):
            body += reader.read(size)
            reader.readline()
        reader.readline()
        return body

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # Closing alone does not wake the accepting thread.
        self.listener.close()


class RuntimeApi(Server):
    """Passes events to one function, and records when it requests them and when it responds."""

    def __init__(self):
        self.events = queue.Queue()
        self.seen = queue.Queue()
        self.handed_out = None
        super().__init__(self.invocation)

    def invocation(self, _method, path, _headers, body):
        at = time.perf_counter_ns()
        call = path.rsplit("/", 1)[1]
        self.seen.put((call, at, body))
        if call != "next":
            return "202 Accepted", b'{"status":"OK"}', ["Content-Type: application/json"]
        text = self.events.get()
        headers = [
            "Content-Type: application/json",
            "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            f"Lambda-Runtime-Deadline-Ms: {time.time_ns() // 1_000_000 + TIMEOUT_S * 1000}",
            f"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:{REGION}:{ACCOUNT}:function:bench",
        ]
        self.handed_out = time.perf_counter_ns()
        return "200 OK", text, headers

    def wait(self, expected):
        """Returns the time at which the function made this call."""
        call, at, body = self.seen.get(timeout=TIMEOUT_S)
        if call != expected:
            raise RuntimeError(f"the function called `{call}` instead of `{expected}`: {body.decode()}")
        return at

    def handle(self, number):
        """Lets the function handle one event; returns the duration in nanoseconds."""
        self.events.put(json.dumps(event(number)).encode())
        answered = self.wait("response")
        self.wait("next")
        return answered - self.handed_out

    def close(self):
        super().close()
        self.events.put(b"")  # Releases the thread that waits for an event.


class Aws:
    """The services that the function calls. Each has its own port and TLS context, so that no TLS session is resumed
    that would not be resumed with the real services."""

    CALLS = ["BatchGetImage", "ListTagsForResource", "GetDownloadUrlForLayer", "blob", "Publish"]

    def __init__(self, directory):
        self.calls = collections.Counter()
        self.bundle = directory / "bundle.pem"
        roots = next((path for path in map(Path, ROOTS) if path.exists()), None)
        trusted = roots.read_text() if roots else ""
        self.roots = trusted.count("BEGIN CERTIFICATE")
        self.bundle.write_text(trusted + authority(directory))

        def tls():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(directory / "server.pem", directory / "server.key")
            return context

        self.ecr = Server(self.ecr_answer, tls())
        self.blobs = Server(self.blob_answer, tls())
        self.sns = Server(self.sns_answer, tls())

    def ecr_answer(self, _method, _path, headers, body):
        action = headers["x-amz-target"].rsplit(".", 1)[1]
        self.calls[action] += 1
        answers = {
            "BatchGetImage": {
                "images": [
                    {
                        "registryId": ACCOUNT,
                        "repositoryName": NAME,
                        "imageId": {"imageDigest": DIGEST} | json.loads(body).get("imageIds", [{}])[0],
                        "imageManifest": MANIFEST,
                        "imageManifestMediaType": MANIFEST_TYPE,
                    }
                ],
                "failures": [],
            },
            "ListTagsForResource": {"tags": [{"Key": "intended-runtime", "Value": "apprunner"}]},
            "GetDownloadUrlForLayer": {"downloadUrl": f"{self.blobs.url}/config", "layerDigest": sha256(CONFIG)},
        }
        return "200 OK", json.dumps(answers[action]).encode(), ["Content-Type: application/x-amz-json-1.1"]

    def blob_answer(self, *_request):
        self.calls["blob"] += 1
        return "200 OK", CONFIG, ["Content-Type: application/octet-stream"]

    def sns_answer(self, _method, _path, _headers, body):
        self.calls[re.match(rb"Action=(\w+)", body)[1].decode()] += 1
        answer = (
            b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>'
            b"94f20ce6-13c5-43a0-9a9e-ca52d816e90b</MessageId></PublishResult><ResponseMetadata><RequestId>"
            b"f187a3c1-376f-11df-8963-01868b7c937a</RequestId></ResponseMetadata></PublishResponse>"
        )
        return "200 OK", answer, ["Content-Type: text/xml"]


def authority(directory):
    """Creates a certificate authority and a certificate for localhost; returns the authority's certificate."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, stderr=subprocess.PIPE, text=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Bench authority")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (directory / "server.ext").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "server.ext"]
    openssl("x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem")
    return (directory / "ca.pem").read_text()


class Function:
    """A binary that is started as the Lambda service starts it."""

    def __init__(self, binary, aws, directory):
        self.binary = binary
        self.log = directory / f"{binary.name}.log"
        self.environment = {
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_SESSION_TOKEN": "a token",
            "AWS_ENDPOINT_URL_ECR": aws.ecr.url,
            "AWS_ENDPOINT_URL_SNS": aws.sns.url,
            # Metadata only: inspections of programs have their own benchmark.
            "PREFLIGHT_INSPECT": "config",
            "PREFLIGHT_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:preflight",
            "SSL_CERT_FILE": str(aws.bundle),
        }

    def run(self, events, under=()):
        """Starts the function, lets it handle this number of events, and stops it; returns the nanoseconds of the start
        and of each event, the CPU seconds, and the peak memory in bytes."""
        api = RuntimeApi()
        environment = self.environment | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.port}"}
        with self.log.open("wb") as log:
            began = time.perf_counter_ns()
            process = subprocess.Popen([*under, self.binary], env=environment, stdout=log, stderr=log)
        try:
            took = [api.wait("next") - began]
            took += [api.handle(number) for number in range(1, events + 1)]
            # Not the child's ru_maxrss, which includes this script's memory: the child shares it until its exec.
            peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        except (queue.Empty, RuntimeError) as error:
            raise SystemExit(f"{self.binary} failed: {str(error) or 'no answer'}\n{self.log.read_text()}") from None
        finally:
            # Not SIGKILL, so that valgrind can write its counts; and not through `process`, which would reap the child
            # before its resource usage can be read.
            os.kill(process.pid, signal.SIGTERM)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            api.close()
        return took, usage.ru_utime + usage.ru_stime, int(peak[1]) * 1024

    def instructions(self, events):
        """Counts the executed instructions with valgrind. Unlike times, they do not depend on the machine's load."""
        if not shutil.which("valgrind"):
            return None
        counts = self.log.with_suffix(".callgrind")
        self.run(events, ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"])
        return int(re.search(r"^(?:totals|summary): (\d+)", counts.read_text(), re.MULTILINE)[1])


def build(directory, name, *options):
    """Builds one binary in release mode with these options of `cargo build`; returns its path."""
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    command = ["cargo", "build", "--release", "--locked", "--bin", name, "--target-dir", target, *options]
    command += ["--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, check=True, text=True)
    artifacts = [json.loads(line) for line in built.stdout.splitlines()]
    return Path(next(artifact["executable"] for artifact in artifacts if artifact.get("executable")))


def settings(path, table):
    """Returns a TOML table as values for cargo's `--config KEY=VALUE`."""
    for key, value in table.items():
        inner = f'{path}."{key}"'
        yield from settings(inner, value) if isinstance(value, dict) else [f"{inner}={json.dumps(value)}"]


def packed(binary, directory):
    """Returns the size of the zip file that would be uploaded."""
    archive = directory / f"{binary.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.write(binary, "bootstrap")
    return archive.stat().st_size


def measure(functions, runs, aws, directory):
    """Measures each function. They run alternately, so that other load on the machine affects both."""
    ran = {name: [] for name in functions}
    for _ in range(runs):
        for name, function in functions.items():
            ran[name].append(function.run(events=2))
    if set(aws.calls.values()) != {2 * runs} or set(aws.calls) != set(Aws.CALLS):
        raise SystemExit(f"error: {2 * runs} events caused unexpected requests: {dict(aws.calls)}")
    costs = {}
    for name, function in functions.items():
        took, cpu, peak = zip(*ran[name])
        start, first, second = (statistics.median(times) / 1e6 for times in zip(*took))
        count, more = function.instructions(events=1), function.instructions(events=1 + WARM_EVENTS)
        costs[name] = {
            "start to the first request, ms": start,
            "first event, ms": first,
            "second event, ms": second,
            "CPU of start and two events, ms": statistics.median(cpu) * 1e3,
            "instructions of start and first event, M": count and count / 1e6,
            "instructions of a further event, M": count and (more - count) / WARM_EVENTS / 1e6,
            "peak memory, MiB": statistics.median(peak) / 2**20,
            "binary, MB": function.binary.stat().st_size / 1e6,
            "bootstrap.zip, MB": packed(function.binary, directory) / 1e6,
        }
    return costs


def table(costs):
    """Yields the lines of a Markdown table of the costs."""
    own, empty = costs.values()
    yield f"| median | {' | '.join(costs)} | ratio |"
    yield "|---|--:|--:|--:|"
    for what, cost in own.items():
        if cost is None:
            yield f"| {what} | not measured | not measured | |"
        else:
            yield f"| {what} | {cost:.2f} | {empty[what]:.2f} | {cost / empty[what]:.2f} |"


def excesses(costs):
    """Returns a message for each exceeded limit."""
    own, empty = costs.values()
    start = "start to the first request, ms"
    limits = [
        ("the start takes {:.2f} times that of the empty function", own[start] / empty[start], MAX_START_RATIO),
        ("peak memory is {:.2f} MiB", own["peak memory, MiB"], MAX_PEAK_MIB),
        ("bootstrap.zip is {:.2f} MB", own["bootstrap.zip, MB"], MAX_ZIP_MB),
        (
            "start and first event take {:.2f} million instructions",
            own["instructions of start and first event, M"] or 0,
            MAX_INSTRUCTIONS_M,
        ),
        (
            "a further event takes {:.2f} million instructions",
            own["instructions of a further event, M"] or 0,
            MAX_WARM_INSTRUCTIONS_M,
        ),
    ]
    return [f"{text.format(cost)}; the limit is {limit}" for text, cost, limit in limits if cost > limit]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, metavar="N", help="how often each function is started (default: 30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    parser.add_argument("--check", action="store_true", help="exit with code 1 if a limit is exceeded")
    parser.add_argument("--binary", type=Path, metavar="FILE", help="measure this binary instead of building one")
    arguments = parser.parse_args()

    binary = arguments.binary.resolve() if arguments.binary else build(ROOT, "bootstrap", *FUNCTION)
    profile = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
    same_profile = [part for setting in settings("profile.release", profile) for part in ("--config", setting)]
    empty = build(HERE / "empty", "empty", *same_profile)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        aws = Aws(directory)
        functions = {
            "ecr-preflight": Function(binary, aws, directory),
            "empty function": Function(empty, aws, directory),
        }
        print(f"{arguments.runs} runs of each; {aws.roots} root certificates of the system, and one more\n", file=sys.stderr)
        costs = measure(functions, arguments.runs, aws, directory)
    print("\n".join(table(costs)))
    if arguments.json:
        arguments.json.write_text(json.dumps(costs, indent=2) + "\n")
    if arguments.check and (found := excesses(costs)):
        sys.exit("\n".join(["", *found]))


if __name__ == "__main__":
    main()
