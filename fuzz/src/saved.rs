//! Archives of images, as `docker save` and skopeo write them: any file may be taken for one.
//!
//! Does not look into the images' layers.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use ecr_preflight::name::Selector;
use ecr_preflight::registry::archive::ImageArchive;
use ecr_preflight::registry::{Lookup, Registry, RegistryError};

use super::plain::assert_line;
use super::tar_builder::{Archive as Builder, Fields};

thread_local! {
    /// One file for each thread, written anew for each input.
    static FILE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// The input as a file, or, where it begins with `+`, as the documents of an archive: a name in each first line, the rest
/// of it until a line `%%` being its contents.
pub fn saved(input: &[u8]) {
    let bytes = input.strip_prefix(b"+").map_or_else(|| input.to_vec(), made);
    FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(|| {
            let name = format!("saved-{}-{:?}.tar", std::process::id(), std::thread::current().id());
            std::env::temp_dir().join(name)
        });
        fs::write(&*file, &bytes).expect("a temporary file is written");
        for open in [ImageArchive::open_oci, ImageArchive::open_docker] {
            look(open(file), file);
        }
    });
}

fn made(input: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(input);
    let mut archive = Builder::default();
    for document in text.split("\n%%\n") {
        let (name, contents) = document.split_once('\n').unwrap_or((document, ""));
        let name = &name.as_bytes()[..name.len().min(99)];
        archive = archive.entry(name, Fields::default(), contents.as_bytes());
    }
    archive.end()
}

fn look(opened: Result<ImageArchive, RegistryError>, file: &Path) {
    let archive = match opened {
        Ok(archive) => archive,
        Err(error) => return complaint(&error, file),
    };
    assert!(!archive.index().is_empty() || archive.index().sole_image().is_none());
    let selectors = archive.index().tags().filter_map(|tag| tag.parse().ok()).map(Selector::Tag);
    for selector in selectors.chain(archive.index().sole_image()).take(4) {
        let answers = super::documents::wait(archive.fetch_manifests(std::slice::from_ref(&selector)));
        match answers.as_deref() {
            Ok([Lookup::Found(manifest)]) => assert!(manifest.bytes.len() <= 4 * 1024 * 1024),
            Ok(answers) => assert_eq!(answers.len(), 1),
            Err(error) => complaint(error, file),
        }
    }
}

/// What an error says, with all its sources, names the file and can be shown.
fn complaint(error: &RegistryError, file: &Path) {
    let mut source = Some(error as &dyn std::error::Error);
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
    while let Some(error) = source {
        assert_line(&error.to_string());
        source = error.source();
    }
}
