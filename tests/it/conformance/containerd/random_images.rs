//! Random images: a base as distributions ship it, layers that change it, and configs of every form.

use std::fs;
use std::sync::OnceLock;

use ecr_preflight::rootfs::Permissions;
use serde_json::{Value, json};

use super::image::Image;
use crate::conformance::kernel::tree::OPEN;
use crate::conformance::umoci::layer::{EntryKind, Layer};
use crate::support::elf;
use crate::support::random::Random;

/// Images with the same layers and other configs.
const CONFIGS: u64 = 4;

const DIRECTORIES: [&str; 16] = [
    "bin", "usr/bin", "usr/local/bin", "sbin", "lib", "lib64", "usr/lib", "app", "app/bin", "opt/d", "etc", "srv",
    "home/app", "usr/sbin", "var/task", "tmp",
];
const NAMES: [&str; 9] = ["sh", "env", "go", "app", "node", "python3", "entry.sh", "server", "ld-linux-x86-64.so.2"];

fn busybox() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| fs::read("/bin/busybox").expect("busybox-static is installed"))
}

fn place(random: &mut Random) -> String {
    match random.below(12) {
        0 => random.pick(&DIRECTORIES).to_string(),
        1 => random.pick(&NAMES).to_string(),
        2..=4 => random.pick(&["usr/bin/sh", "bin/sh", "app/run", "usr/local/bin/entry.sh"]).to_string(),
        _ => format!("{}/{}", random.pick(&DIRECTORIES), random.pick(&NAMES)),
    }
}

/// A path as a script, a link or a config names it.
fn path(random: &mut Random) -> String {
    let start = *random.pick(&["/", "/", "/", "/", "/", "/", "", "./", "../", "//", "/app/../", "/bin/./"]);
    format!("{start}{}", place(random))
}

/// The contents of a file at a path. A program that is named like a shell or `env` is one.
fn contents_at(random: &mut Random, path: &str) -> Vec<u8> {
    let bytes = contents(random);
    let is_tool = ["sh", "env"].contains(&path.rsplit('/').next().unwrap_or_default());
    if is_tool && bytes.starts_with(b"\x7fELF") && bytes.get(18) == Some(&62) { busybox().to_vec() } else { bytes }
}

fn contents(random: &mut Random) -> Vec<u8> {
    let interpreters = ["/usr/bin/env sh", "/usr/bin/sh -e", "/bin/bash", "/usr/bin/env python3", "/bin/sh -e"];
    let interpreter = *interpreters.get(random.below(10)).unwrap_or(&"/bin/sh");
    let command = *random
        .pick(&["echo started", "exec \"$@\"", "exec /app/run", "/usr/bin/server", "set -e\nexec node x", "exit 0"]);
    let end = if random.below(12) == 0 { "\r\n" } else { "\n" };
    match random.below(20) {
        0 => elf::program("arm64"),
        1..=2 => elf::printing(Some("/lib64/ld-linux-x86-64.so.2")),
        3 => elf::printing(Some(&format!("/{}", place(random)))),
        4 => b"echo started\n".to_vec(),
        5 => Vec::new(),
        6..=12 => format!("#!{interpreter}{end}{command}\necho started\n").into_bytes(),
        13 => format!("#!{}\n", path(random)).into_bytes(),
        _ => elf::printing(None),
    }
}

fn with_directories(layer: Layer, directories: &[&str]) -> Layer {
    directories.iter().fold(layer, |layer, directory| layer.directory(directory))
}

fn with_users(layer: Layer) -> Layer {
    let users =
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\napp:x:1000:1000::/home/app:/bin/sh\n";
    let groups = "root:x:0:\nnogroup:x:65534:\napp:x:1000:\nstaff:x:50:app\n";
    let closed = Permissions { mode: 0o644, ..OPEN };
    let file = |text: &str| EntryKind::File(text.as_bytes().to_vec());
    layer.directory("etc").with("etc/passwd", closed, file(users)).with("etc/group", closed, file(groups))
}

