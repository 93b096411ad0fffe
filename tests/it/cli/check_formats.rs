//! `check` with JSON Lines, SARIF and JUnit output, for images that fail, are unknown or cannot be read.

use std::collections::BTreeSet;

use ecr_preflight::verdict::FaultCode;
use expect_test::expect;
use serde_json::{Value, json};

use crate::cli::{check, run};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config};

/// The images of one call: one fails, one is unknown, one is missing.
const IMAGES: [&str; 3] = ["oci:DIR:fails", "oci:DIR:unknown", "oci:DIR:none"];

fn layout() -> Builder {
    let mut layout = Builder::new();
    let (amd64, arm, chart) = (layout.image("amd64"), layout.image("arm"), layout.helm());
    layout.tag("fails", &amd64);
    layout.tag("unknown", &arm);
    layout.tag("chart", &chart);
    layout
}

fn arguments(format: &'static str) -> Vec<&'static str> {
    ["check"].into_iter().chain(IMAGES).chain(["--runtime", "ecs/arm64", "--format", format]).collect()
}

/// Standard output of a run on the layout.
fn stdout_of(layout: &Builder, arguments: &[&str]) -> String {
    let directory = layout.path().display().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &directory)).collect();
    let text = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[]).replace(&directory, "DIR");
    text.split_once("--- out\n").unwrap().1.split_once("--- err\n").unwrap().0.to_owned()
}

