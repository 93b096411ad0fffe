//! The rules of the verdict: every runtime with every kind of image, and every way to declare a runtime.

use ecr_preflight::intent::{DeclarationSource, Intent};
use ecr_preflight::name::Digest;
use ecr_preflight::oci::{
    Compression, Image, ImageContent, IndexChild, IndexEntry, Layer, LayerAccess, MediaTypeFamily, PlatformImage,
    ProcessConfig,
};
use ecr_preflight::platform::Platform;
use ecr_preflight::runtime::RUNTIMES;
use ecr_preflight::verdict::{self, Judgement};
use expect_test::expect;

/// The verdict from the metadata alone.
fn judge(intent: &Intent, image: &Image) -> Judgement {
    verdict::judge(intent, image, &[])
}

fn platform(text: &str) -> Platform {
    let mut parts = text.split('/');
    let mut part = || parts.next().unwrap_or_default();
    Platform::new(part(), part(), part())
}

fn single(claimed: &str, family: MediaTypeFamily, compression: Compression, files: &str) -> PlatformImage {
    let layers = vec![Layer {
        digest: Digest::of(files.as_bytes()),
        compression,
        size: 9,
        access: LayerAccess::Readable,
        is_plain_in_containerd: false,
        diff_id: None,
    }];
    let digest = Digest::of(format!("{claimed} {files}").as_bytes());
    PlatformImage {
        digest,
        platform: platform(claimed),
        created: None,
        config_error: None,
        family,
        layers,
        layers_error: None,
        shown_command: vec!["/app".to_owned()],
        process: ProcessConfig::default(),
        refusal: None,
    }
}

fn oci_image(claimed: &str) -> PlatformImage {
    single(claimed, MediaTypeFamily::Oci, Compression::Gzip, claimed)
}

fn image(content: ImageContent) -> Image {
    Image { digest: Digest::of(b"image"), media_type: String::new(), content, runtime_label: None, refusal: None }
}

/// An index entry for one platform whose config states another.
fn entry(promised: &str, config: &str) -> IndexEntry {
    let single = oci_image(config);
    IndexEntry { digest: single.digest.clone(), platform: platform(promised), child: IndexChild::Read(single) }
}

fn index(platforms: &[&str]) -> Image {
    image(ImageContent::Index(platforms.iter().map(|platform| entry(platform, platform)).collect()))
}

fn index_with_identical_layers() -> Image {
    index_of_same_files(["linux/amd64", "linux/arm64"])
}

/// A host for the first may run programs for the second.
fn index_of_amd64_and_386() -> Image {
    index_of_same_files(["linux/amd64", "linux/386"])
}

fn index_of_same_files(platforms: [&str; 2]) -> Image {
    let entry_of = |claimed: &str| {
        let single = single(claimed, MediaTypeFamily::Oci, Compression::Gzip, "the same files");
        IndexEntry { digest: single.digest.clone(), platform: platform(claimed), child: IndexChild::Read(single) }
    };
    image(ImageContent::Index(platforms.map(entry_of).into()))
}

