//! What an earlier census read is not read again.

use std::sync::Arc;

use ecr_preflight::census::{CacheEntry, Census, CensusCache};
use ecr_preflight::text::error_chain;
use serde_json::json;

use super::large_account;
use super::reader::{Call, Clients, MemoryStore};
use crate::support::aws::account::{Account, CODE_URL, REGISTRY, SECRET_VALUE};

/// Reads an account with a cache; returns what was found, and the calls for what can be cached.
async fn read(account: &Arc<Account>, cache: &CensusCache, store: &MemoryStore) -> (Census, [usize; 2], usize) {
    let clients = Clients::new(account);
    let census = clients.read(cache, store).await;
    assert!(census.not_read.is_empty(), "{:?}", census.not_read);
    let count = |action: &str| clients.calls().iter().filter(|call| call.action == action).count();
    (census, [count("DescribeTaskDefinition"), count("GetFunction")], clients.calls().len())
}

#[tokio::test]
async fn second_census_reads_only_what_may_change() {
    let (account, store) = (Arc::new(large_account()), MemoryStore::default());
    let (cold, read_cold, calls_cold) = read(&account, &CensusCache::default(), &store).await;
    let (warm, read_warm, calls_warm) = read(&account, &store.cache(), &store).await;
    assert_eq!((read_cold, read_warm), ([300, 200], [0, 0]));
    assert!(calls_cold <= 640 && calls_warm <= 140, "{calls_cold} and {calls_warm} calls");
    assert_eq!(cold.consumers, warm.consumers);
    // The second census stores nothing.
    assert_eq!(*store.batches.lock().unwrap(), [25; 20]);
}

#[tokio::test]
async fn interrupted_census_loses_at_most_a_batch() {
    let account = Arc::new(large_account());
    let (expected, _, calls_cold) = read(&account, &CensusCache::default(), &MemoryStore::default()).await;
    for limit in [0, 10, 100, 250, 400, calls_cold - 1] {
        let store = MemoryStore::default();
        let killed = Clients::with_limit(&account, limit);
        killed.read_until_killed(&CensusCache::default(), &store).await;
        let answered = killed.calls()[..limit].to_vec();
        let answered = |action: &str| answered.iter().filter(|call| call.action == action).count();
        let was_read = answered("DescribeTaskDefinition") + answered("GetFunction");
        let stored = store.list().len();
        // The batch, and the calls of both services that were open.
        assert!(stored + 25 + 2 * 8 >= was_read && stored <= was_read, "{limit}: {stored} of {was_read} are stored");
        let (census, [definitions, functions], _) = read(&account, &store.cache(), &store).await;
        assert_eq!(definitions + functions, 500 - stored, "{limit}");
        assert_eq!(census.consumers, expected.consumers, "{limit}");
        assert_eq!(store.list().len(), 500);
    }
}

