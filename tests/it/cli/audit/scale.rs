//! Audits of large registries: memory grows by a few bytes per image.

#![allow(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::io::Read;
use std::time::Instant;

use super::Fixture;

/// Audits this many images, a thousand per repository, by their manifests alone; returns the peak memory in KiB.
fn peak(images: usize) -> u64 {
    let fixture = Fixture::new();
    fixture.aws.set_page_size(1000);
    fixture.aws.discard_requests();
    for number in 0..images.div_ceil(1000) {
        let name = format!("team/app-{number}");
        fixture.aws.push_indexes(&name, images.min(1000), "arm64");
        fixture.aws.tag_resource(&name, "intended-runtime", if number % 10 == 0 { "apprunner" } else { "ecs/arm64" });
    }
    let began = Instant::now();
    let mut command = fixture.command(&["--all", "--results", "DIR/x.jsonl"]);
    let mut running = command.spawn().unwrap();
    // The output is several megabytes, more than a pipe holds.
    let (mut out, mut printed) = (running.stdout.take().unwrap(), String::new());
    let status = format!("/proc/{}/status", running.id());
    let mut most = 0;
    let reading = std::thread::spawn(move || out.read_to_string(&mut printed).map(|_| printed));
    while running.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(peak.unwrap_or_default());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let printed = reading.join().unwrap().unwrap();
    let text = std::fs::metadata(fixture.path("x.jsonl")).unwrap().len();
    let summary: Vec<&str> = printed.lines().rev().take(3).collect();
    println!(
        "{images} images: peak {most} KiB, {:.1} s, file {text} bytes: {}",
        began.elapsed().as_secs_f64(),
        summary.join(" | ")
    );
    assert_eq!(fixture.lines("x.jsonl").len(), images);
    most
}

#[test]
fn audit_memory_does_not_grow_with_images() {
    let (few, many) = (peak(100), peak(1000));
    assert!(many < few + 12 * 1024, "{few} KiB for 100 images, {many} KiB for 1000");
}

#[test]
#[ignore = "takes minutes"]
fn audit_memory_is_below_100_bytes_per_image() {
    let (few, many, most) = (peak(100), peak(10_000), peak(100_000));
    assert!(many < few + 16 * 1024, "{few} KiB for 100 images, {many} KiB for 10000");
    assert!(most < many + 90_000 * 100 / 1024, "{many} KiB for 10000 images, {most} KiB for 100000");
}

#[test]
#[ignore = "takes a minute"]
fn call_rate_adapts_to_ten_calls_per_second() {
    let fixture = Fixture::new();
    fixture.aws.set_page_size(1000);
    fixture.aws.push_indexes("team/app", 300, "arm64");
    fixture.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    fixture.aws.throttle("BatchGetImage", 10.0);
    let began = Instant::now();
    let output = fixture.output(&["--all", "--results", "DIR/x.jsonl"]);
    let calls = fixture.aws.calls_of("BatchGetImage");
    let refused = calls.iter().filter(|call| call.status == Some(400)).count();
    let (took, all) = (began.elapsed().as_secs_f64(), calls.len());
    println!("{took:.1} s, {all} calls, {refused} of them throttled\n{}", fixture.format_output(&output));
    assert_eq!((output.status.code(), fixture.lines("x.jsonl").len()), (Some(0), 300));
}
