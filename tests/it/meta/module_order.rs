//! The layout of `src`: a module knows only the modules above it in `lib.rs`, and files do not import each other in circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Groups of files that may import each other, each with its reason.
const ALLOWED_CYCLES: [(&[&str], &str); 0] = [];

/// Modules that are pure: no clock, no environment, no input or output.
const PURE: [&str; 12] = [
    "text", "date", "name", "platform", "runtime", "event", "intent", "verdict", "waiver", "report", "settings",
    "consumer",
];

type ModulePath = Vec<String>;

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let within = |path: PathBuf| if path.is_dir() { rust_files(&path) } else { vec![path] };
    entries.flat_map(within).filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The top-level modules, in the reading order of `lib.rs`.
fn top_level_modules() -> Vec<String> {
    let lib = fs::read_to_string("src/lib.rs").unwrap();
    let module = |line: &str| {
        let declaration = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
        Some(declaration.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    lib.lines().filter_map(module).collect()
}

/// The module that a file holds: `src/oci/mod.rs` is `oci`, `src/oci/index.rs` is `oci::index`.
fn module_of(file: &Path) -> ModulePath {
    let path = file.strip_prefix("src").unwrap().with_extension("");
    let mut names: ModulePath = path.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// Every module of the library with its text, comments left out, and the unit tests at the end of a file too.
fn modules() -> BTreeMap<ModulePath, String> {
    let is_library = |file: &PathBuf| !file.starts_with("src/bin") && !file.ends_with("lib.rs");
    let text = |file: &Path| {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
    };
    rust_files(Path::new("src")).into_iter().filter(is_library).map(|file| (module_of(&file), text(&file))).collect()
}

/// The paths of a `use` tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<ModulePath> {
    let Some((head, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap();
        return vec![path.split("::").map(|name| name.trim().to_owned()).collect()];
    };
    let head: ModulePath = head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let (mut depth, mut branch, mut branches) = (0, String::new(), Vec::new());
    for c in rest.rsplit_once('}').unwrap().0.chars() {
        match c {
            ',' if depth == 0 => branches.push(std::mem::take(&mut branch)),
            c => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                branch.push(c);
            }
        }
    }
    branches.push(branch);
    let full = |path: ModulePath| head.iter().cloned().chain(path.into_iter().filter(|name| name != "self")).collect();
    branches
        .iter()
        .filter(|branch| !branch.trim().is_empty())
        .flat_map(|branch| expand(branch.trim()))
        .map(full)
        .collect()
}

/// The `use` declarations of a module as absolute paths, and whether each is a re-export.
fn uses(module: &ModulePath, text: &str, modules: &BTreeSet<ModulePath>) -> Vec<(ModulePath, bool)> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let is_public = line.starts_with("pub");
        let declaration = if is_public { line.split_once(' ').map_or("", |(_, rest)| rest) } else { line };
        let Some(start) = declaration.strip_prefix("use ").filter(|path| path.contains("::")) else { continue };
        let mut tree = start.to_owned();
        while !tree.ends_with(';') {
            tree += lines.next().expect("a use declaration ends");
        }
        for path in expand(tree.trim_end_matches(';')) {
            found.extend(absolute(module, &path, modules).map(|path| (path, is_public)));
        }
    }
    found
}

/// The paths in the code of a module, for example `child::function()` and `super::Type`, as absolute paths.
fn inline_paths(module: &ModulePath, text: &str, modules: &BTreeSet<ModulePath>) -> Vec<ModulePath> {
    // A visibility names a module, but imports nothing.
    let is_code = |line: &&str| !line.trim_start().starts_with("use ");
    let without_visibility = |line| match str::trim_start(line).strip_prefix("pub(in ") {
        Some(rest) => rest.split_once(')').map_or("", |(_, item)| item),
        None => line,
    };
    let code: Vec<&str> = text.lines().filter(is_code).map(without_visibility).collect();
    let code = code.join("\n");
    let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let paths = words.filter(|word| word.contains("::") && !word.starts_with(':'));
    paths
        .filter_map(|path| {
            let path: ModulePath =
                path.trim_end_matches(':').split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
            absolute(module, &path, modules)
        })
        .collect()
}

/// A path from the crate's root; none for other crates.
fn absolute(module: &ModulePath, path: &[String], modules: &BTreeSet<ModulePath>) -> Option<ModulePath> {
    let mut base = module.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => drop(base.pop()),
        child => {
            let child: ModulePath = module.iter().cloned().chain([child.to_owned()]).collect();
            return modules.contains(&child).then(|| module.iter().chain(rest).cloned().collect());
        }
    }
    rest = &rest[1..];
    while rest.first().is_some_and(|name| name == "super") {
        base.pop();
        rest = &rest[1..];
    }
    Some(base.into_iter().chain(rest.iter().cloned()).collect())
}

