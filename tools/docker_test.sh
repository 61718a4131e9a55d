#!/bin/sh
# Builds the image of the Dockerfile without Docker, and runs demo and tests in it.
# Usage: tools/docker_test.sh [TARGET [PYTEST ARGUMENTS]]
# Needs root, buildah and debootstrap (apt-get install buildah debootstrap). The base is made by debootstrap, so no
# registry is asked; buildah isolates by chroot, so no kernel feature is needed. docs/containers.md says what that leaves out.
# DEBIAN, SUITE: mirror and release of the base. WORK: a folder for it (default build/docker), kept between runs.
# TWICE=1: build a second time without layers that were kept, and compare the packages byte for byte.
set -eu
cd "$(dirname "$0")/.."
target=${1:-runtime}
[ $# = 0 ] || shift
suite=${SUITE:-bookworm} work=${WORK:-build/docker}
mkdir -p "$work"
work=$(cd "$work" && pwd)
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs TMPDIR="$work"
storage="--root $work/storage --runroot $work/run"
certificates=/etc/ssl/certs/ca-certificates.crt
image=localhost/fpgacnn-$target

if ! buildah $storage inspect --type image localhost/base >/dev/null 2>&1; then
    rm -rf "$work/base"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/base" "${DEBIAN:-http://deb.debian.org/debian}" >"$work/debootstrap.log"
    rm -rf "$work/base/var/cache/apt/archives" "$work/base/var/lib/apt/lists"
    container=$(buildah $storage from scratch)
    buildah $storage copy --quiet "$container" "$work/base" / >/dev/null
    buildah $storage config --cmd /bin/sh --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah $storage commit --quiet --rm "$container" localhost/base >/dev/null
    rm -rf "$work/base"
fi

# The host's certificates, so that a mirror with a certificate of its own is trusted while building.
buildah $storage build --quiet --layers --target "$target" --build-arg BASE=localhost/base \
    --volume "$certificates:$certificates:ro" --tag "$image" . >/dev/null

container=$(buildah $storage from "$image")
trap 'buildah $storage rm "$container" >/dev/null' EXIT
run() { # run COMMAND...: as Docker would run it, in an empty /work
    buildah $storage run --user 10001:10001 --workingdir /work "$container" -- /opt/fpgacnn/tools/docker_entry.sh "$@"
}
inside() { # inside COMMAND...: as root
    buildah $storage run --user 0:0 "$container" -- "$@"
}

locked() { # locked FOLDER COMMAND...: as `docker run --read-only --network none -u 1234` with tmpfs for /tmp and cache, and FOLDER as /work
    root=$(buildah $storage mount "$container")
    unshare --mount --net --pid --fork sh -eu -c '
        root=$1 folder=$2
        shift 2
        mount --make-rprivate /
        mount --bind "$root" "$root"
        mount -o remount,bind,ro "$root"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -t tmpfs -o mode=1777 tmpfs "$root/var/cache/fpgacnn"
        mount --bind "$folder" "$root/work"
        mount -t proc proc "$root/proc"
        mount --bind /dev "$root/dev"
        if touch "$root/opt/written" 2>/dev/null; then echo "the root can be written" >&2; exit 1; fi
        exec chroot --userspec=1234:1234 "$root" /usr/bin/env -i PATH=/opt/fpgacnn/venv/bin:/usr/bin:/bin XDG_CACHE_HOME=/var/cache/fpgacnn \
            sh -c "cd /work && exec /opt/fpgacnn/tools/docker_entry.sh \"\$@\"" sh "$@"
    ' sh "$root" "$@"
    buildah $storage umount "$container" >/dev/null
}

packages() { # packages CONTAINER: the digest of all files of its virtual environment
    buildah $storage run --user 0:0 "$1" -- sh -c 'cd /opt/fpgacnn/venv && find . -type f | LC_ALL=C sort | xargs -d "\n" sha256sum | sha256sum | cut -c1-16'
}

run doctor
run demo
run test "$@"
echo "size of /: $(inside du -sxm / | cut -f1) MB; of the packages: $(inside du -sm /opt/fpgacnn/venv | cut -f1) MB"
echo "written by demo and tests outside /work, /tmp and the cache:"
inside find / -xdev -newer /opt/fpgacnn/venv/pyvenv.cfg -user 10001 -type f -not -path '/work/*' -not -path '/tmp/*' -not -path '/var/cache/fpgacnn/*' -not -path '/proc/*'

echo "with a read-only root, without a network, as another user, on a model in a folder of that user's:"
folder=$(mktemp -d)
cp models/digits/digits.h5 "$folder/model.h5"
chown -R 1234:1234 "$folder"
locked "$folder" convert /work/model.h5 --io stream -o /work/model_hls -q
locked "$folder" verify /work/model_hls
test "$(stat -c %u "$folder/model_hls/fpgacnn.json")" = 1234
rm -rf "$folder"

echo "digest of the packages: $(packages "$container")"
if [ -n "${TWICE:-}" ]; then
    buildah $storage build --quiet --no-cache --target "$target" --build-arg BASE=localhost/base \
        --volume "$certificates:$certificates:ro" --tag "$image-again" . >/dev/null
    again=$(buildah $storage from "$image-again")
    echo "of those of a second build: $(packages "$again")"
    test "$(packages "$container")" = "$(packages "$again")"
    buildah $storage rm "$again" >/dev/null
    buildah $storage rmi "$image-again" >/dev/null
fi
