//! Realistic images, written like Dockerfiles in `patterns/*.txt`, each with what containerd and runc do with it.
//!
//! ```text
//! == NAME                             a block: layers, a config, and cases
//! FROM BLOCK                          begins with the layers and the config of a block, in any file
//! LAYER                               begins the next layer; blocks always begin one
//! DIR | ELF | ARM64 PATH              a directory; a program that prints `started`; one for arm64
//! FIFO | DEVICE PATH                  a pipe; the character device 0/0
//! ELF PATH LOADER                     a program that is loaded by a loader
//! FILE PATH TEXT                      a file; `\n`, `\r`, `\t`, `\0`, `\xHH` and `\\` are escapes
//! FILE PATH <<                        a file with the lines up to `>>`
//! LINK | HARDLINK PATH TARGET         a symbolic or a hard link
//! HOST PATH FILE                      a file of this machine
//! HEAD PATH BYTES FILE                the beginning of a file of this machine
//! RM | OPAQUE PATH                    a whiteout; an opaque marker
//! ENTRYPOINT | CMD | USER | WORKDIR | ENV | VOLUME | LABEL …   as in a Dockerfile
//! CONFIG JSON                         sets fields of the config; NOENV removes `Env`
//! ? INSTRUCTION ; … => RESULT         a case: an image with these instructions of the config, and its result
//! ? … => RESULT !! CAUSE; predicted … the same, if the prediction is known to disagree
//! ? DAMAGE WORDS                      a case: the same with this damage, see `damage.rs`
//! ```
//!
//! Files get mode 755 and belong to root; `--chmod=MODE` and `--chown=UID:GID` before the path change that. Missing
//! parent directories are added to the layer, unless the path follows `--bare`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ecr_preflight::rootfs::Permissions;
use serde_json::{Value, json};

use super::image::Image;
use crate::conformance::kernel::tree::OPEN;
use crate::conformance::umoci::layer::{EntryKind, Layer};
use crate::support::elf;

/// A case, and where its line is.
#[derive(Debug)]
pub struct Pattern {
    pub image: Image,
    pub result: String,
    /// The prediction that disagrees, and the cause.
    pub known: Option<(String, String)>,
    pub file: PathBuf,
    pub line: usize,
}

/// Layers and a config under construction.
#[derive(Debug, Clone, Default)]
struct Block {
    layers: Vec<Layer>,
    config: Value,
}

/// All patterns, and the directory that holds them.
pub fn read() -> Vec<Pattern> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conformance/containerd/patterns");
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The bases come first.
    files.sort_by_key(|file| (!file.ends_with("bases.txt"), file.clone()));
    let (mut blocks, mut patterns) = (BTreeMap::new(), Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        read_file(&file, &text, &mut blocks, &mut patterns);
    }
    patterns
}

fn read_file(file: &Path, text: &str, blocks: &mut BTreeMap<String, Block>, patterns: &mut Vec<Pattern>) {
    let (mut name, mut block) = (String::new(), Block::default());
    let mut lines = text.lines().enumerate();
    while let Some((line, words)) = lines.next() {
        let panic = |what: &str| -> ! { panic!("{}:{}: {what}: {words}", file.display(), line + 1) };
        let (instruction, rest) = words.split_once(' ').unwrap_or((words, ""));
        match instruction {
            "" | "#" => {}
            "==" => {
                blocks.insert(std::mem::replace(&mut name, rest.to_owned()), std::mem::take(&mut block));
                if blocks.contains_key(rest) {
                    panic("a second block of this name");
                }
                block = Block { layers: vec![Layer::default()], config: json!({}) };
            }
            "FROM" => {
                block = blocks.get(rest).unwrap_or_else(|| panic("unknown block")).clone();
                block.layers.push(Layer::default());
            }
            "LAYER" => block.layers.push(Layer::default()),
            "?" => {
                let (changes, result) = rest.split_once("=>").unwrap_or((rest, ""));
                let (result, known) = result.split_once(" !! ").unwrap_or((result, ""));
                let known = known.rsplit_once("; predicted ").map(|(cause, what)| (what.to_owned(), cause.to_owned()));
                let (mut config, mut damage) = (block.config.clone(), None);
                for change in changes.split(" ; ").map(str::trim).filter(|change| !change.is_empty()) {
                    let (instruction, rest) = change.split_once(' ').unwrap_or((change, ""));
                    if instruction == "DAMAGE" {
                        damage = Some(rest.to_owned());
                    } else if !configure(&mut config, instruction, rest.trim()) {
                        panic("unknown instruction");
                    }
                }
                let layers: Vec<Layer> = block.layers.iter().filter(|layer| !layer.0.is_empty()).cloned().collect();
                let image = Image { name: format!("{name}: {}", changes.trim()), seed: 1, layers, config, damage };
                let result = result.trim().to_owned();
                patterns.push(Pattern { image, result, known, file: file.to_owned(), line });
            }
            _ if configure(&mut block.config, instruction, rest) => {}
            _ => {
                let mut text = None;
                if rest.ends_with(" <<") {
                    let taken = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != ">>");
                    text = Some(taken.map(|line| format!("{line}\n")).collect::<String>());
                }
                let layer = block.layers.last_mut().unwrap_or_else(|| panic("no block"));
                if !add_entry(layer, instruction, rest, text) {
                    panic("unknown instruction");
                }
            }
        }
    }
    blocks.insert(name, block);
}

