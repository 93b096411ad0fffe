#!/bin/sh
# Builds the command-line tool for one target, and packs it with its licenses.
#
#   packaging/build-cli.sh TARGET DIRECTORY
#
# TARGET is a Rust target, for example x86_64-unknown-linux-musl. Targets of macOS need a Mac. All others are linked by
# Zig: `pip install --requirement packaging/requirements.txt`. PROFILE is Cargo's profile, by default `release`.
set -eu
target=$1
mkdir -p "$2"
directory=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
. packaging/environment.sh

case $target in
  *-apple-*) build=build ;;
  *) build=zigbuild ;;
esac
rustup target add "$target" 2>/dev/null || { echo "error: rustup has no target $target" >&2 && exit 1; }
cargo "$build" --locked --profile "$PROFILE" --target "$target" --bin ecr-preflight

built=$CARGO_TARGET_DIR/$target/$PROFILE_DIRECTORY
case $target in
  *-windows-*) archive=ecr-preflight-$target.zip program=ecr-preflight.exe ;;
  *) archive=ecr-preflight-$target.tar.gz program=ecr-preflight ;;
esac
python3 packaging/archive.py "$directory/$archive" "$built/$program" README.md LICENSE-APACHE LICENSE-MIT
echo "$directory/$archive"
