//! Resuming from a results file.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use expect_test::expect;

use super::{Fixture, image_names};
use crate::support::cases::Cases;

const RESULTS: [&str; 4] = ["--all", "--results", "DIR/x.jsonl", "--format=jsonl"];

/// A registry of 60 images in three repositories; all of them fail.
fn fixture_of_60_images() -> Fixture {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        fixture.aws.push_indexes(name, 20, "arm64");
        fixture.aws.tag_resource(name, "intended-runtime", "apprunner");
    }
    fixture
}

/// The names of all 60 images.
fn all_images() -> Vec<String> {
    let mut all_images: Vec<String> =
        ["a", "b", "c"].iter().flat_map(|name| (0..20).map(move |number| format!("{name}:v{number}"))).collect();
    all_images.sort();
    all_images
}

/// How many images were checked since a number of calls.
fn calls_since(fixture: &Fixture, from: usize) -> usize {
    fixture.aws.calls_of("BatchGetImage").len() - from
}

#[test]
fn audit_skips_images_with_results() {
    let fixture = fixture_of_60_images();
    fixture.output(&RESULTS);
    assert_eq!((image_names(&fixture.lines("x.jsonl")), calls_since(&fixture, 0)), (all_images(), 60));
    let before = fs::read(fixture.path("x.jsonl")).unwrap();
    let output = fixture.output(&RESULTS);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((fs::read(fixture.path("x.jsonl")).unwrap() == before, calls_since(&fixture, 60)), (true, 0));
    // Results from the previous run are printed too.
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 60);
    fixture.output(&[&RESULTS[..], &["--fresh"]].concat());
    assert_eq!((fixture.lines("x.jsonl").len(), calls_since(&fixture, 60)), (60, 60));
}

#[test]
fn truncated_last_line_is_checked_again() {
    let fixture = fixture_of_60_images();
    fixture.output(&RESULTS);
    let path = fixture.path("x.jsonl");
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for (number, end) in [last + 1, last + 5, last + 200, whole.len() - 1].into_iter().enumerate() {
        fs::write(&path, &whole[..end]).unwrap();
        fixture.output(&RESULTS);
        assert_eq!(image_names(&fixture.lines("x.jsonl")), all_images(), "cut at {end}");
        // A complete line that only lacks its newline is not checked again.
        assert_eq!(calls_since(&fixture, 60), (number + 1).min(3));
    }
}

#[test]
fn audit_resumes_after_kill() {
    let fixture = fixture_of_60_images();
    fixture.aws.set_delay(Duration::from_millis(20));
    let mut kills = 0;
    for until in [10, 25, 40] {
        let mut running = fixture.command(&[&RESULTS[..], &["--concurrency", "4"]].concat()).spawn().unwrap();
        let began = Instant::now();
        let lines =
            || fs::read(fixture.path("x.jsonl")).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        while lines() < until && running.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        running.kill().unwrap();
        kills += usize::from(!running.wait().unwrap().success());
        assert!((until..60).contains(&lines()), "{} lines", lines());
    }
    assert_eq!(kills, 3);
    assert_eq!(fixture.output(&RESULTS).status.code(), Some(1));
    assert_eq!(image_names(&fixture.lines("x.jsonl")), all_images());
    // Apart from all 60, at most the images in flight at each kill, four, were checked twice.
    assert!((60..=72).contains(&calls_since(&fixture, 0)), "{}", calls_since(&fixture, 0));
}

