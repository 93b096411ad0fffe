//! The text report of every program fault, with evidence, symptom and remedies.

use std::fs;
use std::process::Command;

use expect_test::expect_file;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::archive::{Archive, Fields};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config};

/// An image of one layer that starts this command.
fn image(layout: &Builder, command: &[&str], layer: Archive, steps: &[&str]) -> Value {
    let mut config = config("linux", "amd64", json!({}));
    config["config"]["Entrypoint"] = json!(command);
    config["history"] = steps.iter().map(|step| json!({"created_by": step})).collect();
    // The media type claims gzip, but containerd also accepts a plain archive, and so do we.
    layout.manifest(&config, &[layout.blob(OCI_GZIP, &layer.end())])
}

fn base() -> Archive {
    let sh = elf::program("amd64");
    Archive::default().directory("bin").file("bin/sh", &sh).file("bin/tini", &sh).file("bin/env", &sh)
}

/// A program with this loader.
fn program_with_loader(loader: &str) -> Vec<u8> {
    let mut bytes = elf::program("amd64");
    let name = [loader.as_bytes(), b"\0"].concat();
    let at = bytes.len() as u64;
    // The only program header becomes PT_INTERP.
    bytes[64..68].copy_from_slice(&3_u32.to_le_bytes());
    bytes[72..80].copy_from_slice(&at.to_le_bytes());
    bytes[96..104].copy_from_slice(&(name.len() as u64).to_le_bytes());
    [bytes, name].concat()
}

