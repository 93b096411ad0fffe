//! Runtimes that image tags declare: lists of tags as build systems write them, and of free text.

use ecr_preflight::intent::Intent;

/// `TAG<tab>RUNTIMES`, or `hint:ARCHITECTURE` for a platform that is only a hint.
const DECLARING: &str = include_str!("declaring_tags.txt");

/// Names of branches, tickets and things that contain a service or an architecture.
const FREE_TEXT: &str = include_str!("free_text_tags.txt");

/// What a tag declares or hints at; empty for free text.
fn meaning(tag: &str) -> String {
    let intent = Intent::from_tag(&tag.parse().unwrap());
    let runtimes = intent.candidates().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if intent.is_declared() { runtimes } else { runtimes.replace("linux/", "hint:") }
}

#[test]
fn tags_of_build_systems_declare_runtimes() {
    assert!(DECLARING.lines().count() >= 150);
    for line in DECLARING.lines() {
        let (tag, expected) = line.split_once('\t').unwrap();
        assert_eq!(meaning(tag), expected, "{tag}");
    }
}

#[test]
fn free_text_declares_nothing() {
    assert!(FREE_TEXT.lines().count() >= 150);
    for tag in FREE_TEXT.lines() {
        assert_eq!(meaning(tag), "", "{tag}");
    }
}
