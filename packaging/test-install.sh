#!/bin/sh
# Installs a release as a new user would, checks images with it, and checks that a damaged release is refused.
#
#   packaging/test-install.sh DIRECTORY
#
# Needs Debian and root with runc, umoci, shellcheck, ruby, rubocop, and qemu-user-static for the builds for the other
# architecture.
set -eu
release=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. packaging/environment.sh
layout=$CARGO_TARGET_DIR/release-image
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

step() { printf '%s\n' "- $1"; }
fail() { echo "error: $1" >&2 && exit 1; }
# Runs a command that must end with an exit code and print a text.
expect() {
  code=0
  expected=$1 text=$2
  shift 2
  "$@" >"$work/output" 2>&1 || code=$?
  [ "$code" = "$expected" ] && grep -qF "$text" "$work/output" && return
  cat "$work/output"
  fail "\`$*\` ended with exit code $code, not $expected, or did not print \`$text\`"
}

step "the checksums of the release are right"
(cd "$release" && sha256sum --check --strict --quiet SHA256SUMS)
[ "$(find "$release" -type f | wc -l)" = "$(($(wc -l <"$release/SHA256SUMS") + 1))" ] || fail "a file has no checksum"

step "the scripts pass shellcheck"
shellcheck --external-sources packaging/*.sh "$release/install.sh"

step "an unprivileged user installs it, and checks images"
cp -r "$release" "$work/release"
chmod -R a+rX "$work/release"
home=$work/home
mkdir "$home" && chown 65534:65534 "$home"
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups env --ignore-environment HOME="$home" "$@"; }
# A path without spaces or other programs than those of a minimal Debian.
path=PATH=/usr/bin:/bin
expect 0 "Installed ecr-preflight $VERSION" as_user "$path" sh "$work/release/install.sh" --from "$work/release"
expect 0 "is not in PATH" as_user "$path" sh "$work/release/install.sh" --from "$work/release" --version "v$VERSION"
program=$home/.local/bin/ecr-preflight
cp -r events/images "$work/images"
chmod -R a+rX "$work/images"
expect 0 "will start on ECS on arm64" as_user "$program" check "oci:$work/images:11.4.0" --runtime ecs/arm64
expect 1 "will not start on ECS on amd64" as_user "$program" check "oci:$work/images:11.4.0" --runtime ecs/amd64
expect 0 "" "$program" completions bash
expect 0 "" "$program" man --dir "$work/man"

step "the schemas are those of the repository"
for schema in schema/*.schema.json; do
  sed "s|https://github.com/[^/]*/|https://github.com/OWNER/|" "$release/$(basename "$schema")" | cmp -s - "$schema" ||
    fail "$schema differs, or is missing"
done

step "it is installed again, with a space in the name of the directory"
expect 0 "Installed" as_user "$path" sh "$work/release/install.sh" --from "$work/release" --to "$home/my programs"
expect 0 "ecr-preflight $VERSION" "$home/my programs/ecr-preflight" --version
[ "$(ls -A "$home/my programs")" = ecr-preflight ] || fail "a temporary file is left behind"

step "it is downloaded by its version, and by the name of the latest"
mkdir "$work/bin"
# Replaces curl: takes the files of the release from the directory, if the address is right.
cat >"$work/bin/curl" <<'CURL'
#!/bin/sh
for argument; do address=$argument; [ "${previous:-}" = --output ] && output=$argument; previous=$argument; done
case $address in "$ADDRESS"/*) cp "$RELEASE/${address##*/}" "$output" ;; *) echo "not found: $address" >&2; exit 22 ;; esac
CURL
chmod 755 "$work/bin/curl"
download() {
  address=$1
  shift
  as_user "PATH=$work/bin:/usr/bin:/bin" RELEASE="$work/release" ADDRESS="https://github.com/$address" \
    ECR_PREFLIGHT_REPOSITORY=someone/fork sh "$work/release/install.sh" --to "$home/downloaded" "$@"
}
expect 0 "Installed" download "someone/fork/releases/latest/download"
expect 0 "Installed" download "someone/fork/releases/download/v$VERSION" --version "$VERSION"
expect 1 "cannot download" download "someone/fork/releases/download/v$VERSION" --version 9.9.9

step "what is damaged or wrong is refused, and nothing is installed"
machine=$(uname -m)
archive=ecr-preflight-$machine-unknown-linux-musl.tar.gz
refused() {
  message=$1
  shift
  expect 1 "$message" as_user "$path" sh "$work/release/install.sh" --to "$home/refused" "$@"
  [ ! -e "$home/refused" ] || fail "something was installed"
}
damaged() { rm -rf "$work/damaged" && cp -r "$work/release" "$work/damaged"; }
damaged && printf x >>"$work/damaged/$archive"
refused "wrong checksum" --from "$work/damaged"
damaged && sed -i "/ $archive\$/d" "$work/damaged/SHA256SUMS"
refused "no checksum" --from "$work/damaged"
damaged && rm "$work/damaged/$archive"
refused "has no $archive" --from "$work/damaged"
refused "not version 9.9.9" --from "$work/release" --version 9.9.9
refused "not a version" --version ../../../other
refused "unknown option" --prefix /usr
refused "needs a value" --from

step "cargo binstall would find an archive for each target"
python3 - "$release" <<'PYTHON'
import sys, tarfile, tomllib, zipfile
from pathlib import Path

