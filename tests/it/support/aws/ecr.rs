//! The actions of Amazon ECR that this program uses, on repositories filled from image layouts.

use std::collections::BTreeMap;
use std::fs;

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::super::layout::Builder;
use super::ACCOUNT;

/// The default time of a push, in seconds since 1970.
const PUSHED: i64 = 1_790_000_000;

/// The code of an API error.
pub type Refusal = &'static str;

/// One repository.
#[derive(Debug, Default)]
pub struct Repository {
    pub tags: BTreeMap<String, String>,
    pub resource_tags: BTreeMap<String, String>,
    pub immutable: bool,
    /// When images were pushed, in seconds since 1970, by digest.
    pub pushed: BTreeMap<String, i64>,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Repository {
    /// A repository with everything that a layout holds.
    pub fn new(layout: &Builder) -> Self {
        let mut repository = Self::default();
        for entry in fs::read_dir(layout.path().join("blobs/sha256")).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            repository.blobs.insert(Digest::of(&bytes).to_string(), bytes);
        }
        let index: Value = serde_json::from_slice(&fs::read(layout.path().join("index.json")).unwrap()).unwrap();
        for listed in index["manifests"].as_array().unwrap() {
            let tag = text(&listed["annotations"]["org.opencontainers.image.ref.name"]);
            repository.tags.insert(tag, text(&listed["digest"]));
        }
        repository
    }

    /// A repository with this many different indexes of one platform, tagged `v0`, `v1` and so on; the last is the
    /// newest.
    pub fn of_indexes(count: usize, architecture: &str) -> Self {
        let mut repository = Self::default();
        for number in 0..count {
            let child = json!({"mediaType": super::super::layout::OCI_MANIFEST, "size": 500,
                "digest": format!("sha256:{}", "0".repeat(64)), "platform": {"os": "linux", "architecture": architecture}});
            let index = json!({"schemaVersion": 2, "mediaType": super::super::layout::OCI_INDEX, "manifests": [child],
                "annotations": {"number": number.to_string()}});
            let bytes = index.to_string().into_bytes();
            let digest = Digest::of(&bytes).to_string();
            repository.pushed.insert(digest.clone(), PUSHED + i64::try_from(number).unwrap());
            repository.tags.insert(format!("v{number}"), digest.clone());
            repository.blobs.insert(digest, bytes);
        }
        repository
    }

    pub fn blob(&self, digest: &str) -> Option<&[u8]> {
        self.blobs.get(digest).map(Vec::as_slice)
    }

    /// A manifest, and its media type.
    fn manifest(&self, digest: &str) -> Option<(&str, String)> {
        let manifest = std::str::from_utf8(self.blob(digest)?).ok()?;
        let document: Value = serde_json::from_str(manifest).ok()?;
        document.get("schemaVersion")?;
        let named = document["mediaType"].as_str().map(str::to_owned);
        Some((manifest, named.unwrap_or_else(|| super::super::layout::OCI_MANIFEST.to_owned())))
    }

    fn batch_get_image(&self, body: &Value) -> Value {
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in body["imageIds"].as_array().into_iter().flatten() {
            let tagged = id["imageTag"].as_str().map(|tag| self.tags.get(tag).map(String::as_str));
            let digest = match (id["imageDigest"].as_str(), tagged) {
                (Some(digest), None) | (None, Some(Some(digest))) => Ok(digest),
                (Some(digest), Some(Some(tagged))) if digest == tagged => Ok(digest),
                (Some(_), Some(Some(_))) => Err("ImageTagDoesNotMatchDigest"),
                (_, Some(None)) => Err("ImageNotFound"),
                (None, None) => Err("MissingDigestAndTag"),
            };
            let found = digest.and_then(|digest| Ok((digest, self.manifest(digest).ok_or("ImageNotFound")?)));
            match found {
                Ok((digest, (manifest, media_type))) => {
                    let mut id = id.clone();
                    id["imageDigest"] = digest.into();
                    images.push(json!({"registryId": ACCOUNT, "imageId": id, "imageManifest": manifest,
                        "imageManifestMediaType": media_type}));
                }
                Err(code) => {
                    failures.push(json!({"imageId": id, "failureCode": code, "failureReason": "service message"}))
                }
            }
        }
        json!({"images": images, "failures": failures})
    }

    fn list_images(&self, body: &Value, page_size: usize) -> Result<Value, Refusal> {
        assert_eq!(body["filter"]["tagStatus"], "TAGGED", "untagged images are not kept here");
        let all: Vec<(&String, &String)> = self.tags.iter().collect();
        let (page, next) = page(&all, body, page_size)?;
        let ids: Vec<Value> =
            page.iter().map(|(tag, digest)| json!({"imageTag": tag, "imageDigest": digest})).collect();
        Ok(json!({"imageIds": ids, "nextToken": next}))
    }

