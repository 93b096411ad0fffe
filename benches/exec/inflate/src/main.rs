//! `inflate THREADS FILE…`: decompresses gzip files on this number of threads, computes the SHA-256 digests of the files
//! and of their contents, which container runtimes verify, and prints the number of bytes.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().and_then(|text| text.parse().ok()).expect("a number of threads");
    // `Args` cannot be shared between threads.
    let files = Mutex::new(arguments.collect::<Vec<_>>().into_iter());
    let bytes = AtomicU64::new(0);
    let work = || -> io::Result<()> {
        loop {
            let Some(file) = files.lock().expect("no thread panics").next() else { return Ok(()) };
            let mut decoder =
                MultiGzDecoder::new(BufReader::with_capacity(128 * 1024, Hashing(File::open(file)?, Sha256::new())));
            let mut sink = Sink(vec![0; 64 * 1024]);
            bytes.fetch_add(sink.drain(&mut decoder)?, Ordering::Relaxed);
            std::hint::black_box(decoder.into_inner().into_inner().1.finalize());
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    println!("{}", bytes.into_inner());
    Ok(())
}

/// A reader that computes the digest of what it reads.
struct Hashing<R>(R, Sha256);

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        self.1.update(&buffer[..length]);
        Ok(length)
    }
}

/// A buffer of the size that the command-line tool uses.
struct Sink(Vec<u8>);

impl Sink {
    fn drain(&mut self, from: &mut impl Read) -> io::Result<u64> {
        let (mut count, mut digest) = (0, Sha256::new());
        loop {
            match from.read(&mut self.0)? {
                0 => {
                    std::hint::black_box(digest.finalize());
                    return Ok(count);
                }
                length => {
                    digest.update(&self.0[..length]);
                    count += length as u64;
                }
            }
        }
    }
}