/// The bottom layers: a distribution, one of few, and programs.
fn base(random: &mut Random) -> Vec<Layer> {
    let directories = ["usr", "usr/bin", "usr/lib", "usr/local", "usr/local/bin", "app", "tmp"];
    let layer = with_users(with_directories(Layer::default(), &directories));
    let distribution = match random.below(8) {
        // Nothing but a program.
        0 => return vec![Layer::default().directory("app").file("app/run", contents(random))],
        // BusyBox with links, as Alpine has it.
        1..=2 => {
            let layer = with_directories(layer, &["bin", "sbin", "lib", "usr/sbin"]).file("bin/busybox", busybox());
            layer.link("bin/sh", "/bin/busybox").link("usr/bin/env", "/bin/busybox").link("bin/cat", "/bin/busybox")
        }
        // BusyBox with hard links.
        3 => {
            let layer = with_directories(layer, &["bin", "lib"]).file("bin/[", busybox());
            layer.hard_link("bin/sh", "bin/[").hard_link("bin/env", "bin/[").link("usr/bin/env", "../../bin/env")
        }
        // A merged /usr, as Debian has it.
        kind => {
            let target = if kind == 7 { "/" } else { "" };
            let merged = ["bin", "sbin", "lib", "lib64"];
            let layer = with_directories(layer, &["usr/sbin", "usr/lib64"]);
            let layer = merged.iter().fold(layer, |layer, name| layer.link(name, &format!("{target}usr/{name}")));
            let layer = layer.file("usr/lib64/ld-linux-x86-64.so.2", elf::printing(None));
            layer.file("usr/bin/busybox", busybox()).link("usr/bin/sh", "busybox").link("usr/bin/env", "busybox")
        }
    };
    let layer = with_directories(Layer::default(), &["app", "usr", "usr/local", "usr/local/bin", "opt"]);
    let layer = layer.file("app/run", contents(random)).file("usr/local/bin/entry.sh", contents(random));
    let programs = if random.below(2) == 0 { layer.link("opt/d", "/app") } else { layer.directory("opt/d") };
    vec![distribution, programs]
}

/// A layer of changes, mostly with the parent directories of each entry, as builders write it.
fn change(random: &mut Random) -> Layer {
    let is_ordered = random.below(4) > 0;
    let mut layer = Layer::default();
    let (mut written, mut files): (Vec<String>, Vec<String>) = Default::default();
    for _ in 0..=random.below(5) {
        let path = place(random);
        if is_ordered {
            let parents = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
            for parent in parents.collect::<Vec<_>>() {
                // In images with a merged /usr, builders write the real directory.
                if !written.contains(&parent) && random.below(10) > 0 {
                    layer = layer.directory(&parent);
                    written.push(parent);
                }
            }
        }
        let what = match random.below(32) {
            0..=15 => EntryKind::File(contents_at(random, &path)),
            16..=18 => EntryKind::Link(self::path(random)),
            19 if random.below(4) == 0 => EntryKind::HardLink(place(random)),
            19..=20 if !files.is_empty() => EntryKind::HardLink(random.pick(&files).clone()),
            21..=24 => EntryKind::Whiteout,
            25 if random.below(2) == 0 => {
                // Of what is a file below, too.
                let path = *random.pick(&["usr/bin/sh", "app/run", "usr/local/bin/entry.sh"]);
                layer = layer.opaque(path);
                written.push(path.to_owned());
                continue;
            }
            25 => EntryKind::Opaque,
            26..=28 => EntryKind::Directory,
            29 => EntryKind::Pipe,
            30 if random.below(3) == 0 => EntryKind::Device,
            _ => continue,
        };
        let owner = match random.below(8) {
            // The file gets the mode, too.
            0..=3 if matches!(what, EntryKind::HardLink(_)) => Permissions { mode: 0o644, ..OPEN },
            0 => Permissions {
                mode: *random.pick(&[0o700, 0o644, 0o711, 0o750, 0o111, 0o4755, 0o1777, 0o555]),
                uid: *random.pick(&[0, 0, 1000]),
                gid: *random.pick(&[0, 0, 1000]),
            },
            _ => OPEN,
        };
        if matches!(what, EntryKind::File(_)) {
            files.push(path.clone());
        }
        layer = layer.with(&path, owner, what);
        written.push(path);
    }
    // What cannot be mounted over.
    if random.below(40) == 0 {
        let name = *random.pick(&["proc", "dev", "sys", "etc", "dev/shm"]);
        layer = match random.below(3) {
            0 => layer.link(name, ["/tmp", "app", "/none"][random.below(3)]),
            1 => layer.file(name, "text"),
            _ => layer.directory(name),
        };
    }
    layer
}

