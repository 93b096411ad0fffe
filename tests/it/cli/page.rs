//! The HTML page of an audit: its contents, escaping and size. `make test-page` opens it in a browser.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use aws_smithy_types::base64;
use ecr_preflight::verdict::FaultCode;
use expect_test::expect;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::report::messages::report;
use crate::support::cases::Cases;

fn run_tool(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.env_clear().args(arguments).output().unwrap()
}

/// Runs `page` on these lines; returns its output, and the page if one was written.
fn run_page(lines: &str) -> (Output, Option<String>) {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("results.jsonl"), lines).unwrap();
    let mut output = run_tool(&["page", &path("results.jsonl"), "--output", &path("audit.html")]);
    let shown = String::from_utf8(output.stderr).unwrap().replace(&directory.path().display().to_string(), "DIR");
    output.stderr = shown.into_bytes();
    let mut left: Vec<PathBuf> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    left.retain(|file| !file.ends_with("results.jsonl") && !file.ends_with("audit.html"));
    assert!(left.is_empty(), "nothing else is left: {left:?}");
    (output, fs::read_to_string(path("audit.html")).ok())
}

fn page(reports: &[Value]) -> String {
    let lines: String = reports.iter().map(|report| format!("{report}\n")).collect();
    let (output, page) = run_page(&lines);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    page.unwrap()
}

fn failing_report() -> Value {
    serde_json::to_value(report("grafana/grafana", "11.4.0", "ecs/amd64 apprunner", "/run.sh")).unwrap()
}

/// The contents of all elements that start with `begin`.
fn contents<'a>(page: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    page.split(begin).skip(1).map(|rest| rest.split_once(end).unwrap().0).collect()
}

/// The data that the script reads: two lines of JSON for each image, compressed with gzip and encoded as base64.
fn data(page: &str) -> &str {
    contents(page, "<script type=\"application/gzip\" id=\"data\">", "</script>")[0]
}

/// What the list shows of each image, and its details.
pub fn rows(page: &str) -> Vec<[Value; 2]> {
    let compressed = base64::decode(data(page)).unwrap();
    let lines = std::io::read_to_string(flate2::read::GzDecoder::new(compressed.as_slice())).unwrap();
    assert!(lines.is_ascii());
    let values: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    values.chunks(2).map(|row| row.to_vec().try_into().unwrap()).collect()
}

#[test]
fn report_row_has_every_text() {
    let report = failing_report();
    let mut other = report.clone();
    other["settings"] = json!("seconds=7");
    let page = page(&[report.clone(), other]);
    let rows = rows(&page);
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana";
    assert_eq!(rows.len(), 2, "with other settings it is another result");
    let [row, details] = &rows[0];
    for (member, expected) in [
        ("repository", json!("grafana/grafana")),
        ("tag", json!("11.4.0")),
        ("digest", report["image"]["digest"].clone()),
        ("verdict", json!("fails")),
        ("intended", json!(["ecs/amd64", "apprunner"])),
    ] {
        assert_eq!(row[member], expected, "{member}");
    }
    assert_eq!(row["codes"], json!(["wrong-architecture"]));
    assert_eq!(details["address"], format!("{uri}:11.4.0"));
    for (stored, shown) in report["runtimes"].as_array().unwrap().iter().zip(details["runtimes"].as_array().unwrap()) {
        let (stored, shown) = (&stored["faults"][0], &shown["faults"][0]);
        for key in ["code", "evidence", "symptom"] {
            assert_eq!(shown[key], stored[key]);
        }
        for (at, step) in shown["steps"].as_array().unwrap().iter().enumerate() {
            assert_eq!(step[0], stored["advice"][at]);
            assert_eq!(step.get(1).unwrap_or(&stored["advice"][at]), &stored["remedy"][at]);
        }
    }
    expect![[r#""ECS on amd64" "declared by the repository's tag""#]]
        .assert_eq(&format!("{} {}", details["runtimes"][0]["title"], details["runtimes"][0]["by"]));
}

#[test]
fn texts_cannot_close_their_element() {
    for text in [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "<img src=x onerror=alert(1)>",
        "a\u{2028}b\u{2029}c\u{202e}d\u{1}e\u{0}",
        "\"' onclick=alert(1) {{script}} {{rows}} &lt;",
    ] {
        let mut report = failing_report();
        report["arrival"] = json!({"how": "audit", "account": text, "region": text, "repository": text, "tag": text,
            "alsoTagged": [text], "pushedAt": text});
        report["image"] = json!({"reference": text, "digest": text, "platforms": [text]});
        report["runtimes"][0] = json!({"runtime": text, "verdict": text, "unknown": [text], "faults": [{"code": text,
            "evidence": text, "symptom": text, "remedy": [text], "advice": [text]}]});
        report["inUse"] = json!({"by": [{"service": text, "name": text, "container": text, "definition": text}],
            "notRead": [text]});
        report["exec"] = json!([{"platform": text, "host": text, "argv": [text], "outcome": text, "errno": text,
            "path": text, "chain": [text], "reason": text}]);
        let page = page(&[report]);
        let data = data(&page);
        assert!(data.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)), "{data}");
        let shown = json!(rows(&page)).to_string();
        assert!(!shown.contains(['\u{202e}', '\0']) && !shown.contains("\\u0001"), "{shown}");
        // Data, texts and script; one style; no comment.
        assert_eq!([page.matches("<script").count(), page.matches("</script").count()], [3, 3], "{text}");
        assert_eq!([page.matches("<style").count(), page.matches("<!--").count()], [1, 0], "{text}");
        let around = page.replace(data, "");
        assert!(!around.contains("<img") && !around.contains("\"' onclick"), "{text}");
        assert_eq!(rows(&page).len(), 1);
    }
}

