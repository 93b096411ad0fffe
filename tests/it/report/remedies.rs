//! The steps for each way in which an image arrives, each runtime and some faults, in one table.

use ecr_preflight::errno::Errno;
use ecr_preflight::event::{Arrival, ArrivalKind};
use ecr_preflight::exec::{
    AccountFile, AccountKind, Defect, ExecOutcome, FileFormat, FileRole, SetupRefusal, StartFailure, StartPrediction,
};
use ecr_preflight::inspect::{Inspection, InspectionOutcome, InspectionTarget};
use ecr_preflight::intent::{DeclarationSource, Intent};
use ecr_preflight::launch::{Launch, Launcher};
use ecr_preflight::name::{Digest, Repository};
use ecr_preflight::oci::{Compression, Image, ImageContent, IndexChild, IndexEntry, LayerAccess, MediaTypeFamily};
use ecr_preflight::platform::Platform;
use ecr_preflight::report::{Report, ReportContext, format_text};
use ecr_preflight::rootfs::MountFailure;
use ecr_preflight::runtime::Runtime;
use ecr_preflight::verdict::judge;
use expect_test::expect_file;

use super::messages::{push_arrival, single_image};

/// The arrivals: the sample image was created on 2026-11-01.
fn arrivals() -> Vec<(&'static str, Option<Arrival>)> {
    let push = push_arrival("team/app", "v1");
    let at = |date: &str| Some(format!("{date}T10:00:00+00:00"));
    let source = Repository::new("210987654321", "eu-west-1", "team/app").unwrap();
    let cache = Repository::new("123456789012", "us-west-2", "docker-hub/library/app").unwrap();
    let replica = Arrival { how: ArrivalKind::Replica, ..push.clone() };
    let cached = Arrival { how: ArrivalKind::PullThroughCache, repository: cache, ..push.clone() };
    vec![
        ("built and pushed", Some(Arrival { sent_at: at("2026-11-02"), ..push.clone() })),
        ("copied and pushed", Some(Arrival { sent_at: at("2026-11-03"), ..push.clone() })),
        ("replicated", Some(Arrival { source: Some(source), ..replica.clone() })),
        ("replicated from an unknown region", Some(replica)),
        ("cached", Some(Arrival { upstream: Some("registry-1.docker.io".to_owned()), ..cached.clone() })),
        ("cached from an unknown registry", Some(cached)),
        ("audited", Some(Arrival { how: ArrivalKind::Audit, pushed_at: at("2026-11-20"), ..push })),
        ("checked on the command line", None),
    ]
}

fn index_of(platforms: &[&str]) -> ImageContent {
    let entry = |architecture: &&str| IndexEntry {
        digest: Digest::of(architecture.as_bytes()),
        platform: Platform::linux(architecture),
        child: IndexChild::NotRead,
    };
    ImageContent::Index(platforms.iter().map(entry).collect())
}

/// Images, each with the declarations that it does not suit.
fn images() -> Vec<(&'static str, ImageContent, &'static [&'static str])> {
    let mut zstd = single_image("amd64", "/app");
    zstd.layers[0].compression = Compression::Zstd;
    let mut uncompressed = single_image("amd64", "/app");
    uncompressed.family = MediaTypeFamily::Docker;
    uncompressed.layers[0].compression = Compression::None;
    assert_eq!(uncompressed.layers[0].access, LayerAccess::Readable);
    let mut unread = single_image("amd64", "/app");
    unread.platform = Platform::default();
    unread.config_error = Some("its config is not in the repository".to_owned());
    let arm64 = ImageContent::Single(single_image("arm64", "/app"));
    let s390x = ImageContent::Single(single_image("s390x", "/app"));
    let arm = ImageContent::Single(single_image("arm", "/app"));
    vec![
        (
            "arm64",
            arm64,
            &["ecs/amd64", "apprunner", "lambda/amd64", "linux/amd64", "ecs/amd64 apprunner lambda/amd64"],
        ),
        ("s390x", s390x, &["ecs/amd64 ecs/arm64"]),
        ("index of arm64", index_of(&["arm64"]), &["ecs/amd64", "apprunner", "ecs/amd64 ecs/arm64", "lambda/arm64"]),
        ("index of amd64, arm64", index_of(&["amd64", "arm64"]), &["lambda/amd64", "lambda/amd64 ecs/arm64"]),
        ("arm/v7", arm, &["ecs/arm64"]),
        ("zstd layers", ImageContent::Single(zstd), &["lambda/amd64"]),
        ("uncompressed Docker layers", ImageContent::Single(uncompressed), &["lambda/amd64"]),
        ("unread config", ImageContent::Single(unread), &["ecs/amd64"]),
        ("attestation", ImageContent::Attestation, &["ecs/amd64"]),
        ("unreadable manifest", ImageContent::Unreadable("it is not valid".to_owned()), &["ecs/amd64", "ecs/amd46"]),
    ]
}

/// Programs that do not start, by what is wrong with a file.
fn program_failures() -> Vec<(&'static str, InspectionOutcome)> {
    let fails = |role, path: &str, defect, errno| {
        let (argv, path) = (vec![b"/app".to_vec()], path.as_bytes().to_vec());
        // A script that has another interpreter.
        let chain = if role == FileRole::Program { Vec::new() } else { vec![b"/app".to_vec()] };
        let outcome = ExecOutcome::Fails { errno, path: path.clone(), chain };
        let start = StartPrediction { outcome, message: None };
        let launcher = Launcher::ContainerRuntime;
        let launch = Launch { launcher, argv, start, program: None, not_followed: None };
        InspectionOutcome::Launches(vec![launch], Some(StartFailure { role, path, defect, similar: None }))
    };
    let program = |defect, errno| fails(FileRole::Program, "/app", defect, errno);
    let unknown_user =
        SetupRefusal::UnknownAccount { kind: AccountKind::User, name: b"app".to_vec(), file: AccountFile::Present };
    let mount = MountFailure { path: "/etc/hosts" };
    vec![
        (
            "a program of another platform",
            program(Defect::Format(FileFormat::OtherArchitecture("arm64")), Errno::ExecFormat),
        ),
        ("a program for macOS", program(Defect::Format(FileFormat::MachO), Errno::ExecFormat)),
        ("a script without a first line", program(Defect::Format(FileFormat::NoShebang), Errno::ExecFormat)),
        ("a missing program", program(Defect::Missing, Errno::NoEntry)),
        ("a program that is not executable", program(Defect::NotExecutable { mode: 0o644 }, Errno::Access)),
        ("carriage returns", fails(FileRole::Interpreter, "/bin/sh\r", Defect::CarriageReturn, Errno::NoEntry)),
        ("a missing interpreter", fails(FileRole::Interpreter, "/bin/bash", Defect::Missing, Errno::NoEntry)),
        (
            "a loader of the other C library",
            fails(FileRole::Loader, "/lib/ld-musl-x86_64.so.1", Defect::OtherLibc, Errno::NoEntry),
        ),
        ("an unknown user", InspectionOutcome::Refused(unknown_user)),
        ("a directory at a mount point", InspectionOutcome::Refused(SetupRefusal::Mount(mount))),
    ]
}

fn report(arrival: Option<&Arrival>, content: &ImageContent, declared: &str, inspections: &[Inspection]) -> Report {
    let image = Image {
        digest: Digest::of(b"image"),
        media_type: "m".to_owned(),
        content: content.clone(),
        runtime_label: None,
        refusal: None,
    };
    let intent = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, Some(declared));
    let context = ReportContext {
        owner: None,
        consumer: None,
        suits_declaration: None,
        arrival,
        reference: "oci:image:v1",
        repository: arrival.map(|arrival| &arrival.repository),
        remote_repository: None,
        tag: arrival.and_then(|arrival| arrival.selector.tag()),
        declaration_key: "intended-runtime",
        docs_url: None,
        is_platform_only: false,
    };
    Report::from_judgement(context, Some(&image), inspections, &judge(&intent, &image, inspections))
}

