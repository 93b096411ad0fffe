//! Random images of several layers, from a seed.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::archive::{Archive, Fields, GNU};
use crate::support::random::Random;

/// Types of entries in an ordered layer; 0 is a file.
const DIRECTORY: usize = 1;
const LINK: usize = 2;
const HARD_LINK: usize = 3;
const PIPE: usize = 4;
const WHITEOUT: usize = 5;
const OPAQUE: usize = 6;

/// What the layers so far contain: names that later entries are likely to use.
struct Generator {
    random: Random,
    /// Whether the layers have only what unpackers agree on.
    is_portable: bool,
    directories: Vec<String>,
    names: Vec<String>,
    files: Vec<String>,
    /// The names and whiteouts of the current layer.
    made: Vec<String>,
    count: usize,
}

impl Generator {
    fn path(&mut self) -> String {
        let again = self.random.below(3) == 0 && !self.names.is_empty();
        if again {
            return self.random.pick(&self.names).clone();
        }
        let directory = self.random.pick(&self.directories).clone();
        let long = "n".repeat(60);
        let name = *self.random.pick(&["a", "b", "c", "bin", "lib", "a.b", "\u{fc} x", long.as_str()]);
        if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
    }

    /// The same path, spelt differently.
    fn respell(&mut self, path: &str) -> String {
        match self.random.below(8) {
            0 => format!("./{path}"),
            1 => format!("/{path}"),
            2 => path.replace('/', "//"),
            3 => format!("x/../{path}"),
            4 => format!("../{path}"),
            _ => path.to_owned(),
        }
    }

    fn target(&mut self) -> String {
        let path = self.path();
        match self.random.below(6) {
            0 => format!("/{path}"),
            1 => format!("../{path}"),
            2 => format!("../../../{path}"),
            3 => self.random.pick(&["a", "b", ".", "..", "/", "lib"]).to_string(),
            _ => path,
        }
    }

    /// Whether the layer has a name, something below it, or a whiteout of it or above it.
    fn is_made(&self, path: &str) -> bool {
        let is_below = |below: &str, path: &str| below.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        self.made.iter().any(|made| made == path || is_below(made, path) || is_below(path, made))
    }

    fn entry(&mut self, archive: Archive) -> Archive {
        self.count += 1;
        let path = self.path();
        let mode = *self.random.pick(&[0o755, 0o644, 0o700, 0o4711, 0o1777]);
        let fields = Fields { mode, user: self.count as u32 % 3, group: self.count as u32 % 2, ..Fields::default() };
        let written = self.respell(&path);
        let kind = self.random.below(16);
        let (fields, written, target, data) = match kind {
            0..=4 => (fields, written, String::new(), format!("#!{}{}", self.count, "x".repeat(self.count % 600))),
            5..=8 => (Fields { kind: b'5', ..fields }, format!("{written}/"), String::new(), String::new()),
            9 | 10 => (Fields { kind: b'2', ..fields }, written, self.target(), String::new()),
            11 => {
                let target = if self.files.is_empty() { path.clone() } else { self.random.pick(&self.files).clone() };
                (Fields { kind: b'1', ..fields }, written, self.respell(&target), String::new())
            }
            // Without device numbers, the second is a character device 0/0.
            12 => {
                let kind = *self.random.pick(b"63");
                (Fields { kind, ..fields }, written, String::new(), String::new())
            }
            13 | 14 => {
                // A name that the layer itself has made cannot be removed, which is a case, too.
                if self.is_made(&path) && self.random.below(12) > 0 {
                    return archive;
                }
                self.made.push(path.clone());
                let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
                (fields, format!("{directory}/.wh.{name}"), String::new(), String::new())
            }
            _ => {
                let directory = self.random.pick(&self.directories).clone();
                (fields, format!("{directory}/.wh..wh..opq"), String::new(), String::new())
            }
        };
        self.remember(kind, path);
        self.write(archive, fields, &written, &target, data.as_bytes())
    }

