"""The environment of the function: an emulated AWS, real images in its registry, a Lambda Runtime API, a subscriber.

Everything listens on loopback only. Each part stops what it started at the end of its `with` block.
"""

import contextlib
import hashlib
import json
import os
import queue
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The account and the region of the sample events.
ACCOUNT, REGION = "123456789012", "us-west-2"
# The emulator's root credentials of the account.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "emulator"}
# The signature of a presigned URL: anyone who finds it in a log can download the blob.
SIGNATURE = "a-presigned-address-is-a-secret"
ARCHITECTURES = ["arm64", "amd64"]


class Unusable(Exception):
    """A requirement of the test is missing; the message says what to do."""


# The emulator


@contextlib.contextmanager
def emulator(work, settings=None):
    """Runs ministack with these additional environment variables; yields its URL."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(work),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "EMULATOR_SIGNATURE": SIGNATURE,
        # It sends HTTPS notifications to this test's subscriber.
        "SSL_CERT_FILE": str(work / "subscriber.pem"),
        # Keeps it from using a Docker daemon to run containers.
        "DOCKER_HOST": f"unix://{work}/no-docker.sock",
        # The endpoint and credentials of the functions that it runs.
        "AWS_ENDPOINT_URL": address,
        **CREDENTIALS,
        **(settings or {}),
    }
    command = [sys.executable, "-B", str(HERE / "launcher.py")]
    with process(command, environment, work / "emulator.log") as running:
        wait_until(lambda: answers(f"{address}/_ministack/health"), 30, "the emulator's first answer", running)
        yield address


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


@contextlib.contextmanager
def process(command, environment, log):
    """Runs a process with this environment only, without the caller's credentials and proxies."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(5)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def wait_until(done, seconds, what, running=None):
    """Waits for a condition; fails at once if the process has exited."""
    deadline = time.monotonic() + seconds
    while not done():
        if running is not None and running.poll() is not None:
            raise Unusable(f"{running.args[-1]} ended with exit code {running.returncode} before {what}")
        if time.monotonic() > deadline:
            raise Unusable(f"timeout after {seconds} s: {what}")
        time.sleep(0.05)


# The function


class Function:
    """The real binary behind a Lambda Runtime API: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>."""

    # Seconds. Longer than the function's own timeouts of one request.
    INVOCATION = 40

    def __init__(self):
        self.events, self.endings = queue.Queue(), queue.Queue()
        self.running = None

    @contextlib.contextmanager
    def start(self, binary, address, topic, log):
        """Runs the binary as the Lambda service does, with this URL as the AWS endpoint."""
        with serving(runtime_api(self)) as port:
            environment = {
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
                "AWS_LAMBDA_FUNCTION_NAME": "ecr-preflight",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/ecr-preflight",
                "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": address,
                "PREFLIGHT_TOPIC_ARN": topic,
                "PREFLIGHT_VERDICT_TAGS": "all",
                **CREDENTIALS,
            }
            with process([str(binary)], environment, log) as self.running:
                yield self

    def invoke(self, event):
        """Sends one event to the function; returns `response` or `error`, and the body."""
        self.events.put(event)
        wait_until(lambda: not self.endings.empty(), self.INVOCATION, "the end of an invocation", self.running)
        return self.endings.get()


def runtime_api(function):
    """Returns a request handler that serves events one at a time and receives the responses."""
    request_id = "00000000-0000-4000-8000-000000000000"

    class Handler(QuietHandler):
        def do_GET(self):  # …/runtime/invocation/next, which waits for an event
            body = json.dumps(function.events.get()).encode()
            deadline = int((time.time() + Function.INVOCATION) * 1000)
            self.answer(
                200,
                body,
                {
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ecr-preflight",
                },
            )

        def do_POST(self):  # …/runtime/invocation/ID/response or …/error, or …/runtime/init/error
            body = json.loads(self.body())
            self.answer(202)
            function.endings.put((self.path.rsplit("/", 1)[-1], body))

    return Handler


# Common parts of the servers


class QuietHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Logs nothing."""


@contextlib.contextmanager
def serving(handler, tls=None):
    """Serves on a free loopback port; yields the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


# The subscriber over HTTPS


