//! A sample of the images, started by runc from what umoci unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use ecr_preflight::exec::{Host, predict_start};
use ecr_preflight::rootfs::{FilesystemView, User};
use serde_json::{Value, json};

use super::unpacked::{Unpacked, working_directory_in};
use crate::conformance::kernel::runc::{matches_prediction, start_and_print};
use crate::support::random::Random;

const SEARCH: &str = "/none:/bin:/app:/usr/bin:/opt";

/// How many start, how many do not, and where runc disagrees.
pub fn compare(images: &[Unpacked], host: Host, starts: usize) -> (BTreeMap<&'static str, usize>, Vec<String>) {
    let bundle = tempfile::tempdir().unwrap();
    let made = Command::new("runc").args(["spec", "--bundle"]).arg(bundle.path()).status();
    assert!(made.expect("runc is installed").success());
    let mut spec: Value = serde_json::from_slice(&fs::read(bundle.path().join("config.json")).unwrap()).unwrap();
    let mut random = Random(1);
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for count in 0..starts {
        let unpacked = random.pick(images);
        let question = random.pick(&unpacked.image.questions);
        let name = if count % 3 == 0 { *random.pick(&["sh", "x", "run", "go", "env"]) } else { question.path.as_str() };
        let (directory, found) = match working_directory_in(unpacked.complete(), &question.directory) {
            Some(found) => (question.directory.as_str(), found),
            None => ("/", Vec::new()),
        };
        let user = *random.pick(&[0, 0, 11]);
        // As in Docker, only root bypasses permission bits.
        let capabilities = if user == 0 { json!(["CAP_DAC_OVERRIDE"]) } else { json!([]) };
        for set in ["bounding", "effective", "permitted"] {
            spec["process"]["capabilities"][set] = capabilities.clone();
        }
        spec["root"]["path"] = json!(unpacked.root);
        let words = start_and_print(bundle.path(), &spec, name, directory, SEARCH, user);
        let user = User::Exact { uid: user, gid: 0, supplementary_gids: Vec::new() };
        let view =
            FilesystemView { files: unpacked.complete(), working_directory: Some(found), user, mounts: Vec::new() };
        let predicted = predict_start(&view, host, &[name.as_bytes().to_vec()], Some(SEARCH.as_bytes()));
        let whole = if name.starts_with('/') { name.to_owned() } else { format!("{directory}/{name}") };
        // Before 1.20, Go checks whether anybody may execute the file, and leaves this user to the kernel.
        let older = words.contains(&format!("exec {name}: permission denied"));
        let newer = format!("exec: \"{name}\": permission denied");
        let is_older = older && view.user != User::default() && predicted.message.as_ref() == Some(&newer);
        if !is_older
            && !matches_prediction(&predicted, &words, working_directory_in(unpacked.complete(), &whole).is_some())
        {
            let image = &unpacked.image;
            let asked = format!("{name} from {directory} as {:?}", view.user);
            wrong.push(format!("{}: {asked}: {words:?}, predicted {predicted:?}\n  {:?}", image.name, image.layers));
        }
        *counts.entry(if words.is_empty() { "starts" } else { "fails" }).or_insert(0) += 1;
    }
    (counts, wrong)
}
