/work/main/benches/exec/inflate/target/release/deps/inflate-8e5982b91649609b.d: src/main.rs

/work/main/benches/exec/inflate/target/release/deps/inflate-8e5982b91649609b: src/main.rs

src/main.rs:
