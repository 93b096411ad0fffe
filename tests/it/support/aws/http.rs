//! HTTP/1.1 as the SDK and the Lambda runtime use it: one thread per connection, with keep-alive.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A request of a client.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Reads the next request of a connection; `None` if it was closed.
    pub fn read(connection: &mut BufReader<&TcpStream>) -> io::Result<Option<Self>> {
        let Some(first) = line(connection)? else { return Ok(None) };
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut request = Self { method, target, ..Self::default() };
        while let Some(header) = line(connection)?.filter(|line| !line.is_empty()) {
            let (name, value) = header.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if request.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            while let Some(size) = line(connection)? {
                let size = usize::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                let start = request.body.len();
                request.body.resize(start + size, 0);
                connection.read_exact(&mut request.body[start..])?;
                line(connection)?;
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = request.header("content-length").map_or(Ok(0), str::parse);
            request.body.resize(length.map_err(|_| io::ErrorKind::InvalidData)?, 0);
            connection.read_exact(&mut request.body)?;
        }
        Ok(Some(request))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

fn line(connection: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = connection.read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}

/// A slow body is sent in at most this many pieces.
const PIECES: usize = 4096;

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// How much `Content-Length` exceeds the length of the body.
    pub beyond: isize,
    /// How many bytes of the body are sent before the response ends; all, if `None`.
    pub cut: Option<usize>,
    /// The delay of each piece of the body.
    pub pace: Duration,
    /// What happens to the connection after a truncated response.
    pub end: End,
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It waits for the next request.
    Kept,
    Closed,
    /// The client sees a connection reset.
    Reset,
    /// It stays open without any data until the client closes it.
    Open,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            beyond: 0,
            cut: None,
            pace: Duration::ZERO,
            end: End::Closed,
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends the response and returns what must happen to the connection.
    pub fn send(&self, connection: &mut &TcpStream) -> io::Result<End> {
        let mut bytes = format!("HTTP/1.1 {} .\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        let length = self.body.len().checked_add_signed(self.beyond).ok_or(io::ErrorKind::InvalidInput)?;
        write!(bytes, "content-length: {length}\r\n\r\n")?;
        let body = &self.body[..self.cut.unwrap_or(self.body.len())];
        if self.pace.is_zero() {
            bytes.extend(body);
            connection.write_all(&bytes)?;
        } else {
            connection.write_all(&bytes)?;
            for piece in body.chunks(body.len().div_ceil(PIECES).max(1)) {
                std::thread::sleep(self.pace);
                connection.write_all(piece)?;
            }
        }
        Ok(if self.cut.is_none() && self.beyond == 0 { End::Kept } else { self.end })
    }
}
