//! An OCI image layout, built blob by blob in its own directory.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use ecr_preflight::name::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::elf;

pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const OCI_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub const DOCKER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A layout under construction; tagged images are listed in `index.json` at once.
#[derive(Debug)]
pub struct Builder {
    directory: PathBuf,
    tagged: Vec<Value>,
    /// Removed with the builder, if the builder created it.
    _own: Option<TempDir>,
}

impl Builder {
    pub fn new() -> Self {
        let own = TempDir::new().unwrap();
        let mut builder = Self::at(own.path());
        builder._own = Some(own);
        builder
    }

    /// A layout in an existing directory, which is kept.
    pub fn at(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        fs::write(directory.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}\n").unwrap();
        let builder = Self { directory: directory.to_owned(), tagged: Vec::new(), _own: None };
        builder.write_index();
        builder
    }

    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// Stores a blob; returns its descriptor.
    pub fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(self.directory.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": bytes.len()})
    }

    /// Stores a document; returns its descriptor.
    pub fn json(&self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, format!("{document}\n").as_bytes())
    }

    /// A gzip layer with one file, `/app`, that anyone may execute.
    pub fn layer(&self, media_type: &str, file: &[u8]) -> Value {
        self.blob(media_type, &layer(file))
    }

    /// An image with this architecture and an `/app` for it.
    pub fn image(&self, architecture: &str) -> Value {
        self.labelled(architecture, json!({}))
    }

    /// Same as `image`, with labels.
    pub fn labelled(&self, architecture: &str, labels: Value) -> Value {
        let config = config("linux", architecture, labels);
        self.manifest(&config, &[self.layer(OCI_GZIP, &elf::program(architecture))])
    }

    /// An OCI image with this config and these layers.
    pub fn manifest(&self, config: &Value, layers: &[Value]) -> Value {
        let config = self.json(OCI_CONFIG, &self.with_diff_ids(config, layers));
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers});
        self.json(OCI_MANIFEST, &manifest)
    }

    /// A config that lists the digests of these layers' archives, unless it already lists some.
    pub fn with_diff_ids(&self, config: &Value, layers: &[Value]) -> Value {
        let mut config = config.clone();
        if config["rootfs"]["diff_ids"].as_array().is_none_or(Vec::is_empty) {
            let ids: Vec<Digest> = layers.iter().map(|layer| self.diff_id(layer)).collect();
            config["rootfs"] = json!({"type": "layers", "diff_ids": ids});
        }
        config
    }

    /// The digest of a layer's archive: of its blob, if that is missing or not compressed with gzip.
    fn diff_id(&self, layer: &Value) -> Digest {
        let blob = fs::read(self.directory.join("blobs/sha256").join(digest(layer).hex()));
        let mut archive = Vec::new();
        let is_gzip =
            blob.is_ok_and(|blob| flate2::read::MultiGzDecoder::new(&*blob).read_to_end(&mut archive).is_ok());
        if is_gzip { Digest::of(&archive) } else { digest(layer) }
    }

    /// A Docker image.
    pub fn docker(&self, architecture: &str) -> Value {
        let layers = [self.layer(DOCKER_GZIP, &elf::program(architecture))];
        let config = config("linux", architecture, json!({}));
        let config = self.json(DOCKER_CONFIG, &self.with_diff_ids(&config, &layers));
        let manifest = json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": layers});
        self.json(DOCKER_MANIFEST, &manifest)
    }

    /// An OCI index of these descriptors.
    pub fn index(&self, descriptors: &[Value]) -> Value {
        self.json(OCI_INDEX, &json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}))
    }

    /// An in-toto attestation as `BuildKit` makes it; its descriptor does not say so.
    pub fn attestation(&self) -> Value {
        let layer = self.blob("application/vnd.in-toto+json", b"{\"_type\":\"https://in-toto.io/Statement/v0.1\"}");
        self.manifest(&json!({"architecture": "unknown", "os": "unknown", "config": {}}), &[layer])
    }

    /// A Helm chart.
    pub fn helm(&self) -> Value {
        let config =
            self.json("application/vnd.cncf.helm.config.v1+json", &json!({"name": "chart", "version": "1.0.0"}));
        let layer = self.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart");
        self.json(OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": [layer]}))
    }

    /// A cosign signature: an image according to its config, but not its layer.
    pub fn signature(&self) -> Value {
        let layer = self.blob("application/vnd.dev.cosign.simplesigning.v1+json", b"{\"critical\":{}}");
        self.manifest(&json!({"architecture": "", "os": "", "config": {}}), &[layer])
    }

    /// Tags an image; returns its digest.
    pub fn tag(&mut self, tag: &str, descriptor: &Value) -> Digest {
        let mut listed = descriptor.clone();
        listed["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        self.tagged.push(listed);
        self.write_index();
        digest(descriptor)
    }

    fn write_index(&self) {
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.tagged});
        fs::write(self.directory.join("index.json"), format!("{index}\n")).unwrap();
    }
}

/// The digest of a descriptor.
pub fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

/// An index entry for this platform.
pub fn with_platform(descriptor: &Value, os: &str, architecture: &str) -> Value {
    let mut descriptor = descriptor.clone();
    descriptor["platform"] = json!({"os": os, "architecture": architecture});
    descriptor
}

/// An index entry of an attestation, annotated as `BuildKit` does.
pub fn as_attestation(descriptor: &Value) -> Value {
    let mut descriptor = with_platform(descriptor, "unknown", "unknown");
    descriptor["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    descriptor
}

/// A config that starts `/app`.
pub fn config(os: &str, architecture: &str, labels: Value) -> Value {
    let run = json!({"Entrypoint": ["/app"], "Labels": labels});
    json!({"os": os, "architecture": architecture, "config": run, "rootfs": {"type": "layers", "diff_ids": []}})
}

/// A gzip layer with one file, `/app`. Stored instead of deflated, so that its digest does not depend on a compressor's
/// version.
pub fn layer(file: &[u8]) -> Vec<u8> {
    let gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::none());
    let mut tar = tar::Builder::new(gzip);
    let mut header = tar::Header::new_ustar();
    header.set_size(file.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "app", file).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}
