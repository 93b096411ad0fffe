//! Real programs in real layers, which `tests/real/programs.py` assembles: the report of the command-line tool, and
//! what runc does.
//!
//! One table holds both. umoci unpacks every amd64 image and runc starts it as its bundle states, so that every row is
//! verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio, id};
use std::sync::Mutex;
use std::{fs, thread};

use serde_json::{Value, json};

/// The images, whether they start, and why not.
///
/// - `image`: its tag, which ends in `x` for amd64 and in `a` for arm64; `*` means both, also in `on`. A tag that
///   spells the architecture out would be a declaration.
/// - `on`: the declared runtime.
/// - `verdict`, `faults`: the report for that runtime.
/// - `alone`: the faults without a declared runtime.
/// - `exec`: `starts`, `unknown`, the error from the kernel, or `-` if no program is inspected.
/// - `exit`, `printed`: the result of runc for the amd64 image: the exit code, and words on standard output. If it
///   fails, the reported symptom must be printed too. `-` if there is nothing to run or to compare.
const TABLE: &str = "
image                         on           verdict  faults                      alone                       exec     exit printed

bash.*                        linux/*      runs     -                           -                           starts   0    started
bash.*                        ecs/*        runs     -                           -                           starts   -    -
bash.*                        lambda/*     runs     -                           -                           starts   -    -
bash.x                        apprunner    runs     -                           -                           starts   -    -
bash-by-path.*                linux/*      runs     -                           -                           starts   0    started
busybox-alone.*               linux/*      runs     -                           -                           starts   0    started
applet.*                      linux/*      runs     -                           -                           starts   0    started
applet-hard.*                 linux/*      runs     -                           -                           starts   0    started
shell-form.*                  linux/*      runs     -                           -                           starts   0    0.28.2
shell-form-busybox.*          linux/*      runs     -                           -                           starts   0    0.28.2
shell-form-plain.*            linux/*      runs     -                           -                           starts   0    started
shell-form-plain-exec.*       linux/*      runs     -                           -                           starts   0    started
shell-form-plain-busybox.*    linux/*      runs     -                           -                           starts   0    started
bash-plain.*                  linux/*      runs     -                           -                           starts   0    started
python.*                      linux/*      runs     -                           -                           starts   0    started
node.*                        linux/*      runs     -                           -                           starts   0    started
node-script.*                 linux/*      runs     -                           -                           starts   0    started
go.*                          linux/*      runs     -                           -                           starts   0    0.28.2
rust.*                        linux/*      runs     -                           -                           starts   0    ruff
musl-program.*                linux/*      runs     -                           -                           starts   0    1.
tini.*                        linux/*      runs     -                           -                           starts   0    0.28.2
tini-static.*                 linux/*      runs     -                           -                           starts   0    0.28.2
dumb-init.*                   linux/*      runs     -                           -                           starts   0    0.28.2
catatonit.*                   linux/*      runs     -                           -                           starts   0    0.28.2
gosu.*                        linux/*      runs     -                           -                           starts   0    0.28.2
gosu-root.*                   linux/*      runs     -                           -                           starts   0    0.28.2
hand-over.*                   linux/*      runs     -                           -                           starts   0    0.28.2
hand-over-tini.*              linux/*      runs     -                           -                           starts   0    0.28.2
hand-over-busybox.*           linux/*      runs     -                           -                           starts   0    0.28.2
s6-init.*                     linux/*      runs     -                           -                           starts   0    0.28.2
user-number.*                 linux/*      runs     -                           -                           starts   0    started
user-name.*                   linux/*      runs     -                           -                           starts   0    started
user-number-owner.*           linux/*      runs     -                           -                           starts   0    started
directory-made.*              linux/*      runs     -                           -                           starts   0    started
directory-there.*             linux/*      runs     -                           -                           starts   0    started
through-link.*                linux/*      runs     -                           -                           starts   0    0.28.2
replaced.*                    linux/*      runs     -                           -                           starts   0    started
removed-and-back.*            linux/*      runs     -                           -                           starts   0    started
debian.*                      linux/*      runs     -                           -                           starts   0    started
debian-script.*               linux/*      runs     -                           -                           starts   0    started
zstd.*                        linux/*      runs     -                           -                           starts   -    -
zstd.*                        lambda/*     unknown  -                           -                           starts   -    -
docker.*                      linux/*      runs     -                           -                           starts   -    -
docker.*                      lambda/*     runs     -                           -                           starts   -    -
docker-plain.*                linux/*      runs     -                           -                           starts   -    -
docker-plain.*                lambda/*     fails    layer-format-refused        -                           starts   -    -
both                          linux/*      runs     -                           -                           starts   -    -
unlabelled.*                  linux/*      runs     -                           -                           starts   0    started

on-volume.*                   linux/*      runs     -                           -                           unknown  -    -
on-run.*                      linux/*      runs     -                           -                           unknown  -    -
user-owner.*                  linux/*      runs     -                           -                           unknown  0    started
no-command.*                  linux/*      runs     -                           -                           unknown  -    -

bash.x                        linux/arm64  fails    wrong-architecture          -                           ENOEXEC  -    -
bash.a                        linux/amd64  fails    wrong-architecture          -                           ENOEXEC  -    -
unlabelled.x                  linux/arm64  fails    wrong-architecture          -                           ENOEXEC  -    -
unlabelled.a                  linux/amd64  fails    wrong-architecture          -                           ENOEXEC  -    -
foreign-go.x                  linux/arm64  runs     -                                  platform-mismatch                  starts   -    -
foreign-go.a                  linux/amd64  runs     -                                  platform-mismatch                  starts   -    -
foreign-go.*                  linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
foreign-go.*                  lambda/*     fails    platform-mismatch                  platform-mismatch                  ENOEXEC  -    -
foreign-by-path.*             linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
foreign-busybox.*             linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
foreign-shell.*               linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
foreign-interpreter.*         linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
tini-foreign.*                linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  2    -
tini-static-foreign.*         linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  2    -
dumb-init-foreign.*           linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  2    -
catatonit-foreign.*           linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  2    -
gosu-foreign.*                linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
gosu-root-foreign.*           linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
hand-over-foreign.*           linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  126  -
hand-over-foreign-busybox.*   linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  2    -
hand-over-foreign-bash.*      linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  1    -
hand-over-foreign-tini.*      linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  126  -
shell-form-foreign.*          linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  126  -
shell-form-foreign-busybox.*  linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  2    -
shell-form-foreign-bash.*     linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  126  -
python-foreign.*              linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  2    -
docker-foreign.*              linux/*      fails    platform-mismatch                  platform-mismatch                  ENOEXEC  -    -
same-layers                   linux/amd64  runs     -                           identical-layers,platform-mismatch starts   -    -
same-layers                   linux/arm64  fails    identical-layers,platform-mismatch identical-layers,platform-mismatch ENOEXEC  -    -
one-wrong                     linux/amd64  runs     -                           platform-mismatch                  starts   -    -
one-wrong                     linux/arm64  fails    platform-mismatch                  platform-mismatch                  ENOEXEC  -    -

glibc-on-musl.*               linux/*      fails    exec-loader                 exec-loader                 ENOENT   1    -
musl-on-glibc.*               linux/*      fails    exec-loader                 exec-loader                 ENOENT   1    -
no-loader.*                   linux/*      fails    exec-loader                 exec-loader                 ENOENT   1    -
foreign-loader.*              linux/*      fails    exec-loader                 exec-loader                 ELIBBAD  1    -
text-loader.*                 linux/*      fails    exec-loader                 exec-loader                 ELIBBAD  1    -
no-shebang.*                  linux/*      fails    exec-format                 -                           ENOEXEC  1    -
byte-order-mark.*             linux/*      fails    exec-format                 exec-format                 ENOEXEC  1    -
blank-first.*                 linux/*      fails    exec-format                 exec-format                 ENOEXEC  1    -
empty.*                       linux/*      fails    exec-format                 exec-format                 ENOEXEC  1    -
mach-o.*                      linux/*      fails    exec-format                 exec-format                 ENOEXEC  1    -
pe.*                          linux/*      fails    exec-format                 exec-format                 ENOEXEC  1    -
wasm.*                        linux/*      fails    exec-format                 -                           ENOEXEC  1    -
cut-short.*                   linux/*      fails    exec-format                 exec-format                 ENOEXEC  1    -
crlf.*                        linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   1    -
crlf-env.*                    linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   127  -
interpreter-missing.*         linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   1    -
python-missing.*              linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   127  -
python-missing-busybox.*      linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   127  -
python-direct-missing.*       linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   1    -
whiteout.*                    linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   1    -
repacked.*                    linux/*      fails    exec-interpreter-missing    exec-interpreter-missing    ENOENT   1    -
missing.*                     linux/*      fails    exec-not-found              -                           ENOENT   1    -
missing-in-path.*             linux/*      fails    exec-not-found              -                           ENOENT   1    -
tini-missing.*                linux/*      fails    exec-not-found              -                           ENOENT   127  -
dumb-init-missing.*           linux/*      fails    exec-not-found              -                           ENOENT   2    -
hand-over-missing.*           linux/*      fails    exec-not-found              -                           ENOENT   127  -
shell-form-missing.*          linux/*      fails    exec-not-found              -                           ENOENT   127  -
dangling.*                    linux/*      fails    exec-not-found              -                           ENOENT   1    -
circle.*                      linux/*      fails    exec-not-found              -                           ELOOP    1    -
through-file.*                linux/*      fails    exec-not-found              -                           ENOTDIR  1    -
one-word.*                    linux/*      fails    exec-not-found              -                           ENOENT   1    -
opaque.*                      linux/*      fails    exec-not-found              -                           ENOENT   1    -
not-executable.*              linux/*      fails    exec-permission             -                           EACCES   1    -
not-executable-in-path.*      linux/*      fails    exec-not-found              -                           ENOENT   1    -
interpreter-closed.*          linux/*      fails    exec-permission             exec-permission             EACCES   1    -
not-for-user.*                linux/*      runs     -                           -                           unknown  -    -
not-for-user.*                lambda/*     fails    exec-permission             -                           EACCES   -    -
not-for-user-above.*          linux/*      runs     -                           -                           unknown  -    -
not-for-user-above.*          lambda/*     fails    exec-permission             -                           EACCES   -    -
directory.*                   linux/*      fails    exec-permission             -                           EACCES   1    -
";

/// One row for one architecture.
struct Row {
    image: String,
    runtime: String,
    verdict: &'static str,
    faults: Vec<&'static str>,
    alone: Vec<&'static str>,
    exec: &'static str,
    /// The result of runc, if it is run.
    run: Option<(i32, &'static str)>,
}

fn rows() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.is_empty()).skip(1);
    let expanded = lines.flat_map(|line| {
        let columns: Vec<&'static str> = line.split_whitespace().collect();
        let [image, runtime, verdict, faults, alone, exec, exit, printed] = columns[..] else { panic!("{line}") };
        let codes = |column: &'static str| column.split(',').filter(|code| *code != "-").collect::<Vec<_>>();
        let is_each = [image, runtime].iter().any(|column| column.contains('*'));
        let architectures = if is_each { ["amd64", "arm64"].as_slice() } else { &["amd64"] };
        architectures.iter().map(move |architecture| {
            let image = image.replace('*', if *architecture == "amd64" { "x" } else { "a" });
            let printed = if printed == "-" { "" } else { printed };
            let run = exit.parse().ok().filter(|_| image.ends_with(".x")).map(|exit| (exit, printed));
            let (faults, alone) = (codes(faults), codes(alone));
            Row { image, runtime: runtime.replace('*', architecture), verdict, faults, alone, exec, run }
        })
    });
    expanded.collect()
}

/// The report of the command-line tool.
fn report(layout: &Path, image: &str, runtime: Option<&str>) -> Value {
    let reference = format!("oci:{}:{image}", layout.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.args(["check", &reference, "--format", "json"]);
    let output = command.args(runtime.iter().flat_map(|name| ["--runtime", name])).output().unwrap();
    assert!(output.stderr.is_empty(), "{reference}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn codes(report: &Value) -> Vec<&str> {
    let faults = report["runtimes"].as_array().unwrap().iter().flat_map(|one| one["faults"].as_array().unwrap());
    let codes: BTreeSet<&str> = faults.map(|fault| fault["code"].as_str().unwrap()).collect();
    codes.into_iter().collect()
}

fn exec(report: &Value) -> &str {
    let Some(started) = report["exec"].get(0) else { return "-" };
    started["errno"].as_str().or(started["outcome"].as_str()).unwrap()
}

/// The expected error.
fn symptom(report: &Value) -> Option<&str> {
    report["runtimes"][0]["faults"].get(0)?["symptom"].as_str()
}

/// The differences between the report and a row of the table, one per line.
fn report_differences(row: &Row, reports: &[Value; 2]) -> Vec<String> {
    let [report, alone] = reports;
    let (verdict, found) = (report["verdict"].as_str().unwrap(), (codes(report), exec(report)));
    let mut wrong = Vec::new();
    if (verdict, &found.0, found.1) != (row.verdict, &row.faults, row.exec) {
        wrong.push(format!("{verdict} {found:?}: {}", report["runtimes"]));
    }
    let verdict = if row.alone.is_empty() { "undeclared" } else { "fails" };
    if (alone["verdict"].as_str().unwrap(), codes(alone)) != (verdict, row.alone.clone()) {
        wrong.push(format!("without a runtime {} {:?}: {}", alone["verdict"], codes(alone), alone["runtimes"]));
    }
    wrong
}

/// The capabilities that container engines grant: `DefaultLinuxSpec` of both containerd and Docker. umoci grants fewer.
const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Unpacks an image and starts it as its bundle states.
fn run(layout: &Path, image: &str, bundle: &Path) -> Output {
    let reference = format!("{}:{image}", layout.display());
    let unpacked = Command::new("umoci").args(["unpack", "--image", &reference]).arg(bundle).output();
    let unpacked = unpacked.expect("umoci is installed");
    assert!(unpacked.status.success(), "{image}: {}", String::from_utf8_lossy(&unpacked.stderr));
    let file = bundle.join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    spec["process"]["terminal"] = json!(false);
    // Other users than root keep only the bounding set, as in containerd.
    let is_root = spec["process"]["user"]["uid"] == 0;
    let effective: &[&str] = if is_root { &CAPABILITIES } else { &[] };
    spec["process"]["capabilities"] = json!({"bounding": CAPABILITIES, "effective": effective, "permitted": effective});
    fs::write(file, spec.to_string()).unwrap();
    let container = format!("preflight-{}-{}", id(), image.replace('.', "-"));
    let mut command = Command::new("runc");
    command.args(["run", "--bundle"]).arg(bundle).arg(container).stdin(Stdio::null());
    command.output().expect("runc is installed")
}

/// Whether the symptom was printed. If runc was built with Go before 1.20, any execute bit passes the lookup, and
/// runc's own check refuses the user, without quotes.
fn is_printed(symptom: &str, printed: &str) -> bool {
    let older = symptom.replacen("exec: \"", "exec ", 1).replacen("\": ", ": ", 1);
    printed.contains(symptom) || symptom.ends_with("permission denied") && printed.contains(&older)
}

/// The difference between runc's result and the table or the report.
fn runc_differences(row: &Row, report: &Value, output: &Output) -> Option<String> {
    let (exit, printed) = row.run?;
    let words = String::from_utf8_lossy(&output.stderr).replace("\\\"", "\"");
    let is_as_said = symptom(report).is_none_or(|symptom| is_printed(symptom, &words));
    let is_as_expected =
        output.status.code() == Some(exit) && String::from_utf8_lossy(&output.stdout).contains(printed);
    // A program that starts prints no error. tini warns if runc forwards a signal to a program that has just ended.
    let is_race = |line: &str| line == "[WARN  tini (1)] Child was dead when forwarding signal";
    let is_quiet = row.exec != "starts" || words.lines().all(is_race);
    let is_right = is_as_said && is_as_expected && is_quiet && (exit == 0) == (row.verdict == "runs");
    (!is_right).then(|| format!("runc: {output:?}, symptom {:?}", symptom(report)))
}

/// All differences of one row.
fn differences(layout: &Path, row: &Row) -> Vec<String> {
    let reports = [report(layout, &row.image, Some(&row.runtime)), report(layout, &row.image, None)];
    let mut wrong = report_differences(row, &reports);
    if row.run.is_some() {
        let directory = tempfile::tempdir().unwrap();
        let output = run(layout, &row.image, &directory.path().join("bundle"));
        wrong.extend(runc_differences(row, &reports[0], &output));
    }
    wrong.into_iter().map(|what| format!("{} on {}: {what}", row.image, row.runtime)).collect()
}

#[test]
#[ignore = "needs the images that `make test-real` makes of real programs, umoci, runc and root"]
fn real_programs_behave_as_predicted() {
    let layout = PathBuf::from(std::env::var_os("TEST_REAL_PROGRAMS").expect("the layout of `make test-real`"));
    let rows = rows();
    let left = Mutex::new(rows.iter());
    let next = || left.lock().unwrap().next();
    let work = || {
        let rows = std::iter::from_fn(next);
        rows.flat_map(|row| differences(&layout, row)).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let wrong: Vec<String> = thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        started.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "of {} rows, {} lines:\n{}", rows.len(), wrong.len(), wrong.join("\n"));
}