fn images() -> Vec<(&'static str, Image)> {
    let plain = |claimed| image(ImageContent::Single(oci_image(claimed)));
    let layered = |family, compression| image(ImageContent::Single(single("linux/amd64", family, compression, "x")));
    let missing = IndexEntry {
        child: IndexChild::Unavailable("its child is gone".to_owned()),
        ..entry("linux/amd64", "linux/amd64")
    };
    let unread = PlatformImage { config_error: Some("too large".to_owned()), ..oci_image("") };
    vec![
        ("amd64", plain("linux/amd64")),
        ("arm64", plain("linux/aarch64/v8")),
        ("arm/v7", plain("linux/arm/v7")),
        ("386", plain("linux/386")),
        ("amd64/v3", plain("linux/amd64/v3")),
        ("s390x", plain("linux/s390x")),
        ("windows amd64", plain("windows/amd64")),
        ("no architecture", plain("linux/")),
        ("no os, arm64", plain("/arm64")),
        ("config not read", image(ImageContent::Single(unread))),
        ("docker gzip", layered(MediaTypeFamily::Docker, Compression::Gzip)),
        ("docker uncompressed", layered(MediaTypeFamily::Docker, Compression::None)),
        ("docker zstd", layered(MediaTypeFamily::Docker, Compression::Zstd)),
        ("oci zstd", layered(MediaTypeFamily::Oci, Compression::Zstd)),
        ("oci uncompressed", layered(MediaTypeFamily::Oci, Compression::None)),
        ("index of both", index(&["linux/amd64", "linux/arm64"])),
        ("index of amd64", index(&["linux/amd64"])),
        ("index of amd64/v3", index(&["linux/amd64/v3"])),
        ("index of arm/v7, s390x", index(&["linux/arm/v7", "linux/s390x"])),
        ("index of windows", index(&["windows/amd64"])),
        ("index of nothing", index(&[])),
        ("index that contradicts its child", image(ImageContent::Index(vec![entry("linux/amd64", "linux/arm64")]))),
        ("index with the same files", index_with_identical_layers()),
        ("index of amd64 and 386 with the same files", index_of_amd64_and_386()),
        ("not readable", image(ImageContent::Unreadable("no JSON".to_owned()))),
        ("index with a lost child", image(ImageContent::Index(vec![missing]))),
        ("attestation", image(ImageContent::Attestation)),
    ]
}

/// The fault codes of a judgement, or else its verdict.
fn outcome(judgement: &Judgement) -> String {
    let faults = judgement.findings.iter().flat_map(|finding| &finding.faults);
    let mut codes: Vec<&str> = faults.map(|fault| fault.code.as_str()).collect();
    codes.dedup();
    if codes.is_empty() { judgement.verdict.as_str().to_owned() } else { codes.join("+") }
}

#[test]
fn every_runtime_with_every_image() {
    let mut table = String::new();
    for (name, image) in images() {
        let undeclared = outcome(&judge(&Intent::default(), &image));
        table += &format!("{name}: {undeclared}\n");
        let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
        for profile in &RUNTIMES {
            let answer = outcome(&judge(&Intent::from_command_line(&[profile.runtime]), &image));
            match answers.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, names)) => names.push(profile.name),
                None => answers.push((answer, vec![profile.name])),
            }
        }
        answers.iter().for_each(|(answer, names)| table += &format!("  {answer}: {}\n", names.join(" ")));
    }
    expect![[r#"
        amd64: undeclared
          runs: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 agentcore linux/arm64
        arm64: undeclared
          wrong-architecture: ecs/amd64 apprunner lambda/amd64 linux/amd64
          runs: ecs/arm64 lambda/arm64 agentcore linux/arm64
        arm/v7: undeclared
          wrong-architecture: ecs/amd64 apprunner lambda/amd64 linux/amd64
          unknown: ecs/arm64 lambda/arm64 agentcore linux/arm64
        386: undeclared
          unknown: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 agentcore linux/arm64
        amd64/v3: undeclared
          unknown: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 agentcore linux/arm64
        s390x: undeclared
          wrong-architecture: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 agentcore linux/amd64 linux/arm64
        windows amd64: undeclared
          wrong-os: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 agentcore linux/amd64 linux/arm64
        no architecture: undeclared
          unknown: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 agentcore linux/amd64 linux/arm64
        no os, arm64: undeclared
          wrong-architecture: ecs/amd64 apprunner lambda/amd64 linux/amd64
          unknown: ecs/arm64 lambda/arm64 agentcore linux/arm64
        config not read: unknown
          unknown: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 agentcore linux/amd64 linux/arm64
        docker gzip: undeclared
          runs: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 agentcore linux/arm64
        docker uncompressed: undeclared
          runs: ecs/amd64 apprunner linux/amd64
          wrong-architecture: ecs/arm64 agentcore linux/arm64
          layer-format-refused: lambda/amd64
          wrong-architecture+layer-format-refused: lambda/arm64
        docker zstd: undeclared
          unknown: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 agentcore linux/arm64
        oci zstd: undeclared
          runs: ecs/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 agentcore linux/arm64
          unknown: apprunner lambda/amd64
        oci uncompressed: undeclared
          runs: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 agentcore linux/arm64
        index of both: undeclared
          runs: ecs/amd64 ecs/arm64 apprunner agentcore linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of amd64: undeclared
          runs: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 agentcore linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of amd64/v3: undeclared
          unknown: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 agentcore linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of arm/v7, s390x: undeclared
          platform-missing: ecs/amd64 apprunner linux/amd64
          unknown: ecs/arm64 agentcore linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of windows: undeclared
          wrong-os: ecs/amd64 ecs/arm64 apprunner agentcore linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of nothing: undeclared
          platform-missing: ecs/amd64 ecs/arm64 apprunner agentcore linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index that contradicts its child: descriptor-mismatch
          descriptor-mismatch: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 agentcore linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index with the same files: unknown
          unknown: ecs/amd64 ecs/arm64 apprunner agentcore linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of amd64 and 386 with the same files: undeclared
          runs: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 agentcore linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        not readable: unknown
          unknown: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 agentcore linux/amd64 linux/arm64
        index with a lost child: undeclared
          unknown: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 agentcore linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        attestation: attestation-tagged
          attestation-tagged: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 agentcore linux/amd64 linux/arm64
    "#]]
    .assert_eq(&table);
}

#[test]
fn several_runtimes_need_several_platforms() {
    let both = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, Some("ecs/amd64 ecs/arm64"));
    // At most one platform starts, but without an inspection it may be that neither has a program.
    assert_eq!(outcome(&judge(&both, &index_with_identical_layers())), "unknown");
    assert_eq!(outcome(&judge(&both, &index(&["linux/amd64", "linux/arm64"]))), "runs");
    assert_eq!(outcome(&judge(&both, &index(&["linux/amd64"]))), "platform-missing");
    // A runtime that runs does not hide another that fails.
    let judgement = judge(&both, &image(ImageContent::Single(oci_image("linux/arm64"))));
    let verdicts: Vec<&str> = judgement.findings.iter().map(|finding| finding.verdict.as_str()).collect();
    assert_eq!((verdicts, judgement.verdict.as_str()), (vec!["fails", "runs"], "fails"));
}