#[tokio::test]
async fn what_changed_is_read_again() {
    let store = MemoryStore::default();
    let cold = read(&Arc::new(large_account()), &CensusCache::default(), &store).await.0;
    let mut account = large_account();
    let image = format!("{REGISTRY}/team/service-0:v2");
    let fargate = json!({"requiresCompatibilities": ["FARGATE"]});
    let definition = account.add_definition("service-0:2", &image, &json!({}), &fargate);
    account.cluster("cluster-0").1.services[0]["taskDefinition"] = json!(definition);
    // Another image; another tag of the same image; another configuration.
    let (function, code) = &mut account.functions[0];
    function["CodeSha256"] = json!(format!("{:064x}", 9));
    function["RevisionId"] = json!("2");
    code["ImageUri"] = json!(format!("{REGISTRY}/functions:new"));
    code["ResolvedImageUri"] = json!(format!("{REGISTRY}/functions@sha256:{:064x}", 9));
    let (function, code) = &mut account.functions[5];
    function["RevisionId"] = json!("2");
    code["ImageUri"] = json!(format!("{REGISTRY}/functions:moved"));
    account.functions[10].0["Architectures"] = json!(["x86_64"]);
    let clients = Clients::new(&Arc::new(account));
    let warm = clients.read(&store.cache(), &store).await;
    let is_cached = |call: &Call| ["DescribeTaskDefinition", "GetFunction"].contains(&call.action.as_str());
    let mut calls: Vec<_> = clients.calls().into_iter().filter(is_cached).map(|call| call.request).collect();
    calls.sort();
    expect_test::expect![[r#"
        /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A123456789012%3Afunction%3Afunction-0
        /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A123456789012%3Afunction%3Afunction-5
        {"taskDefinition":"arn:aws:ecs:us-west-2:123456789012:task-definition/service-0:2"}"#]]
    .assert_eq(&calls.join("\n"));
    let changed = warm.consumers.iter().filter(|consumer| !cold.consumers.contains(consumer));
    let changed: Vec<String> = changed
        .map(|one| {
            let digest = one.digest.as_ref().map_or("none", |digest| &digest.as_str()[69..]);
            format!("{} {} {digest} {}", one.definition, &one.image[REGISTRY.len()..], one.runtime().unwrap())
        })
        .collect();
    expect_test::expect![[r#"
        service-0:2 /team/service-0:v2 none ecs/amd64
        function-0 /functions:new 09 lambda/arm64
        function-10 /functions:function-10 0a lambda/amd64
        function-5 /functions:moved 05 lambda/arm64"#]]
    .assert_eq(&changed.join("\n"));
}

#[tokio::test]
async fn unreadable_entries_are_read_again() {
    let (account, store) = (Arc::new(large_account()), MemoryStore::default());
    let (cold, ..) = read(&account, &CensusCache::default(), &store).await;
    let change = |(number, entry): (usize, CacheEntry)| match number % 4 {
        0 => CacheEntry { kind: "task-definition/0".to_owned(), ..entry },
        1 => CacheEntry { value: "{}".to_owned(), ..entry },
        2 => CacheEntry { value: entry.value[..entry.value.len() - 1].to_owned(), ..entry },
        _ => entry,
    };
    let cache: CensusCache = store.list().into_iter().enumerate().map(change).collect();
    assert_eq!(cache.len(), 375);
    let (warm, counts, _) = read(&account, &cache, &store).await;
    assert_eq!(counts.iter().sum::<usize>(), 375);
    assert_eq!(cold.consumers, warm.consumers);
}

#[tokio::test]
async fn failing_store_does_not_fail_the_census() {
    let account = Arc::new(large_account());
    let expected = read(&account, &CensusCache::default(), &MemoryStore::default()).await.0;
    for (refused, batches, lost) in [(vec![2], 20, 25), (vec![2, 4, 6, 8, 10], 20, 125), ((5..=20).collect(), 7, 400)] {
        let store = MemoryStore { refused, ..MemoryStore::default() };
        let (census, ..) = read(&account, &CensusCache::default(), &store).await;
        assert_eq!(census.consumers, expected.consumers);
        let not_stored = census.not_stored.unwrap();
        assert_eq!((store.batches.lock().unwrap().len(), not_stored.entries), (batches, lost));
        assert_eq!(store.list().len(), 500 - lost);
        let text = error_chain(&not_stored);
        assert!(text.starts_with(&format!("{lost} entries of the census could not be stored: ")), "{text}");
    }
}

#[tokio::test]
async fn entries_are_small_and_not_confidential() {
    let store = MemoryStore::default();
    read(&Arc::new(large_account()), &CensusCache::default(), &store).await;
    for entry in store.list() {
        let text = format!("{entry:?}");
        for secret in [SECRET_VALUE, CODE_URL, "PRESIGNED", "TOKEN"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        assert!(text.len() < 600, "{} bytes: {text}", text.len());
    }
    let first_and_last = |entries: Vec<CacheEntry>| [entries[0].clone(), entries[499].clone()];
    let shown = first_and_last(store.list()).map(|CacheEntry { kind, key, value }| format!("{kind}\n{key}\n{value}\n"));
    expect_test::expect![[r#"
        function-image/1
        arn:aws:lambda:us-west-2:123456789012:function:function-0
        {"version":{"code_sha256":"0000000000000000000000000000000000000000000000000000000000000000","revision":"1"},"image":"123456789012.dkr.ecr.us-west-2.amazonaws.com/functions:function-0","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}
        task-definition/1
        arn:aws:ecs:us-west-2:123456789012:task-definition/service-9:1
        {"name":"service-9:1","containers":[{"name":"app","image":"123456789012.dkr.ecr.us-west-2.amazonaws.com/team/service-9:v1"}],"cpu_architecture":"ARM64","compatibilities":["FARGATE"]}
    "#]].assert_eq(&shown.concat());
}
