#!/bin/sh
# Builds the Lambda function for one architecture, checks it with its own check, and packs it.
#
#   packaging/build-function.sh ARCHITECTURE DIRECTORY
#
# ARCHITECTURE is arm64 or x86_64. Needs cargo-lambda: `pip install --requirement packaging/requirements.txt`. PROFILE is
# Cargo's profile, by default `release`.
set -eu
case $1 in
  arm64) flag=--arm64 target=aarch64-unknown-linux-gnu ;;
  x86_64) flag=--x86-64 target=x86_64-unknown-linux-gnu ;;
  *) echo "error: unknown architecture $1; use arm64 or x86_64" >&2 && exit 1 ;;
esac
mkdir -p "$2"
archive=$(cd "$2" && pwd)/ecr-preflight-lambda-$1.zip
cd "$(dirname "$0")/.."
. packaging/environment.sh

rustup target add "$target"
# Cargo.toml selects the features and --locked: package.metadata.lambda.build.
cargo lambda build --profile "$PROFILE" --bin bootstrap "$flag"
cargo run --quiet --locked -- binary "$CARGO_TARGET_DIR/lambda/bootstrap/bootstrap" --runtime "lambda/$1"
python3 packaging/archive.py "$archive" "$CARGO_TARGET_DIR/lambda/bootstrap/bootstrap"
echo "$archive"