#[test]
fn interrupted_audit_explains_how_to_resume() {
    let [interrupted, terminated] = ["-INT", "-TERM"].map(interrupt_with);
    expect![[r#"
        N image in N repository: fails N
          platform-missing  N
        N image checked in TIME, N requests
        interrupted after N image had been listed
        the same command resumes with what is missing
        wrote DIR/x.jsonl
        --- err

    "#]]
    .assert_eq(&interrupted);
    assert_eq!(terminated, interrupted);
}

/// Interrupts an audit, completes it, and returns the summary of the interrupted run.
fn interrupt_with(signal: &str) -> String {
    let fixture = fixture_of_60_images();
    fixture.aws.set_delay(Duration::from_millis(50));
    let arguments = ["--all", "--results", "DIR/x.jsonl", "--concurrency", "2"];
    let running = fixture.command(&arguments).spawn().unwrap();
    let began = Instant::now();
    while fs::read(fixture.path("x.jsonl")).unwrap_or_default().is_empty() && began.elapsed() < Duration::from_secs(20)
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupted = Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = running.wait_with_output().unwrap();
    let format_output = fixture.format_output(&output);
    assert_eq!(output.status.code(), Some(130), "{format_output}");
    let lines = fixture.lines("x.jsonl").len();
    assert!((1..60).contains(&lines));
    fixture.aws.set_delay(Duration::ZERO);
    fixture.output(&arguments);
    assert_eq!(image_names(&fixture.lines("x.jsonl")), all_images());
    // The table of images that fail, and the summary, which counts the results.
    let summary = format!("{lines} image");
    let at = format_output.find(&format!("\n{summary}")).unwrap_or_else(|| panic!("no {summary}: {format_output}")) + 1;
    without_counts(&format_output[at..])
}

/// Replaces every number by N and every plural by its singular: how far a run came differs from run to run.
fn without_counts(text: &str) -> String {
    let singular = |word: &str| match word {
        "images" => "image".to_owned(),
        "answers" => "answer".to_owned(),
        "repository:" | "repositories:" => "repository:".to_owned(),
        word if word.parse::<usize>().is_ok() => "N".to_owned(),
        word => word.to_owned(),
    };
    text.split('\n').map(|line| line.split(' ').map(singular).collect::<Vec<_>>().join(" ") + "\n").collect::<String>()
}

#[test]
fn other_files_are_not_overwritten() {
    let fixture = fixture_of_60_images();
    let mut cases = Cases::default();
    for text in [
        "notes\n",
        "notes",
        "{}\n",
        "{\"schema\":\"ecr-preflight/2\"}\n",
        "{\"schema\":\"ecr-preflight/1\"}\n",
        "{",
        "{\"schema\":\"ecr-preflight/1\",\"image\":{},\"big\":\"important\"}",
        "{\"schema\":\"ecr-preflight/1\",\"image\":",
        "{\"schema\":\"ecr-preflight/1\",\"arrival\":{},\"big\":\"important\"}",
        "\n",
    ] {
        let [format_output, fresh] = [&[][..], &["--fresh"]].map(|fresh| {
            fs::write(fixture.path("x.jsonl"), text).unwrap();
            let format_output = fixture.run(&[&RESULTS[..], fresh].concat());
            assert_eq!(fs::read_to_string(fixture.path("x.jsonl")).unwrap(), text);
            format_output
        });
        assert_eq!(fresh, format_output, "{text:?}");
        cases.add(format!("{text:?}"), format_output);
    }
    expect![[r#"
        "notes\n"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: line 1 is not a report of an audit
              caused by: it is not a report
              caused by: expected ident at line 1 column 2

            hint: the file was not changed; name another file
        "notes"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: its last line is not the beginning of a report

            hint: the file was not changed; name another file
        "{}\n"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: line 1 is not a report of an audit
              caused by: it is not a report
              caused by: missing field `schema` at line 1 column 2

            hint: the file was not changed; name another file
        "{\"schema\":\"ecr-preflight/2\"}\n"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: line 1 is not a report of an audit
              caused by: it is not a report
              caused by: missing field `verdict` at line 1 column 28

            hint: the file was not changed; name another file
        "{\"schema\":\"ecr-preflight/1\"}\n"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: line 1 is not a report of an audit
              caused by: it is not a report
              caused by: missing field `verdict` at line 1 column 28

            hint: the file was not changed; name another file
        "{"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: its last line is not the beginning of a report

            hint: the file was not changed; name another file
        "{\"schema\":\"ecr-preflight/1\",\"image\":{},\"big\":\"important\"}"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: its last line is not the beginning of a report

            hint: the file was not changed; name another file
        "{\"schema\":\"ecr-preflight/1\",\"image\":"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: its last line is not the beginning of a report

            hint: the file was not changed; name another file
        "{\"schema\":\"ecr-preflight/1\",\"arrival\":{},\"big\":\"important\"}"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: its last line is not the beginning of a report

            hint: the file was not changed; name another file
        "\n"
            success false code 3
            --- out
            --- err
            error: DIR/x.jsonl is not a results file: line 1 is not a report of an audit
              caused by: it is not a report
              caused by: EOF while parsing a value at line 2 column 0

            hint: the file was not changed; name another file
    "#]]
    .assert_eq(cases.as_str());
    assert_eq!(fixture.aws.calls().len(), 0);
}

#[test]
fn audit_does_not_resume_with_other_settings() {
    let fixture = fixture_of_60_images();
    fixture.output(&RESULTS);
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: DIR/x.jsonl was written with other settings: `inspect=manifest`, now `runtime=ecs/arm64 inspect=manifest`

        hint: use the same settings, another file, or `--fresh` to start again
    "#]]
    .assert_eq(&fixture.run(&["--all", "--results", "DIR/x.jsonl", "--runtime", "ecs/arm64"]));
    let output = fixture.command(&RESULTS).env("PREFLIGHT_LIMITS", "seconds=7").output().unwrap();
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: DIR/x.jsonl was written with other settings: `inspect=manifest`, now `inspect=manifest seconds=7`

        hint: use the same settings, another file, or `--fresh` to start again
    "#]]
    .assert_eq(&fixture.format_output(&output));
    // Options that do not change a result may differ.
    assert_eq!(fixture.output(&["--newest=2", "--results", "DIR/x.jsonl"]).status.code(), Some(1));
}

#[test]
fn old_results_stay_until_new_ones_exist() {
    let fixture = fixture_of_60_images();
    fixture.output(&RESULTS);
    let before = fs::read(fixture.path("x.jsonl")).unwrap();
    let fresh = [&RESULTS[..], &["--fresh", "--csv", "DIR/x.csv", "--html", "DIR/x.html"]].concat();
    let mut without_region = fixture.command(&fresh);
    without_region.env_remove("AWS_REGION").env("AWS_EC2_METADATA_DISABLED", "true");
    let mut without_credentials = fixture.command(&fresh);
    without_credentials.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
    let with_unknown_prefix = fixture.command(&[&fresh[..], &["--prefix", "x/"]].concat());
    for (mut command, code) in [(without_region, 64), (without_credentials, 3), (with_unknown_prefix, 3)] {
        assert_eq!(command.output().unwrap().status.code(), Some(code));
        assert_eq!(fs::read(fixture.path("x.jsonl")).unwrap(), before);
    }
    assert_eq!(fs::read_dir(fixture.directory.path()).unwrap().count(), 1, "nothing else is left");
    // A run that fails at its start does not create a file either.
    fs::remove_file(fixture.path("x.jsonl")).unwrap();
    assert_eq!(fixture.output(&[&fresh[..], &["--prefix", "x/"]].concat()).status.code(), Some(3));
    assert_eq!(fs::read_dir(fixture.directory.path()).unwrap().count(), 0);
}

#[test]
fn same_file_for_two_outputs_is_an_error() {
    let fixture = fixture_of_60_images();
    fixture.output(&RESULTS);
    let before = fs::read(fixture.path("x.jsonl")).unwrap();
    let mut cases = Cases::default();
    for arguments in [
        &[&RESULTS[..], &["--csv", "DIR/x.jsonl"]].concat()[..],
        &[&RESULTS[..], &["--html", "DIR/./x.jsonl"]].concat(),
        &["--csv", "DIR/new", "--html", "DIR/new"],
    ] {
        cases.add(arguments.join(" "), fixture.run(arguments));
    }
    expect![[r#"
        --all --results DIR/x.jsonl --format=jsonl --csv DIR/x.jsonl
            success false code 64
            --- out
            --- err
            error: DIR/x.jsonl is given twice: for --results and for --csv

            hint: the second would overwrite the first: name two different files
        --all --results DIR/x.jsonl --format=jsonl --html DIR/./x.jsonl
            success false code 64
            --- out
            --- err
            error: DIR/x.jsonl is given twice: for --results and for --html

            hint: the second would overwrite the first: name two different files
        --csv DIR/new --html DIR/new
            success false code 64
            --- out
            --- err
            error: DIR/new is given twice: for --csv and for --html

            hint: the second would overwrite the first: name two different files
    "#]]
    .assert_eq(cases.as_str());
    assert_eq!(fs::read(fixture.path("x.jsonl")).unwrap(), before);
}

#[test]
fn results_file_must_be_a_regular_file() {
    let fixture = fixture_of_60_images();
    let mut cases = Cases::default();
    for path in ["/dev/stdout", "/dev/null", "DIR"] {
        cases.add(path, fixture.run(&["--results", path]));
    }
    expect![[r#"
        /dev/stdout
            success false code 3
            --- out
            --- err
            error: /dev/stdout is not a regular file, so results cannot be read back from it

            hint: name a regular file; `--format jsonl` prints the reports to standard output
        /dev/null
            success false code 3
            --- out
            --- err
            error: /dev/null is not a regular file, so results cannot be read back from it

            hint: name a regular file; `--format jsonl` prints the reports to standard output
        DIR
            success false code 3
            --- out
            --- err
            error: DIR is not a regular file, so results cannot be read back from it

            hint: name a regular file; `--format jsonl` prints the reports to standard output
    "#]]
    .assert_eq(cases.as_str());
    assert_eq!(fixture.aws.calls().len(), 0);
}

#[test]
fn full_disk_error_names_the_file() {
    let fixture = fixture_of_60_images();
    let output = Command::new("bash")
        .args(["-c", "ulimit -f 1; trap '' XFSZ; exec \"$0\" audit --all --results \"$1\""])
        .args([env!("CARGO_BIN_EXE_ecr-preflight").as_ref(), fixture.path("x.jsonl").as_os_str()])
        .env_clear()
        .envs(fixture.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", fixture.format_output(&output));
    let errors = fixture.format_output(&output).split_once("--- err\n").unwrap().1.to_owned();
    expect![[r#"
        error: DIR/x.jsonl cannot be written
          caused by: File too large (os error 27)
    "#]]
    .assert_eq(&errors);
    // The truncated line is removed, and the missing images are checked.
    assert_eq!(fixture.output(&RESULTS).status.code(), Some(1));
    assert_eq!(image_names(&fixture.lines("x.jsonl")), all_images());
}

#[test]
fn results_file_is_locked() {
    let fixture = fixture_of_60_images();
    let mut file = OpenOptions::new().append(true).create(true).open(fixture.path("x.jsonl")).unwrap();
    file.try_lock().unwrap();
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: another audit is writing to DIR/x.jsonl
    "#]]
    .assert_eq(&fixture.run(&RESULTS));
    file.unlock().unwrap();
    file.flush().unwrap();
    assert_eq!(fixture.output(&RESULTS).status.code(), Some(1));
}
