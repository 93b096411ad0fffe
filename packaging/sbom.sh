#!/bin/sh
# Writes the bill of materials of the command-line tool or of one of the functions, in the format CycloneDX.
#
#   packaging/sbom.sh cli|lambda|consumers FILE
#
# The first argument is the feature that the program needs. The bill lists the crates of the builds for all platforms. Installs cargo-cyclonedx below the target directory, if it is
# missing.
set -eu
mkdir -p "$(dirname "$2")"
file=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$(dirname "$0")/.."
. packaging/environment.sh

tool=$CARGO_TARGET_DIR/release-cargo
[ -x "$tool/bin/cargo-cyclonedx" ] ||
  cargo install --quiet --locked --debug --root "$tool" cargo-cyclonedx@0.5.9
# It writes next to Cargo.toml. Without the tests' dependency of this package on itself, which enables all features.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$PWD"/src "$PWD"/tests "$PWD"/build.rs "$work"
cp Cargo.lock "$work"
grep -v '^ecr-preflight = { path = "."' Cargo.toml >"$work/Cargo.toml"
"$tool/bin/cargo-cyclonedx" cyclonedx --manifest-path "$work/Cargo.toml" --quiet --format json --spec-version 1.5 --all \
  --target all --no-default-features --features "$1" --override-filename bill
# Without the directory in the names of this package.
sed -e "s|path+file://$work#|ecr-preflight#|g" -e 's|?download_url=file://\.||g' "$work/bill.json" >"$file"