/// A program whose file ends before its first instruction.
fn program_without_code() -> Vec<u8> {
    let mut bytes = elf::program("amd64");
    for (at, value) in [(24, 0x40_2000_u64), (72, 0), (80, 0x40_0000), (96, 0x3000), (104, 0x3000)] {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// A base image with dash, as Debian's.
fn dash() -> Archive {
    Archive::default().directory("bin").file("bin/dash", &elf::program("amd64")).link("bin/sh", "dash")
}

fn faulty_images() -> Vec<(&'static str, &'static [&'static str], Archive)> {
    let file = |bytes: &[u8]| base().file("app", bytes);
    let not_executable = Fields { mode: 0o644, ..Fields::default() };
    vec![
        ("foreign", &["/app"], file(&elf::program("arm64"))),
        ("wrapped", &["/bin/tini", "--", "/app", "serve"], file(&elf::program("arm64"))),
        ("shell", &["/bin/sh", "-c", "exec /app --port $PORT"], file(&elf::program("arm64"))),
        ("interpreter-foreign", &["/run.sh"], file(&elf::program("arm64")).file("run.sh", b"#!/app\n")),
        ("empty", &["/app"], file(b"")),
        ("no-shebang", &["/app"], file(b"echo hello\n")),
        ("byte-order-mark", &["/app"], file(b"\xef\xbb\xbf#!/bin/sh\n")),
        ("mach-o", &["/app"], file(&[&[0xcf, 0xfa, 0xed, 0xfe][..], &[0; 60]].concat())),
        ("pe", &["/app"], file(&[b"MZ".as_slice(), &[0; 62]].concat())),
        ("wasm", &["/app"], file(b"\0asm\x01\0\0\0")),
        ("truncated", &["/app"], file(&elf::program("amd64")[..40])),
        ("code-missing", &["/app"], file(&program_without_code())),
        ("carriage-return", &["/app"], file(b"#!/bin/sh\r\necho\r\n")),
        ("interpreter-missing", &["/app"], file(b"#!/bin/bash\n")),
        ("env-interpreter-missing", &["/app"], file(b"#!/bin/env python3\n")),
        ("missing", &["/none"], base()),
        ("not-in-path", &["server", "--port", "80"], base()),
        ("elsewhere", &["server"], base().directory("srv").file("srv/server", &elf::program("amd64"))),
        ("other-suffix", &["/entrypoint"], base().file("entrypoint.sh", b"#!/bin/sh\n")),
        ("dangling", &["/link"], base().link("link", "opt/none")),
        ("not-executable", &["/app"], base().entry(b"app", not_executable, b"#!/bin/sh\n")),
        ("directory", &["/bin"], base()),
        (
            "glibc-on-musl",
            &["/app"],
            file(&program_with_loader("/lib64/ld-linux-x86-64.so.2"))
                .directory("lib")
                .file("lib/ld-musl-x86_64.so.1", &elf::program("amd64")),
        ),
        ("loader-missing", &["/app"], file(&program_with_loader("/lib64/ld-linux-x86-64.so.2"))),
        ("loader-foreign", &["/app"], file(&program_with_loader("/ld")).file("ld", &elf::program("arm64"))),
        ("option-refused", &["/bin/tini", "-e", "999", "--", "/bin/sh"], base()),
        ("script-missing", &["/bin/sh", "/none.sh"], base()),
        ("bash-syntax", &["/app"], dash().file("app", b"#!/bin/sh\necho start\nHOSTS=(a b)\nexec /bin/sh\n")),
        ("bash-command", &["/app"], dash().file("app", b"#!/bin/sh\nset -e\nsource /etc/profile\nexec /bin/sh\n")),
        ("single-quotes", &["/bin/sh", "-c", "['node', 'app.js']"], base()),
        ("python-file-missing", &["/bin/python3", "app.py"], base().file("bin/python3", &elf::program("amd64"))),
        ("gosu-user", &["/bin/gosu", "ghost", "/bin/sh"], base().file("bin/gosu", &elf::program("amd64"))),
        (
            "gosu-root-and-group",
            &["/bin/gosu", "root:ghosts", "/bin/sh"],
            base()
                .file("bin/gosu", &elf::program("amd64"))
                .directory("etc")
                .file("etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
        ),
        (
            "setpriv-user",
            &["/bin/setpriv", "--reuid=ghost", "--clear-groups", "/bin/sh"],
            base().file("bin/setpriv", &elf::program("amd64")),
        ),
        (
            "denied-in-path",
            &["/bin/tini", "--", "tool"],
            base().entry(b"bin/tool", Fields { mode: 0o644, ..Fields::default() }, &elf::program("amd64")),
        ),
        ("directory-in-path", &["/bin/tini", "tool"], base().directory("bin/tool")),
        (
            "denied-interpreter",
            &["/app"],
            file(b"#!/bin/env tool\n").entry(b"bin/tool", Fields { mode: 0o644, ..Fields::default() }, b""),
        ),
        ("env-words", &["/app"], file(b"#!/bin/env sh -e\n")),
        ("one-string", &["/bin/sh -x"], base()),
        ("one-string-behind-wrapper", &["/bin/tini", "--", "sh -x $A"], base()),
        ("quoted-string", &["/bin/sh", "-c", "\"tini -- /bin/sh\""], base()),
        ("blank-in-name", &["/opt/my app"], base()),
        ("variable", &["$APP"], base()),
        ("python-without-first-line", &["/app.py"], base().file("app.py", b"print(1)\n")),
        ("hostile-words", &["/bin/sh ;`x`"], base()),
        ("hostile-name", &["/$(reboot)\u{1b}[31m`x`"], base()),
    ]
}

fn check_output(layout: &Builder, tag: &str, runtime: &str) -> String {
    let reference = format!("oci:{}:{tag}", layout.path().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    let output = command.args(["check", &reference, "--runtime", runtime]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(&layout.path().display().to_string(), "DIR");
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("  digest ")).collect();
    format!("# {tag} on {runtime}: exit code {}\n{}\n\n", output.status.code().unwrap(), text.join("\n"))
}

#[test]
fn program_faults_have_evidence_and_remedies() {
    let mut layout = Builder::new();
    let mut text = String::new();
    for (tag, command, layer) in faulty_images() {
        let image = image(&layout, command, layer, &[]);
        layout.tag(tag, &image);
        text += &check_output(&layout, tag, "ecs/amd64");
    }
    let steps = ["RUN |1 BUILDPLATFORM=linux/arm64 /bin/sh -c make", "RUN /bin/sh -c GOARCH=arm64 go build"];
    let traced = image(&layout, &["/app"], base().file("app", &elf::program("arm64")), &steps);
    layout.tag("traced", &traced);
    text += &check_output(&layout, "traced", "ecs/amd64");
    for (tag, key, value) in [
        ("user", "User", json!("ghost")),
        ("group", "User", json!("0:ghosts")),
        ("root", "User", json!("root")),
        ("working-directory", "WorkingDir", json!("/bin/sh/x")),
        ("environment", "Env", json!(["=x"])),
        ("volume", "Volumes", json!({"/bin/sh": {}})),
    ] {
        let mut config = config("linux", "amd64", json!({}));
        config["config"]["Entrypoint"] = json!(["/bin/sh"]);
        config["config"][key] = value;
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &base().end())]);
        layout.tag(tag, &image);
        text += &check_output(&layout, tag, "ecs/amd64");
    }
    for (tag, layer) in [
        ("mount", base().link("proc", "bin")),
        ("mount-dev", base().file("dev", b"")),
        ("mount-link", base().directory("etc").link("etc/hosts", "../bin")),
        ("mount-file", base().directory("etc").directory("etc/hosts")),
    ] {
        layout.tag(tag, &image(&layout, &["/bin/sh"], layer, &[]));
        text += &check_output(&layout, tag, "ecs/amd64");
    }
    let extension =
        || base().directory("opt").directory("opt/extensions").file("opt/extensions/x", &elf::program("arm64"));
    let image = image(&layout, &["/bin/sh"], extension(), &[]);
    layout.tag("extension", &image);
    text += &check_output(&layout, "extension", "lambda/amd64");
    for tag in ["foreign", "missing", "wrapped"] {
        text += &check_output(&layout, tag, "lambda/amd64");
    }
    assert!(!text.contains('\u{1b}'), "a control character reached the output: {text}");
    expect_file!["faults.txt"].assert_eq(&text);
}

#[test]
fn commands_of_remedies_repair_scripts() {
    let mut layout = Builder::new();
    let shell = "#!/bin/sh\necho $0 a\n";
    for (number, (name, before, after)) in [
        ("app", "#!/bin/sh\r\na\rb\r\n\r\n".to_owned(), "#!/bin/sh\na\rb\n\n".to_owned()),
        ("app", "echo $0\necho b\n".to_owned(), "#!/bin/sh\necho $0\necho b\n".to_owned()),
        ("app.py", "print(1)\nprint(2)".to_owned(), "#!/usr/bin/env python3\nprint(1)\nprint(2)".to_owned()),
        ("app", format!("\u{feff}{shell}"), shell.to_owned()),
        ("app", format!("\n{shell}"), shell.to_owned()),
        ("app", format!("\r\n  \n \t {shell}"), shell.to_owned()),
        ("app", format!("\u{feff}\n {shell}\n#!/bin/sh\n"), format!("{shell}\n#!/bin/sh\n")),
    ]
    .into_iter()
    .enumerate()
    {
        let image = image(&layout, &[&format!("/{name}")], base().file(name, before.as_bytes()), &[]);
        let tag = format!("v{number}");
        layout.tag(&tag, &image);
        let reference = format!("oci:{}:{tag}", layout.path().display());
        let mut check = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
        let output = check.args(["check", &reference, "--runtime", "ecs/amd64", "--format", "json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let command = report["runtimes"][0]["faults"][0]["remedy"][0].as_str().unwrap().to_owned();
        let directory = TempDir::new().unwrap();
        let file = directory.path().join(name);
        fs::write(&file, &before).unwrap();
        assert!(Command::new("sh").args(["-c", &command]).current_dir(&directory).status().unwrap().success());
        assert_eq!(fs::read_to_string(file).unwrap(), after, "{command}");
    }
}

#[test]
fn missing_program_names_its_instruction() {
    let mut layout = Builder::new();
    for (tag, entrypoint, cmd, instruction) in [
        ("entrypoint", json!(["/none"]), json!(["serve"]), "that ENTRYPOINT names"),
        ("cmd", Value::Null, json!(["/none"]), "that CMD names"),
        ("either", json!(["/bin/tini", "--"]), json!(["/none"]), "Install the program in the image"),
    ] {
        let mut config = config("linux", "amd64", json!({}));
        config["config"]["Entrypoint"] = entrypoint;
        config["config"]["Cmd"] = cmd;
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &base().end())]);
        layout.tag(tag, &image);
        let text = check_output(&layout, tag, "ecs/amd64");
        assert!(text.contains("exec-not-found") && text.contains(instruction), "{text}");
    }
}
