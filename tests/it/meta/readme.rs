//! README.md and the pages of docs: every command is run, here or by `.ci/run`, and prints what is shown; tables follow the
//! code.
//!
//! `UPDATE_EXPECT=1 cargo test --test it meta::readme` writes outputs and the table of faults into the pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ecr_preflight::verdict::{FaultCode, FaultInfo};
use expect_test::expect_file;

/// README.md, CONTRIBUTING.md, SECURITY.md and every page of docs.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(PathBuf::from).into_iter().chain(pages).collect()
}

/// What a command of a console block prints, if it is one of this program; checks that `.ci/run` runs any other command.
fn output(command: &str, page: &Path) -> Option<String> {
    let arguments = command.strip_prefix("ecr-preflight ").or(command.strip_prefix("cargo run -- "));
    let Some(arguments) = arguments else {
        let ci = fs::read_to_string(".ci/run").unwrap();
        assert!(ci.contains(command), "{}: `{command}` is run neither here nor by .ci/run", page.display());
        return None;
    };
    let output = Command::new(env!("CARGO_BIN_EXE_ecr-preflight")).args(arguments.split_whitespace()).output();
    Some(String::from_utf8(output.unwrap().stdout).unwrap())
}

/// A page with the present output in each console block, and the number of blocks.
fn with_outputs(page: &Path) -> (String, usize) {
    let text = fs::read_to_string(page).unwrap();
    let mut blocks = text.split("```console\n");
    let (mut updated, mut count) = (blocks.next().unwrap().to_owned(), 0);
    for block in blocks {
        let (console, rest) = block.split_once("```").unwrap();
        let (command, shown) = console.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let printed = output(command, page).unwrap_or_else(|| shown.to_owned());
        updated += &format!("```console\n$ {command}\n{printed}```{rest}");
        count += 1;
    }
    (updated, count)
}

/// A page with the code's table of faults between its two comments.
fn with_faults(page: &str) -> String {
    let (before, rest) = page.split_once("<!-- faults -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /faults -->").unwrap();
    let row = |code: &FaultCode| {
        let FaultInfo { name, explanation, .. } = code.info();
        format!("| `{name}` <a id=\"{name}\"></a> | {explanation} |\n")
    };
    let rows: String = FaultCode::ALL.iter().map(row).collect();
    format!("{before}<!-- faults -->\n| fault | meaning |\n|---|---|\n{rows}<!-- /faults -->{after}")
}

#[test]
fn pages_show_what_commands_print_and_faults_mean() {
    let mut blocks = 0;
    for page in pages() {
        let (mut text, count) = with_outputs(&page);
        if page.ends_with("README.md") {
            text = with_faults(&text);
        }
        expect_file![fs::canonicalize(&page).unwrap()].assert_eq(&text);
        blocks += count;
    }
    assert!(blocks >= 8, "the pages show commands");
}

#[test]
fn every_setting_is_documented() {
    let page = fs::read_to_string("docs/settings.md").unwrap();
    for variable in &ecr_preflight::settings::VARIABLES {
        assert!(page.contains(&format!("| `{}` |", variable.name)), "{} is missing", variable.name);
    }
}

#[test]
fn readme_is_short() {
    let lines = fs::read_to_string("README.md").unwrap().lines().count();
    assert!(lines <= 200, "README.md has {lines} lines; move details to docs");
}

#[test]
fn links_between_pages_exist() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if target.starts_with("http") || target.is_empty() {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(file.exists(), "{} links to {target}, which does not exist", page.display());
            if !anchor.is_empty() && file.extension().is_some_and(|extension| extension == "md") {
                let linked = fs::read_to_string(&file).unwrap();
                assert!(has_anchor(&linked, anchor), "{} links to {target}, which has no such heading", page.display());
            }
        }
    }
}

/// Whether a page has a heading or an HTML anchor of this name; headings become anchors as on GitHub.
fn has_anchor(page: &str, anchor: &str) -> bool {
    let slug = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    page.contains(&format!("id=\"{anchor}\""))
        || page.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor)
}