/// The module that defines what a path names, through the re-exports of facades.
fn owner(
    path: &ModulePath,
    exports: &BTreeMap<ModulePath, ModulePath>,
    modules: &BTreeSet<ModulePath>,
) -> Option<ModulePath> {
    let mut path = path.clone();
    // A module may have the name of a function that it exports; the module is meant.
    let export = |path: &ModulePath| {
        let prefixes = (1..=path.len()).rev().take_while(|length| !modules.contains(&path[..*length]));
        prefixes.filter_map(|length| Some((length, exports.get(&path[..length])?.clone()))).next()
    };
    while let Some((length, target)) = export(&path) {
        path = target.into_iter().chain(path[length..].iter().cloned()).collect();
    }
    (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|prefix| modules.contains(prefix))
}

/// Which file imports which: through facades to the file that defines the item. A facade's own re-exports do not count.
fn imports() -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let texts = modules();
    let names: BTreeSet<ModulePath> = texts.keys().cloned().collect();
    let all: Vec<(ModulePath, Vec<(ModulePath, bool)>)> =
        texts.iter().map(|(module, text)| (module.clone(), uses(module, text, &names))).collect();
    let mut exports = BTreeMap::new();
    for (module, uses) in &all {
        for (path, _) in uses.iter().filter(|(path, is_public)| *is_public && path.starts_with(module)) {
            let alias: ModulePath = module.iter().chain(path.last()).cloned().collect();
            if alias != *path {
                exports.insert(alias, path.clone());
            }
        }
    }
    let mut imports: BTreeMap<ModulePath, BTreeSet<ModulePath>> = BTreeMap::new();
    for (module, uses) in all {
        let counted = uses.iter().filter(|(path, is_public)| !(*is_public && path.starts_with(&module)));
        let inline = inline_paths(&module, &texts[&module], &names);
        let paths = counted.map(|(path, _)| path).chain(&inline);
        let targets = paths.filter_map(|path| owner(path, &exports, &names)).filter(|target| *target != module);
        imports.insert(module.clone(), targets.collect());
    }
    imports
}

/// Every module that can be reached from one.
fn reachable(from: &ModulePath, imports: &BTreeMap<ModulePath, BTreeSet<ModulePath>>) -> BTreeSet<ModulePath> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(module) = open.pop() {
        for next in imports.get(&module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}

#[test]
fn a_module_imports_only_modules_above_it() {
    let order = top_level_modules();
    assert!(order.len() > 20, "lib.rs lists the modules");
    let position = |name: &str| order.iter().position(|module| module == name);
    for (module, text) in modules() {
        let own = position(&module[0]).unwrap_or_else(|| panic!("{} is not in lib.rs", module[0]));
        for path in text.split("crate::").skip(1) {
            let name = path.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            let Some(other) = position(name) else { continue };
            assert!(other <= own, "{} imports {name}, which is below it in lib.rs", module.join("::"));
        }
    }
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let imports = imports();
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 400, "imports were found");
    let mut cycles = BTreeSet::new();
    for module in imports.keys() {
        let members: BTreeSet<String> = reachable(module, &imports)
            .into_iter()
            .filter(|other| reachable(other, &imports).contains(module))
            .map(|path| path.join("::"))
            .collect();
        if !members.is_empty() {
            cycles.insert(members);
        }
    }
    for (allowed, _) in ALLOWED_CYCLES {
        let allowed: BTreeSet<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        assert!(cycles.remove(&allowed), "{allowed:?} is allowed, but is not a cycle any more");
    }
    assert!(cycles.is_empty(), "files import each other in circles: {cycles:#?}");
}

#[test]
fn every_file_begins_with_its_purpose() {
    for file in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} has no module documentation", file.display());
    }
}

#[test]
fn pure_modules_do_no_input_or_output() {
    for module in PURE {
        let file = PathBuf::from(format!("src/{module}.rs"));
        let files = if file.exists() { vec![file] } else { rust_files(&PathBuf::from(format!("src/{module}"))) };
        assert!(!files.is_empty(), "{module} is a module");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for word in
                ["async ", "await", "std::env", "std::fs", "std::io", "std::time", "tokio", "aws_sdk", "aws_smithy"]
            {
                assert!(!text.contains(word), "{} must be pure, but has `{word}`", file.display());
            }
        }
    }
}
