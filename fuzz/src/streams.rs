//! Layers as streams of any bytes: what is read of one does not hang on how its bytes arrive, and no bound is passed.
//!
//! Does not make sound archives; see `archive` and `stack` for these.

use std::io::{self, Read};
use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{LayerChangeset, LayerError, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::settings::{LayerLimits, LimitExceeded};

use super::draw::Draw;

/// Bytes that arrive in pieces of lengths drawn from themselves, now and then interrupted.
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    state: u64,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(rest: &'a [u8], seed: u64) -> Self {
        Self { rest, state: seed | 1 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let length = match self.state >> 60 {
            0 => return Err(io::ErrorKind::Interrupted.into()),
            1..=4 => 1,
            5..=9 => 7,
            10..=12 => 512,
            _ => 5000,
        };
        let length = length.min(self.rest.len()).min(buffer.len());
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest = &self.rest[length..];
        Ok(length)
    }
}

/// Bounds that small inputs meet, drawn from a few bytes.
fn limits(draw: &mut Draw<'_>) -> LayerLimits {
    LayerLimits {
        bytes: draw.of(&[1 << 18, 1 << 20, 4096, 0]),
        ratio: draw.of(&[1000, 20, 3]),
        ratio_from: draw.of(&[1 << 18, 1 << 12, 0]),
        window: draw.of(&[1 << 20, 1 << 16, 1 << 10]),
        entries: draw.of(&[500, 20, 2, 0]),
        total_entries: draw.of(&[500, 20, 2, 0]),
        path: draw.of(&[4095, 200, 20]),
        depth: draw.of(&[256, 10, 1]),
        memory: draw.of(&[1 << 20, 1 << 14, 1 << 8]),
        record: draw.of(&[1 << 16, 1 << 11, 100]),
    }
}

/// Eleven bytes choose the bounds and how the stream is cut; the rest is the layer.
pub fn layer(input: &[u8]) {
    let mut draw = Draw(input);
    let limits = limits(&mut draw);
    let seed = u64::from(draw.byte()) << 8;
    let stream = draw.0;
    let digest = Digest::of(stream);
    let whole = layers::read_layer(stream, &digest, &limits);
    let pieces = layers::read_layer(Pieces::new(stream, seed), &digest, &limits);
    match (&whole, &pieces) {
        // How much has arrived when a bound is looked at hangs on the pieces.
        (Err(LayerError::LimitExceeded(LimitExceeded::Ratio(_))), _)
        | (_, Err(LayerError::LimitExceeded(LimitExceeded::Ratio(_)))) => {}
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        _ => panic!("{whole:?} as a whole, {pieces:?} in pieces"),
    }
    let wrong = Digest::of(b"something else");
    if wrong != digest {
        let read = layers::read_layer(stream, &wrong, &limits);
        assert!(matches!(read, Err(LayerError::DigestMismatch(_) | LayerError::LimitExceeded(_))), "{read:?}");
    }
    match whole {
        Ok(names) => check(names, &limits, stream.len() as u64),
        Err(error) => {
            let complaint = error.to_string();
            assert!(!matches!(error, LayerError::Transfer(_) | LayerError::DigestMismatch(_)), "{complaint}");
            assert!(complaint.chars().count() < 300, "{complaint}");
        }
    }
}

/// Nothing that is kept is more than the bounds allow.
fn check(names: LayerChangeset, limits: &LayerLimits, stored: u64) {
    assert!(names.memory_size <= limits.memory, "{} of {} bytes are kept", names.memory_size, limits.memory);
    assert!(names.decompressed_bytes.max(stored) <= limits.bytes);
    let mut stack = LayerStack::new();
    if stack.push(Arc::new(names), limits).and_then(|()| stack.complete(limits)).is_ok() {
        let rootfs = stack.to_rootfs();
        let (mut count, mut bytes) = (0, 0);
        for (path, _) in rootfs.descendants(b"") {
            assert!(!path.starts_with(b"/") && !path.ends_with(b"/"));
            let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
            assert!(path.split(|byte| *byte == b'/').all(is_name), "{}", path.escape_ascii());
            count += 1;
            bytes += path.len();
        }
        assert!(count <= limits.total_entries && bytes <= limits.memory, "{count} names, {bytes} bytes");
    }
}
