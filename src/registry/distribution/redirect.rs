//! Restricts redirects: a public registry must not make a client request private addresses. Names are not resolved, so
//! a name that resolves to a private address is allowed: a company's registry may redirect to it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Returns whether a registry at `from` may redirect to `to`; both are `HOST[:PORT]` or a URL. A public registry may
/// not redirect to a private host, because it could reach services of a build machine or its cloud.
pub(super) fn is_redirect_allowed(from: &str, to: &str) -> bool {
    !is_private_host(url_host(to)) || is_private_host(url_host(from))
}

/// Resolves the `Location` of a redirect against the requested URL: RFC 9110, "Location". `None` if it is missing or
/// relative to the path, which registries do not use.
pub(super) fn resolve_location(from: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or_default();
    if location.contains("://") && !location.starts_with('/') {
        Some(location.to_owned())
    } else if let Some(rest) = location.strip_prefix("//") {
        from.split_once("://").map(|(scheme, _)| format!("{scheme}://{rest}"))
    } else {
        location.starts_with('/').then(|| format!("{}{location}", url_origin(from)))
    }
}

/// Returns the scheme and authority of a URL.
pub(super) fn url_origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Returns the host of a URL: RFC 3986, section 3.2. A backslash ends it too, as browsers read it.
fn url_host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Returns whether a host is private, loopback or link-local, or has a form that may be such an address.
fn is_private_host(host: &str) -> bool {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return is_private_ipv4(address);
    }
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return is_private_ipv6(address);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    // Resolvers accept `2130706433`, `0x7f.1` and `127.1` as addresses, as inet_aton(3) does.
    let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    is_number || host.contains(':') || last == "localhost"
}

/// Sources: RFC 1918 (private), RFC 6598 (shared), RFC 1122 ("this network", loopback) and RFC 3927 (link-local, which
/// includes the metadata services of clouds).
fn is_private_ipv4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || first == 0
        || (first == 100 && second & 0xc0 == 64)
}

/// Sources: RFC 4291 (loopback, unspecified, link-local), RFC 4193 (unique local), and for embedded IPv4 addresses RFC
/// 4291 (mapped) and RFC 6052 (`64:ff9b::/96`).
fn is_private_ipv6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let translated = (segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0]).then(|| {
        let [.., a, b, c, d] = address.octets();
        Ipv4Addr::new(a, b, c, d)
    });
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().or(translated).is_some_and(is_private_ipv4)
}

#[cfg(test)]
mod tests {
    use super::is_redirect_allowed;

    #[test]
    fn public_hosts_are_allowed_and_private_ones_from_private() {
        for (from, to) in [
            ("ghcr.io", "https://pkg-containers.githubusercontent.com/x?y=1"),
            ("public.ecr.aws", "https://d2glxqk2uabbnd.cloudfront.net/x"),
            ("https://registry-1.docker.io", "https://production.cloudflare.docker.com:443/x"),
            ("registry.example:5000", "https://8.8.8.8/x"),
            ("registry.example", "https://[2606:4700::1]/x"),
            ("10.1.2.3:5000", "https://10.1.2.4/x"),
            ("localhost:5000", "http://127.0.0.1:9000/x"),
            ("registry.corp.example", "https://storage.internal/x"),
            ("127.0.0.1:5000", "https://bucket.s3.amazonaws.com/x"),
        ] {
            assert!(is_redirect_allowed(from, to), "{from} {to}");
        }
    }

    #[test]
    fn a_public_registry_cannot_redirect_to_a_private_host() {
        let private = r"
            http://127.0.0.1:4566/x https://localhost/x https://LOCALHOST./x https://a.localhost/x
            https://169.254.169.254/latest/meta-data https://user:pass@169.254.169.254/x
            https://ghcr.io@10.0.0.1/x https://10.0.0.1\@ghcr.io/x https://172.16.0.1:443/x
            https://192.168.1.1/x https://100.64.0.1/x https://0.0.0.0/x https://0/x https://2130706433/x
            https://127.1/x https://0x7f.0.0.0x1/x https://[::1]/x https://[::ffff:10.0.0.1]:443/x
            https://[64:ff9b::a00:1]/x https://[fd00::1]/x https://[fe80::1%25eth0]/x https:///x";
        for to in private.split_whitespace() {
            assert!(!is_redirect_allowed("ghcr.io", to), "{to}");
        }
    }
}
