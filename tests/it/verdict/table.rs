//! The full table: every runtime against every shape of image, and every way to declare against an image.

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

/// Holds an image against its intent by what it says alone.
fn judge(intent: &Intent, image: &Image) -> Judgement {
    verdict::judge(intent, image, &[])
}

fn platform(text: &str) -> Platform {
    let mut parts = text.split('/');
    let mut part = || parts.next().unwrap_or_default();
    Platform::new(part(), part(), part())
}

fn single(claimed: &str, family: MediaTypeFamily, compression: Compression, files: &str) -> PlatformImage {
    let layers =
        vec![Layer { digest: Digest::of(files.as_bytes()), compression, size: 9, access: LayerAccess::Readable }];
    let digest = Digest::of(format!("{claimed} {files}").as_bytes());
    PlatformImage {
        digest,
        platform: platform(claimed),
        config_error: None,
        family,
        layers,
        layers_error: None,
        shown_command: vec!["/app".to_owned()],
        process: ProcessConfig::default(),
    }
}

fn oci(claimed: &str) -> PlatformImage {
    single(claimed, MediaTypeFamily::Oci, Compression::Gzip, claimed)
}

fn image(content: ImageContent) -> Image {
    Image { digest: Digest::of(b"image"), media_type: String::new(), content, runtime_label: None }
}

/// An entry that promises a platform, and whose config says another.
fn entry(promised: &str, config: &str) -> IndexEntry {
    let single = oci(config);
    IndexEntry { digest: single.digest.clone(), platform: platform(promised), child: IndexChild::Read(single) }
}

fn index(platforms: &[&str]) -> Image {
    image(ImageContent::Index(platforms.iter().map(|platform| entry(platform, platform)).collect()))
}

fn twins() -> Image {
    same_files(["linux/amd64", "linux/arm64"])
}

/// The first may well start programs of the second.
fn kin() -> Image {
    same_files(["linux/amd64", "linux/386"])
}

fn same_files(platforms: [&str; 2]) -> Image {
    let twin = |claimed: &str| {
        let single = single(claimed, MediaTypeFamily::Oci, Compression::Gzip, "the same files");
        IndexEntry { digest: single.digest.clone(), platform: platform(claimed), child: IndexChild::Read(single) }
    };
    image(ImageContent::Index(platforms.map(twin).into()))
}

fn images() -> Vec<(&'static str, Image)> {
    let plain = |claimed| image(ImageContent::Single(oci(claimed)));
    let layered = |family, compression| image(ImageContent::Single(single("linux/amd64", family, compression, "x")));
    let missing = IndexEntry {
        child: IndexChild::Unavailable("its child is gone".to_owned()),
        ..entry("linux/amd64", "linux/amd64")
    };
    let unread = PlatformImage { config_error: Some("too large".to_owned()), ..oci("") };
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
        ("index that lies", image(ImageContent::Index(vec![entry("linux/amd64", "linux/arm64")]))),
        ("index with the same files", twins()),
        ("index of amd64 and 386 with the same files", kin()),
        ("not readable", image(ImageContent::Unreadable("no JSON".to_owned()))),
        ("index with a lost child", image(ImageContent::Index(vec![missing]))),
        ("attestation", image(ImageContent::Attestation)),
    ]
}

/// A judgement in a word or two: what is wrong, else the verdict.
fn cell(judgement: &Judgement) -> String {
    let faults = judgement.findings.iter().flat_map(|finding| &finding.faults);
    let mut codes: Vec<&str> = faults.map(|fault| fault.code.as_str()).collect();
    codes.dedup();
    if codes.is_empty() { judgement.verdict.as_str().to_owned() } else { codes.join("+") }
}