fn config(random: &mut Random, layers: &[Layer]) -> Value {
    let entries: Vec<&String> = layers
        .iter()
        .flat_map(|layer| &layer.0)
        .filter(|(.., what)| matches!(what, EntryKind::File(_) | EntryKind::Link(_) | EntryKind::HardLink(_)))
        .map(|(path, ..)| path)
        .collect();
    let program = |random: &mut Random| match random.below(10) {
        0 => path(random),
        1..=2 => random.pick(&["sh", "env", "go", "node", "python3", "entry.sh", "server"]).to_string(),
        3 => random.pick(&["/bin/sh", "/usr/bin/env", "/usr/bin/sh"]).to_string(),
        _ if entries.is_empty() => "/app/run".to_owned(),
        _ => format!("/{}", random.pick(&entries)),
    };
    let (first, second) = (program(random), program(random));
    let mut config = match random.below(12) {
        0 => json!({"Entrypoint": ["/bin/sh", "-c", first]}),
        1 => json!({"Cmd": ["/bin/sh", "-c", format!("exec {first}")]}),
        2 => json!({"Entrypoint": [first], "Cmd": [second]}),
        3 => json!({"Entrypoint": ["/bin/sh"], "Cmd": [first]}),
        4 => json!({"Entrypoint": ["/usr/bin/env", first]}),
        5 => json!({"Entrypoint": ["/usr/local/bin/entry.sh"], "Cmd": [first]}),
        6..=8 => json!({"Cmd": [first]}),
        _ => json!({"Entrypoint": [first]}),
    };
    if random.below(8) > 0 {
        let paths = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PATH=/app/bin:/usr/bin:/bin",
            "PATH=/bin",
            "PATH=/none",
            "PATH=",
            "PATH=app:/bin",
        ];
        let chosen = random.below(paths.len() + 6);
        config["Env"] = json!([paths.get(chosen).unwrap_or(&paths[0])]);
    }
    if random.below(4) == 0 {
        let users = [
            "app", "1000", "1000:1000", "nobody", "app:app", "root", "0", "ghost", "app:ghost", "4242", "0:50",
            "app:50",
        ];
        config["User"] = json!(random.pick(&users));
    }
    if random.below(4) == 0 {
        let directories =
            ["/", "/app", "/app", "/usr/local/bin", "/made/here", "/opt/d", "app", "/bin/sh", "/home/app", "/bin"];
        config["WorkingDir"] = json!(random.pick(&directories));
    }
    config
}

/// The image of a seed.
pub fn image(seed: u64) -> Image {
    let of = |seed: u64| Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut random = of(seed / CONFIGS);
    let mut layers = base(&mut random);
    for _ in 0..random.below(4) {
        let change = change(&mut random);
        if !change.0.is_empty() {
            layers.push(change);
        }
    }
    let mut random = of(seed ^ 0x5555_0000);
    random.below(2);
    Image {
        name: format!("random {seed}"),
        seed: seed / CONFIGS,
        config: config(&mut random, &layers),
        layers,
        damage: None,
    }
}
