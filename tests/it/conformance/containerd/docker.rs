//! A Docker engine of our own, and what it does with images of a registry on this machine.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use super::outcome::Outcome;

/// The client of Debian's package: others build with plugins only, and this one fits its daemon.
const CLIENT: &str = "/usr/bin/docker";
const START_TIME: Duration = Duration::from_secs(30);
/// How long a started program may run before it is killed, in the words of timeout(1).
const RUN_TIME: &str = "8";
/// The exit code of timeout(1) if it killed the command.
const TIMED_OUT: i32 = 137;
/// The exit codes of `docker run` if the daemon failed, and if the program cannot be started.
const DAEMON_FAILED: i32 = 125;
const NOT_STARTED: [i32; 2] = [126, 127];

/// The builders of Docker Engine 20.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    Classic,
    BuildKit,
}

/// A running Docker engine; it is killed, with everything that it started, when this is dropped.
#[derive(Debug)]
pub struct Docker {
    directory: TempDir,
    process: Child,
}

impl Docker {
    /// Starts the engine in a PID and mount namespace, so that no process and no mount outlives it.
    pub fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        let log = fs::File::create(at("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["tini", "--", "dockerd", "--iptables=false", "--bridge=none", "--data-root"]).arg(at("root"));
        command.arg("--exec-root").arg(at("exec")).arg("--pidfile").arg(at("pid"));
        command.arg("--host").arg(format!("unix://{}", at("socket").display()));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let mut docker = Self { process: command.spawn().expect("util-linux is installed"), directory };
        let started = Instant::now();
        while !docker.client().arg("version").output().is_ok_and(|output| output.status.success()) {
            let log = fs::read_to_string(docker.directory.path().join("log")).unwrap();
            assert!(docker.process.try_wait().unwrap().is_none(), "Docker needs root and must be installed: {log}");
            assert!(started.elapsed() < START_TIME, "Docker does not answer: {log}");
            thread::sleep(Duration::from_millis(50));
        }
        docker
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn client(&self) -> Command {
        let mut command = Command::new(CLIENT);
        command.env("DOCKER_HOST", format!("unix://{}", self.socket().display())).stdin(Stdio::null());
        command
    }

    /// Imports an archive as a base image, builds a context on it with a builder, and returns the file of the saved image
    /// in that directory.
    pub fn build(&self, base: &Path, context: &Path, builder: Builder) -> PathBuf {
        let run = |command: &mut Command| {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run(self.client().arg("import").arg(base).arg("base"));
        let buildkit = if builder == Builder::BuildKit { "1" } else { "0" };
        run(self
            .client()
            .env("DOCKER_BUILDKIT", buildkit)
            .args(["build", "--network", "none", "--tag", "built"])
            .arg(context));
        let saved = self.directory.path().join(format!("saved-{buildkit}.tar"));
        run(self.client().args(["save", "built", "--output"]).arg(&saved));
        saved
    }

    /// Pulls an image and starts it as its config states.
    pub fn run(&self, image: &str) -> Outcome {
        let pulled = self.client().args(["pull", "--quiet", image]).output().unwrap();
        if !pulled.status.success() {
            return Outcome::Refused(String::from_utf8_lossy(&pulled.stderr).trim().to_owned());
        }
        let mut command = Command::new("timeout");
        command.args(["--signal", "KILL", RUN_TIME, CLIENT, "run", "--rm", "--network", "none", image]);
        command.env("DOCKER_HOST", format!("unix://{}", self.socket().display())).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let printed = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            None | Some(TIMED_OUT) => Outcome::Started,
            Some(0) if printed.contains("started\n") => Outcome::Started,
            Some(DAEMON_FAILED) => Outcome::Refused(said),
            Some(code) if NOT_STARTED.contains(&code) && said.contains("OCI runtime create failed") => {
                Outcome::NotStarted(said)
            }
            Some(1) if said.starts_with("exec ") => Outcome::NotStarted(said),
            Some(code) => Outcome::Ended(code, said),
        }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