#[test]
fn content_security_policy_allows_only_own_hashes() {
    let page = page(&[failing_report()]);
    let hash = |text: &str| format!("'sha256-{}'", base64::encode(Sha256::digest(text)));
    let (style, script) = (contents(&page, "<style>", "</style>")[0], contents(&page, "<script>", "</script>")[0]);
    let policy = contents(&page, "<meta http-equiv=\"Content-Security-Policy\" content=\"", "\"")[0];
    let expected = format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    );
    assert_eq!(policy, expected);
    assert!(!page.contains("{{"), "every placeholder is filled");
    assert!(!page.contains(" style="), "the policy forbids inline styles");
    // The SVG namespace in the icon is not loaded.
    let page = page.replace("xmlns='http://www.w3.org/2000/svg'", "");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="), "nothing is loaded");
    for method in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
        assert!(!script.contains(method), "the script does not create markup from texts: {method}");
    }
}

#[test]
fn page_rows_are_small() {
    let copy = |number: usize| {
        let digest = format!(
            "sha256:{}",
            Sha256::digest(number.to_string()).iter().map(|b| format!("{b:02x}")).collect::<String>()
        );
        let text = failing_report().to_string().replace("grafana/grafana", &format!("team/service-{}", number % 50));
        let mut report: Value = serde_json::from_str(&text.replace("11.4.0", &format!("1.{number}"))).unwrap();
        report["arrival"]["digest"] = json!(digest);
        report["image"]["digest"] = json!(digest);
        report["arrival"]["pushedAt"] = json!("2026-11-16T01:54:01Z");
        report
    };
    let (none, thousand) = (page(&[]), page(&(0..1000).map(copy).collect::<Vec<_>>()));
    let row = (thousand.len() - none.len()) / 1000;
    assert!(row < 150, "{row} bytes a row");
    assert!(none.len() < 60_000, "{} bytes without a row", none.len());
}