package = tomllib.loads(Path("Cargo.toml").read_text())["package"]
settings = package["metadata"]["binstall"]
for file in sorted(Path(sys.argv[1]).glob("ecr-preflight-*-*-*")):
    if file.suffix not in (".gz", ".zip"):
        continue
    target = file.name.removeprefix("ecr-preflight-").removesuffix(".tar.gz").removesuffix(".zip")
    own = settings | settings.get("overrides", {}).get(target, {})
    suffix = {"tgz": ".tar.gz", "zip": ".zip"}[own["pkg-fmt"]]
    values = {"version": package["version"], "target": target, "archive-suffix": suffix}
    address = own["pkg-url"]
    for name, value in values.items():
        address = address.replace("{ %s }" % name, value)
    assert address.endswith(f"/releases/download/v{package['version']}/{file.name}"), address
    names = zipfile.ZipFile(file).namelist() if suffix == ".zip" else tarfile.open(file).getnames()
    extension = ".exe" if "windows" in target else ""
    assert own["bin-dir"].replace("{ bin }", "ecr-preflight").replace("{ binary-ext }", extension) in names, names
PYTHON

step "the builds for Linux start, also those for another architecture"
for file in "$release"/ecr-preflight-*-unknown-linux-musl.tar.gz; do
  other=${file##*/ecr-preflight-} && other=${other%%-*}
  mkdir "$work/$other" && tar -xzf "$file" -C "$work/$other"
  case $other in x86_64) architecture=amd64 ;; *) architecture=arm64 ;; esac
  expect 0 "has the right architecture" "$program" binary "$work/$other/ecr-preflight" --runtime "linux/$architecture"
  # env runs a program directly.
  if [ "$other" = "$machine" ]; then run="env"; else run="qemu-$other-static"; fi
  expect 0 "ecr-preflight $VERSION" "$run" "$work/$other/ecr-preflight" --version
  expect 1 "will not start on App Runner" "$run" "$work/$other/ecr-preflight" check oci:events/images:11.4.0 --runtime apprunner
done

step "the container image will start, as the program itself finds"
set --
for file in "$release"/ecr-preflight-*-unknown-linux-musl.tar.gz; do
  case $file in *x86_64*) set -- "$@" --runtime linux/amd64 ;; *) set -- "$@" --runtime linux/arm64 ;; esac
done
expect 0 "will start on" "$program" check "oci-archive:$release/ecr-preflight-image.oci.tar" "$@"
expect 0 "will start on" "$program" check "oci:$layout:$VERSION" "$@"

step "runc runs the container image"
# umoci does not choose from an index by platform.
cp -r "$layout" "$work/own"
python3 - "$work/own" "$machine" <<'PYTHON'
import json, sys
from pathlib import Path
layout, machine = Path(sys.argv[1]), sys.argv[2]
index = json.loads((layout / "index.json").read_text())
blob = layout / "blobs" / index["manifests"][0]["digest"].replace(":", "/")
architecture = {"x86_64": "amd64", "aarch64": "arm64"}[machine]
(own,) = [one for one in json.loads(blob.read_text())["manifests"] if one["platform"]["architecture"] == architecture]
index["manifests"] = [own | {"annotations": {"org.opencontainers.image.ref.name": "own"}}]
(layout / "index.json").write_text(json.dumps(index))
PYTHON
umoci unpack --image "$work/own:own" "$work/bundle" >"$work/output" 2>&1 || { cat "$work/output" && exit 1; }
run_image() {
  python3 - "$work/bundle/config.json" "$work/images" "$@" <<'PYTHON'
import json, sys
file, images, *arguments = sys.argv[1:]
config = json.load(open(file))
process = config["process"]
process["terminal"] = False
process["args"] = process["args"][:1] + arguments
config["mounts"] = [mount for mount in config["mounts"] if mount["destination"] != "/images"] + [
    {"destination": "/images", "type": "bind", "source": images, "options": ["bind", "ro"]}
]
assert process["user"]["uid"] == process["user"]["gid"] == 65532, process["user"]
assert process["args"][0] == "/ecr-preflight", process["args"]
json.dump(config, open(file, "w"))
PYTHON
  runc run --bundle "$work/bundle" "ecr-preflight-test-$$" </dev/null
}
expect 0 "ecr-preflight $VERSION" run_image --version
expect 1 "exec format error" run_image check oci:/images:11.4.0 --runtime ecs/amd64
cmp -s /etc/ssl/certs/ca-certificates.crt "$work/bundle/rootfs/etc/ssl/certs/ca-certificates.crt" ||
  fail "the image lacks the CA certificates"

step "the Homebrew formula is valid Ruby, without a placeholder"
ruby -c "$release/ecr-preflight.rb" >/dev/null
! grep -n '@' "$release/ecr-preflight.rb" || fail "a placeholder is left"
rubocop --config packaging/rubocop.yml "$release/ecr-preflight.rb" >"$work/output" || { cat "$work/output" && exit 1; }

step "the bills of materials list the crates"
python3 - "$release" <<'PYTHON'
import json, sys
from pathlib import Path
for name, has, has_not in [
    ("ecr-preflight", "clap", None),
    ("ecr-preflight-lambda", "lambda_runtime", "aws-sdk-ecs"),
    ("ecr-preflight-consumers", "aws-sdk-ecs", "clap"),
]:
    bill = json.loads((Path(sys.argv[1]) / f"{name}.cdx.json").read_text())
    crates = {component["name"] for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX" and has in crates and has_not not in crates and len(crates) > 50, name
    assert str(Path.cwd()) not in json.dumps(bill), "a path of this machine"
PYTHON

step "the packaged template passes cfn-lint, and the Terraform module fits it"
cfn-lint "$release/ecr-preflight.cfn.yaml" packaging/organization.yaml
"$CARGO_TARGET_DIR/release-venv/bin/python" packaging/terraform/check.py "$release/ecr-preflight.cfn.yaml"

echo "all installed"
