//! A fake registry on this machine: pulling and listing with the OCI distribution API and every way to authenticate,
//! over real HTTP. It keeps every request and fails on demand.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::aws::http::{End, Reply, Request};
use super::layout::{Builder, OCI_MANIFEST};

/// Its only repository.
pub const REPOSITORY: &str = "team/app";
/// `me:0SECRET0`, encoded as in RFC 7617.
pub const BASIC: &str = "bWU6MFNFQ1JFVDA=";
pub const IDENTITY: &str = "0IDENTITY0";

/// The authentication that it requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    None,
    Basic,
    /// A token, which the token service gives to everybody.
    AnonymousToken,
    /// A token, which the token service gives to `me`.
    UserToken,
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    Status(u16, &'static str),
    /// 429 with this `Retry-After`.
    RateLimited(&'static str),
    Truncated,
    Corrupted,
    Blanks(usize),
    /// A redirect to this URL with the digest appended; `AT` is the registry.
    Redirected(String),
    /// 401 with a challenge, as for an expired token.
    Expired,
    Challenge(&'static str),
}

#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    auth: Auth,
    blobs: BTreeMap<String, Vec<u8>>,
    tags: BTreeMap<String, String>,
    /// Faults of the first requests of a kind.
    faults: Mutex<Vec<(String, usize, Fault)>>,
    requests: Mutex<Vec<Request>>,
}

impl Registry {
    /// Serves the contents of a layout as one repository.
    pub fn new(layout: &Builder, auth: Auth) -> Self {
        let files = fs::read_dir(layout.path().join("blobs/sha256")).unwrap();
        let blobs = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        let blobs = blobs.map(|bytes| (Digest::of(&bytes).to_string(), bytes)).collect();
        let index: Value = serde_json::from_slice(&fs::read(layout.path().join("index.json")).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let named = |tag_list: &Value| {
            (text(&tag_list["annotations"]["org.opencontainers.image.ref.name"]), text(&tag_list["digest"]))
        };
        let tags = index["manifests"].as_array().unwrap().iter().map(named).collect();
        let state = State { auth, blobs, tags, faults: Mutex::default(), requests: Mutex::default() };
        let state = Arc::new(state);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (state, connection) = (Arc::clone(&served), connection.unwrap());
                std::thread::spawn(move || state.serve(&connection, address));
            }
        });
        Self { address, state }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Makes the first `times` requests fail that are of a kind, `manifests`, `blobs`, `token` or `storage`, or for a
    /// digest.
    pub fn fault(&self, of: &str, times: usize, fault: Fault) {
        self.state.faults.lock().unwrap().push((of.to_owned(), times, fault));
    }

    /// The requests of a kind.
    pub fn requests(&self, wanted: &str) -> Vec<Request> {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().filter(|request| kind(&request.target) == wanted).cloned().collect()
    }
}

impl State {
    fn serve(&self, mut connection: &TcpStream, address: SocketAddr) {
        connection.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(connection);
        while let Ok(Some(request)) = Request::read(&mut reader) {
            self.requests.lock().unwrap().push(request.clone());
            let mut reply = self.reply(&request, address);
            if request.method == "HEAD" {
                reply.cut = Some(0);
            }
            if !matches!(reply.send(&mut connection), Ok(End::Kept)) {
                return;
            }
        }
    }

    fn reply(&self, request: &Request, at: SocketAddr) -> Reply {
        let fault = {
            let mut faults = self.faults.lock().unwrap();
            let is_for =
                |of: &str| of == kind(&request.target) || request.target.contains(of) && of.contains("sha256:");
            let blob_or_manifest = faults.iter_mut().find(|(of, times, _)| is_for(of) && *times > 0);
            blob_or_manifest.map(|(_, times, fault)| {
                *times -= 1;
                fault.clone()
            })
        };
        let last = request.target.split('?').next().unwrap().rsplit('/').next().unwrap();
        match fault {
            Some(Fault::Status(status, body)) => return Reply::new(status, body),
            Some(Fault::RateLimited(pause)) => return error(429, "TOOMANYREQUESTS").with("retry-after", pause),
            Some(Fault::Expired) => return self.challenge(at),
            Some(Fault::Challenge(challenge)) => return Reply::new(401, "").with("www-authenticate", challenge),
            Some(Fault::Blanks(bytes)) => return Reply::new(200, vec![b' '; bytes]),
            Some(Fault::Redirected(to)) => {
                return Reply::new(307, "").with("location", to.replace("AT", &at.to_string()) + last + "?X=0SIGNED0");
            }
            Some(Fault::Truncated | Fault::Corrupted) | None => {}
        }
        let mut reply = match kind(&request.target) {
            "token" => self.token(request),
            // As in S3, a signed URL accepts no other signature.
            "storage" if request.header("authorization").is_some() => Reply::new(400, ""),
            "storage" => self.blobs.get(last).map_or_else(|| Reply::new(404, ""), |blob| Reply::new(200, blob.clone())),
            _ if !self.is_authorized(request) => self.challenge(at),
            kind @ ("manifests" | "blobs") if request.target.starts_with(&format!("/v2/{REPOSITORY}/")) => {
                self.blob_or_manifest(kind, last)
            }
            "tags" if request.target.starts_with(&format!("/v2/{REPOSITORY}/")) => self.tag_list(&request.target),
            _ => error(404, "NAME_UNKNOWN"),
        };
        match fault {
            Some(Fault::Truncated) => reply.cut = Some(reply.body.len() / 2),
            Some(_) => {
                let middle = reply.body.len() / 2;
                reply.body[middle] ^= 1;
            }
            None => {}
        }
        reply
    }

