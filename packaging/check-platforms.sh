#!/bin/sh
# Type-checks the command-line tool for platforms that the machine need not be able to link for. Zig compiles the little C
# code of the cryptography.
set -eu
cd "$(dirname "$0")/.."
. packaging/environment.sh
for target in x86_64-pc-windows-gnu aarch64-apple-darwin x86_64-apple-darwin; do
  rustup target add "$target"
  cargo-zigbuild check --locked --target "$target" --bin ecr-preflight
done
