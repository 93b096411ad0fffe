//! HTTP/1.1 as far as the SDK and Lambda's runtime speak it: one thread a connection, kept alive.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a client asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; `None` where it was closed.
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

/// What a client is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// What `Content-Length` says beyond the body's length.
    pub beyond: isize,
    /// How many bytes of the body are sent before the answer breaks off; all, where it does not.
    pub cut: Option<usize>,
    /// How long each byte of the body takes, where that is long.
    pub pace: Duration,
    /// What becomes of the connection, where the answer breaks off.
    pub end: End,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The next request is waited for.
    Kept,
    Closed,
    /// Closed without a farewell: the other side is told that the connection was reset.
    Reset,
    /// Nothing more is sent, until the other side closes it.
    Silent,
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

    /// Sends it; what is to become of the connection.
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
            for byte in body {
                std::thread::sleep(self.pace);
                connection.write_all(&[*byte])?;
            }
        }
        Ok(if self.cut.is_none() && self.beyond == 0 { End::Kept } else { self.end })
    }
}