fn sarif(layout: &Builder, arguments: &[&str]) -> Value {
    let log: Value = serde_json::from_str(&stdout_of(layout, arguments)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    log["runs"][0].clone()
}

#[test]
fn json_of_several_images_is_one_object_per_line() {
    check(
        &layout(),
        &arguments("json"),
        &expect![[r#"
            success false code 3
            --- out
            {"schema":"ecr-preflight/1","image":{"reference":"oci:DIR:fails","digest":"sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b","mediaType":"application/vnd.oci.image.manifest.v1+json","kind":"image","platforms":["linux/amd64"]},"intended":[{"runtime":"ecs/arm64","declaredBy":"command-line"}],"verdict":"fails","runtimes":[{"runtime":"ecs/arm64","verdict":"fails","verified":true,"unknown":[],"faults":[{"code":"wrong-architecture","platform":"linux/amd64","evidence":"the image is built for linux/amd64, not linux/arm64","symptom":"exec /app: exec format error","remedy":["docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .","docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE","\"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", \"operatingSystemFamily\": \"LINUX\"}"],"advice":["Build it for linux/arm64","Or, if it was copied from another registry, copy all its platforms","Or keep the image, and set in the task definition"]}]}],"exec":[{"platform":"linux/amd64","host":"linux/arm64","argv":["/app"],"outcome":"fails","errno":"ENOEXEC","path":"/app"}]}
            {"schema":"ecr-preflight/1","image":{"reference":"oci:DIR:unknown","digest":"sha256:3e3f3a1fe765dcdc7fda7c2cb925e73195180125cc106f5b042c074545a5f5b0","mediaType":"application/vnd.oci.image.manifest.v1+json","kind":"image","platforms":["linux/arm/v7"]},"intended":[{"runtime":"ecs/arm64","declaredBy":"command-line"}],"verdict":"unknown","runtimes":[{"runtime":"ecs/arm64","verdict":"unknown","verified":false,"unknown":["the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs"],"faults":[],"nextSteps":["docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:unknown --push ."]}],"exec":[{"platform":"linux/arm/v7","host":"linux/arm64","argv":["/app"],"outcome":"unknown","reason":"/app is a 32-bit program, which only some hosts run: those whose kernel and processor support it"}]}
            {"schema":"ecr-preflight/error/1","reference":"oci:DIR:none","verdict":"unknown","error":"oci:DIR:none does not exist","hint":"choose an image in the layout: fails, unknown, chart"}
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: fails, unknown, chart
        "#]],
    );
}

#[test]
fn json_of_an_unreadable_image_is_empty() {
    check(
        &layout(),
        &["check", "oci:DIR:none", "--format", "json"],
        &expect![[r#"
            success false code 3
            --- out
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: fails, unknown, chart
        "#]],
    );
}

#[test]
fn junit_has_failures_errors_and_skipped_tests() {
    let layout = layout();
    let arguments: Vec<&str> = arguments("junit").into_iter().chain(["oci:DIR:chart"]).collect();
    check(
        &layout,
        &arguments,
        &expect![[r#"
            success false code 3
            --- out
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="ecr-preflight" tests="4" skipped="0" failures="2" errors="2">
                <testsuite name="oci:DIR:fails" tests="1" skipped="0" errors="0" failures="1">
                    <testcase name="ecs/arm64" classname="oci:DIR:fails">
                        <failure message="the image is built for linux/amd64, not linux/arm64" type="wrong-architecture">oci:DIR:fails will not start on ECS on arm64

              image     oci:DIR:fails
              digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
              platform  linux/amd64

            ✗ ECS on arm64
              wrong-architecture: the image is built for linux/amd64, not linux/arm64
              expected error: exec /app: exec format error

            What to do
              1. Build it for linux/arm64:
                 docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .
              2. Or, if it was copied from another registry, copy all its platforms:
                 docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE
              3. Or keep the image, and set in the task definition:
                 &quot;runtimePlatform&quot;: {&quot;cpuArchitecture&quot;: &quot;X86_64&quot;, &quot;operatingSystemFamily&quot;: &quot;LINUX&quot;}
            </failure>
                    </testcase>
                </testsuite>
                <testsuite name="oci:DIR:unknown" tests="1" skipped="0" errors="1" failures="0">
                    <testcase name="ecs/arm64" classname="oci:DIR:unknown">
                        <error message="the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs" type="unknown">oci:DIR:unknown may not start on ECS on arm64

              image     oci:DIR:unknown
              digest    sha256:3e3f3a1fe765dcdc7fda7c2cb925e73195180125cc106f5b042c074545a5f5b0
              platform  linux/arm/v7

            ? ECS on arm64
              the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs

            What to do
              1. Build it for linux/arm64:
                 docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:unknown --push .

            platform checked, program not inspected: /app is a 32-bit program, which only some hosts run: those whose kernel and processor support it
            </error>
                    </testcase>
                </testsuite>
                <testsuite name="oci:DIR:none" tests="1" skipped="0" errors="1" failures="0">
                    <testcase name="read" classname="oci:DIR:none">
                        <error message="oci:DIR:none does not exist" type="unreadable">hint: choose an image in the layout: fails, unknown, chart</error>
                    </testcase>
                </testsuite>
                <testsuite name="oci:DIR:chart" tests="1" skipped="0" errors="0" failures="1">
                    <testcase name="ecs/arm64" classname="oci:DIR:chart">
                        <failure message="its manifest is that of an artifact: `application/vnd.cncf.helm.config.v1+json`" type="not-an-image">oci:DIR:chart is not a container image

              image     oci:DIR:chart
              digest    sha256:2cb140a9f97f0eecea358cf627775a17aca9ca4d43acf26c5785638f534df16d

            ✗ ECS on arm64
              not-an-image: its manifest is that of an artifact: `application/vnd.cncf.helm.config.v1+json`

            What to do
              1. Name the tag or digest of a container image; without `--runtime`, artifacts are skipped
            </failure>
                    </testcase>
                </testsuite>
            </testsuites>
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: fails, unknown, chart
        "#]],
    );
}

#[test]
fn sarif_has_results_and_notifications() {
    let mut run = sarif(&layout(), &arguments("sarif"));
    for result in run["results"].as_array_mut().unwrap() {
        // Fingerprints depend on the directory, whose name differs from run to run.
        result["partialFingerprints"] = "FINGERPRINTS".into();
    }
    expect![[r#"
        [
          {
            "level": "error",
            "locations": [
              {
                "logicalLocations": [
                  {
                    "fullyQualifiedName": "oci:DIR:fails@sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b on ecs/arm64",
                    "kind": "resource",
                    "name": "oci:DIR:fails"
                  }
                ],
                "physicalLocation": {
                  "artifactLocation": {
                    "uri": "Dockerfile"
                  },
                  "region": {
                    "startLine": 1
                  }
                }
              }
            ],
            "message": {
              "markdown": "oci:DIR:fails on ECS on arm64: the image is built for linux/amd64, not linux/arm64\n\nExpected error: `exec /app: exec format error`\n\nWhat to do:\n\n1. Build it for linux/arm64:\n\n   ```\n   docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .\n   ```\n2. Or, if it was copied from another registry, copy all its platforms:\n\n   ```\n   docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE\n   ```\n3. Or keep the image, and set in the task definition:\n\n   ```\n   \"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", \"operatingSystemFamily\": \"LINUX\"}\n   ```",
              "text": "oci:DIR:fails on ECS on arm64: the image is built for linux/amd64, not linux/arm64\nExpected error: exec /app: exec format error\nWhat to do:\n1. Build it for linux/arm64:\n   docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .\n2. Or, if it was copied from another registry, copy all its platforms:\n   docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE\n3. Or keep the image, and set in the task definition:\n   \"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", \"operatingSystemFamily\": \"LINUX\"}"
            },
            "partialFingerprints": "FINGERPRINTS",
            "ruleId": "wrong-architecture",
            "ruleIndex": 0
          },
          {
            "level": "warning",
            "locations": [
              {
                "logicalLocations": [
                  {
                    "fullyQualifiedName": "oci:DIR:unknown@sha256:3e3f3a1fe765dcdc7fda7c2cb925e73195180125cc106f5b042c074545a5f5b0 on ecs/arm64",
                    "kind": "resource",
                    "name": "oci:DIR:unknown"
                  }
                ],
                "physicalLocation": {
                  "artifactLocation": {
                    "uri": "Dockerfile"
                  },
                  "region": {
                    "startLine": 1
                  }
                }
              }
            ],
            "message": {
              "text": "oci:DIR:unknown on ECS on arm64: the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs"
            },
            "partialFingerprints": "FINGERPRINTS",
            "ruleId": "unknown",
            "ruleIndex": 24
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&run["results"]).unwrap());
    expect![[r#"
        [
          {
            "executionSuccessful": false,
            "toolExecutionNotifications": [
              {
                "level": "error",
                "message": {
                  "text": "oci:DIR:none does not exist. Hint: choose an image in the layout: fails, unknown, chart"
                }
              }
            ]
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&run["invocations"]).unwrap());
}

#[test]
fn sarif_meets_code_scanning_requirements() {
    let layout = layout();
    let run = sarif(&layout, &[arguments("sarif"), vec!["--dockerfile", "./a b/Dockerfile"]].concat());
    let driver = &run["tool"]["driver"];
    assert_eq!((&driver["name"], &driver["version"]), (&"ecr-preflight".into(), &env!("CARGO_PKG_VERSION").into()));
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        for member in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown"] {
            assert!(
                rule.pointer(member).and_then(Value::as_str).is_some_and(|text| text.len() > 10),
                "{rule} {member}"
            );
        }
    }
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
            (&"a%20b/Dockerfile".into(), &1.into())
        );
        assert!(matches!(result["level"].as_str(), Some("error" | "warning" | "note")));
        assert!(result["message"]["text"].is_string());
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
    }
}

#[test]
fn every_fault_is_a_sarif_rule() {
    let run = sarif(&layout(), &arguments("sarif"));
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let codes: Vec<&str> = FaultCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(ids, [codes.as_slice(), &["unknown", "not-verified"]].concat());
}

#[test]
fn fingerprints_survive_rebuilds() {
    let fingerprints = |layout: &Builder, runtimes: &[&str]| -> BTreeSet<String> {
        let runtimes = runtimes.iter().flat_map(|runtime| ["--runtime", *runtime]);
        let run = sarif(
            layout,
            &["check", "oci:DIR:fails", "--format", "sarif"].into_iter().chain(runtimes).collect::<Vec<_>>(),
        );
        let of = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap().to_owned();
        run["results"].as_array().unwrap().iter().map(of).collect()
    };
    let layout = Builder::new();
    let build = |architecture| {
        let mut layout = Builder::at(layout.path());
        let image = layout.image(architecture);
        layout.tag("fails", &image);
    };
    build("amd64");
    let before = fingerprints(&layout, &["ecs/arm64", "lambda/arm64"]);
    assert_eq!(before.len(), 2);
    build("arm");
    assert!(fingerprints(&layout, &["lambda/arm64"]).is_disjoint(&fingerprints(&layout, &["ecs/arm64"])));
    build("amd64");
    assert_eq!(fingerprints(&layout, &["ecs/arm64", "lambda/arm64"]), before);
}

#[test]
fn unverified_start_has_a_note_and_a_skipped_test() {
    let layout = layout();
    let start = ["check", "oci:DIR:fails", "--runtime", "ecs/amd64", "--no-exec", "--format"];
    let run = sarif(&layout, &[&start[..], &["sarif"]].concat());
    let result = &run["results"][0];
    let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], "not-verified");
    assert_eq!((&result["ruleId"], &result["level"]), (&"not-verified".into(), &"note".into()));
    expect!["oci:DIR:fails on ECS on amd64: right architecture, but the start is not verified: disabled by PREFLIGHT_INSPECT or --no-exec"].assert_eq(result["message"]["text"].as_str().unwrap());
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="ecr-preflight" tests="1" skipped="1" failures="0" errors="0">
            <testsuite name="oci:DIR:fails" tests="1" skipped="1" errors="0" failures="0">
                <testcase name="ecs/amd64" classname="oci:DIR:fails">
                    <skipped message="oci:DIR:fails has the right architecture for ECS on amd64; start not verified: disabled by PREFLIGHT_INSPECT or --no-exec" type="not-verified"/>
                </testcase>
            </testsuite>
        </testsuites>
    "#]].assert_eq(&stdout_of(&layout, &[&start[..], &["junit"]].concat()));
    let strict = stdout_of(&layout, &[&start[..], &["junit", "--strict"]].concat());
    assert!(strict.contains("errors=\"1\"") && strict.contains("type=\"not-verified\""), "{strict}");
    let undeclared = stdout_of(&layout, &["check", "oci:DIR:fails", "--format", "junit", "--require-declaration"]);
    assert!(undeclared.contains("errors=\"1\""), "{undeclared}");
    let chart = stdout_of(&layout, &["check", "oci:DIR:chart", "--format", "junit"]);
    assert!(chart.contains("skipped=\"1\""), "{chart}");
}

#[test]
fn wrong_platform_of_a_sound_program_is_a_warning() {
    let mut layout = Builder::new();
    let image =
        layout.manifest(&config("linux", "arm64", json!({})), &[layout.layer(OCI_GZIP, &elf::program("amd64"))]);
    layout.tag("v1", &image);
    let start = ["check", "oci:DIR:v1", "--runtime", "ecs/amd64", "--strict", "--format"];
    check(
        &layout,
        &[&start[..], &["text"]].concat(),
        &expect![[r#"
            success true code 0
            --- out
            oci:DIR:v1 will start on ECS on amd64

              image     oci:DIR:v1
              digest    sha256:74b3a3483e5368a623570a938aa4d5a2298943f87748f4d1db1b8c7b8dbc14f4
              platform  linux/arm64
              starts    /app

            ✓ ECS on amd64
              warning: platform-mismatch: the declared platform is linux/arm64, but its programs are for linux/amd64
            --- err
        "#]],
    );
    let json: Value = serde_json::from_str(&stdout_of(&layout, &[&start[..], &["json"]].concat())).unwrap();
    expect![[r#"{"faults":[],"runtime":"ecs/amd64","unknown":[],"verdict":"runs","verified":true,"warnings":[{"code":"platform-mismatch","evidence":"the declared platform is linux/arm64, but its programs are for linux/amd64","platform":"linux/arm64"}]}"#]].assert_eq(&json["runtimes"][0].to_string());
    let run = sarif(&layout, &[&start[..], &["sarif"]].concat());
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"platform-mismatch".into(), &"warning".into()));
    assert_eq!(run["results"].as_array().map(Vec::len), Some(1));
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="ecr-preflight" tests="1" skipped="0" failures="0" errors="0">
            <testsuite name="oci:DIR:v1" tests="1" skipped="0" errors="0" failures="0">
                <testcase name="ecs/amd64" classname="oci:DIR:v1">
                    <system-out>warning: platform-mismatch: the declared platform is linux/arm64, but its programs are for linux/amd64</system-out>
                </testcase>
            </testsuite>
        </testsuites>
    "#]].assert_eq(&stdout_of(&layout, &[&start[..], &["junit"]].concat()));
}

#[test]
fn ci_commands_are_escaped_in_every_format() {
    let mut layout = Builder::new();
    let name = "/###[group]y ##vso[task.setvariable variable=x]y";
    let mut config = config("linux", "amd64", json!({}));
    config["config"]["Entrypoint"] = json!([name]);
    let image = layout.manifest(&config, &[layout.layer(OCI_GZIP, &elf::program("amd64"))]);
    layout.tag("v1", &image);
    let print = |format| stdout_of(&layout, &["check", "oci:DIR:v1", "--runtime", "ecs/amd64", "--format", format]);
    let of_several = ["check", "oci:DIR:v1", "oci:DIR:v1", "--runtime", "ecs/amd64", "--format", "json"];
    let (json, lines, sarif, junit) = (print("json"), stdout_of(&layout, &of_several), print("sarif"), print("junit"));
    for text in [&json, &lines, &sarif, &junit] {
        assert!(text.contains("vso[task") && !text.contains("##"), "{text}");
    }
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["exec"][0]["argv"][0], name);
    assert_eq!(serde_json::from_str::<Value>(lines.lines().next().unwrap()).unwrap()["exec"], report["exec"]);
    let log: Value = serde_json::from_str(&sarif).unwrap();
    let message = log["runs"][0]["results"][0]["message"]["text"].as_str().unwrap();
    assert!(message.contains(name), "{message}");
    // This parser does not read character references, which XML 1.0 defines.
    let junit = quick_junit::Report::deserialize_from_str(&junit.replace("&#35;", "#")).unwrap();
    let case = format!("{:?}", junit.test_suites[0].test_cases[0]);
    assert!(case.contains(name), "{case}");
}
