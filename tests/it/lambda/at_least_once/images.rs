//! The images that histories push, and a table of the expected results, independent of the code under test.

use std::collections::BTreeMap;

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use crate::support::layout::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};

/// An image as a client pushes it.
#[derive(Debug)]
pub struct Pushed {
    pub digest: Digest,
    pub media_type: &'static str,
    pub manifest: Vec<u8>,
    /// The config that its manifest names; None for an index.
    pub config: Option<String>,
    /// The children of an index, by their positions in the list of images; they are pushed before it, untagged.
    pub children: Vec<usize>,
    /// Its architectures; empty for an artifact.
    architectures: &'static [&'static str],
}

/// All images that histories push, and their configs.
#[derive(Debug, Default)]
pub struct Images {
    pub all: Vec<Pushed>,
    pub configs: BTreeMap<String, Vec<u8>>,
    /// The positions of images that are pushed with a tag.
    pub tagged: Vec<usize>,
}

impl Images {
    pub fn new() -> Self {
        let mut images = Self::default();
        let arm64 = images.single("arm64", "one", &["arm64"]);
        let amd64 = images.single("amd64", "two", &["amd64"]);
        let other = images.single("arm64", "three", &["arm64"]);
        let both = images.index(&[(amd64, "amd64"), (arm64, "arm64")], &["amd64", "arm64"]);
        let alone = images.index(&[(other, "arm64")], &["arm64"]);
        let chart = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "size": 2, "digest": Digest::of(b"{}")}});
        let chart = images.add(OCI_MANIFEST, &chart, Vec::new(), &[]);
        images.tagged = vec![arm64, amd64, other, both, alone, chart];
        images
    }

    fn single(&mut self, architecture: &str, layer: &str, architectures: &'static [&'static str]) -> usize {
        let config = json!({"os": "linux", "architecture": architecture, "config": {"Entrypoint": ["/app"]},
                "rootfs": {"type": "layers", "diff_ids": [Digest::of(layer.as_bytes())]}})
        .to_string();
        let digest = Digest::of(config.as_bytes());
        let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": layer.len(),
            "digest": Digest::of(layer.as_bytes())});
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [layer],
            "config": {"mediaType": OCI_CONFIG, "size": config.len(), "digest": digest}});
        self.configs.insert(digest.to_string(), config.into_bytes());
        self.add(OCI_MANIFEST, &manifest, Vec::new(), architectures)
    }

    fn index(&mut self, children: &[(usize, &str)], architectures: &'static [&'static str]) -> usize {
        let descriptor = |(at, architecture): &(usize, &str)| {
            let Pushed { digest, manifest, .. } = &self.all[*at];
            json!({"mediaType": OCI_MANIFEST, "size": manifest.len(), "digest": digest,
                "platform": {"os": "linux", "architecture": architecture}})
        };
        let manifests: Vec<Value> = children.iter().map(descriptor).collect();
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
        self.add(OCI_INDEX, &index, children.iter().map(|(at, _)| *at).collect(), architectures)
    }

    fn add(
        &mut self,
        media_type: &'static str,
        manifest: &Value,
        children: Vec<usize>,
        architectures: &'static [&'static str],
    ) -> usize {
        let config = manifest["config"]["digest"].as_str().map(str::to_owned);
        let manifest = manifest.to_string().into_bytes();
        self.all.push(Pushed { digest: Digest::of(&manifest), media_type, manifest, config, children, architectures });
        self.all.len() - 1
    }

    pub fn of(&self, digest: &Digest) -> Option<&Pushed> {
        self.all.iter().find(|image| image.digest == *digest)
    }
}

/// What repositories declare.
pub const DECLARED: [&str; 5] = ["", "apprunner", "ecs/arm64", "ecs/amd64 ecs/arm64", "lambda/arm64"];

/// The tags that are pushed; some declare a runtime themselves.
pub const TAGS: [&str; 4] = ["v1", "latest", "v1-ecs-arm64", "v1-apprunner"];

impl Pushed {
    /// The runtimes for which a tag in a repository is checked, and whether the image runs on each.
    pub fn answers(&self, tag: &str, declared: &str) -> Vec<(String, bool)> {
        let runtimes = match tag {
            "v1-ecs-arm64" => "ecs/arm64",
            "v1-apprunner" => "apprunner",
            _ => declared,
        };
        self.runs_on(runtimes)
    }

    /// Whether an image, if it is one, runs on each of these runtimes.
    pub fn runs_on(&self, runtimes: &str) -> Vec<(String, bool)> {
        if self.architectures.is_empty() {
            return Vec::new();
        }
        let runs = |runtime: &str| {
            let architecture = runtime.split_once('/').map_or("amd64", |(_, architecture)| architecture);
            let is_refused = runtime.starts_with("lambda") && !self.children.is_empty();
            !is_refused && self.architectures.contains(&architecture)
        };
        runtimes.split_whitespace().map(|runtime| (runtime.to_owned(), runs(runtime))).collect()
    }

    /// Whether it is an artifact other than an image, so that nothing runs it.
    pub fn is_artifact(&self) -> bool {
        self.architectures.is_empty()
    }

    /// Whether people must be notified.
    pub fn is_wrong(&self, tag: &str, declared: &str) -> bool {
        self.answers(tag, declared).iter().any(|(_, runs)| !runs)
    }

    /// The verdict tags that it must get: only failures, because no program is inspected. If the image runs on all
    /// runtimes of the repository, it is unknown whether it fails on those of its tag.
    pub fn verdict_tags(&self, tag: &str, declared: &str) -> Vec<String> {
        let suits_repository = !declared.is_empty() && self.runs_on(declared).iter().all(|(_, runs)| *runs);
        let verdict_tag = |(runtime, _): (String, bool)| {
            format!("preflight-fail-{}-{}", runtime.replace('/', "-"), &self.digest.hex()[..16])
        };
        let answers = self.answers(tag, declared).into_iter();
        answers.filter(|(_, runs)| !runs && !suits_repository).map(verdict_tag).collect()
    }
}
