#!/bin/sh
# Installs the command-line tool ecr-preflight from a release on GitHub.
#
#   sh install.sh [--version VERSION] [--to DIRECTORY] [--from DIRECTORY]
#
# The archive is compared with the checksum in the release before it is unpacked. Root is not needed.
set -eu

REPOSITORY=${ECR_PREFLIGHT_REPOSITORY:-OWNER/ecr-preflight}

usage() {
  cat <<'USAGE'
Installs the command-line tool ecr-preflight.

  sh install.sh [--version VERSION] [--to DIRECTORY] [--from DIRECTORY]

  --version VERSION  the release, for example 0.1.0 (default: the latest)
  --to DIRECTORY     where to put the program (default: ~/.local/bin)
  --from DIRECTORY   take the files of the release from a directory; nothing is downloaded
USAGE
}

fail() {
  echo "error: $1" >&2
  exit 1
}

version=latest to="${HOME:-}/.local/bin" from=
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage && exit 0 ;;
    --version | --to | --from) ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  [ -n "${2:-}" ] || fail "$1 needs a value"
  case $1 in
    --version) version=${2#v} ;;
    --to) to=$2 ;;
    --from) from=$2 ;;
  esac
  shift 2
done
# A slash or a dot segment would lead to another address.
case $version in
  latest) ;;
  *[!A-Za-z0-9.+-]* | "" | .*) fail "\`$version\` is not a version; write it like 0.1.0" ;;
esac
case $to in
  /.local/bin) fail "HOME is not set; give a directory with --to" ;;
esac

system=$(uname -s) machine=$(uname -m)
case $system in
  Linux) suffix=unknown-linux-musl ;;
  Darwin) suffix=apple-darwin ;;
  *) fail "a release for $system is not available; docs/install.md shows other ways" ;;
esac
case $machine in
  x86_64 | amd64) target=x86_64-$suffix ;;
  aarch64 | arm64) target=aarch64-$suffix ;;
  *) fail "a release for $machine is not available; docs/install.md shows other ways" ;;
esac
archive=ecr-preflight-$target.tar.gz

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Copies a file of the release to the work directory.
fetch() {
  if [ -n "$from" ]; then
    [ -f "$from/$1" ] || fail "$from has no $1"
    cp "$from/$1" "$work/$1"
    return
  fi
  case $version in
    latest) address=https://github.com/$REPOSITORY/releases/latest/download/$1 ;;
    *) address=https://github.com/$REPOSITORY/releases/download/v$version/$1 ;;
  esac
  if command -v curl >/dev/null; then
    curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --output "$work/$1" "$address" ||
      fail "cannot download $address"
  elif command -v wget >/dev/null; then
    wget --quiet --output-document "$work/$1" "$address" || fail "cannot download $address"
  else
    fail "neither curl nor wget is installed"
  fi
}

fetch SHA256SUMS
fetch "$archive"

expected=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$work/SHA256SUMS")
[ -n "$expected" ] || fail "SHA256SUMS has no checksum of $archive"
if command -v sha256sum >/dev/null; then
  actual=$(sha256sum "$work/$archive")
elif command -v shasum >/dev/null; then
  actual=$(shasum -a 256 "$work/$archive")
else
  fail "neither sha256sum nor shasum is installed, so the download cannot be verified"
fi
actual=${actual%% *}
[ "$actual" = "$expected" ] || fail "wrong checksum of $archive: expected $expected, got $actual; nothing was installed"

tar -xzf "$work/$archive" -C "$work" ecr-preflight
installed=$("$work/ecr-preflight" --version) || fail "the program of this release does not run on this machine"
if [ -n "$from" ] && [ "$version" != latest ]; then
  case $installed in
    "ecr-preflight $version" | "ecr-preflight $version "*) ;;
    *) fail "$from has $installed, not version $version" ;;
  esac
fi
mkdir -p "$to"
# A program that is running can be replaced, but not overwritten.
cp "$work/ecr-preflight" "$to/.ecr-preflight.new"
chmod 755 "$to/.ecr-preflight.new"
mv -f "$to/.ecr-preflight.new" "$to/ecr-preflight"

echo "Verified $archive: SHA-256 $actual"
echo "Installed $installed as $to/ecr-preflight"
case :$PATH: in
  *:"$to":*) ;;
  *) echo "$to is not in PATH. Add it: export PATH=\"$to:\$PATH\"" ;;
esac
