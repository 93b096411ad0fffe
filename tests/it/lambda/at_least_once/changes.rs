//! What people do to the repository: they push images and delete them.

use ecr_preflight::name::Digest;

use super::fake_ecr::{Event, FakeEcr};

/// Deletes a random image with its tags, if there is one that can be deleted.
pub fn delete_random(ecr: &FakeEcr) -> bool {
    let at = ecr.below(ecr.present.borrow().len());
    let digest: Digest = ecr.present.borrow().iter().nth(at).unwrap().parse().unwrap();
    // ECR does not delete images that an index lists: `ImageReferencedByManifestList`.
    let lists = |index: &str| {
        let index = ecr.images.all.iter().find(|image| image.digest.as_str() == index).unwrap();
        index.children.iter().any(|child| ecr.images.all[*child].digest == digest)
    };
    let is_listed = ecr.present.borrow().iter().any(|index| lists(index));
    if !is_listed {
        ecr.present.borrow_mut().remove(digest.as_str());
        ecr.tags.borrow_mut().retain(|_, tagged| *tagged != digest);
    }
    !is_listed
}

/// Pushes one of these images with one of these tags. Returns the push, and whether the tag was moved; `None` if nothing changed.
pub fn push_random(ecr: &FakeEcr, images: &[usize], tags: &[&str]) -> Option<(Event, bool)> {
    let (image, tag) = (images[ecr.below(images.len())], tags[ecr.below(tags.len())]);
    let image = &ecr.images.all[image];
    for child in &image.children {
        let digest = ecr.images.all[*child].digest.clone();
        ecr.present.borrow_mut().insert(digest.to_string());
        ecr.queue_event(&digest, "");
    }
    let is_new = !ecr.tags.borrow().contains_key(tag);
    let is_moved = ecr.tags.borrow().get(tag).is_some_and(|taken| *taken != image.digest);
    if !ecr.put(&image.digest, tag) {
        return None;
    }
    // Sometimes the event arrives before the tag is visible.
    if is_new && ecr.below(4) == 0 {
        ecr.hidden.borrow_mut().insert(tag.to_owned());
    }
    Some((Event { digest: image.digest.clone(), tag: tag.to_owned() }, is_moved))
}
