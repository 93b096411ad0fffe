//! Images of every kind found in practice, from a layout through `look`: what they are recognised as.

use std::time::Duration;

use ecr_preflight::check::{ImageOrigin, InspectContext, check_image};
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::log::today;
use ecr_preflight::name::Selector;
use ecr_preflight::registry::oci_layout::OciLayout;
use ecr_preflight::report::Report;
use ecr_preflight::runtime::Runtime;
use ecr_preflight::settings::CheckSettings;
use expect_test::expect;
use serde_json::{Value, json};

use crate::support::elf;
use crate::support::layout::{
    Builder, DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_GZIP, OCI_INDEX, OCI_MANIFEST,
    as_attestation, config, digest, with_platform,
};

/// Checks an image by digest and the tag `v1`.
pub(super) fn report(layout: &mut Builder, image: &Value, runtimes: &[Runtime]) -> Report {
    layout.tag("v1", image);
    let asked = Some(runtimes).filter(|runtimes| !runtimes.is_empty());
    check(layout, &Selector::DigestAndTag(digest(image), "v1".parse().unwrap()), asked)
}

fn check(layout: &Builder, selector: &Selector, asked: Option<&[Runtime]>) -> Report {
    let registry = OciLayout::open(layout.path(), None).unwrap();
    let rules = CheckSettings::default();
    let inspector = Inspector::new(&rules.limits);
    let by = InspectContext { inspector: &inspector, time_left: Duration::MAX, is_repeated: false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let origin = ImageOrigin::from_reference("image", selector);
    runtime.block_on(check_image(&registry, &origin, asked, &rules, by, today())).unwrap().report
}

/// An image in a few words: its kind, its platforms, and the verdict for ECS on arm64 with its reasons.
fn summary(layout: &mut Builder, image: &Value) -> String {
    let report = report(layout, image, &[Runtime::EcsArm64]);
    let kind = report.image.as_ref().map_or(Value::Null, |image| json!([image.kind, image.platforms]));
    let faults = report.faults().map(|fault| fault.code.as_str().to_owned());
    let unknown = report.runtimes().flat_map(|runtime| runtime.unknown.clone());
    let why: Vec<String> = faults.chain(unknown).chain(report.ignored.map(|why| why.as_str().to_owned())).collect();
    format!("{kind} {} {}", report.verdict.as_str(), why.join("; ")).trim_end().to_owned()
}

type Make = fn(&Builder) -> Value;

fn without_key(layout: &Builder, image: &Value, key: &str) -> Value {
    let mut document = document(layout, image);
    document.as_object_mut().unwrap().remove(key);
    layout.json(image["mediaType"].as_str().unwrap(), &document)
}

fn document(layout: &Builder, image: &Value) -> Value {
    let path = layout.path().join("blobs/sha256").join(digest(image).hex());
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A manifest with a config of this type and one layer of this type.
fn manifest_of_types(layout: &Builder, config_type: &str, layer_type: &str) -> Value {
    let config = layout.json(config_type, &config("linux", "arm64", json!({})));
    let layer = layout.blob(layer_type, b"x");
    layout.json(OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": [layer]}))
}

fn kinds() -> Vec<(&'static str, Make)> {
    vec![
        ("oci", |l| l.image("arm64")),
        ("docker", |l| l.docker("arm64")),
        ("oci without mediaType", |l| without_key(l, &l.image("arm64"), "mediaType")),
        ("index", |l| l.index(&[with_platform(&l.image("arm64"), "linux", "arm64")])),
        ("index without mediaType", |l| {
            without_key(l, &l.index(&[with_platform(&l.image("arm64"), "linux", "arm64")]), "mediaType")
        }),
        ("docker's list", |l| {
            let children = [
                with_platform(&l.docker("arm64"), "linux", "arm64"),
                with_platform(&l.docker("amd64"), "linux", "amd64"),
            ];
            l.json(DOCKER_LIST, &json!({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": children}))
        }),
        ("index with attestations", |l| {
            l.index(&[with_platform(&l.image("arm64"), "linux", "arm64"), as_attestation(&l.attestation())])
        }),
        ("index with an attestation by its layers alone", |l| l.index(&[l.image("arm64"), l.attestation()])),
        ("index with unknown/unknown", |l| {
            l.index(&[
                with_platform(&l.image("arm64"), "linux", "arm64"),
                with_platform(&l.image("amd64"), "unknown", "unknown"),
            ])
        }),
        ("index with linux/\"\"", |l| l.index(&[with_platform(&l.image("arm64"), "linux", "")])),
        ("index without platforms", |l| l.index(&[l.image("amd64"), l.image("arm64")])),
        ("index with duplicates", |l| {
            let child = with_platform(&l.image("arm64"), "linux", "arm64");
            l.index(&[child.clone(), child.clone(), with_platform(&l.image("arm64"), "linux", "aarch64")])
        }),
        ("nested index", |l| {
            let inner = l.index(&[with_platform(&l.image("arm64"), "linux", "arm64")]);
            l.index(&[with_platform(&l.image("amd64"), "linux", "amd64"), inner])
        }),
        ("index nested three deep", |l| (0..3).fold(l.image("arm64"), |inner, _| l.index(&[inner]))),
        ("index nested five deep", |l| (0..5).fold(l.image("arm64"), |inner, _| l.index(&[inner]))),
        ("index with SOCI beside the image", |l| {
            let mut soci = l.json(OCI_MANIFEST, &json!({"schemaVersion": 2}));
            soci["artifactType"] = json!("application/vnd.amazon.soci.index.v2+json");
            l.index(&[with_platform(&l.image("arm64"), "linux", "arm64"), soci])
        }),
        ("index whose child is lost", |l| {
            let mut child = with_platform(&l.image("arm64"), "linux", "arm64");
            child["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
            l.index(&[child])
        }),
        ("index that repeats one image for two platforms", |l| {
            l.index(&[
                with_platform(&l.image("amd64"), "linux", "amd64"),
                with_platform(&l.image("amd64"), "linux", "arm64"),
            ])
        }),
        ("index of the same files without a command", |l| {
            let layer = l.blob(OCI_GZIP, b"data");
            let child = |architecture| {
                let config = json!({"os": "linux", "architecture": architecture});
                with_platform(&l.manifest(&config, std::slice::from_ref(&layer)), "linux", architecture)
            };
            l.index(&[child("amd64"), child("arm64")])
        }),
        ("nested index that is not described as one", |l| {
            let mut inner = l.index(&[with_platform(&l.image("arm64"), "linux", "arm64")]);
            inner.as_object_mut().unwrap().remove("mediaType");
            l.index(&[inner])
        }),
        ("child of a type that nobody knows, with a platform", |l| {
            let mut child = with_platform(&l.image("arm64"), "linux", "arm64");
            child["mediaType"] = json!("application/x");
            l.index(&[child])
        }),
        ("docker's with a config of no type", |l| {
            let mut document = document(l, &l.docker("arm64"));
            document["config"]["mediaType"] = json!("application/octet-stream");
            l.json(DOCKER_MANIFEST, &document)
        }),
        ("twenty children without platforms", |l| {
            let child = |n: usize| l.labelled("amd64", json!({"n": n.to_string()}));
            l.index(&(0..20).map(child).collect::<Vec<_>>())
        }),
        ("empty index", |l| l.index(&[])),
        ("index of 201 children", |l| l.index(&vec![with_platform(&l.image("arm64"), "linux", "arm64"); 201])),
        ("schema 1", |l| {
            let history = json!([{"v1Compatibility": r#"{"os":"linux","config":{"Cmd":["/app"]}}"#}]);
            let layers = json!([{"blobSum": digest(&l.layer(OCI_GZIP, b"x")).as_str()}]);
            let document = json!({"schemaVersion": 1, "name": "a", "tag": "b", "architecture": "arm64", "fsLayers": layers, "history": history});
            l.json("application/vnd.docker.distribution.manifest.v1+json", &document)
        }),
        ("no architecture", |l| l.manifest(&json!({"os": "linux"}), &[l.layer(OCI_GZIP, b"x")])),
        ("x86_64, as osbuild writes it", |l| {
            l.manifest(&config("linux", "x86_64", json!({})), &[l.layer(OCI_GZIP, b"x")])
        }),
        ("config that is not JSON", |l| {
            let config = l.blob(OCI_CONFIG, b"\x1f\x8b");
            l.json(OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": [l.layer(OCI_GZIP, b"x")]}))
        }),
        ("config that is lost", |l| {
            let config = json!({"mediaType": OCI_CONFIG, "digest": format!("sha256:{}", "0".repeat(64)), "size": 7});
            l.json(OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": [l.layer(OCI_GZIP, b"x")]}))
        }),
        ("config of two megabytes", |l| {
            let config = l.blob(OCI_CONFIG, &vec![b' '; 2 << 20]);
            l.json(OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": [l.layer(OCI_GZIP, b"x")]}))
        }),
        ("config of two megabytes that claims seven bytes", |l| {
            let mut config = l.blob(OCI_CONFIG, &vec![b' '; 2 << 20]);
            config["size"] = json!(7);
            l.json(OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": [l.layer(OCI_GZIP, b"x")]}))
        }),
        ("image without layers", |l| l.manifest(&config("linux", "arm64", json!({})), &[])),
        ("not a manifest", |l| l.blob(OCI_MANIFEST, b"hello")),
        ("a list", |l| l.blob(OCI_MANIFEST, b"[]")),
        ("an empty object", |l| l.blob(OCI_MANIFEST, b"{}")),
        ("a manifest with fields of other types", |l| {
            let config = l.json(OCI_CONFIG, &config("linux", "arm64", json!({})));
            let layer = json!({"mediaType": 7, "digest": null, "size": "x", "annotations": null});
            let layers = [layer, l.layer(OCI_GZIP, &elf::program("arm64"))];
            l.json(
                OCI_MANIFEST,
                &json!({"schemaVersion": "2", "mediaType": [], "artifactType": {}, "config": config, "layers": layers}),
            )
        }),
    ]
}

#[test]
fn image_kinds_are_recognised() {
    let mut lines = String::new();
    for (name, make) in kinds() {
        let mut layout = Builder::new();
        let image = make(&layout);
        lines += &format!("{name}: {}\n", summary(&mut layout, &image));
    }
    expect![[r#"
        oci: ["image",["linux/arm64"]] runs
        docker: ["image",["linux/arm64"]] runs
        oci without mediaType: ["image",["linux/arm64"]] runs
        index: ["index",["linux/arm64"]] runs
        index without mediaType: ["index",["linux/arm64"]] runs
        docker's list: ["index",["linux/arm64","linux/amd64"]] runs
        index with attestations: ["index",["linux/arm64"]] runs
        index with an attestation by its layers alone: ["index",["linux/arm64"]] runs
        index with unknown/unknown: ["index",["linux/arm64"]] runs
        index with linux/"": ["index",["linux/arm64"]] runs
        index without platforms: ["index",["linux/amd64","linux/arm64"]] runs
        index with duplicates: ["index",["linux/arm64"]] runs
        nested index: ["index",["linux/amd64","linux/arm64"]] runs
        index nested three deep: ["index",["linux/arm64"]] runs
        index nested five deep: ["index",[]] unknown its indexes are nested more than 3 deep
        index with SOCI beside the image: ["index",["linux/arm64"]] runs
        index whose child is lost: ["index",["linux/arm64"]] unknown sha256:0000000000000000000000000000000000000000000000000000000000000000 is not in the repository
        index that repeats one image for two platforms: ["index",["linux/amd64","linux/arm64"]] fails descriptor-mismatch; platform-mismatch; identical-layers
        index of the same files without a command: ["index",["linux/amd64","linux/arm64"]] runs
        nested index that is not described as one: ["index",["unknown/unknown"]] unknown a child of its index is itself an index, but its descriptor does not say so
        child of a type that nobody knows, with a platform: ["index",["linux/arm64"]] unknown the index does not mark it as an image: containerd refuses it, Docker Engine does not
        docker's with a config of no type: ["image",["linux/arm64"]] runs
        twenty children without platforms: ["index",["linux/amd64","unknown/unknown"]] unknown only 16 children of its index are read
        empty index: ["index",[]] fails platform-missing
        index of 201 children: ["index",[]] unknown its index has 201 children, more than the 200 that are read
        schema 1: ["image",["linux/arm64"]] fails exec-format
        no architecture: ["image",["linux/unknown"]] unknown the image declares linux/unknown: its architecture is unknown
        x86_64, as osbuild writes it: ["image",["linux/amd64"]] fails wrong-architecture; exec-format
        config that is not JSON: ["image",["unknown/unknown"]] unknown its config is not valid: not a JSON object
        config that is lost: ["image",["unknown/unknown"]] fails image-damaged
        config of two megabytes: ["image",["unknown/unknown"]] unknown its config has 2097152 bytes, more than the 1048576 that are read
        config of two megabytes that claims seven bytes: ["image",["unknown/unknown"]] unknown its config is unavailable: it is larger than 1048576 bytes
        image without layers: ["image",["linux/arm64"]] fails exec-not-found
        not a manifest: ["image",[]] unknown its manifest is not valid: not a JSON object
        a list: ["image",[]] unknown its manifest is not valid: not a JSON object
        an empty object: ["image",[]] unknown its manifest has no config
        a manifest with fields of other types: ["image",["linux/arm64"]] fails image-damaged
    "#]].assert_eq(&lines);
}

#[test]
fn artifacts_are_ignored() {
    const OCI: &str = OCI_CONFIG;
    let artifacts: Vec<(&str, Make)> = vec![
        ("Helm chart", |l| l.helm()),
        ("cosign signature", |l| l.signature()),
        ("cosign attestation", |l| manifest_of_types(l, OCI, "application/vnd.dsse.envelope.v1+json")),
        ("SBOM", |l| manifest_of_types(l, OCI, "text/spdx+json")),
        ("notation signature", |l| {
            manifest_of_types(l, "application/vnd.cncf.notary.signature", "application/jose+json")
        }),
        ("SOCI index", |l| {
            manifest_of_types(l, "application/vnd.amazon.soci.index.v1+json", "application/octet-stream")
        }),
        ("build cache", |l| manifest_of_types(l, "application/vnd.buildkit.cacheconfig.v0", OCI_GZIP)),
        ("build cache as an index", |l| {
            let mut cache = l.blob("application/vnd.buildkit.cacheconfig.v0", b"{}");
            cache["platform"] = Value::Null;
            l.index(&[l.blob(OCI_GZIP, b"x"), cache])
        }),
        ("ORAS", |l| manifest_of_types(l, "application/vnd.unknown.config.v1+json", "text/plain")),
        ("WASM", |l| manifest_of_types(l, "application/vnd.wasm.config.v0+json", "application/wasm")),
        ("OCI artifact", |l| {
            let empty = l.blob("application/vnd.oci.empty.v1+json", b"{}");
            let document = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/x", "config": empty, "layers": [empty]});
            l.json(OCI_MANIFEST, &document)
        }),
        ("artifact manifest of the release candidates", |l| {
            let media_type = "application/vnd.oci.artifact.manifest.v1+json";
            l.json(media_type, &json!({"mediaType": media_type, "artifactType": "application/x", "blobs": []}))
        }),
        ("index with an artifactType", |l| {
            let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": "application/x", "manifests": [l.image("amd64")]});
            l.json(OCI_INDEX, &index)
        }),
        ("in-toto statement by ORAS", |l| {
            let empty = l.blob("application/vnd.oci.empty.v1+json", b"{}");
            let layer = l.blob("application/vnd.in-toto+json", b"{}");
            let artifact_type = "application/vnd.in-toto+json";
            l.json(
                OCI_MANIFEST,
                &json!({"schemaVersion": 2, "artifactType": artifact_type, "config": empty, "layers": [layer]}),
            )
        }),
        ("bundle of files with a blank config", |l| l.manifest(&json!({}), &[l.layer(OCI_GZIP, b"package policy")])),
        ("long build cache as an index", |l| {
            let mut cache = vec![l.blob(OCI_GZIP, b"x"); 250];
            cache.push(l.blob("application/vnd.buildkit.cacheconfig.v0", b"{}"));
            l.index(&cache)
        }),
        ("docker plugin", |l| {
            let config = l.blob("application/vnd.docker.plugin.v1+json", b"{}");
            l.json(DOCKER_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": [l.layer(OCI_GZIP, b"x")]}))
        }),
    ];
    for (name, make) in artifacts {
        let mut layout = Builder::new();
        let image = make(&layout);
        let digest = layout.tag("v1", &image);
        let ignored = check(&layout, &Selector::Digest(digest), None);
        assert_eq!(ignored.ignored.map(|why| why.as_str()), Some("artifact"), "{name}");
        assert!(!ignored.needs_notification(), "{name}");
        // On the command line, somebody expects an image.
        let report = report(&mut layout, &image, &[Runtime::AppRunner]);
        let codes: Vec<&str> = report.faults().map(|fault| fault.code.as_str()).collect();
        assert_eq!((codes.as_slice(), report.verdict.as_str()), (["not-an-image"].as_slice(), "fails"), "{name}");
    }
}

#[test]
fn tagged_attestation_fails_and_untagged_is_ignored() {
    let mut layout = Builder::new();
    let attestation = layout.attestation();
    let mut texts = summary(&mut layout, &attestation);
    let mut other = Builder::new();
    let newer = other.json(
        OCI_MANIFEST,
        &json!({"schemaVersion": 2, "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
            "config": other.blob("application/vnd.oci.empty.v1+json", b"{}"), "layers": [other.blob("application/vnd.in-toto+json", b"{}")]}),
    );
    texts += &format!("\n{}", summary(&mut other, &newer));
    expect![[r#"
        ["artifact",[]] fails attestation-tagged
        ["artifact",[]] fails attestation-tagged"#]]
    .assert_eq(&texts);
    let found = check(&layout, &Selector::Digest(digest(&attestation)), None);
    assert_eq!(found.ignored.map(|why| why.as_str()), Some("attestation"));
}

#[test]
fn undeclared_image_is_checked_against_its_platform() {
    let sound: [(&str, Make); 3] = [
        ("single", |l| l.docker("arm64")),
        ("index", |l| l.index(&[with_platform(&l.image("arm64"), "linux", "arm64")])),
        ("unlabelled", |l| manifest_of_types(l, DOCKER_CONFIG, OCI_GZIP)),
    ];
    for (name, make) in sound {
        let mut layout = Builder::new();
        let image = make(&layout);
        assert_eq!(report(&mut layout, &image, &[]).verdict.as_str(), "undeclared", "{name}");
    }
    let mut layout = Builder::new();
    let mismatched = layout.index(&[with_platform(&layout.image("arm64"), "linux", "amd64")]);
    let report = report(&mut layout, &mismatched, &[]);
    let faults: Vec<(String, &str)> =
        report.runtimes().map(|runtime| (runtime.subject.name(), runtime.faults[0].code.as_str())).collect();
    expect![[r#"[("linux/amd64", "descriptor-mismatch")]"#]].assert_eq(&format!("{faults:?}"));
    assert!(report.needs_notification());
}

#[test]
fn label_declares_without_a_tag() {
    for (label, verdict) in [("ecs/arm64", "runs"), ("apprunner", "fails"), ("ecs", "unknown")] {
        let mut layout = Builder::new();
        let image = layout.labelled("arm64", json!({"intended-runtime": label}));
        assert_eq!(report(&mut layout, &image, &[]).verdict.as_str(), verdict, "{label}");
        let index = layout.index(&[with_platform(&image, "linux", "arm64")]);
        let mut other = Builder::new();
        let image = other.labelled("arm64", json!({"intended-runtime": label}));
        assert_eq!(digest(&other.index(&[with_platform(&image, "linux", "arm64")])), digest(&index));
        assert_eq!(report(&mut other, &index, &[]).verdict.as_str(), verdict, "{label} in an index");
    }
}
