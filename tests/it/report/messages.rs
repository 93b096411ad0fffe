//! The published message: card, attributes, and the limits of every receiver.

use ecr_preflight::event::{Arrival, ArrivalKind};
use ecr_preflight::intent::{DeclarationSource, Intent};
use ecr_preflight::lambda::notify::{Message, build_message};
use ecr_preflight::name::{Digest, Repository, Selector};
use ecr_preflight::oci::{
    Compression, Image, ImageContent, Layer, LayerAccess, MediaTypeFamily, PlatformImage, ProcessConfig,
};
use ecr_preflight::platform::Platform;
use ecr_preflight::report::{Report, ReportContext};
use ecr_preflight::verdict::judge;
use expect_test::expect;
use serde_json::Value;

/// The push of an image to a repository.
pub fn push_arrival(name: &str, tag: &str) -> Arrival {
    Arrival {
        how: ArrivalKind::Push,
        also_tagged: Vec::new(),
        pushed_at: None,
        sent_at: None,
        source: None,
        upstream: None,
        repository: Repository::new("123456789012", "us-west-2", name).unwrap(),
        selector: Selector::DigestAndTag(Digest::of(b"image"), tag.parse().unwrap()),
        event_id: "13cde686-328b-6117-af20-0e5566167482".to_owned(),
    }
}

/// An image for one architecture that starts this command.
pub fn single_image(architecture: &str, command: &str) -> PlatformImage {
    let digest = Digest::of(b"image");
    PlatformImage {
        digest: digest.clone(),
        platform: Platform::linux(architecture),
        created: Some("2026-11-01T12:00:00Z".to_owned()),
        config_error: None,
        family: MediaTypeFamily::Oci,
        layers: vec![Layer {
            digest,
            compression: Compression::Gzip,
            size: 9,
            access: LayerAccess::Readable,
            is_plain_in_containerd: false,
            diff_id: None,
        }],
        layers_error: None,
        shown_command: vec![command.to_owned()],
        process: ProcessConfig::default(),
        refusal: None,
    }
}

/// The report on a push of an arm64 image that starts this command.
pub fn report(name: &str, tag: &str, declared: &str, command: &str) -> Report {
    let arrival = push_arrival(name, tag);
    let image = Image {
        digest: Digest::of(b"image"),
        media_type: "m".to_owned(),
        content: ImageContent::Single(single_image("arm64", command)),
        runtime_label: None,
        refusal: None,
    };
    let place = ReportContext {
        owner: None,
        consumer: None,
        suits_declaration: None,
        arrival: Some(&arrival),
        reference: &arrival.reference(),
        repository: Some(&arrival.repository),
        remote_repository: None,
        tag: arrival.selector.tag(),
        declaration_key: "intended-runtime",
        docs_url: None,
        is_platform_only: true,
    };
    let intent = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, Some(declared));
    Report::from_judgement(place, Some(&image), &[], &judge(&intent, &image, &[]))
}

fn body(message: &Message, protocol: &str) -> String {
    message.bodies.iter().find(|(name, _)| *name == protocol).unwrap().1.clone()
}

#[test]
fn card_of_an_unverified_start_has_no_check_mark() {
    let message = build_message(&report("team/app", "v1", "ecs/arm64", "/run.sh"));
    let card: Value = serde_json::from_str(&body(&message, "https")).unwrap();
    expect![":white_circle: `team/app:v1` has the right architecture for ECS on arm64; start not verified"]
        .assert_eq(card["content"]["title"].as_str().unwrap());
}

