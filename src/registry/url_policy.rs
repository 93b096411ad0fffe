//! Restricts requests to HTTPS, and plain HTTP on the loopback interface. Names are not resolved.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Returns whether a URL may be requested: over TLS, or on this machine, for an emulator or a local registry.
pub(super) fn is_https_or_loopback(url: &str) -> bool {
    match url.split_once("://") {
        Some(("https", _)) => true,
        Some(("http", rest)) => is_loopback(rest.split(['/', '?', '#']).next().unwrap_or_default()),
        _ => false,
    }
}

/// Returns whether `HOST[:PORT]` is this machine: 127.0.0.0/8, `::1` or `localhost`.
pub(super) fn is_loopback(authority: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit());
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else { return false };
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_port && host.parse::<Ipv6Addr>().is_ok_and(|host| host.is_loopback());
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let is_local = host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|host| host.is_loopback());
    is_local && is_port(port)
}

#[cfg(test)]
mod tests {
    use super::is_https_or_loopback;

    #[test]
    fn only_https_and_loopback_are_allowed() {
        let good = "https://bucket.s3.us-west-2.amazonaws.com/x?y http://127.0.0.1:4566/v2 http://127.8.9.1/v2 \
                    http://localhost/x http://[::1]:5000/x http://[::1]/x";
        for good in good.split(' ') {
            assert!(is_https_or_loopback(good), "{good}");
        }
        for bad in [
            "http://bucket.s3.amazonaws.com/x", "http://127.0.0.1.evil.example/x", "http://127.0.0.1@evil.example/x",
            "http://localhost@evil.example:80/", "http://localhost:80@evil.example/", "http://[::1]@evil.example/",
            "http://[::1].evil.example/", "http://[::2]/", "http://127.0.0.1:80@evil.example", "ftp://127.0.0.1/x",
            "file:///etc/passwd", "",
        ] {
            assert!(!is_https_or_loopback(bad), "{bad}");
        }
    }
}