    fn describe_images(&self, body: &Value, page_size: usize) -> Result<Value, Refusal> {
        assert_eq!(body["filter"]["tagStatus"], "TAGGED", "untagged images are not kept here");
        let mut images: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        self.tags.iter().for_each(|(tag, digest)| images.entry(digest).or_default().push(tag));
        let all: Vec<_> = images.into_iter().collect();
        let (page, next) = page(&all, body, page_size)?;
        let detail = |(digest, tags): &(&String, Vec<&String>)| {
            let (manifest, media_type) = self.manifest(digest).expect("what is tagged is there");
            let document: Value = serde_json::from_str(manifest).unwrap();
            json!({"registryId": ACCOUNT, "repositoryName": body["repositoryName"], "imageDigest": digest,
                "imageTags": tags, "imagePushedAt": self.pushed.get(*digest).unwrap_or(&PUSHED),
                "imageManifestMediaType": media_type, "artifactMediaType": document["config"]["mediaType"]})
        };
        Ok(json!({"imageDetails": page.iter().map(detail).collect::<Vec<_>>(), "nextToken": next}))
    }

    fn put_image(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (manifest, tag) = (text(&body["imageManifest"]), text(&body["imageTag"]));
        let digest = Digest::of(manifest.as_bytes()).to_string();
        if body["imageDigest"].as_str().is_some_and(|guard| guard != digest) {
            return Err("ImageDigestDoesNotMatchException");
        }
        match self.tags.get(&tag) {
            Some(tagged) if *tagged == digest => return Err("ImageAlreadyExistsException"),
            Some(_) if self.immutable => return Err("ImageTagAlreadyExistsException"),
            _ => self.tags.insert(tag, digest.clone()),
        };
        self.blobs.insert(digest.clone(), manifest.into_bytes());
        Ok(json!({"image": {"imageId": {"imageDigest": digest, "imageTag": body["imageTag"]}}}))
    }
}

/// Answers an API call; `address` is the host of download URLs.
pub fn answer(
    repositories: &mut BTreeMap<String, Repository>,
    action: &str,
    body: &Value,
    address: &str,
    page_size: usize,
) -> Result<Value, Refusal> {
    if action == "DescribeRepositories" {
        return describe(repositories, body, page_size);
    }
    let arn = text(&body["resourceArn"]);
    let name =
        arn.split_once(":repository/").map_or_else(|| text(&body["repositoryName"]), |(_, name)| name.to_owned());
    if arn.is_empty() && body["registryId"] != ACCOUNT {
        return Err("RepositoryNotFoundException");
    }
    let repository = repositories.get_mut(&name).ok_or("RepositoryNotFoundException")?;
    match action {
        "BatchGetImage" => Ok(repository.batch_get_image(body)),
        "ListTagsForResource" => {
            let tags = repository.resource_tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
            Ok(json!({"tags": tags.collect::<Vec<_>>()}))
        }
        "GetDownloadUrlForLayer" => {
            let digest = text(&body["layerDigest"]);
            repository.blob(&digest).ok_or("LayersNotFoundException")?;
            let url =
                format!("http://{address}/blob/{name}/{digest}?X-Amz-Expires=3600&X-Amz-Signature={}", super::SECRET);
            Ok(json!({"downloadUrl": url, "layerDigest": digest}))
        }
        "PutImage" => repository.put_image(body),
        "ListImages" => repository.list_images(body, page_size),
        "DescribeImages" => repository.describe_images(body, page_size),
        "TagResource" => {
            for tag in body["tags"].as_array().into_iter().flatten() {
                repository.resource_tags.insert(text(&tag["Key"]), text(&tag["Value"]));
            }
            // At most 50 tags: "Add tags to a repository" in the user guide.
            if repository.resource_tags.len() > 50 { Err("TooManyTagsException") } else { Ok(json!({})) }
        }
        "UntagResource" => {
            let keys: Vec<String> = body["tagKeys"].as_array().into_iter().flatten().map(text).collect();
            repository.resource_tags.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        }
        _ => Err("UnknownOperationException"),
    }
}

/// Lists all repositories of the account, or those with these names.
fn describe(repositories: &BTreeMap<String, Repository>, body: &Value, page_size: usize) -> Result<Value, Refusal> {
    if body.get("registryId").is_some_and(|registry| registry != ACCOUNT) {
        return Err("RepositoryNotFoundException");
    }
    let asked = body["repositoryNames"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> = asked.iter().map(text).collect();
    if names.iter().any(|name| !repositories.contains_key(name)) {
        return Err("RepositoryNotFoundException");
    }
    if names.is_empty() {
        names = repositories.keys().cloned().collect();
    }
    let (page, next) = page(&names, body, page_size)?;
    let described = |name: &String| {
        let arn = format!("arn:aws:ecr:us-west-2:{ACCOUNT}:repository/{name}");
        let uri = format!("{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/{name}");
        json!({"registryId": ACCOUNT, "repositoryName": name, "repositoryArn": arn, "repositoryUri": uri})
    };
    Ok(json!({"repositories": page.iter().map(described).collect::<Vec<_>>(), "nextToken": next}))
}

/// One page, and where the next begins. Pages are small whatever the caller allows, as the API may make them.
fn page<'a, T>(all: &'a [T], body: &Value, page_size: usize) -> Result<(&'a [T], Option<String>), Refusal> {
    let most = body["maxResults"].as_u64().unwrap_or(100);
    if !(1..=1000).contains(&most) {
        return Err("InvalidParameterException");
    }
    let from = body["nextToken"].as_str().map_or(Ok(0), str::parse::<usize>);
    let from = from.map_err(|_| "InvalidParameterException")?.min(all.len());
    let end = all.len().min(from + page_size.min(usize::try_from(most).unwrap()));
    Ok((&all[from..end], (end < all.len()).then(|| end.to_string())))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
