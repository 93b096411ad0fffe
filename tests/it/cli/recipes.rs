//! The recipes that users copy: the GitHub action, the git hook, and the order of build, check and push. Each is run
//! and must stop a wrong image.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_yaml_ng::Value as Yaml;
use tempfile::TempDir;

use crate::support::layout::Builder;

const GOOD: &str = "oci:events/images:2.0.0";
const WRONG: &str = "oci:events/images:11.4.0";

/// A command whose PATH has the built tool, git and a shell.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let tool = Path::new(env!("CARGO_BIN_EXE_ecr-preflight")).parent().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", tool.display());
    command.env_clear().env("PATH", path).env("HOME", "/nonexistent");
    command
}

fn action() -> Yaml {
    serde_yaml_ng::from_str(&fs::read_to_string("action.yml").unwrap()).unwrap()
}

fn steps(action: &Yaml) -> Vec<Yaml> {
    action["runs"]["steps"].as_sequence().unwrap().clone()
}

/// Runs the check of the action with these inputs and the defaults of the others; returns its outputs too.
fn run_action(inputs: &[(&str, &str)]) -> (Output, String) {
    run_action_with(inputs, &[])
}

/// Same as `run_action`, with environment variables.
fn run_action_with(inputs: &[(&str, &str)], settings: &[(&str, &str)]) -> (Output, String) {
    let (output, outputs, _) = run_action_with_summary(inputs, settings);
    (output, outputs)
}

/// Same as `run_action_with`; also returns the summary of the step.
fn run_action_with_summary(inputs: &[(&str, &str)], settings: &[(&str, &str)]) -> (Output, String, String) {
    let action = action();
    let step = steps(&action).into_iter().find(|step| step["id"] == "check").unwrap();
    let directory = TempDir::new().unwrap();
    let outputs = directory.path().join("outputs");
    let mut bash = command("bash");
    // As GitHub runs `shell: bash`.
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
    for (variable, value) in step["env"].as_mapping().unwrap() {
        let name = value.as_str().unwrap().trim_start_matches("${{ inputs.").trim_end_matches(" }}").to_owned();
        let given = inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| (*value).to_owned());
        let default = action["inputs"][name.as_str()]["default"].as_str().unwrap_or_default().to_owned();
        bash.env(variable.as_str().unwrap(), given.unwrap_or(default));
    }
    let summary = directory.path().join("summary");
    bash.env("GITHUB_OUTPUT", &outputs).env("GITHUB_STEP_SUMMARY", &summary);
    let output = bash.envs(settings.iter().copied()).output().unwrap();
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    (output, read(outputs), read(summary))
}

