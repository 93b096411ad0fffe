//! Listing repositories and tags of Amazon ECR, page by page.

use expect_test::expect;
use futures_util::{StreamExt, TryStreamExt};

use aws_sdk_ecr::Client;
use ecr_preflight::aws::default_connector;
use ecr_preflight::name::Repository;
use ecr_preflight::registry::RegistryError;
use ecr_preflight::registry::ecr::listing::{find_repository, list_repositories, list_tags};

use crate::lambda::ARN;
use crate::support::aws::{ACCOUNT, FakeAws, Fault};
use crate::support::layout::Builder;

const NAMES: [&str; 7] = ["a", "b/c", "d", "e", "f", "g", "team/app"];
const REGION: &str = "us-west-2";

fn client(aws: &FakeAws) -> Client {
    crate::lambda::clients(default_connector()).ecr_client(Some(aws.url()))
}

fn error_text(error: &RegistryError) -> String {
    let variant = format!("{error:?}");
    format!("{}: {}\n", variant.split([' ', '{']).next().unwrap(), ecr_preflight::text::error_chain(error))
}

#[tokio::test]
async fn repositories_are_listed_lazily_by_page() {
    let aws = FakeAws::start();
    aws.create_repositories(&NAMES);
    let client = client(&aws);
    let listed: Vec<Repository> = list_repositories(&client, None, REGION).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(Repository::name).collect::<Vec<_>>(), NAMES);
    assert_eq!(listed[6].arn(), ARN);
    // Pages have three entries.
    assert_eq!(aws.calls().len(), 3);
    let three: Vec<_> = list_repositories(&client, Some(ACCOUNT), REGION).take(3).collect().await;
    assert!(three.iter().all(Result::is_ok));
    assert_eq!(aws.calls().len(), 4, "the second page was not needed");
}

#[tokio::test]
async fn listing_ends_with_its_first_error() {
    let aws = FakeAws::start();
    aws.create_repositories(&NAMES);
    let client = client(&aws);
    let mut errors = String::new();
    for fault in [
        Fault::Error(400, "AccessDeniedException"),
        Fault::Error(400, "ThrottlingException"),
        Fault::Error(400, "UnrecognizedClientException"),
        Fault::Body(r#"{"repositories":[{"repositoryArn":"arn:aws:ecr:us-west-2:1:repository/a"}],"nextToken":"0"}"#),
        Fault::Body(r#"{"repositories":[{}]}"#),
    ] {
        let aws = FakeAws::start();
        aws.create_repositories(&NAMES);
        aws.fail("DescribeRepositories", 2.., fault);
        let client = self::client(&aws);
        let mut listed: Vec<_> = list_repositories(&client, None, REGION).collect().await;
        errors += &error_text(&listed.pop().unwrap().unwrap_err());
        assert_eq!(listed.into_iter().filter_map(Result::ok).count(), 3);
    }
    aws.fail("DescribeRepositories", .., Fault::Body(r#"{"repositories":[],"nextToken":"more"}"#));
    let mut listed: Vec<_> = list_repositories(&client, None, REGION).collect().await;
    errors += &error_text(&listed.pop().unwrap().unwrap_err());
    assert!(listed.is_empty());
    expect![[r#"
        Denied: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* was denied: allow the caller this action on this resource: AccessDeniedException: service message
        Failed: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* failed: ThrottlingException: service message
        Failed: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* failed: UnrecognizedClientException: service message
        UnexpectedReply: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* failed: the reply contains an invalid repository: `1` is not a valid account ID: expected 12 digits
        UnexpectedReply: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* failed: the reply contains an invalid repository: `` is not a valid repository ARN: expected `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`
        UnexpectedReply: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* failed: there are more than 1000 pages
    "#]].assert_eq(&errors);
}

#[tokio::test]
async fn repository_name_resolves_to_an_arn() {
    let aws = FakeAws::start();
    aws.create_repositories(&NAMES);
    let client = client(&aws);
    assert_eq!(find_repository(&client, REGION, "team/app").await.unwrap().arn(), ARN);
    let mut errors = error_text(&find_repository(&client, REGION, "team/ap").await.unwrap_err());
    aws.fail("DescribeRepositories", 3.., Fault::Body("{}"));
    errors += &error_text(&find_repository(&client, REGION, "team/app").await.unwrap_err());
    expect![[r#"
        RepositoryNotFound: ecr:DescribeRepositories: arn:aws:ecr:us-west-2:*:repository/team/ap does not exist: RepositoryNotFoundException: service message
        UnexpectedReply: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/team/app failed: the reply does not contain the repository
    "#]].assert_eq(&errors);
}

#[tokio::test]
async fn tag_listing_stops_at_its_page_limit() {
    let aws = FakeAws::start();
    let mut layout = Builder::new();
    let image = layout.image("amd64");
    for tag in ["1", "2", "3", "4", "5", "6", "7"] {
        layout.tag(tag, &image);
    }
    aws.push("team/app", &layout);
    let client = client(&aws);
    let repository = Repository::from_arn(ARN).unwrap();
    assert_eq!(list_tags(&client, &repository, 9).await.unwrap(), ["1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(list_tags(&client, &repository, 2).await.unwrap().len(), 6);
    let other = Repository::new(ACCOUNT, REGION, "team/ap").unwrap();
    let errors = error_text(&list_tags(&client, &other, 2).await.unwrap_err());
    expect![[r#"
        RepositoryNotFound: ecr:ListImages: arn:aws:ecr:us-west-2:123456789012:repository/team/ap does not exist: RepositoryNotFoundException: service message
    "#]].assert_eq(&errors);
}