    fn blob_or_manifest(&self, kind: &str, reference: &str) -> Reply {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        match self.blobs.get(digest) {
            Some(blob) if kind == "manifests" => {
                let document: Value = serde_json::from_slice(blob).unwrap();
                let media_type = document["mediaType"].as_str().unwrap_or(OCI_MANIFEST).to_owned();
                Reply::new(200, blob.clone()).with("content-type", media_type).with("docker-content-digest", digest)
            }
            Some(blob) => Reply::new(200, blob.clone()),
            None => error(404, if kind == "blobs" { "BLOB_UNKNOWN" } else { "MANIFEST_UNKNOWN" }),
        }
    }

    /// Two tags per page, after the last one of the previous page.
    fn tag_list(&self, target: &str) -> Reply {
        let after = target.split_once("&last=").map_or("", |(_, last)| last);
        let rest: Vec<&String> = self.tags.keys().filter(|tag| tag.as_str() > after).collect();
        let page = &rest[..rest.len().min(2)];
        let reply = Reply::new(200, json!({"name": REPOSITORY, "tags": page}).to_string());
        if page.len() == rest.len() { reply } else { reply.with("link", "</v2/team/app/tags/list>; rel=\"next\"") }
    }

    fn is_authorized(&self, request: &Request) -> bool {
        let signed = request.header("authorization");
        match self.auth {
            Auth::None => signed.is_none(),
            Auth::Basic => signed == Some(&format!("Basic {BASIC}")),
            Auth::AnonymousToken | Auth::UserToken => signed == Some("Bearer 0TOKEN0"),
        }
    }

    fn challenge(&self, at: SocketAddr) -> Reply {
        // More than the client needs, which asks only to pull from this repository.
        let scope = format!("repository:{REPOSITORY}:pull,push repository:other/app:*");
        let challenge = match self.auth {
            Auth::None | Auth::Basic => r#"Basic realm="small""#.to_owned(),
            _ => format!(r#"Bearer realm="http://{at}/token",service="small registry",scope="{scope}""#),
        };
        error(401, "UNAUTHORIZED").with("www-authenticate", challenge)
    }

    /// Token and OAuth2 authentication as the distribution project specifies them.
    fn token(&self, request: &Request) -> Reply {
        let form = String::from_utf8(request.body.clone()).unwrap();
        let query = if request.method == "POST" { &form } else { &request.target };
        let fields: Vec<&str> = query.split_once('?').map_or(query.as_str(), |(_, query)| query).split('&').collect();
        let scopes: Vec<&str> = fields.iter().filter_map(|field| field.strip_prefix("scope=")).collect();
        // The repository of the request, which may not exist, and nothing else.
        let is_for_this = fields.contains(&"service=small%20registry")
            && matches!(scopes.as_slice(), ["repository%3Ateam%2Fapp%3Apull" | "repository%3Ateam%2Fap%3Apull"]);
        let is_me = match request.method.as_str() {
            "POST" => form.contains("grant_type=refresh_token") && form.contains(IDENTITY),
            _ => request.header("authorization") == Some(&format!("Basic {BASIC}")),
        };
        let is_stranger = request.header("authorization").is_none() && form.is_empty();
        if is_for_this && (is_me || is_stranger && self.auth == Auth::AnonymousToken) {
            return Reply::new(
                200,
                json!({"token": "0TOKEN0", "access_token": "0TOKEN0", "expires_in": 60}).to_string(),
            );
        }
        Reply::new(401, r#"{"details":"0SECRET0 is wrong"}"#)
    }
}

fn kind(target: &str) -> &str {
    let path = target.split('?').next().unwrap();
    let first = ["token", "storage"].into_iter().find(|kind| path[1..].starts_with(kind));
    first.or_else(|| path.rsplit('/').nth(1)).unwrap_or_default()
}

fn error(status: u16, code: &str) -> Reply {
    Reply::new(status, json!({"errors": [{"code": code, "message": "service message", "detail": null}]}).to_string())
}
