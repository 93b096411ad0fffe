//! Images that Docker Engine builds: their layers are ones that it pulls.

use std::fs;
use std::process::Command;

use super::docker::{Builder, Docker};
use crate::support::archive::Archive;

/// The steps of a Dockerfile that write the same paths several times.
const STEPS: &str = r#"FROM base
WORKDIR /app
COPY . .
COPY a d/a ./
COPY d/ a hard link /app/
COPY --chown=1:1 a b
ADD twice.tar /twice
COPY a /app/a
RUN chmod 700 a && rm d/a && echo x > d/a && ln a again && ln -sf a soft && mv d e && mkdir d && touch d/a
RUN rm -rf e && mkdir -p e && touch e/x && chmod 755 /app /etc && rm /bin/cat && cp /bin/busybox /bin/cat
RUN rm again && ln a again && chown 1:1 again && tar cf /tmp/all.tar /app && tar xf /tmp/all.tar -C /
VOLUME /data
CMD ["/bin/sh", "-c", "echo started"]
"#;

/// Docker Engine refuses layers with two entries for one path, and never builds such layers.
#[test]
#[ignore = "needs docker.io, tini, busybox-static and root: make test-docker"]
fn built_images_are_not_refused_in_docker() {
    let directory = tempfile::tempdir().unwrap();
    let context = directory.path().join("context");
    fs::create_dir_all(context.join("d")).unwrap();
    for name in ["a", "d/a"] {
        fs::write(context.join(name), name).unwrap();
    }
    fs::hard_link(context.join("a"), context.join("hard")).unwrap();
    std::os::unix::fs::symlink("a", context.join("link")).unwrap();
    let twice = Archive::default().file("x", b"1").file("x", b"2").end();
    fs::write(context.join("twice.tar"), twice).unwrap();
    fs::write(context.join("Dockerfile"), STEPS).unwrap();
    let busybox = fs::read("/bin/busybox").unwrap();
    let names = ["cat", "chmod", "chown", "cp", "echo", "ln", "mkdir", "mv", "rm", "sh", "tar", "touch"];
    let base = Archive::default().directory("bin").file("bin/busybox", &busybox).directory("etc").directory("tmp");
    let base = names.iter().fold(base, |base, name| base.link(&format!("bin/{name}"), "busybox")).end();
    let base_file = directory.path().join("base.tar");
    fs::write(&base_file, base).unwrap();
    let docker = Docker::start();
    for builder in [Builder::Classic, Builder::BuildKit] {
        let saved = docker.build(&base_file, &context, builder);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
        command.args(["check", "--runtime", "linux/amd64"]);
        let output = command.arg(format!("docker-archive:{}", saved.display())).output().unwrap();
        assert!(output.status.success(), "{builder:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