#[test]
fn headline_summarises_the_verdicts() {
    let with = |verdict: &str| json!({"schema": "ecr-preflight/1", "verdict": verdict});
    let mut cases = Cases::default();
    for verdicts in [
        &[][..],
        &["fails"],
        &["fails", "unknown", "runs", "runs"],
        &["unknown", "runs"],
        &["runs", "runs", "ignored"],
        &["runs", "undeclared"],
        &["undeclared", "undeclared"],
        &["ignored"],
        &["a verdict of a later version"],
    ] {
        let page = page(&verdicts.iter().map(|verdict| with(verdict)).collect::<Vec<_>>());
        cases.add(format!("{verdicts:?}"), contents(&page, "<h1>", "</h1>").join("\n"));
    }
    expect![[r#"
        []
            There was no image to check
        ["fails"]
            1 of 1 image will not start
        ["fails", "unknown", "runs", "runs"]
            1 of 4 images will not start
        ["unknown", "runs"]
            No image is known to fail, but the verdict of 1 of 2 images is unknown
        ["runs", "runs", "ignored"]
            Every image starts where it is meant to run
        ["runs", "undeclared"]
            Every image with a declared runtime starts there
        ["undeclared", "undeclared"]
            The images have no declared runtime
        ["ignored"]
            There was no container image to check
        ["a verdict of a later version"]
            No image is known to fail, but the verdict of 1 of 1 image is unknown
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn unreadable_results_are_errors_with_a_line_number() {
    let good = failing_report().to_string();
    let mut cases = Cases::default();
    for (name, lines) in [
        ("a truncated third line", format!("{good}\n\n{{\"schema\"\n")),
        ("another schema", good.replace("ecr-preflight/1", "ecr-preflight/9")),
        ("an empty object", format!("{good}\n{{}}\n")),
        ("a line of 9 MiB", format!("{good}\n{}\n", " ".repeat(9 << 20))),
    ] {
        let (output, page) = run_page(&lines);
        assert_eq!((output.status.code(), page.is_some()), (Some(3), false), "{name}");
        cases.add(name, String::from_utf8(output.stderr).unwrap());
    }
    let (output, _) = run_page(&good);
    cases.add("a report", String::from_utf8(output.stderr).unwrap());
    let unwritable = run_tool(&["page", "Cargo.toml", "--output", "/nonexistent/audit.html"]);
    cases.add("output into a missing directory", String::from_utf8(unwritable.stderr).unwrap());
    expect![[r#"
        a truncated third line
            error: cannot read DIR/results.jsonl
              caused by: line 3: it is not a report: EOF while parsing an object at line 2 column 0
        another schema
            error: cannot read DIR/results.jsonl
              caused by: line 1: its schema is not ecr-preflight/1
        an empty object
            error: cannot read DIR/results.jsonl
              caused by: line 2: it is not a report: missing field `schema` at line 1 column 2
        a line of 9 MiB
            error: cannot read DIR/results.jsonl
              caused by: line 2: it is longer than 8 MiB
        a report
            wrote DIR/audit.html
        output into a missing directory
            error: cannot write /nonexistent/audit.html
              caused by: No such file or directory (os error 2)
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn lines_without_a_report_are_counted() {
    let good = json!({"schema": "ecr-preflight/1", "verdict": "runs"});
    let error = json!({"schema": "ecr-preflight/error/1", "reference": "a", "verdict": "unknown", "error": "b"});
    let mut cases = Cases::default();
    for (name, lines) in [
        ("a report and two errors", format!("{good}\n{error}\n{error}\n")),
        ("one error", format!("{error}\n")),
        ("a report and a truncated line", format!("{good}\n{{\"schema\":\"ecr-pre")),
        ("two reports, the last without a newline", format!("{good}\n{good}")),
    ] {
        let (output, page) = run_page(&lines);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = page.unwrap();
        let notes = contents(&page, "<p class=\"note\">", "</p>").into_iter().filter(|note| !note.contains("script"));
        cases.add(name, contents(&page, "<h1>", "</h1>").into_iter().chain(notes).collect::<Vec<_>>().join("\n"));
    }
    expect![[r#"
        a report and two errors
            No image is known to fail, but not all were checked
            2 images have no result, only an error.
        one error
            No image was checked
            1 image has no result, only an error.
        a report and a truncated line
            No image is known to fail, but not all were checked
            The last line of the results is truncated, so its image is missing here.
        two reports, the last without a newline
            Every image starts where it is meant to run
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn repeated_results_are_shown_once() {
    let report = failing_report();
    let mut other = report.clone();
    other["settings"] = json!("runtime=ecs/arm64");
    let page = page(&[report.clone(), report.clone(), other, report]);
    assert_eq!(rows(&page).len(), 2, "other settings make another result");
    // The headline counts as the rows do.
    expect!["2 of 2 images will not start"].assert_eq(&contents(&page, "<h1>", "</h1>").join("\n"));
}

#[test]
fn page_never_overwrites_its_results() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("results"), format!("{}\n", failing_report())).unwrap();
    let printed = run_tool(&["page", &path("results"), "--output", "-"]);
    assert!(printed.status.success() && printed.stderr.is_empty());
    std::os::unix::fs::symlink("target", path("link")).unwrap();
    assert!(run_tool(&["page", &path("results"), "--output", &path("link")]).status.success());
    assert_eq!(fs::read(path("target")).unwrap(), printed.stdout);
    assert!(directory.path().join("link").is_symlink());
    assert_eq!(run_tool(&["page", &path("results"), "--output", "/dev/stdout"]).stdout, printed.stdout);
    fs::hard_link(path("results"), path("other")).unwrap();
    let mut cases = Cases::default();
    for output in ["results", "other"] {
        let refused = run_tool(&["page", &path("results"), "--output", &path(output)]);
        cases.add(output, String::from_utf8(refused.stderr).unwrap());
    }
    expect![[r#"
        results
            error: DIR/results is given twice: for the results and for --output

            hint: the second would overwrite the first: name two different files
        other
            error: DIR/results is given twice: for the results and for --output

            hint: the second would overwrite the first: name two different files
    "#]]
    .assert_eq(&cases.as_str().replace(&directory.path().display().to_string(), "DIR"));
    assert_eq!(fs::read_to_string(path("results")).unwrap(), format!("{}\n", failing_report()));
}

#[test]
fn page_explains_every_fault() {
    for code in FaultCode::ALL.iter().map(|code| code.as_str()) {
        let mut report = failing_report();
        report["runtimes"][0]["faults"][0]["code"] = json!(code);
        let page = page(&[report]);
        let shown = contents(&page, &format!("<code>{code}</code> <span class=\"means\">"), "</span>");
        assert!(!shown[0].is_empty(), "the page does not say what {code} means");
    }
}