/// A JSON list, or a command of the shell.
fn command(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(["/bin/sh", "-c", text]))
}

/// Applies an instruction to a config as `docker build` does; `false` if it is none of the config.
fn configure(config: &mut Value, instruction: &str, rest: &str) -> bool {
    match instruction {
        "ENTRYPOINT" => {
            config["Entrypoint"] = command(rest);
            config.as_object_mut().unwrap().remove("Cmd");
        }
        "CMD" => config["Cmd"] = command(rest),
        "USER" => config["User"] = json!(rest),
        "WORKDIR" => config["WorkingDir"] = json!(rest),
        "LABEL" => {}
        "VOLUME" => config["Volumes"][rest] = json!({}),
        "ENV" => {
            let key = rest.split('=').next().unwrap();
            let mut list = config["Env"].as_array().cloned().unwrap_or_default();
            list.retain(|entry| entry.as_str().unwrap().split('=').next() != Some(key));
            list.push(json!(rest));
            config["Env"] = json!(list);
        }
        "NOENV" => drop(config.as_object_mut().unwrap().remove("Env")),
        "CONFIG" => {
            let Value::Object(fields) = serde_json::from_str(rest).unwrap() else { return false };
            config.as_object_mut().unwrap().extend(fields);
        }
        _ => return false,
    }
    true
}

/// Adds an entry to a layer; `false` if the instruction is unknown.
fn add_entry(layer: &mut Layer, instruction: &str, rest: &str, text: Option<String>) -> bool {
    let (mut owner, mut is_bare, mut rest) = (OPEN, false, rest);
    while let Some((flag, more)) = rest.split_once(' ').filter(|(word, _)| word.starts_with("--")) {
        match flag.split_once('=') {
            Some(("--chmod", mode)) => owner.mode = u32::from_str_radix(mode, 8).unwrap(),
            Some(("--chown", ids)) => {
                let (user, group) = ids.split_once(':').unwrap();
                owner = Permissions { uid: user.parse().unwrap(), gid: group.parse().unwrap(), ..owner };
            }
            _ if flag == "--bare" => is_bare = true,
            _ => return false,
        }
        rest = more;
    }
    let (path, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let what = match instruction {
        "DIR" => EntryKind::Directory,
        "ELF" => EntryKind::File(elf::printing((!rest.is_empty()).then_some(rest))),
        "ARM64" => EntryKind::File(elf::program("arm64")),
        "FIFO" => EntryKind::Pipe,
        "DEVICE" => EntryKind::Device,
        "FILE" => EntryKind::File(text.map_or_else(|| unescape(rest), String::into_bytes)),
        "LINK" => EntryKind::Link(rest.to_owned()),
        "HARDLINK" => EntryKind::HardLink(rest.trim_start_matches('/').to_owned()),
        "HOST" => EntryKind::File(fs::read(rest).unwrap_or_else(|error| panic!("{rest}: {error}"))),
        "HEAD" => {
            let (size, file) = rest.split_once(' ').unwrap();
            let bytes = fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
            EntryKind::File(bytes[..size.parse().unwrap()].to_vec())
        }
        "RM" => EntryKind::Whiteout,
        "OPAQUE" => EntryKind::Opaque,
        _ => return false,
    };
    let path = path.trim_start_matches('/');
    let parents: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
    for parent in parents.into_iter().filter(|_| !is_bare) {
        if !layer.0.iter().any(|(path, ..)| path == parent) {
            layer.0.push((parent.to_owned(), OPEN, EntryKind::Directory));
        }
    }
    layer.0.push((path.to_owned(), owner, what));
    true
}

/// The bytes that a text with escapes stands for.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    while let Some(part) = parts.next() {
        let rest = part.get(1..).unwrap_or_default().as_bytes();
        match part.chars().next() {
            Some('n') => bytes.extend([b"\n", rest].concat()),
            Some('r') => bytes.extend([b"\r", rest].concat()),
            Some('t') => bytes.extend([b"\t", rest].concat()),
            Some('0') => bytes.extend([b"\0", rest].concat()),
            Some('x') => {
                bytes.push(u8::from_str_radix(&part[1..3], 16).unwrap());
                bytes.extend(&part.as_bytes()[3..]);
            }
            // An escaped backslash ends one part, and begins the next.
            None => {
                bytes.push(b'\\');
                bytes.extend(parts.next().unwrap_or_default().as_bytes());
            }
            Some(_) => bytes.extend(part.as_bytes()),
        }
    }
    bytes
}

/// Writes the results, and the predictions that disagree, into the files of the patterns. Causes are kept.
pub fn write<'a>(measured: impl Iterator<Item = (&'a Pattern, &'a (String, Option<String>))>) {
    let mut files: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
    for (pattern, (result, prediction)) in measured {
        let lines = files
            .entry(pattern.file.as_path())
            .or_insert_with(|| fs::read_to_string(&pattern.file).unwrap().lines().map(str::to_owned).collect());
        let changes = lines[pattern.line].split("=>").next().unwrap().trim_end().to_owned();
        let cause = pattern.known.as_ref().map_or("CAUSE", |(_, cause)| cause);
        let known = prediction.as_ref().map_or(String::new(), |what| format!(" !! {cause}; predicted {what}"));
        lines[pattern.line] = format!("{changes} => {result}{known}");
    }
    for (file, lines) in files {
        fs::write(file, lines.join("\n") + "\n").unwrap();
    }
}
