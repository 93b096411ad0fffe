//! An image of several layers, unpacked by umoci and read as layer stacks.

use std::path::PathBuf;
use std::sync::Arc;

use ecr_preflight::exec::resolve_working_directory;
use ecr_preflight::layers;
use ecr_preflight::layers::LayerStack;
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{FileTree, Node, User};
use ecr_preflight::settings::LayerLimits;

use super::layer::Layer;
use super::unpack_with_umoci;
use crate::support::layout::Builder;
use crate::support::random::Random;

/// A question about an image, and the expected answer if it is known.
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

/// An image on disk, and what is known about it after each layer from the top; the last stack is complete.
pub struct Unpacked {
    pub image: Image,
    pub stacks: Vec<LayerStack>,
    pub mirrored: LayerStack,
    pub root: PathBuf,
    _builder: Builder,
}

impl Unpacked {
    pub fn complete(&self) -> &LayerStack {
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

/// The image on disk and as layer stacks.
pub fn unpack(image: Image) -> Result<Unpacked, String> {
    let stored = |layers: &[Layer]| {
        let mut random = Random(image.seed + 1);
        layers.iter().map(|layer| layer.stored(&mut random)).collect::<(Vec<_>, Vec<_>)>()
    };
    let (blobs, for_umoci) = stored(&image.layers);
    let mirrored: Vec<Layer> = image.layers.iter().map(Layer::mirrored).collect();
    match (stacks(&blobs), unpack_with_umoci(&for_umoci)) {
        (Ok(stacks), Ok((builder, root))) => {
            let mirrored = self::stacks(&stored(&mirrored).0)?.pop().unwrap();
            Ok(Unpacked { image, stacks, mirrored, root, _builder: builder })
        }
        (ours, theirs) => Err(format!("{}: {:?} by umoci {:?}", image.name, ours.map(drop), theirs.map(drop))),
    }
}

/// The working directory, if it exists; it is not created.
pub fn working_directory_in(stack: &LayerStack, directory: &str) -> Option<Vec<u8>> {
    let place = resolve_working_directory(stack, &[], directory.as_bytes()).ok()?;
    matches!(stack.get(&place), Ok(Some(Node::Directory(_)))).then_some(place)
}
