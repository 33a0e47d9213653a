#!/usr/bin/env bash
# Build both images of deploy/Dockerfile without an engine, and start what is in them: a clean Debian
# root by mmdebstrap stands in for the base image, buildah runs every step of the Dockerfile in a chroot,
# and bubblewrap runs the parts of compose.yaml. As root, on Debian or Ubuntu. About ten minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
for program in mmdebstrap buildah bwrap; do
  command -v $program >/dev/null || { echo "image-check needs $program; apt-get install mmdebstrap buildah bubblewrap"; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "image-check makes roots and changes users: run it as root"; exit 1; }

work=$(mktemp -d)
trap 'buildah rm --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
cat > "$work/storage.conf" <<END
[storage]
driver = "vfs"
graphroot = "$work/store"
runroot = "$work/run"
END
export CONTAINERS_STORAGE_CONF=$work/storage.conf BUILDAH_ISOLATION=chroot

echo "== a clean root: Debian trixie with Python and nothing else"
mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$work/root"
ln -s /usr/bin/python3 "$work/root/usr/local/bin/python"
root=$(buildah from scratch)
buildah copy --quiet "$root" "$work/root" / >/dev/null
buildah commit --quiet "$root" clean-root >/dev/null
rm -rf "$work/root"

# pip goes where this machine's pip goes, by its settings and its certificates.
pip=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
for name in PIP_INDEX_URL PIP_CERT PIP_DEFAULT_TIMEOUT; do
  [ -z "${!name:-}" ] || pip+=(--env "$name=${!name}")
done
roots=()
for target in service night; do
  echo "== $target: every step of deploy/Dockerfile"
  buildah bud --quiet --format docker --layers=false "${pip[@]}" --build-arg BASE=localhost/clean-root \
    --target $target --tag nightshelf-$target --file deploy/Dockerfile . >/dev/null
  made=$(buildah from localhost/nightshelf-$target)
  in_image() { buildah run "$made" -- "$@"; }
  echo "$target: $(in_image id), $(in_image python -V), $(in_image du -sm /opt/nightshelf | cut -f1) MB of packages"
  in_image python -c 'import importlib.util as u; assert not u.find_spec("pip")'
  in_image nightshelf --help >/dev/null
  ln -s "$(buildah mount "$made")" "$work/$target"
  buildah inspect "$made" > "$work/$target.json"
  roots+=("$target=$work/$target")
done

echo "== the parts of compose.yaml in those roots, and a night through all of them"
.venv/bin/python -m tests.deploy.try_images "${roots[@]}"
echo "image-check: both images were built, and every part of compose.yaml that is in them worked"