#[test]
fn card_and_attributes_of_a_wrong_architecture() {
    let message = build_message(&report("grafana/grafana", "11.4.0", "apprunner", "/run.sh"));
    let card: Value = serde_json::from_str(&body(&message, "https")).unwrap();
    expect![[r#"
        {
          "content": {
            "description": "Pushed: `123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0`, built for `linux/arm64`\nDigest `sha256:6105d6cc76af` in the <https://us-west-2.console.aws.amazon.com/ecr/repositories/private/123456789012/grafana/grafana/_/image/sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d/details?region=us-west-2|Amazon ECR console>\n\n✗ *App Runner*\n`wrong-architecture`: the image is built for linux/arm64, not linux/amd64\nExpected error: `exec /run.sh: exec format error`\nChecked because the repository's tag `intended-runtime` declares `apprunner`; to change that: `ecr-preflight declare grafana/grafana RUNTIME`\n\n_platform checked, program not inspected: disabled by PREFLIGHT_INSPECT or --no-exec_",
            "keywords": [
              "apprunner",
              "wrong-architecture"
            ],
            "nextSteps": [
              "1. Build it for linux/amd64: `docker buildx build --platform linux/amd64 --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 --push .`",
              "2. Or, if it was copied from another registry, copy all its platforms: `docker buildx imagetools create --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 SOURCE`"
            ],
            "textType": "client-markdown",
            "title": ":x: `grafana/grafana:11.4.0` will not start on App Runner: the image is arm64, App Runner is amd64"
          },
          "id": "13cde686-328b-6117-af20-0e5566167482",
          "metadata": {
            "additionalContext": {
              "digest": "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
            },
            "enableCustomActions": false,
            "eventType": "fails",
            "relatedResources": [
              "arn:aws:ecr:us-west-2:123456789012:repository/grafana/grafana"
            ],
            "summary": "grafana/grafana:11.4.0 will not start on App Runner: the image is arm64, App Runner is amd64",
            "threadId": "123456789012/us-west-2/grafana/grafana:11.4.0"
          },
          "source": "custom",
          "version": "1.0"
        }"#]].assert_eq(&serde_json::to_string_pretty(&card).unwrap());
    expect![[r#"
        [ecr-preflight] grafana/grafana:11.4.0 will not start on App Runner: the image is arm64, App Run...
        grafana/grafana:11.4.0 will not start on App Runner
        [
            (
                "verdict",
                [
                    "fails",
                ],
            ),
            (
                "repository",
                [
                    "grafana/grafana",
                ],
            ),
            (
                "runtime",
                [
                    "apprunner",
                ],
            ),
            (
                "fault",
                [
                    "wrong-architecture",
                ],
            ),
        ]"#]]
    .assert_eq(&format!("{}\n{}\n{:#?}", message.subject, body(&message, "sms"), message.attributes));
}

#[test]
fn several_faults_become_string_arrays() {
    let message = build_message(&report("team/app", "v1", "ecs/amd64 lambda/amd64 apprunr", "/app"));
    expect![[r#"[("verdict", ["fails"]), ("repository", ["team/app"]), ("runtime", ["ecs/amd64", "lambda/amd64"]), ("fault", ["wrong-architecture", "invalid-declaration"])]"#]].assert_eq(&format!("{:?}", message.attributes));
}

#[test]
fn texts_stay_within_the_limits_of_receivers() {
    let name = format!("{}x", "long-name/".repeat(25));
    let unreadable = vec!["e".repeat(100); 100].join(" ");
    for (declared, command) in [("apprunner", "/é".repeat(5000)), (unreadable.as_str(), "`<&>".repeat(5000))] {
        let message = build_message(&report(&name, &"t".repeat(128), &format!("ecs/amd64 {declared}"), &command));
        let card: Value = serde_json::from_str(&body(&message, "https")).unwrap();
        let content = &card["content"];
        let length = |value: &Value| value.as_str().unwrap().chars().count();
        assert!(length(&content["title"]) <= 250);
        assert!(length(&content["description"]) <= 8000);
        assert!(content["nextSteps"].as_array().unwrap().len() <= 3);
        assert!(content["nextSteps"].as_array().unwrap().iter().all(|step| length(step) <= 350));
        assert!(content["keywords"].as_array().unwrap().iter().all(|word| length(word) <= 75));
        assert!(message.subject.len() < 100 && message.subject.bytes().all(|c| c.is_ascii_graphic() || c == b' '));
        assert!(body(&message, "sms").chars().count() <= 160);
        let all: usize = message.bodies.iter().map(|(_, body)| serde_json::to_string(body).unwrap().len()).sum();
        assert!(all < 256 * 1024, "{all} bytes");
    }
}

#[test]
fn image_texts_cannot_inject_markup() {
    let report = report("team/app", "v1", "ecs/amd64", "/a`*<https://evil.example|click>&");
    let message = build_message(&report);
    let card: Value = serde_json::from_str(&body(&message, "https")).unwrap();
    expect![[r#"
        Pushed: `123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1`, built for `linux/arm64`
        Digest `sha256:6105d6cc76af` in the <https://us-west-2.console.aws.amazon.com/ecr/repositories/private/123456789012/team/app/_/image/sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d/details?region=us-west-2|Amazon ECR console>

        ✗ *ECS on amd64*
        `wrong-architecture`: the image is built for linux/arm64, not linux/amd64
        Expected error: `exec /a'*&lt;https://evil.example|click&gt;&amp;: exec format error`
        Checked because the repository's tag `intended-runtime` declares `ecs/amd64`; to change that: `ecr-preflight declare team/app RUNTIME`

        _platform checked, program not inspected: disabled by PREFLIGHT_INSPECT or --no-exec_"#]]
    .assert_eq(card["content"]["description"].as_str().unwrap());
}

/// Commands as an image could name them, and what each format may not contain.
#[test]
fn hostile_names_are_harmless_in_every_format() {
    for (command, in_text, in_card) in [
        ("/a\u{202e}b", "\u{202e}", "\u{202e}"),
        ("/a\u{200b}\u{feff}\u{e0041}b", "\u{e0041}", "\u{feff}"),
        ("/a\u{1b}[31m\n::error::x", "\u{1b}", "\n::error"),
        ("/<https://evil.example|click>", "https://evil", "<https://evil"),
        ("/<!channel>", "\r", "<!channel>"),
        ("/`*bold*`", "\r", "`*bold*`"),
    ] {
        let message = build_message(&report("team/app", "v1", "ecs/amd64", command));
        let card: Value = serde_json::from_str(&body(&message, "https")).unwrap();
        let card = format!("{}{}", card["content"]["title"], card["content"]["description"]);
        let shown = |text: &str| text.contains(in_text);
        assert!(!shown(&body(&message, "email")) && !shown(&body(&message, "sms")), "{command:?}");
        assert!(!card.contains(in_card), "{command:?}: {card}");
    }
}

#[test]
fn email_says_why_it_was_sent_and_how_to_stop() {
    let mut report = report("grafana/grafana", "11.4.0", "apprunner", "/run.sh");
    report.docs_url = Some("https://docs.example/faults".to_owned());
    expect![[r#"
        grafana/grafana:11.4.0 will not start on App Runner

          image     123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0
          digest    sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d
          platform  linux/arm64

        ✗ App Runner (declared by the repository's tag)
          wrong-architecture: the image is built for linux/arm64, not linux/amd64
          expected error: exec /run.sh: exec format error

        What to do
          1. Build it for linux/amd64:
             docker buildx build --platform linux/amd64 --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 --push .
          2. Or, if it was copied from another registry, copy all its platforms:
             docker buildx imagetools create --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 SOURCE

        platform checked, program not inspected: disabled by PREFLIGHT_INSPECT or --no-exec

        About wrong-architecture: https://docs.example/faults#wrong-architecture
        The image in the Amazon ECR console: https://us-west-2.console.aws.amazon.com/ecr/repositories/private/123456789012/grafana/grafana/_/image/sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d/details?region=us-west-2

        It was checked because the repository's tag `intended-runtime` declares `apprunner`; to change that: `ecr-preflight declare grafana/grafana RUNTIME`

        --
        You get this e-mail because your address is subscribed to the SNS topic of ecr-preflight, which checks each
        image that arrives in Amazon ECR. To stop messages
          to your address:     the unsubscribe link below, which Amazon SNS adds
          for the whole stack: `make deploy` with an empty EmailAddress
          of this repository:  ecr-preflight declare grafana/grafana --remove
          more ways:           "Silence a repository" in docs/troubleshooting.md
    "#]].assert_eq(&body(&build_message(&report), "email"));
}

#[test]
fn json_has_the_date_of_creation() {
    let json = serde_json::to_value(report("team/app", "v1", "ecs/amd64", "/app")).unwrap();
    assert_eq!(json["image"]["created"], "2026-11-01T12:00:00Z");
}

#[test]
fn notifications_about_one_tag_are_one_thread() {
    let thread = |tag| {
        let card: Value =
            serde_json::from_str(&body(&build_message(&report("a/b", tag, "ecs/amd64", "/")), "https")).unwrap();
        card["metadata"]["threadId"].as_str().unwrap().to_owned()
    };
    assert_eq!(thread("v1"), "123456789012/us-west-2/a/b:v1");
    assert_ne!(thread("v1"), thread("v2"));
}
