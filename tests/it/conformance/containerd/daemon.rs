//! A containerd of our own, with its state in memory, and what `ctr` says about images.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio, id};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use super::outcome::Outcome;

/// How long a started program may run before it is killed.
const RUN_TIME: Duration = Duration::from_secs(8);
const START_TIME: Duration = Duration::from_secs(30);
const TRIES: usize = 10;
const POLL: Duration = Duration::from_millis(5);

/// A running containerd; it is killed, with everything that it started, when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    directory: TempDir,
    /// The containerd namespace. The shims of all daemons share a directory, `/run/containerd/runc`, in which it has one.
    namespace: String,
    process: Child,
}

impl Daemon {
    /// Starts containerd in a PID and mount namespace, so that no process and no mount outlives it, even if the test is
    /// killed.
    pub fn start() -> Self {
        // In memory, because containerd waits for the disk after each change.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
        let at = |name: &str| directory.path().join(name);
        let log = fs::File::create(at("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "tini",
            "--",
        ]);
        command.args(["containerd", "--log-level", "warn", "--root"]).arg(at("root"));
        command.arg("--state").arg(at("state")).arg("--address").arg(at("socket"));
        // Go's own gzip, whichever tools are installed.
        command.env("CONTAINERD_DISABLE_PIGZ", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let process = command.spawn().expect("util-linux is installed");
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let namespace = format!("preflight-{}-{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut daemon = Self { directory, namespace, process };
        let started = Instant::now();
        while !daemon.ctr().arg("version").output().is_ok_and(|output| output.status.success()) {
            let log = fs::read_to_string(daemon.directory.path().join("log")).unwrap();
            assert!(daemon.process.try_wait().unwrap().is_none(), "containerd needs root and must be installed: {log}");
            assert!(started.elapsed() < START_TIME, "containerd does not answer: {log}");
            thread::sleep(Duration::from_millis(50));
        }
        daemon
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.directory.path().join("socket")).stdin(Stdio::null());
        command.args(["--namespace", &self.namespace]);
        command
    }

    /// Imports the tagged images of a layout under `name`, without unpacking them. Returns the refusal.
    pub fn import(&self, layout: &Path, name: &str) -> Result<(), String> {
        let archive = self.directory.path().join(format!("{name}.tar"));
        let packed = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(layout).arg(".").status().unwrap();
        assert!(packed.success());
        let mut command = self.ctr();
        command.args(["images", "import", "--no-unpack", "--base-name", name]).arg(&archive);
        let output = command.output().unwrap();
        fs::remove_file(&archive).unwrap();
        output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Pulls an image from a registry of this machine, and unpacks it. Returns the refusal.
    pub fn pull(&self, image: &str) -> Result<(), String> {
        let mut command = self.ctr();
        let output =
            command.args(["images", "pull", "--plain-http", "--snapshotter", "overlayfs", image]).output().unwrap();
        output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Unpacks an image with the overlayfs snapshotter and starts it as its config states.
    pub fn run(&self, image: &str) -> Outcome {
        // If a layer of several images is refused, containerd may remove the layers below it while it unpacks them for
        // another image.
        let is_race = |outcome: &Outcome| matches!(outcome, Outcome::Refused(said) if said.contains("failed to prepare extraction snapshot"));
        let mut outcomes = (0..TRIES).map(|_| self.run_once(image));
        outcomes.find(|outcome| !is_race(outcome)).expect("layers are unpacked without a race")
    }

    fn run_once(&self, image: &str) -> Outcome {
        let container = image.replace([':', '/'], "-");
        let mut command = self.ctr();
        command.args(["run", "--rm", "--snapshotter", "overlayfs", image, &container]);
        // Files, because a program may print more than fits into a pipe.
        let files = ["out", "err"].map(|kind| self.directory.path().join(format!("{container}.{kind}")));
        let [out, err] = files.each_ref().map(|file| fs::File::create(file).unwrap());
        let mut process = command.stdout(out).stderr(err).spawn().expect("ctr is installed");
        let started = Instant::now();
        let mut is_killed = false;
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > RUN_TIME && !is_killed {
                is_killed =
                    self.ctr().args(["tasks", "kill", "--signal", "KILL", &container]).status().unwrap().success();
            }
            assert!(started.elapsed() < 10 * RUN_TIME, "{image} does not end");
            thread::sleep(POLL);
        };
        let [printed, said] = files.map(|file| {
            let bytes = fs::read(&file).unwrap();
            fs::remove_file(&file).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Outcome::of(status.code().unwrap_or(-1), &printed, &said, is_killed)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // `unshare` passes the signal to the first process of the namespace, with which all others end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(Path::new("/run/containerd/runc").join(&self.namespace));
    }
}