/// What to do about an image, as the text report says it.
fn steps(report: &Report) -> String {
    let text = format_text(report);
    let steps = text.split_once("What to do\n").map_or("  (none)", |(_, steps)| steps);
    steps.split("\n\nThis is what the image's own").next().unwrap_or(steps).trim_end().to_owned()
}

#[test]
fn steps_of_every_arrival_and_runtime() {
    let mut table = String::new();
    for (how, arrival) in arrivals() {
        table += &format!("# {how}\n\n");
        for (name, content, declarations) in images() {
            for declared in declarations {
                let steps = steps(&report(arrival.as_ref(), &content, declared, &[]));
                table += &format!("{name} for {declared}\n{steps}\n\n");
            }
        }
        let image = single_image("amd64", "/app");
        for runtime in [Runtime::EcsAmd64, Runtime::LambdaAmd64] {
            let target = InspectionTarget::for_runtime(runtime).unwrap();
            for (name, outcome) in program_failures() {
                let inspection = Inspection {
                    digest: image.digest.clone(),
                    platform: image.platform.clone(),
                    target,
                    argv: vec!["/app".to_owned()],
                    outcome,
                    refusal: None,
                };
                let (content, declared) = (ImageContent::Single(image.clone()), runtime.profile().name);
                let steps = steps(&report(arrival.as_ref(), &content, declared, &[inspection]));
                table += &format!("{name} for {declared}\n{steps}\n\n");
            }
        }
    }
    expect_file!["remedies.txt"].assert_eq(&table);
    // Nothing is pushed to a cache, and nothing to the destination of a replica.
    for section in table.split("# ").filter(|section| section.starts_with("cached") || section.starts_with("replica")) {
        let own = ["us-west-2.amazonaws.com/docker-hub", "us-west-2.amazonaws.com/team/app"];
        for line in section.lines() {
            let tagged = line.split_once("--tag ").and_then(|(_, rest)| rest.split(' ').next());
            let pushed = line.split_once("docker push ").and_then(|(_, rest)| rest.split(' ').next_back());
            let is_own = |uri: &str| own.iter().any(|name| uri.contains(name));
            assert!(![tagged, pushed].into_iter().flatten().any(is_own), "{line}");
        }
    }
}

#[test]
fn hint_without_a_declaration_suits_the_image() {
    for (content, example) in [
        (ImageContent::Single(single_image("arm64", "/app")), ", for example with `intended-runtime=ecs/arm64`\n"),
        (index_of(&["amd64", "arm64"]), ", for example with `intended-runtime=ecs/amd64 ecs/arm64`\n"),
        (ImageContent::Single(single_image("s390x", "/app")), "label the image\n"),
    ] {
        let image =
            Image { digest: Digest::of(b"i"), media_type: String::new(), content, runtime_label: None, refusal: None };
        let context = ReportContext { declaration_key: "intended-runtime", ..ReportContext::default() };
        let judgement = judge(&Intent::default(), &image, &[]);
        let text = format_text(&Report::from_judgement(context, Some(&image), &[], &judgement));
        assert!(text.ends_with(example), "{text}");
    }
}