#[test]
fn action_inputs_are_used_and_scripts_are_bash() {
    let action = action();
    assert_eq!(action["runs"]["using"], "composite");
    let text = fs::read_to_string("action.yml").unwrap();
    let used = text.split("${{ inputs.").skip(1).map(|rest| rest.split(" }}").next().unwrap().to_owned());
    let inputs = action["inputs"].as_mapping().unwrap().keys().map(|key| key.as_str().unwrap().to_owned());
    assert_eq!(used.collect::<BTreeSet<_>>(), inputs.collect::<BTreeSet<_>>());
    let page = fs::read_to_string("docs/ci.md").unwrap();
    for step in steps(&action) {
        assert_eq!(step["shell"], "bash");
        let script = step["run"].as_str().unwrap();
        // Expressions in a script would be executed: inputs are passed through the environment.
        assert!(!script.contains("${{"), "{script}");
        let output = command("bash").args(["-n", "-c", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for (input, definition) in action["inputs"].as_mapping().unwrap() {
        assert!(definition["description"].as_str().is_some_and(|text| text.len() > 10), "{input:?}");
        assert!(page.contains(&format!("`{}`", input.as_str().unwrap())), "{input:?} is not in docs/ci.md");
    }
}

#[test]
fn action_fails_on_a_wrong_image() {
    let both = format!("{GOOD}\n  {WRONG}\n");
    let verdicts = ["runs", "fails", "unknown", "error"];
    for (images, fail_on, code, exit_code) in [
        (GOOD, "unknown", 0, "0"),
        (WRONG, "unknown", 1, "1"),
        (WRONG, "fails", 1, "1"),
        (WRONG, "never", 0, "1"),
        (both.as_str(), "unknown", 1, "1"),
        ("oci:events/images:7.0.0", "unknown", 1, "1"),
        ("oci:events/images:none", "unknown", 3, "3"),
        ("oci:events/images:none", "fails", 3, "3"),
        ("oci:events/images:none", "never", 3, "3"),
        ("oci:events/images:none oci:events/images:11.4.0", "never", 3, "3"),
    ] {
        let (output, outputs) = run_action(&[("images", images), ("runtimes", "apprunner"), ("fail-on", fail_on)]);
        assert_eq!(output.status.code(), Some(code), "{images} {fail_on}: {output:?}");
        let verdict = verdicts[exit_code.parse::<usize>().unwrap()];
        assert_eq!(outputs, format!("exit-code={exit_code}\nverdict={verdict}\n"), "{images} {fail_on}");
    }
    let (output, _) = run_action(&[("images", WRONG), ("fail-on", "fail")]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}

#[test]
fn action_fails_when_nothing_was_checked() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log.sarif");
    for (images, runtimes, settings) in [
        (GOOD, "ecs/amd", &[][..]),
        ("", "ecs/arm64", &[]),
        ("Grafana", "ecs/arm64", &[]),
        ("oci:events/images:2.0.0 oci:", "ecs/arm64", &[]),
        (GOOD, "ecs/arm64", &[("PREFLIGHT_INSPECT", "x")]),
        (GOOD, "ecs/arm64", &[("PREFLIGHT_INSPCET", "manifest")]),
    ] {
        for fail_on in ["unknown", "fails", "never"] {
            let log = log.to_str().unwrap();
            let inputs = [("images", images), ("runtimes", runtimes), ("fail-on", fail_on), ("sarif-file", log)];
            let (output, outputs) = run_action_with(&inputs, settings);
            assert_eq!(output.status.code(), Some(64), "{images} {runtimes} {fail_on}: {output:?}");
            assert_eq!(outputs, "exit-code=64\nverdict=error\n");
        }
    }
}

#[test]
fn action_fails_when_the_log_cannot_be_written() {
    let directory = TempDir::new().unwrap();
    let missing_directory = directory.path().join("none/log.sarif");
    // The first cannot be opened; the second opens but rejects writes.
    for file in [missing_directory.to_str().unwrap(), "/dev/full"] {
        for input in ["sarif-file", "json-file"] {
            let (output, _) =
                run_action(&[("images", GOOD), ("runtimes", "ecs/arm64"), (input, file), ("fail-on", "never")]);
            assert_eq!(output.status.code(), Some(3), "{file}: {output:?}");
        }
    }
}

#[test]
fn action_writes_logs_a_summary_and_annotations_in_one_run() {
    let directory = TempDir::new().unwrap();
    let [sarif, json] = ["log.sarif", "report.json"].map(|name| directory.path().join(name));
    let both = format!("{GOOD}\n{WRONG}");
    let inputs = [
        ("images", both.as_str()),
        ("runtimes", "apprunner ecs/amd64"),
        ("sarif-file", sarif.to_str().unwrap()),
        ("json-file", json.to_str().unwrap()),
    ];
    let (output, _, summary) = run_action_with_summary(&inputs, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let log: serde_json::Value = serde_json::from_slice(&fs::read(&sarif).unwrap()).unwrap();
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 2);
    let reports = fs::read_to_string(&json).unwrap();
    let verdicts =
        reports.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["verdict"].clone());
    assert_eq!(verdicts.collect::<Vec<_>>(), ["runs", "fails"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let annotation = "::error title=ecr-preflight::oci:events/images:11.4.0 will not start on App Runner, ECS on amd64";
    assert_eq!(printed.lines().filter(|line| line.starts_with("::")).collect::<Vec<_>>(), [annotation]);
    let code = printed.lines().take_while(|line| !line.starts_with("::")).map(|line| format!("    {line}\n"));
    assert_eq!(summary, format!("### ecr-preflight: fails\n\n{}", code.collect::<String>()));
}

#[test]
fn action_uses_an_installed_tool_of_its_version() {
    let install = steps(&action()).into_iter().find(|step| step["id"] == "install").unwrap();
    let own = env!("CARGO_PKG_VERSION");
    for (version, is_installed) in [
        (Some(own.to_owned()), true),
        (Some(format!("{own}0")), false),
        (Some("0.0.9".to_owned()), false),
        (None, false),
    ] {
        for commit in ["", " (487876fc0d2e 2026-11-21)"] {
            let directory = TempDir::new().unwrap();
            let (tools, path) = (directory.path().join("tools"), directory.path().join("path"));
            fs::create_dir(&tools).unwrap();
            let script = |name: &str, script: &str| {
                fs::write(tools.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
                fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
            };
            if let Some(version) = &version {
                script("ecr-preflight", &format!("echo 'ecr-preflight {version}{commit}'"));
            }
            let log = directory.path().join("log");
            script("curl", "exit 22");
            script("cargo", &format!("echo \"$PWD $*\" > {}", log.display()));
            let source = fs::canonicalize(".").unwrap();
            let mut bash = command("bash");
            // The workflow runs in another repository, which may have its own toolchain.
            bash.args(["-eo", "pipefail", "-c", install["run"].as_str().unwrap()]).current_dir(directory.path());
            bash.env("PATH", format!("{}:/usr/bin:/bin", tools.display())).env("CARGO_HOME", directory.path());
            bash.env("ECR_PREFLIGHT_REPOSITORY", "owner/ecr-preflight").env("RUNNER_TEMP", directory.path());
            let output = bash.env("SOURCE", &source).env("GITHUB_PATH", &path).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let called = fs::read_to_string(&log).unwrap_or_default();
            assert_eq!(called.is_empty(), is_installed, "{version:?}: {called}");
            if !is_installed {
                assert!(called.starts_with(&format!("{} install --locked", source.display())), "{called}");
                let path = fs::read_to_string(&path).unwrap();
                assert_eq!(path, format!("{}/bin\n", directory.path().display()));
            }
        }
    }
}

#[test]
fn action_installs_the_release_of_its_version() {
    let install = steps(&action()).into_iter().find(|step| step["id"] == "install").unwrap();
    let directory = TempDir::new().unwrap();
    let [tools, release, path] = ["tools", "release", "path"].map(|name| directory.path().join(name));
    fs::create_dir_all(&tools).unwrap();
    fs::create_dir_all(&release).unwrap();
    let script = |path: &Path, script: &str| {
        fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let version = env!("CARGO_PKG_VERSION");
    script(&release.join("ecr-preflight"), &format!("echo 'ecr-preflight {version}'"));
    let archive = format!("ecr-preflight-{}-unknown-linux-musl.tar.gz", std::env::consts::ARCH);
    let pack = format!("tar -czf {archive} ecr-preflight && sha256sum {archive} > SHA256SUMS");
    assert!(command("sh").args(["-c", &pack]).current_dir(&release).status().unwrap().success());
    // Copies the file of the release that the last argument names, to that of `--output`.
    let fetch = format!(
        "while [ $# -gt 1 ]; do [ \"$1\" != --output ] || to=$2; shift; done; echo \"$1\" >> {0}/urls; cp {0}/\"${{1##*/}}\" \"$to\"",
        release.display()
    );
    script(&tools.join("curl"), &fetch);
    script(&tools.join("cargo"), "exit 1");
    let mut bash = command("bash");
    bash.args(["-eo", "pipefail", "-c", install["run"].as_str().unwrap()]).current_dir(directory.path());
    bash.env("PATH", format!("{}:/usr/bin:/bin", tools.display())).env("RUNNER_TEMP", directory.path());
    bash.env("SOURCE", fs::canonicalize(".").unwrap()).env("ECR_PREFLIGHT_REPOSITORY", "owner/ecr-preflight");
    let output = bash.env("GITHUB_PATH", &path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let installed = fs::read_to_string(&path).unwrap();
    assert!(Path::new(installed.trim_end()).join("ecr-preflight").is_file(), "{installed}");
    let urls = fs::read_to_string(release.join("urls")).unwrap();
    let base = format!("https://github.com/owner/ecr-preflight/releases/download/v{version}");
    assert_eq!(urls, format!("{base}/SHA256SUMS\n{base}/{archive}\n"));
}

#[test]
fn version_matches_the_action() {
    let output = command("ecr-preflight").arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.split_whitespace().take(2).collect::<Vec<_>>(), ["ecr-preflight", env!("CARGO_PKG_VERSION")]);
}

/// git without prompts and without user settings.
fn git(directory: &Path, arguments: &[&str]) -> Output {
    let mut git = command("git");
    git.current_dir(directory).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(arguments).output().unwrap()
}

fn copy_layout(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_layout(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn pre_push_hook_stops_a_push() {
    let (remote, local) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let images = fs::canonicalize("events/images").unwrap();
    let git = |arguments: &[&str]| git(local.path(), arguments);
    assert!(git(&["init", "--quiet", "--bare", remote.path().to_str().unwrap()]).status.success());
    assert!(git(&["init", "--quiet", "--initial-branch=main", "."]).status.success());
    assert!(git(&["commit", "--quiet", "--allow-empty", "--message", "one"]).status.success());
    // As in docs/ci.md, in an additional worktree, where `.git` is a file.
    let worktree = remote.path().join("worktree");
    assert!(git(&["worktree", "add", "--quiet", worktree.to_str().unwrap(), "-b", "other"]).status.success());
    let page = fs::read_to_string("docs/ci.md").unwrap();
    let copy = page.lines().find(|line| line.starts_with("cp recipes/pre-push")).unwrap();
    fs::create_dir(worktree.join("recipes")).unwrap();
    fs::copy("recipes/pre-push", worktree.join("recipes/pre-push")).unwrap();
    fs::create_dir_all(local.path().join(".git/hooks")).unwrap();
    assert!(command("sh").args(["-c", copy]).current_dir(&worktree).status().unwrap().success());
    let push = |branch: &str| git(&["push", "--quiet", remote.path().to_str().unwrap(), &format!("main:{branch}")]);
    let set = |key: &str, value: &str| assert!(git(&["config", "--replace-all", key, value]).status.success());
    assert!(push("nothing-configured").status.success());
    set("preflight.image", &format!("oci:{}:11.4.0", images.display()));
    set("preflight.runtime", "ecs/amd64");
    let stopped = push("wrong");
    assert!(!stopped.status.success());
    assert!(String::from_utf8_lossy(&stopped.stdout).contains("wrong-architecture"), "{stopped:?}");
    set("preflight.runtime", "ecs/arm64");
    assert!(push("right").status.success());
    // An unreadable image stops the push too. Blanks are part of a path, and patterns are not expanded.
    set("preflight.image", "oci:not/built");
    assert!(!push("unread").status.success());
    let blank = local.path().join("an image *");
    copy_layout(&images, &blank);
    set("preflight.image", &format!("oci:{}:11.4.0", blank.display()));
    assert!(git(&["config", "--add", "preflight.runtime", "linux/arm64"]).status.success());
    let right = push("blanks");
    assert!(right.status.success(), "{right:?}");
    let branches = git(&["ls-remote", "--heads", remote.path().to_str().unwrap()]);
    let branches = String::from_utf8(branches.stdout).unwrap();
    let names: Vec<&str> = branches.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["blanks", "nothing-configured", "right"]);
}

/// Runs a shell script in a directory with `built.tar`, an image for this architecture that `docker` copies to `image.tar`,
/// and a stand-in for skopeo, which writes its arguments to `pushed`.
fn run_recipe(architecture: &str, script: &str) -> (TempDir, Output) {
    let directory = TempDir::new().unwrap();
    let mut layout = Builder::at(&directory.path().join("built"));
    let image = layout.image(architecture);
    layout.tag("v1", &image);
    let mut archive = tar::Builder::new(fs::File::create(directory.path().join("built.tar")).unwrap());
    archive.append_dir_all(".", layout.path()).unwrap();
    archive.finish().unwrap();
    let tools = directory.path().join("tools");
    fs::create_dir(&tools).unwrap();
    for (name, script) in [("docker", "cp built.tar image.tar"), ("skopeo", "echo \"$@\" > pushed")] {
        fs::write(tools.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut shell = command("sh");
    let path = shell.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    shell.env("PATH", format!("{}:{}", tools.display(), path.display())).current_dir(directory.path());
    let output = shell.args(["-c", script]).output().unwrap();
    (directory, output)
}

#[test]
fn recipe_pushes_only_checked_images() {
    let page = fs::read_to_string("docs/ci.md").unwrap();
    let recipe = page.split("```sh\n").find(|block| block.starts_with("docker buildx build --output")).unwrap();
    let recipe = recipe.split("```").next().unwrap();
    for (architecture, is_pushed) in [("arm64", true), ("amd64", false)] {
        let (directory, output) = run_recipe(architecture, recipe);
        let pushed = fs::read_to_string(directory.path().join("pushed")).unwrap_or_default();
        assert_eq!((output.status.success(), pushed.starts_with("copy oci-archive:image.tar")), (is_pushed, is_pushed));
    }
}

/// The strings of a list in YAML.
fn commands(list: &Yaml) -> Vec<String> {
    list.as_sequence().unwrap().iter().map(|command| command.as_str().unwrap().to_owned()).collect()
}

/// The shell commands of a recipe for a CI server that build and check an image, in their order.
fn recipe_commands(name: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new("recipes").join(name)).unwrap();
    let yaml = || serde_yaml_ng::from_str::<Yaml>(&text).unwrap();
    match name {
        "gitlab-ci.yml" => {
            [vec!["cp built.tar image.tar".to_owned()], commands(&yaml()["ecr-preflight"]["script"])].concat()
        }
        "buildspec.yml" => commands(&yaml()["phases"]["build"]["commands"]),
        "Jenkinsfile" => {
            let quoted = |line: &str| line.trim().strip_prefix("sh '")?.strip_suffix('\'').map(str::to_owned);
            text.lines().filter_map(quoted).collect()
        }
        _ => vec![
            "cp built.tar image.tar".to_owned(),
            format!("make --file {}/recipes/{name} preflight", fs::canonicalize(".").unwrap().display()),
        ],
    }
}

#[test]
fn recipes_of_ci_servers_stop_a_wrong_image() {
    let page = fs::read_to_string("docs/ci.md").unwrap();
    for name in ["gitlab-ci.yml", "buildspec.yml", "Jenkinsfile", "preflight.mk"] {
        assert!(page.contains(&format!("(../recipes/{name})")), "{name} is not in docs/ci.md");
        let script = recipe_commands(name);
        assert!(script.iter().any(|line| line.contains("preflight")), "{name}: {script:?}");
        // CodeBuild passes variables to commands; so do GitLab and Jenkins.
        let set = "set -e; export RUNTIMES=ecs/arm64 CHECKED_IMAGES=oci-archive:image.tar";
        let script = [&[set.to_owned()], &script[..]].concat().join("\n");
        for (architecture, is_right) in [("arm64", true), ("amd64", false)] {
            let (directory, output) = run_recipe(architecture, &script);
            assert_eq!(output.status.success(), is_right, "{name}: {output:?}");
            if name != "preflight.mk" {
                let report = fs::read_to_string(directory.path().join("preflight.xml")).unwrap();
                assert_eq!(report.contains("wrong-architecture"), !is_right, "{name}: {report}");
            }
        }
    }
}

#[test]
fn pre_commit_hook_stops_a_wrong_image() {
    let hooks: Yaml = serde_yaml_ng::from_str(&fs::read_to_string(".pre-commit-hooks.yaml").unwrap()).unwrap();
    let hook = &hooks.as_sequence().unwrap()[0];
    assert_eq!((hook["id"].as_str(), hook["pass_filenames"].as_bool()), (Some("ecr-preflight"), Some(false)));
    let page = fs::read_to_string("docs/ci.md").unwrap();
    let arguments = page.lines().find_map(|line| line.trim().strip_prefix("args: [")?.strip_suffix(']')).unwrap();
    let script = format!("cp built.tar image.tar; {} {}", hook["entry"].as_str().unwrap(), arguments.replace(',', ""));
    for (architecture, is_right) in [("arm64", true), ("amd64", false)] {
        assert_eq!(run_recipe(architecture, &script).1.status.success(), is_right);
    }
}
