//! Images of the Docker engine, against a small server of its API, and archives from standard input.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use expect_test::{Expect, expect};
use tempfile::TempDir;

use crate::registry::archives::docker_archive;
use crate::support::layout::Builder;

/// How the server answers `GET /images/get`.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Archive,
    /// The connection closes in the middle of the archive.
    Truncated,
    NotFound,
    Refused,
    /// Another program listens there.
    NotHttp,
}

/// A server of the Docker Engine API with one image, `app:v1`, on a socket in this directory.
fn start_engine(directory: &Path, answer: Answer) -> String {
    let mut layout = Builder::new();
    layout.tag("v1", &layout.image("arm64"));
    let archive = docker_archive(layout.path(), "app").end();
    let socket = directory.join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = (&mut reader).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let target = lines.next().unwrap_or_default();
            lines.for_each(drop);
            let head = |status: &str| format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            let reply =
                |status: &str, body: &[u8]| [head(status).into_bytes(), chunk(body), b"0\r\n\r\n".to_vec()].concat();
            let has_image = target.contains("app%3Av1");
            let is_description = target.contains("/images/app:v1/json");
            let bytes = if is_description && matches!(answer, Answer::Archive | Answer::Truncated) {
                reply("200 OK", b"{}")
            } else if target.contains("/images/json") {
                reply("200 OK", if has_image { b"[{}]" } else { b"[]" })
            } else {
                match answer {
                    Answer::Archive if has_image => reply("200 OK", &archive),
                    Answer::Truncated => [head("200 OK").into_bytes(), chunk(&archive[..archive.len() / 2])].concat(),
                    Answer::Archive | Answer::NotFound => reply("404 Not Found", br#"{"message": "No such image"}"#),
                    Answer::Refused => reply("500 Internal Server Error", b"{\"message\": \"no\\u001b[2J space\"}"),
                    Answer::NotHttp => b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
                }
            };
            // The client may have closed the connection.
            let _ = stream.write_all(&bytes);
        }
    });
    format!("unix://{}", socket.display())
}

/// Runs the tool with a directory as its home, which is `DIR` in the output.
fn run(arguments: &[&str], settings: &[(&str, &str)], directory: &Path, input: Stdio) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.env_clear().envs([("PATH", "/usr/bin"), ("HOME", directory.to_str().unwrap())]);
    let output = command.envs(settings.iter().copied()).args(arguments).stdin(input).output().unwrap();
    let text = format!(
        "{}\n{}{}",
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap()
    );
    text.replace(directory.to_str().unwrap(), "DIR")
}

fn check_with(answer: Answer, reference: &str, expected: &Expect) {
    let directory = TempDir::new().unwrap();
    let host = start_engine(directory.path(), answer);
    let arguments = ["check", reference, "--runtime", "apprunner"];
    let settings = [("DOCKER_HOST", host.as_str())];
    expected.assert_eq(&run(&arguments, &settings, directory.path(), Stdio::null()));
}