#[test]
fn architecture_in_tag_keeps_the_service() {
    let check = |tag: &str, repository: &str, image: &Image| {
        outcome(&judge(
            &Intent::from_tag(&tag.parse().unwrap()).or_declared_by(DeclarationSource::RepositoryTag, Some(repository)),
            image,
        ))
    };
    let arm64 = index(&["linux/arm64"]);
    assert_eq!(check("v1-arm64", "lambda/arm64", &arm64), "index-refused");
    assert_eq!(check("v1-arm64", "lambda/amd64", &arm64), "index-refused");
    assert_eq!(check("v1-arm64", "lambda/amd64", &image(ImageContent::Single(oci_image("linux/arm64")))), "runs");
    assert_eq!(check("v1-arm64", "apprunner", &arm64), "runs");
    let zstd = image(ImageContent::Single(single("linux/amd64", MediaTypeFamily::Oci, Compression::Zstd, "x")));
    assert_eq!(check("v1-amd64", "apprunner", &zstd), "unknown");
}

#[test]
fn contradicting_declarations_of_a_suitable_image_are_unknown() {
    for (tag, repository, platform, expected) in [
        ("v1-apprunner", "ecs/arm64", "linux/arm64", "unknown"),
        ("v1-ecs-amd64", "ecs/arm64 lambda/arm64", "linux/arm64", "unknown"),
        // The image suits the tag's runtime, both, neither, or not all of the repository's.
        ("v1-apprunner", "ecs/arm64", "linux/amd64", "runs"),
        ("v1-apprunner", "ecs/amd64", "linux/amd64", "runs"),
        ("v1-apprunner", "ecs/arm64", "linux/s390x", "wrong-architecture"),
        ("v1-apprunner", "ecs/arm64 apprunner", "linux/arm64", "wrong-architecture"),
        ("v1-apprunner", "apprunner", "linux/arm64", "wrong-architecture"),
        ("v1-apprunner", "nonsense", "linux/arm64", "wrong-architecture"),
    ] {
        let intent =
            Intent::from_tag(&tag.parse().unwrap()).or_declared_by(DeclarationSource::RepositoryTag, Some(repository));
        let judgement = judge(&intent, &image(ImageContent::Single(oci_image(platform))));
        assert_eq!(outcome(&judgement), expected, "{tag} {repository} {platform}");
    }
}