#[test]
fn every_runtime_against_every_image() {
    let mut table = String::new();
    for (name, image) in images() {
        let undeclared = cell(&judge(&Intent::default(), &image));
        table += &format!("{name}: {undeclared}\n");
        let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
        for profile in &RUNTIMES {
            let answer = cell(&judge(&Intent::from_command_line(&[profile.runtime]), &image));
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
          wrong-architecture: ecs/arm64 lambda/arm64 linux/arm64
        arm64: undeclared
          wrong-architecture: ecs/amd64 apprunner lambda/amd64 linux/amd64
          runs: ecs/arm64 lambda/arm64 linux/arm64
        arm/v7: undeclared
          wrong-architecture: ecs/amd64 apprunner lambda/amd64 linux/amd64
          unknown: ecs/arm64 lambda/arm64 linux/arm64
        386: undeclared
          unknown: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 linux/arm64
        amd64/v3: undeclared
          unknown: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 linux/arm64
        s390x: undeclared
          wrong-architecture: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64
        windows amd64: undeclared
          wrong-os: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64
        no architecture: undeclared
          unknown: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64
        no os, arm64: undeclared
          wrong-architecture: ecs/amd64 apprunner lambda/amd64 linux/amd64
          unknown: ecs/arm64 lambda/arm64 linux/arm64
        config not read: unknown
          unknown: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64
        docker gzip: undeclared
          runs: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 linux/arm64
        docker uncompressed: undeclared
          runs: ecs/amd64 apprunner linux/amd64
          wrong-architecture: ecs/arm64 linux/arm64
          layer-format-refused: lambda/amd64
          wrong-architecture+layer-format-refused: lambda/arm64
        docker zstd: undeclared
          unknown: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 linux/arm64
        oci zstd: undeclared
          runs: ecs/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 linux/arm64
          unknown: apprunner lambda/amd64
        oci uncompressed: undeclared
          runs: ecs/amd64 apprunner lambda/amd64 linux/amd64
          wrong-architecture: ecs/arm64 lambda/arm64 linux/arm64
        index of both: undeclared
          runs: ecs/amd64 ecs/arm64 apprunner linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of amd64: undeclared
          runs: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of amd64/v3: undeclared
          unknown: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of arm/v7, s390x: undeclared
          platform-missing: ecs/amd64 apprunner linux/amd64
          unknown: ecs/arm64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of windows: undeclared
          wrong-os: ecs/amd64 ecs/arm64 apprunner linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of nothing: undeclared
          platform-missing: ecs/amd64 ecs/arm64 apprunner linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index that lies: descriptor-mismatch
          descriptor-mismatch: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index with the same files: identical-layers
          unknown: ecs/amd64 ecs/arm64 apprunner linux/amd64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        index of amd64 and 386 with the same files: undeclared
          runs: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        not readable: unknown
          unknown: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64
        index with a lost child: undeclared
          unknown: ecs/amd64 apprunner linux/amd64
          platform-missing: ecs/arm64 linux/arm64
          index-refused: lambda/amd64 lambda/arm64
        attestation: attestation-tagged
          attestation-tagged: ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64
    "#]]
    .assert_eq(&table);
}

#[test]
fn what_is_certain_only_for_several_runtimes_together() {
    let both = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, Some("ecs/amd64 ecs/arm64"));
    assert_eq!(cell(&judge(&both, &twins())), "identical-layers");
    assert_eq!(cell(&judge(&both, &index(&["linux/amd64", "linux/arm64"]))), "runs");
    assert_eq!(cell(&judge(&both, &index(&["linux/amd64"]))), "platform-missing");
    // One runtime that runs does not excuse another that fails.
    let judgement = judge(&both, &image(ImageContent::Single(oci("linux/arm64"))));
    let verdicts: Vec<&str> = judgement.findings.iter().map(|finding| finding.verdict.as_str()).collect();
    assert_eq!((verdicts, judgement.verdict.as_str()), (vec!["fails", "runs"], "fails"));
}

#[test]
fn an_architecture_in_the_tag_changes_the_platform_but_not_the_service() {
    let check = |tag: &str, repository: &str, image: &Image| {
        cell(&judge(
            &Intent::from_tag(&tag.parse().unwrap()).or_declared_by(DeclarationSource::RepositoryTag, Some(repository)),
            image,
        ))
    };
    let arm64 = index(&["linux/arm64"]);
    assert_eq!(check("v1-arm64", "lambda/arm64", &arm64), "index-refused");
    assert_eq!(check("v1-arm64", "lambda/amd64", &arm64), "index-refused");
    assert_eq!(check("v1-arm64", "lambda/amd64", &image(ImageContent::Single(oci("linux/arm64")))), "runs");
    assert_eq!(check("v1-arm64", "apprunner", &arm64), "runs");
    let zstd = image(ImageContent::Single(single("linux/amd64", MediaTypeFamily::Oci, Compression::Zstd, "x")));
    assert_eq!(check("v1-amd64", "apprunner", &zstd), "unknown");
}

#[test]
fn an_architecture_in_the_tag_says_nothing_of_the_operating_system() {
    for tag in ["ltsc2022-amd64", "1809-amd64", "darwin_arm64"] {
        let intent = Intent::from_tag(&tag.parse().unwrap());
        assert_eq!(cell(&judge(&intent, &image(ImageContent::Single(oci("windows/amd64"))))), "undeclared", "{tag}");
        assert_eq!(cell(&judge(&intent, &index(&["windows/amd64"]))), "undeclared", "{tag}");
        // But where the repository declares a runtime, that counts.
        let declared = intent.or_declared_by(DeclarationSource::RepositoryTag, Some("ecs/amd64"));
        assert_eq!(cell(&judge(&declared, &image(ImageContent::Single(oci("windows/amd64"))))), "wrong-os", "{tag}");
    }
}

#[test]
fn an_image_that_was_not_read_is_unknown_without_an_intent_too() {
    let unread = PlatformImage { config_error: Some("too large".to_owned()), ..oci("") };
    for content in [ImageContent::Single(unread), ImageContent::Unreadable("no JSON".to_owned())] {
        assert_eq!(cell(&judge(&Intent::default(), &image(content))), "unknown");
    }
}

#[test]
fn every_way_to_declare() {
    let arm64 = image(ImageContent::Single(oci("linux/arm64")));
    for (tag, repository, expected) in [
        ("v1", None, "undeclared"),
        ("v1", Some("ecs/arm64"), "runs"),
        ("v1", Some("ecs/amd64"), "wrong-architecture"),
        ("v1-ecs-arm64", Some("ecs/amd64"), "runs"),
        ("v1-ecs-amd64", Some("ecs/arm64"), "wrong-architecture"),
        // A bare architecture is sound where it is kept, and excuses the repository's declaration then;
        ("v1-arm64", Some("ecs/amd64"), "runs"),
        ("v1-arm64", None, "runs"),
        // where it is not kept, the repository's declaration counts.
        ("v1-amd64", Some("ecs/arm64"), "runs"),
        ("v1-amd64", Some("apprunner"), "wrong-architecture"),
        ("v1-amd64", None, "wrong-architecture"),
        // What cannot be read is said, beside what can.
        ("v1", Some("ecs"), "invalid-declaration"),
        ("v1", Some("ecs/arm64 apprunnr"), "invalid-declaration"),
        ("v1", Some("ecs/amd64 apprunnr"), "wrong-architecture+invalid-declaration"),
        ("v1-arm64", Some("ecs"), "invalid-declaration"),
    ] {
        let intent =
            Intent::from_tag(&tag.parse().unwrap()).or_declared_by(DeclarationSource::RepositoryTag, repository);
        let judgement = judge(&intent, &arm64);
        assert_eq!(cell(&judgement), expected, "{tag} {repository:?}");
        let expected = match expected {
            "invalid-declaration" => "unknown",
            "runs" | "undeclared" => expected,
            _ => "fails",
        };
        assert_eq!(judgement.verdict.as_str(), expected, "{tag} {repository:?}");
    }
}
