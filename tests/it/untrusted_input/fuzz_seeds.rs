//! The seeds of the fuzzers: inputs that reach deep into the code, made by the builders of the other tests.
//! `fuzz/run.py` has them written to `TEST_CORPUS`.

use std::io::Write;
use std::path::Path;
use std::{env, fs};

use ecr_preflight::name::Digest;

use crate::support::archive::{Archive, Fields, GNU};
use crate::support::random_layers::layers;
use crate::support::{elf, layout};

/// The seeds of one fuzzer.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "reference" => texts(&[
            Digest::of(b"").as_str(),
            "1.4.2-ecs-arm64",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a__b/c-d.e",
            "public.ecr.aws/docker/library/busybox",
            "localhost:5000/a",
            "[::1]:5000/a",
            "index.docker.io/busybox",
            "ecs-express/x86-64",
            "Linux/aarch64/8",
        ]),
        "intent" => texts(&[
            "1.4.2-ecs-arm64",
            "prod_lambda_x86_64\necs/arm64 apprunner\nlinux/amd64",
            "v1-amd64\n\necs",
            "feature-x\napprunnr,ecs/arm64;lambda\nlambda:arm64",
        ]),
        "event" => events(),
        "manifest" => images().into_iter().chain(documents()).collect(),
        "report" => images().into_iter().chain(documents()).collect(),
        "config" => configs(),
        "layer" => streams(),
        "archive" | "stack" | "execve" => random_bytes(),
        "script" => {
            texts(&["/bin/sh", " /bin/sh -e\t\nx", "/usr/bin/env\tnode --x\r\n", "\n", &"/".repeat(300), "/a b\0c\n"])
        }
        "elf" => programs(),
        "shell" => texts(&[
            "exec \"$@\"",
            "set -e; cd /srv && exec ./app --port \"$PORT\" >/dev/null 2>&1",
            "A=1 /srv/app x && echo done",
            "tini -g -- sh -c 'exec /srv/app'",
            "set -Eeuo pipefail\n# it's\nexport A='b'\necho \"x $0\" >&2\nexec \"$@\"\n",
            "-i PATH=/srv app",
        ]),
        "saved" => archives(),
        _ => Vec::new(),
    }
}

fn events() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir("events").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let json = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| fs::read(path).unwrap()).chain([b"\x01\x02\x03\x04\x05\x06\x07\x0a\x0bxxxxxxxx".to_vec()]).collect()
}

fn image(media_type: &str, parts: &[&[u8]]) -> Vec<u8> {
    [media_type.as_bytes(), b"\n", &parts.join(b"\n%%\n".as_slice())].concat()
}

const CONFIG: &str = r#"{"os":"linux","architecture":"arm64","config":{"Entrypoint":["sh","-c","exec /app <&>"],
"Cmd":["x"],"Env":["PATH=/bin:/"],"WorkingDir":"/srv","User":"7","Volumes":{"/data":{}},"Labels":
{"intended-runtime":"ecs/amd64 apprunnr"}},"history":[{"created_by":"RUN GOARCH=amd64 uname -m"}]}"#;

