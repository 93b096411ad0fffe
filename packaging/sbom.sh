#!/bin/sh
# Writes the bill of materials of the command-line tool or of the function, in the format CycloneDX.
#
#   packaging/sbom.sh cli|lambda FILE
#
# It lists the crates of all Linux, macOS and Windows builds. Installs cargo-cyclonedx below the target directory, if it
# is missing.
set -eu
mkdir -p "$(dirname "$2")"
file=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$(dirname "$0")/.."
. packaging/environment.sh

tool=$CARGO_TARGET_DIR/release-cargo
[ -x "$tool/bin/cargo-cyclonedx" ] ||
  cargo install --quiet --locked --debug --root "$tool" cargo-cyclonedx@0.5.9
# It writes next to Cargo.toml.
trap 'rm -f .sbom.json' EXIT
"$tool/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --all --target all \
  --no-default-features --features "$1" --override-filename .sbom
mv .sbom.json "$file"
