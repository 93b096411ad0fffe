//! The start of a container against runc: whether it starts, and the error if not.

use std::fs;
use std::path::Path;
use std::process::{Command, id};

use ecr_preflight::exec::{ExecOutcome, Host, StartPrediction, predict_start, resolve_working_directory};
use ecr_preflight::rootfs::{FilesystemView, User};
use serde_json::{Value, json};

use super::elf::own;
use super::known_cases::base;

/// Starts a command in a bundle and returns the error that runc prints; empty if it starts.
pub fn start_and_print(bundle: &Path, spec: &Value, name: &str, directory: &str, search: &str, user: u32) -> String {
    let mut spec = spec.clone();
    spec["process"]["args"] = json!([name]);
    spec["process"]["cwd"] = json!(directory);
    spec["process"]["env"] = json!([format!("PATH={search}")]);
    spec["process"]["terminal"] = json!(false);
    spec["process"]["user"] = json!({"uid": user, "gid": 0});
    fs::write(bundle.join("config.json"), spec.to_string()).unwrap();
    let container = format!("preflight-{}", id());
    let output = Command::new("runc").args(["run", "--bundle"]).arg(bundle).arg(&container).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap().replace("\\\"", "\"");
    // A started program may still be killed by a signal.
    let started = output.status.success() || output.status.code().is_some_and(|code| code > 128);
    assert_eq!(started, words.is_empty(), "{name}: {words}");
    words
}

/// Whether runc behaved as predicted, word for word.
pub fn matches_prediction(predicted: &StartPrediction, words: &str, is_directory: bool) -> bool {
    match (&predicted.outcome, &predicted.message) {
        (ExecOutcome::Starts { .. }, None) => words.is_empty(),
        // Go 1.20 and later report directories separately.
        (ExecOutcome::Fails { .. }, Some(said)) => {
            let newer = said.replace(": permission denied", ": is a directory");
            words.contains(said.as_str()) || (is_directory && words.contains(&newer))
        }
        _ => false,
    }
}

pub fn compare(host: Host) {
    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path();
    let tree =
        base().directory("dir").file("dir/run", own().bytes()).file("text", "echo\n").file("crlf", "#!/bin/sh\r\n");
    let tree = tree.file("loopy", "#!/loopy\n").file("alpine", own().loaded_by("/lib64/ld-linux.so.2").bytes());
    tree.write_to(&bundle.join("rootfs"));
    let made = Command::new("runc").args(["spec", "--bundle"]).arg(bundle).status();
    assert!(made.expect("runc is installed").success());
    let spec: Value = serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
    let rootfs = tree.rootfs();
    let names = ["sh", "none", "foreign", "closed", "pipe", "text", "script", "loop", "dangling", "run", ""];
    let paths = ["/bin/sh", "/none", "/bin/foreign", "/bin/closed", "/bin/pipe", "/text", "/crlf", "/loopy", "/alpine"];
    let further = ["/dir", "/bin/loop", "/bin/sh/x", "/bin/sh/", "./run", "bin/sh", "../bin/sh", "./none"];
    let names = names.iter().chain(&paths).chain(&further);
    let places = [("/", "/none:/bin", 0), ("/dir", ":/bin", 0), ("/dir", "/dir/../bin:.", 7), ("/made/here", "", 0)];
    let mut wrong = Vec::new();
    for (name, (directory, search, user)) in names.flat_map(|name| places.map(|place| (name, place))) {
        let words = start_and_print(bundle, &spec, name, directory, search, user);
        let place = resolve_working_directory(&rootfs, &[], directory.as_bytes()).unwrap();
        let user = User::Exact { uid: user, gid: 0, supplementary_gids: Vec::new() };
        let view = FilesystemView { files: &rootfs, working_directory: Some(place), user, mounts: vec![] };
        let predicted = predict_start(&view, host, &[name.as_bytes().to_vec()], Some(search.as_bytes()));
        if !matches_prediction(&predicted, &words, *name == "/dir") {
            wrong.push(format!("{name} from {directory} with {search:?}: {words:?}, predicted {predicted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong.join("\n"));
}