/// Whole images: config, layer, manifest, and optionally an index.
fn images() -> Vec<Vec<u8>> {
    let layer = layout::layer(&elf::program("amd64"));
    let script = Archive::default()
        .directory("bin/")
        .file("bin/sh", &elf::program("arm64"))
        .file("app", b"#!/bin/none <x>\r\n")
        .link("l", "/l")
        .end();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"@0","size":9}},
        "layers":[{{"mediaType":"{}","digest":"@1","size":9}}]}}"#,
        layout::OCI_MANIFEST,
        layout::OCI_CONFIG,
        layout::OCI_GZIP
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[
        {{"mediaType":"{}","digest":"@2","size":9,"platform":{{"os":"linux","architecture":"amd64"}}}},
        {{"mediaType":"{}","digest":"@2","size":9,"platform":{{"os":"unknown","architecture":"unknown"}},
        "annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}}]}}"#,
        layout::OCI_INDEX,
        layout::OCI_MANIFEST,
        layout::OCI_MANIFEST
    );
    let (config, manifest, index) = (CONFIG.as_bytes(), manifest.as_bytes(), index.as_bytes());
    let app = br#"{"os":"linux","architecture":"amd64","config":{"Cmd":["/app"]}}"#;
    vec![
        image("", &[app, &layer, manifest]),
        image("", &[config, &script, manifest]),
        image(layout::DOCKER_MANIFEST, &[app, &script, manifest]),
        image("", &[config, &layer, manifest, index]),
        image(layout::DOCKER_LIST, &[app, &script, manifest, index]),
    ]
}

/// Manifests of other kinds.
fn documents() -> Vec<Vec<u8>> {
    let schema1 = br#"{"schemaVersion":1,"architecture":"amd64","fsLayers":[{"blobSum":"@0"}],
        "history":[{"v1Compatibility":"{\"os\":\"linux\",\"config\":{\"Cmd\":[\"/app\"]}}"}]}"#;
    let helm = br#"{"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"@0"},"layers":[]}"#;
    vec![
        image("application/vnd.docker.distribution.manifest.v1+prettyjws", &[&layout::layer(b"#!/x\n"), schema1]),
        image("", &[b"{}", helm]),
        image("", &[b"{}", br#"{"artifactType":"application/vnd.docker.attestation.x","config":{},"layers":[{}]}"#]),
        image("<a&b>\x1b[31m\n", &[b"[]"]),
    ]
}

fn configs() -> Vec<Vec<u8>> {
    [
        CONFIG,
        r#"{"os":"linux","architecture":"amd64","config":{"Entrypoint":"/app","Cmd":["a",7],"Labels":[]}}"#,
        r#"{"os":"windows","architecture":"x86_64","variant":"v3","config":{"Cmd":["\u001b[31m<a>&amp;"]}}"#,
        r#"{"architecture":"","config":null}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Layers after the bytes that choose their limits.
fn streams() -> Vec<Vec<u8>> {
    let gnu = |kind| Fields { kind, magic: GNU, ..Fields::default() };
    let dialects = Archive::default()
        .pax(&[("path", b"a/b\n\xff"), ("linkpath", b"x"), ("uid", b"7"), ("size", b"3")])
        .entry(b"cut", Fields::default(), b"abc")
        .entry(b"././@LongLink", gnu(b'L'), b"some/long/name\0")
        .entry(b"././@LongLink", gnu(b'K'), b"target\0")
        .entry(b"cut", gnu(b'2'), b"")
        .pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9000")])
        .file("sparse", &[b"1\n8000\n4\n".as_slice(), &[0; 503], b"data"].concat())
        .pax(&[("GNU.sparse.map", b"0,2,100,2"), ("GNU.sparse.size", b"200")])
        .file("sparse", b"data")
        .file(".wh.gone", b"")
        .file("d/.wh..wh..opq", b"")
        .end();
    let random = (0..6).flat_map(layers);
    let archives: Vec<Vec<u8>> = random.take(8).chain([dialects]).collect();
    let bounds = [[0; 11], [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9], [0, 2, 0, 2, 2, 2, 2, 0, 0, 2, 5]];
    let zstd = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let streams = archives.iter().flat_map(|archive| [archive.clone(), gzip(archive), zstd(archive)]);
    streams.enumerate().map(|(at, stream)| [bounds[at % 3].as_slice(), &stream].concat()).collect()
}

/// Bytes from which decisions are drawn.
fn random_bytes() -> Vec<Vec<u8>> {
    let mut random = crate::support::random::Random(7);
    let lengths = [40, 100, 100, 200, 400, 400, 800, 800];
    lengths.map(|length| (0..length).map(|_| random.below(24) as u8).collect()).to_vec()
}

fn programs() -> Vec<Vec<u8>> {
    let mut with_loader = elf::program("amd64");
    let behind = with_loader.len() as u64;
    with_loader[64] = 3;
    with_loader[72..80].copy_from_slice(&behind.to_le_bytes());
    with_loader[96..104].copy_from_slice(&11_u64.to_le_bytes());
    with_loader.extend(b"/lib/ld.so\0");
    let mut far = with_loader.clone();
    far[32..40].copy_from_slice(&5000_u64.to_le_bytes());
    far.resize(6000, 1);
    let plain = ["amd64", "arm64", "arm"].map(elf::program);
    plain.into_iter().chain([with_loader, far]).collect()
}

fn archives() -> Vec<Vec<u8>> {
    let oci = "+oci-layout\n{\"imageLayoutVersion\":\"1.0.0\"}\n%%\nindex.json\n{\"manifests\":[{\"digest\":\
               \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"annotations\":\
               {\"org.opencontainers.image.ref.name\":\"v1\"}}]}\n%%\n\
               blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    let docker = "+manifest.json\n[{\"Config\":\"c.json\",\"RepoTags\":[\"team/app:v1\"],\"Layers\":[\"l/layer.tar\"]}]\n\
                  %%\nc.json\n{\"os\":\"linux\",\"architecture\":\"arm64\",\"rootfs\":{\"diff_ids\":[\"sha256:x\"]}}\n\
                  %%\nl/layer.tar\nx";
    let archive = Archive::default().link("a", "b").hard_link("oci-layout", "a").file("index.json", b"{}").end();
    vec![oci.into(), docker.into(), archive.clone(), gzip(&archive), b"text".to_vec()]
}

#[test]
#[ignore = "run by fuzz/run.py"]
fn seeds_are_written() {
    let corpus = env::var("TEST_CORPUS").expect("TEST_CORPUS names a directory");
    for target in crate::untrusted_input::properties::TARGETS {
        let directory = Path::new(&corpus).join(target);
        fs::create_dir_all(&directory).unwrap();
        for seed in seeds(target) {
            fs::write(directory.join(Digest::of(&seed).short()), seed).unwrap();
        }
    }
}
