#!/bin/sh
# Completes a release: adds to a directory with archives and zips what is made from them.
#
#   packaging/assemble.sh DIRECTORY
#
# REPOSITORY is the repository on GitHub, for example OWNER/ecr-preflight. CERTIFICATES is a file with CA certificates for
# the container image, by default Debian's.
set -eu
directory=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. packaging/environment.sh
REPOSITORY=${REPOSITORY:-OWNER/ecr-preflight}
# In the workflow of a release, the tag is the version.
case ${GITHUB_REF_TYPE:-}:${GITHUB_REF_NAME:-} in
  tag:v"$VERSION" | branch:* | :*) ;;
  *) echo "error: the tag is $GITHUB_REF_NAME, but Cargo.toml has version $VERSION" >&2 && exit 1 ;;
esac

# The container image: one for each static build of Linux.
layout=$CARGO_TARGET_DIR/release-image
set -- "$directory"/ecr-preflight-*-unknown-linux-musl.tar.gz
python3 packaging/image.py "$layout" "$VERSION" "$(git rev-parse HEAD)" \
  "${CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}" "$@"
(cd "$layout" && find . -type f | LC_ALL=C sort | sed 's|^\./\(.*\)|\1=\1|' |
  xargs python3 "$OLDPWD/packaging/archive.py" "$directory/ecr-preflight-image.oci.tar")

python3 packaging/template.py "$directory/ecr-preflight.cfn.yaml"
packaging/sbom.sh cli "$directory/ecr-preflight.cdx.json"
packaging/sbom.sh lambda "$directory/ecr-preflight-lambda.cdx.json"
packaging/sbom.sh consumers "$directory/ecr-preflight-consumers.cdx.json"
sed "s|OWNER/ecr-preflight|$REPOSITORY|" packaging/install.sh >"$directory/install.sh"
# The schemas of the JSON output, with the address from which the release serves them.
for schema in schema/*.schema.json; do
  sed "s|OWNER/ecr-preflight|$REPOSITORY|" "$schema" >"$directory/$(basename "$schema")"
done

sums() { (cd "$directory" && find . -type f ! -name SHA256SUMS | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum); }
sums >"$CARGO_TARGET_DIR/release-sums"
python3 packaging/formula.py packaging/formula.rb "$REPOSITORY" "$VERSION" "$CARGO_TARGET_DIR/release-sums" \
  >"$directory/ecr-preflight.rb"
sums >"$directory/SHA256SUMS"
cat "$directory/SHA256SUMS"