    /// A layer in which every name comes after its directories and keeps its type, and every hard link has its file.
    fn ordered_layer(&mut self) -> Archive {
        let mut archive = Archive::default();
        let mut put: BTreeMap<String, usize> = BTreeMap::new();
        let mut owners = BTreeMap::new();
        let mut removed = BTreeSet::new();
        for _ in 0..3 + self.random.below(8) {
            self.count += 1;
            let depth = 1 + self.random.below(3);
            let names: Vec<&str> = (0..depth).map(|_| *self.random.pick(&["a", "b", "c"])).collect();
            let (path, above) = (names.join("/"), names[..depth - 1].join("/"));
            let kind = *self.random.pick(&[0, 0, 0, DIRECTORY, DIRECTORY, LINK, HARD_LINK, PIPE, WHITEOUT, OPAQUE]);
            let class = if kind == HARD_LINK { 0 } else { kind };
            let parents: Vec<String> = (1..depth).map(|depth| names[..depth].join("/")).collect();
            let blocked = parents.iter().any(|parent| put.get(parent).is_some_and(|class| *class != DIRECTORY));
            if blocked || kind < WHITEOUT && put.get(&path).is_some_and(|before| *before != class) {
                continue;
            }
            // Container runtimes fail to remove what the layer has made, and do not hide what it makes again.
            let below = format!("{path}/");
            let is_made = put.keys().any(|made| *made == path || made.starts_with(&below));
            let is_removed = removed.contains(&path) || parents.iter().any(|parent| removed.contains(parent));
            let is_root_opaque = kind == OPAQUE && above.is_empty();
            let is_avoided = self.is_portable || self.random.below(8) > 0;
            if is_avoided && (kind == WHITEOUT && is_made || is_removed || is_root_opaque) {
                continue;
            }
            if kind == WHITEOUT {
                removed.insert(path.clone());
            }
            for parent in parents {
                if !put.contains_key(&parent) || self.random.below(9) == 0 {
                    archive = self.directory(archive, &parent);
                    put.insert(parent, DIRECTORY);
                }
            }
            let mode = *self.random.pick(&[0o755, 0o644, 0o700]);
            let mut fields = Fields { mode, user: self.count as u32 % 3, ..Fields::default() };
            let (kind_byte, name, target, data) = match kind {
                DIRECTORY => (b'5', path.clone(), String::new(), String::new()),
                LINK => (b'2', path.clone(), self.target(), String::new()),
                PIPE => (b'6', path.clone(), String::new(), String::new()),
                WHITEOUT => (b'0', format!("{above}/.wh.{}", names[depth - 1]), String::new(), String::new()),
                OPAQUE => (b'0', format!("{above}/.wh..wh..opq"), String::new(), String::new()),
                HARD_LINK => {
                    let files: Vec<&String> = put
                        .iter()
                        .filter(|(file, class)| **class == 0 && **file != path)
                        .map(|(file, _)| file)
                        .collect();
                    if files.is_empty() {
                        continue;
                    }
                    let target = self.random.pick(&files).to_string();
                    (fields.mode, fields.user) = owners[&target];
                    (b'1', path.clone(), target, String::new())
                }
                _ => (b'0', path.clone(), String::new(), format!("#!{}", self.count)),
            };
            archive = self.write(archive, Fields { kind: kind_byte, ..fields }, &name, &target, data.as_bytes());
            if kind < WHITEOUT {
                owners.insert(path.clone(), (fields.mode, fields.user));
                put.insert(path.clone(), class);
                self.remember([0, 5, 9, 11, 12][kind], path);
            }
        }
        archive
    }

    fn directory(&mut self, archive: Archive, path: &str) -> Archive {
        let mode = *self.random.pick(&[0o755, 0o700]);
        let fields = Fields { kind: b'5', mode, ..Fields::default() };
        self.write(archive, fields, path, "", b"")
    }

    fn remember(&mut self, kind: usize, path: String) {
        // Removed names are mostly not used again; both implementations refuse the rest, which is a case too.
        if self.random.below(20) > 0 {
            let below = format!("{path}/");
            let stays = (5..=8).contains(&kind);
            self.directories.retain(|directory| stays || *directory != path && !directory.starts_with(&below));
            self.files.retain(|file| *file != path && (stays || !file.starts_with(&below)));
        }
        match kind {
            0..=4 => self.files.push(path.clone()),
            5..=8 => self.directories.push(path.clone()),
            // Sometimes a path leads through a link.
            9 | 10 if self.random.below(3) == 0 => self.directories.push(path.clone()),
            _ => {}
        }
        if kind <= 12 {
            self.made.push(path.clone());
            self.names.push(path);
        }
    }

    /// Writes an entry in a random dialect; long names only in one that supports them.
    fn write(&mut self, archive: Archive, fields: Fields<'_>, name: &str, target: &str, data: &[u8]) -> Archive {
        let is_long = name.len().max(target.len()) > 99;
        match self.random.below(if is_long { 2 } else { 4 }) {
            0 => archive.pax(&[("path", name.as_bytes()), ("linkpath", target.as_bytes())]).entry(b"cut", fields, data),
            1 => {
                let gnu = |kind| Fields { kind, magic: GNU, ..Fields::default() };
                let archive = archive.entry(b"././@LongLink", gnu(b'L'), format!("{name}\0").as_bytes());
                let archive = archive.entry(b"././@LongLink", gnu(b'K'), format!("{target}\0").as_bytes());
                archive.entry(b"cut", Fields { magic: GNU, ..fields }, data)
            }
            _ => archive.entry(name.as_bytes(), Fields { target: target.as_bytes(), ..fields }, data),
        }
    }
}

/// The layers of an image, from the bottom up. One image in three has arbitrary layers, one has ordered layers as image
/// builders write them, and one has both.
pub fn layers(seed: u64) -> Vec<Vec<u8>> {
    generate(seed, false)
}

/// The layers of an image that umoci unpacks like container runtimes: ordered layers that do not remove what they make.
/// umoci applies each layer to the merged ones below: it follows their links when a directory has no entry, and finds
/// their files as targets of hard links.
pub fn portable_layers(seed: u64) -> Vec<Vec<u8>> {
    generate(seed, true)
}

fn generate(seed: u64, is_portable: bool) -> Vec<Vec<u8>> {
    let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut generator = Generator {
        random,
        is_portable,
        directories: vec![String::new(), "d".into()],
        names: Vec::new(),
        files: Vec::new(),
        made: Vec::new(),
        count: 0,
    };
    let layer = |_| {
        generator.made.clear();
        if is_portable || seed % 3 == 1 || seed % 3 == 2 && generator.random.below(2) == 0 {
            return generator.ordered_layer().end();
        }
        // Hard links to files of lower layers cannot be unpacked, but are a case, too.
        if generator.random.below(4) > 0 {
            generator.files.clear();
        }
        let entries = 2 + generator.random.below(8);
        (0..entries).fold(Archive::default(), |archive, _| generator.entry(archive)).end()
    };
    (0..2 + seed % 4).map(layer).collect()
}
