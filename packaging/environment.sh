# shellcheck shell=sh disable=SC2034
# Variables that the scripts of this directory share. They run in the root of the repository.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
export PATH="$CARGO_TARGET_DIR/release-venv/bin:$PATH"
# The time of all files in archives: the same commit gives the same archives.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
PROFILE=${PROFILE:-release}
# Cargo writes the profile `dev` to this directory.
case $PROFILE in
  dev) PROFILE_DIRECTORY=debug ;;
  *) PROFILE_DIRECTORY=$PROFILE ;;
esac
VERSION=$(awk -F '"' '/^version = / { print $2; exit }' Cargo.toml)