class Subscriber:
    """An HTTPS subscriber of the topic, like Amazon Q Developer in chat applications."""

    def __init__(self):
        self.notifications = queue.Queue()

    @contextlib.contextmanager
    def start(self, work):
        """Serves over TLS with a certificate for this run; yields the URL to subscribe."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certificate(work))
        subscriber = self

        class Handler(QuietHandler):
            def do_POST(self):
                message = json.loads(self.body())
                self.answer(200)
                if message["Type"] == "SubscriptionConfirmation":
                    urllib.request.urlopen(message["SubscribeURL"], timeout=5).close()
                else:
                    subscriber.notifications.put(message)

        with serving(Handler, tls) as port:
            yield f"https://127.0.0.1:{port}/"


def certificate(work):
    """Creates a certificate for the loopback address; returns the paths of certificate and key."""
    certificate, key = work / "subscriber.pem", work / "subscriber.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    shell([*command, "-keyout", str(key), "-out", str(certificate)])
    return certificate, key


# Real images


class Images:
    """An OCI image layout with an image of Debian's busybox for each of two architectures, and an index of both."""

    def __init__(self, directory, packages):
        self.layout = directory / "layout"
        shell(["umoci", "init", "--layout", str(self.layout)])
        for architecture in ARCHITECTURES:
            self._image(architecture, busybox(directory, packages, architecture))
        self._index("index")

    def _image(self, architecture, root):
        image = f"{self.layout}:{architecture}"
        config = ["--architecture", architecture, "--os", "linux", "--config.entrypoint", "/bin/app"]
        shell(["umoci", "new", "--image", image])
        shell(["umoci", "config", "--image", image, *config])
        shell(["umoci", "insert", "--rootless", "--image", image, str(root), "/"])

    def _index(self, name):
        """Writes an index, because the available tools create one only in a registry."""
        table = json.loads((self.layout / "index.json").read_text())
        named = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry for entry in table["manifests"]}
        children = [
            {
                "mediaType": named[architecture]["mediaType"],
                "digest": named[architecture]["digest"],
                "size": named[architecture]["size"],
                "platform": {"architecture": architecture, "os": "linux"},
            }
            for architecture in ARCHITECTURES
        ]
        media_type = "application/vnd.oci.image.index.v1+json"
        blob = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": children}).encode()
        digest = hashlib.sha256(blob).hexdigest()
        (self.layout / "blobs" / "sha256" / digest).write_bytes(blob)
        entry = {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(blob)}
        entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        table["manifests"].append(entry)
        (self.layout / "index.json").write_text(json.dumps(table))

    def push(self, name, address, repository, tag, docker=False):
        """Pushes an image, optionally with Docker media types."""
        destination = f"docker://{address.removeprefix('http://')}/{repository}:{tag}"
        command = ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", "--dest-no-creds"]
        command += ["--format", "v2s2"] if docker else []
        shell([*command, f"oci:{self.layout}:{name}", destination])


def busybox(directory, packages, architecture):
    """Creates a root file system that contains only the busybox of this architecture."""
    unpacked, root = directory / f"package-{architecture}", directory / f"root-{architecture}"
    shell(["dpkg", "-x", str(packages[architecture]), str(unpacked)])
    (root / "bin").mkdir(parents=True)
    # Its path differs between releases of Debian.
    (found, *_) = [path for path in unpacked.rglob("bin/busybox") if path.is_file()]
    # Under its own name, it would start what its arguments name.
    shutil.copy(found, root / "bin" / "app")
    return root


def require_tools():
    """Installs missing tools if possible; fails otherwise."""
    needed = {"skopeo": "skopeo", "umoci": "umoci", "openssl": "openssl", "dpkg": "dpkg", "apt-get": "apt"}
    missing = [package for tool, package in needed.items() if shutil.which(tool) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unusable(f"{' and '.join(missing)} missing; on Debian: apt-get install {' '.join(missing)}")
    print(f"installing {' and '.join(missing)}")
    shell(["apt-get", "update", "--quiet"])
    shell(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing])


def debian_packages(directory):
    """Returns the busybox packages of each architecture; downloads are kept."""
    directory.mkdir(parents=True, exist_ok=True)
    return {architecture: debian_package(directory, architecture) for architecture in ARCHITECTURES}


def debian_package(directory, architecture):
    kept = list(directory.glob(f"busybox-static_*_{architecture}.deb"))
    if kept:
        return kept[0]
    download = ["apt-get", "download", "--quiet", f"busybox-static:{architecture}"]
    print(f"downloading busybox-static:{architecture}")
    if subprocess.run(download, cwd=directory, capture_output=True, check=False).returncode != 0:
        add = [["dpkg", "--add-architecture", architecture], ["apt-get", "update", "--quiet"]]
        if os.geteuid() != 0:
            commands = " && ".join(" ".join(command) for command in add)
            raise Unusable(f"busybox-static:{architecture} cannot be downloaded; as root: {commands}")
        print(f"adding the architecture {architecture} to dpkg")
        for command in add:
            shell(command)
        shell(download, directory)
    return next(directory.glob(f"busybox-static_*_{architecture}.deb"))


def shell(command, directory=None):
    """Runs a command; fails with its output if it fails."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise Unusable(f"`{' '.join(command)}` ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
