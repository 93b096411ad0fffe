#!/bin/sh
# Builds the Lambda functions for one architecture, checks them with their own check, and packs each: the function that
# checks pushes, and the one that knows what runs images.
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
directory=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
. packaging/environment.sh

rustup target add "$target"
# Cargo.toml selects the features and --locked: package.metadata.lambda.build.
for program in bootstrap consumers; do
  case $program in
    bootstrap) archive=$directory/ecr-preflight-lambda-$1.zip ;;
    consumers) archive=$directory/ecr-preflight-consumers-$1.zip ;;
  esac
  cargo lambda build --profile "$PROFILE" --bin "$program" "$flag"
  built=$CARGO_TARGET_DIR/lambda/$program/bootstrap
  cargo run --quiet --locked -- binary "$built" --runtime "lambda/$1"
  python3 packaging/archive.py "$archive" "$built"
  echo "$archive: $(wc -c <"$archive") bytes"
done
# Lambda downloads it before a cold start.
bytes=$(wc -c <"$directory/ecr-preflight-lambda-$1.zip")
[ "$PROFILE" != release ] || [ "$bytes" -le 3000000 ] || {
  echo "error: the function that checks pushes has $bytes bytes, more than 3,000,000" >&2 && exit 1
}
