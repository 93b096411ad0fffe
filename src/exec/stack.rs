//! STUB
//!
//! Does not
use super::{ApplyError, Bound, Files, LayerNames, Limits, Node, Unknown};
use std::sync::Arc;
#[derive(Debug, Default)]
pub struct Stack {
    layers: Vec<Arc<LayerNames>>,
}
impl Stack {
    pub fn push(&mut self, layer: Arc<LayerNames>, _: &Limits) -> Result<(), Bound> {
        self.layers.push(layer);
        Ok(())
    }
    pub fn complete(&mut self, _: &Limits) -> Result<(), ApplyError> {
        Ok(())
    }
}
impl Files for Stack {
    fn at(&self, path: &[u8]) -> Result<Option<&Node>, Unknown> {
        Err(Unknown::Unread(path.to_vec()))
    }
}