#[test]
fn contradicting_declarations_are_explained() {
    let intent = Intent::from_tag(&"v1-apprunner".parse().unwrap())
        .or_declared_by(DeclarationSource::RepositoryTag, Some("ecs/arm64"));
    let judgement = judge(&intent, &image(ImageContent::Single(oci_image("linux/arm64"))));
    expect![[r#"
        the image is built for linux/arm64, not linux/amd64
        the image's tag and the repository's tag declare different runtimes, and the image runs on the repository's: ECS on arm64"#]].assert_eq(&judgement.findings[0].unknown.join("\n"));
}

#[test]
fn architecture_in_tag_does_not_imply_linux() {
    for tag in ["ltsc2022-amd64", "1809-amd64", "darwin_arm64"] {
        let intent = Intent::from_tag(&tag.parse().unwrap());
        assert_eq!(
            outcome(&judge(&intent, &image(ImageContent::Single(oci_image("windows/amd64"))))),
            "undeclared",
            "{tag}"
        );
        assert_eq!(outcome(&judge(&intent, &index(&["windows/amd64"]))), "undeclared", "{tag}");
        // A runtime declared by the repository counts.
        let declared = intent.or_declared_by(DeclarationSource::RepositoryTag, Some("ecs/amd64"));
        assert_eq!(
            outcome(&judge(&declared, &image(ImageContent::Single(oci_image("windows/amd64"))))),
            "wrong-os",
            "{tag}"
        );
    }
}

#[test]
fn unread_image_is_unknown_without_declaration() {
    let unread = PlatformImage { config_error: Some("too large".to_owned()), ..oci_image("") };
    for content in [ImageContent::Single(unread), ImageContent::Unreadable("no JSON".to_owned())] {
        assert_eq!(outcome(&judge(&Intent::default(), &image(content))), "unknown");
    }
}

#[test]
fn every_way_to_declare() {
    let arm64 = image(ImageContent::Single(oci_image("linux/arm64")));
    let mut lines = String::new();
    for (tag, repository) in [
        ("v1", None),
        ("v1", Some("ecs/arm64")),
        ("v1", Some("ecs/amd64")),
        ("v1-ecs-arm64", Some("ecs/amd64")),
        ("v1-ecs-amd64", Some("ecs/arm64")),
        // If the image has the architecture that its tag names, the repository's declaration of another one is ignored;
        ("v1-arm64", Some("ecs/amd64")),
        ("v1-arm64", None),
        // if not, the repository's declaration counts.
        ("v1-amd64", Some("ecs/arm64")),
        ("v1-amd64", Some("apprunner")),
        ("v1-amd64", None),
        // Invalid declarations are reported beside valid ones.
        ("v1", Some("ecs")),
        ("v1", Some("ecs/arm64 apprunnr")),
        ("v1", Some("ecs/amd64 apprunnr")),
        ("v1-arm64", Some("ecs")),
    ] {
        let intent =
            Intent::from_tag(&tag.parse().unwrap()).or_declared_by(DeclarationSource::RepositoryTag, repository);
        let judgement = judge(&intent, &arm64);
        let declared = repository.unwrap_or("-");
        lines += &format!("{tag}, {declared}: {}, {}\n", judgement.verdict.as_str(), outcome(&judgement));
    }
    expect![[r#"
        v1, -: undeclared, undeclared
        v1, ecs/arm64: runs, runs
        v1, ecs/amd64: fails, wrong-architecture
        v1-ecs-arm64, ecs/amd64: runs, runs
        v1-ecs-amd64, ecs/arm64: unknown, unknown
        v1-arm64, ecs/amd64: runs, runs
        v1-arm64, -: runs, runs
        v1-amd64, ecs/arm64: runs, runs
        v1-amd64, apprunner: fails, wrong-architecture
        v1-amd64, -: fails, wrong-architecture
        v1, ecs: unknown, invalid-declaration
        v1, ecs/arm64 apprunnr: unknown, invalid-declaration
        v1, ecs/amd64 apprunnr: fails, wrong-architecture+invalid-declaration
        v1-arm64, ecs: unknown, invalid-declaration
    "#]]
    .assert_eq(&lines);
}