#[test]
fn image_of_the_engine_is_checked() {
    check_with(
        Answer::Archive,
        "docker-daemon:app:v1",
        &expect![[r#"
        1
        docker-daemon:app:v1 will not start on App Runner

          image     docker-daemon:app:v1
          digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
          platform  linux/arm64

        ✗ App Runner
          wrong-architecture: the image is built for linux/arm64, not linux/amd64
          expected error: exec /app: exec format error

        What to do
          1. Build it for linux/amd64:
             docker buildx build --platform linux/amd64 --tag REGISTRY/IMAGE:v1 --push .
          2. Or, if it was copied from another registry, copy all its platforms:
             docker buildx imagetools create --tag REGISTRY/IMAGE:v1 SOURCE
    "#]],
    );
}

#[test]
fn failures_of_the_engine_are_errors() {
    check_with(
        Answer::NotFound,
        "docker-daemon:app:v2",
        &expect![[r#"
        3
        error: docker-daemon:app:v2 does not exist

        hint: `docker images` lists the images
    "#]],
    );
    check_with(
        Answer::Truncated,
        "docker-daemon:app:v1",
        &expect![[r#"
        3
        error: the transfer from the Docker engine failed
          caused by: error reading a body from connection
          caused by: unexpected EOF during chunk size line
    "#]],
    );
    check_with(
        Answer::Refused,
        "docker-daemon:app:v1",
        &expect![[r#"
        3
        error: the Docker engine refused the request with status 500: no�[2J space
    "#]],
    );
    check_with(
        Answer::NotHttp,
        "docker-daemon:app:v1",
        &expect![[r#"
        3
        error: the transfer from the Docker engine failed
          caused by: invalid HTTP version parsed
    "#]],
    );
    check_with(
        Answer::Archive,
        "docker-daemon:",
        &expect![[r#"
        64
        error: `docker-daemon:` has no valid name: expected `docker-daemon:NAME[:TAG]`
    "#]],
    );
    let directory = TempDir::new().unwrap();
    let check =
        |settings: &[(&str, &str)]| run(&["check", "docker-daemon:app"], settings, directory.path(), Stdio::null());
    let missing = format!("unix://{}/none.sock", directory.path().display());
    expect![[r#"
        3
        error: cannot connect to the Docker engine at unix://DIR/none.sock
          caused by: No such file or directory (os error 2)

        hint: start Docker, or set DOCKER_HOST or DOCKER_CONTEXT; `docker context ls` shows the engines
    "#]]
    .assert_eq(&check(&[("DOCKER_HOST", &missing)]));
    expect![[r#"
        3
        error: the Docker host `ssh://me@host` is not supported: expected `unix://PATH` or `tcp://HOST:PORT`

        hint: `docker save NAME | ecr-preflight check docker-archive:-` uses the `docker` command's own connection
    "#]]
    .assert_eq(&check(&[("DOCKER_HOST", "ssh://me@host")]));
    expect![[r#"
        3
        error: the Docker context `colima` does not exist, or has no Docker host

        hint: `docker save NAME | ecr-preflight check docker-archive:-` uses the `docker` command's own connection
    "#]]
    .assert_eq(&check(&[("DOCKER_CONTEXT", "colima")]));
}

#[test]
fn engine_that_does_not_answer_is_an_error() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let settings = [("DOCKER_HOST", format!("unix://{}", socket.display()))];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    expect![[r#"
        3
        error: the Docker engine did not send anything for 10 seconds

        hint: check that the engine works, for example with `docker version`
    "#]]
    .assert_eq(&run(&["check", "docker-daemon:app:v1"], &settings, directory.path(), Stdio::null()));
}

#[test]
fn name_without_a_registry_that_the_engine_has_gets_a_hint() {
    let directory = TempDir::new().unwrap();
    let host = start_engine(directory.path(), Answer::Archive);
    // No registry answers there.
    let settings = [("DOCKER_HOST", host.as_str()), ("HTTPS_PROXY", "http://127.0.0.1:1")];
    let text = run(&["check", "app:v1"], &settings, directory.path(), Stdio::null());
    assert!(text.contains("hint: `docker-daemon:app:v1` is the image of the Docker engine\n"), "{text}");
    let text = run(&["check", "other:v1"], &settings, directory.path(), Stdio::null());
    assert!(!text.contains("docker-daemon"), "{text}");
}

#[test]
fn archive_is_read_from_standard_input() {
    let (directory, mut layout) = (TempDir::new().unwrap(), Builder::new());
    layout.tag("v1", &layout.image("arm64"));
    let file = directory.path().join("image.tar");
    std::fs::write(&file, docker_archive(layout.path(), "app").end()).unwrap();
    let check = |images: &[&str], input: Stdio| {
        let arguments = [&["check"], images, &["--runtime", "apprunner"]].concat();
        run(&arguments, &[], directory.path(), input)
    };
    let open = || Stdio::from(File::open(&file).unwrap());
    let expected = check(
        &["docker-archive:DIR/image.tar:app:v1".replace("DIR", directory.path().to_str().unwrap()).as_str()],
        Stdio::null(),
    );
    let from_input = check(&["docker-archive:-:app:v1"], open());
    assert_eq!(from_input.replace("docker-archive:-:", "docker-archive:DIR/image.tar:"), expected);
    assert!(from_input.starts_with("1\n"), "{from_input}");
    expect![[r#"
        64
        error: standard input (`-`) can be only one of the images
    "#]]
    .assert_eq(&check(&["oci-archive:-:v1", "docker-archive:-"], open()));
    expect![[r#"
        3
        error: standard input is empty

        hint: the command before the pipe wrote nothing: look at its own error
    "#]]
    .assert_eq(&check(&["docker-archive:-"], Stdio::null()));
    let compressed = directory.path().join("image.tar.gz");
    std::fs::write(&compressed, b"\x1f\x8b\x08\0\0\0").unwrap();
    expect![[r#"
        3
        error: cannot read standard input
          caused by: compressed with gzip; only uncompressed archives are supported

        hint: decompress it in the pipe: `… | gunzip --stdout | ecr-preflight check …`
    "#]]
    .assert_eq(&check(&["docker-archive:-"], Stdio::from(File::open(compressed).unwrap())));
    expect![[r#"
        3
        error: cannot read /dev/fd/0
          caused by: not a regular file

        hint: use standard input, which is copied first: `docker-archive:-` or `oci-archive:-`, with the command before a pipe
    "#]].assert_eq(&check(&["docker-archive:/dev/fd/0"], Stdio::null()));
    expect![[r#"
        64
        error: `docker-archive:/usr` is a directory, but an archive is a file

        hint: name the file of the archive; the directory is not an OCI layout either
    "#]]
    .assert_eq(&check(&["docker-archive:/usr"], Stdio::null()));
    let settings = [("TMPDIR", "/none")];
    let text = run(&["check", "docker-archive:-"], &settings, directory.path(), open());
    assert!(text.starts_with("3\nerror: cannot create a temporary file in /none\n"), "{text}");
    assert!(text.contains("hint: free space in the directory for temporary files, or set TMPDIR"), "{text}");
}

#[test]
fn pipe_of_another_command_is_read() {
    let mut layout = Builder::new();
    layout.tag("v1", &layout.image("arm64"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    child.args(["check", "oci-archive:-", "--runtime", "ecs/arm64"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let archive = docker_archive(layout.path(), "app").end();
    let mut input = child.stdin.take().unwrap();
    for part in archive.chunks(1000) {
        input.write_all(part).unwrap();
    }
    drop(input);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
}
