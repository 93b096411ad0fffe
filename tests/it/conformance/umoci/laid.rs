//! An image of several layers on disk, as umoci lays it out, beside the names that its layers are read as.

use std::path::PathBuf;
use std::sync::Arc;

use ecr_preflight::exec::resolve_working_directory;
use ecr_preflight::layers;
use ecr_preflight::layers::LayerStack;
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{FileTree, Node, User};
use ecr_preflight::settings::LayerLimits;

use super::image::Layer;
use super::laid_out;
use crate::support::layout::Builder;
use crate::support::random::Random;

/// What is asked of an image, and what is known of the answer beforehand.
#[derive(Debug, Clone)]
pub struct Question {
    pub path: String,
    pub directory: String,
    pub user: User,
    pub known: Option<&'static str>,
}

#[derive(Debug)]
pub struct Image {
    pub name: String,
    pub seed: u64,
    pub layers: Vec<Layer>,
    pub questions: Vec<Question>,
}

/// An image on disk, and what is known of it after each layer from the top; in the end, all.
pub struct Laid {
    pub image: Image,
    pub stacks: Vec<LayerStack>,
    pub mirrored: LayerStack,
    pub root: PathBuf,
    _room: Builder,
}

impl Laid {
    pub fn whole(&self) -> &LayerStack {
        &self.stacks[self.stacks.len() - 1]
    }
}

fn stacks(blobs: &[Vec<u8>]) -> Result<Vec<LayerStack>, String> {
    let limits = LayerLimits::default();
    let mut stacks = vec![LayerStack::new()];
    for blob in blobs.iter().rev() {
        let names =
            layers::read_layer(blob.as_slice(), &Digest::of(blob), &limits).map_err(|error| error.to_string())?;
        let mut stack = stacks[stacks.len() - 1].clone();
        stack.push(Arc::new(names), &limits).map_err(|error| error.to_string())?;
        stacks.push(stack);
    }
    let mut stack = stacks[stacks.len() - 1].clone();
    stack.complete(&limits).map_err(|error| error.to_string())?;
    stacks.push(stack);
    Ok(stacks)
}

/// Whether these layers can be laid one over the other.
pub fn is_laid(layers: &[Layer]) -> bool {
    let blobs: Vec<Vec<u8>> = layers.iter().map(|layer| layer.stored(&mut Random(1)).0).collect();
    stacks(&blobs).is_ok()
}

/// The image on disk and as names; nothing, if neither can be had.
pub fn laid(image: Image) -> Result<Option<Laid>, String> {
    let stored = |layers: &[Layer]| {
        let mut random = Random(image.seed + 1);
        layers.iter().map(|layer| layer.stored(&mut random)).collect::<(Vec<_>, Vec<_>)>()
    };
    let (blobs, for_umoci) = stored(&image.layers);
    let mirrored: Vec<Layer> = image.layers.iter().map(Layer::mirrored).collect();
    match (stacks(&blobs), laid_out(&for_umoci)) {
        (Ok(stacks), Ok((room, root))) => {
            let mirrored = self::stacks(&stored(&mirrored).0)?.pop().unwrap();
            Ok(Some(Laid { image, stacks, mirrored, root, _room: room }))
        }
        (Err(_), Err(_)) => Ok(None),
        (ours, theirs) => Err(format!("{}: {:?} by umoci {:?}", image.name, ours.map(drop), theirs.map(drop))),
    }
}

/// The working directory, where there is one; nothing is made here.
pub fn place(stack: &LayerStack, directory: &str) -> Option<Vec<u8>> {
    let place = resolve_working_directory(stack, &[], directory.as_bytes()).ok()?;
    matches!(stack.get(&place), Ok(Some(Node::Directory(_)))).then_some(place)
}
