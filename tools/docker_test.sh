#!/bin/sh
# Builds the image of the Dockerfile without Docker, and runs demo and tests in it.
# Usage: tools/docker_test.sh [TARGET [PYTEST ARGUMENTS]]
# Needs root, buildah and debootstrap (apt-get install buildah debootstrap). The base is made by debootstrap, so no
# registry is asked; buildah isolates by chroot, so no kernel feature is needed. docs/containers.md says what that leaves out.
# DEBIAN, SUITE: mirror and release of the base. WORK: a folder for it (default build/docker), kept between runs.
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

run doctor
run demo
run test "$@"
echo "size of /: $(inside du -sxm / | cut -f1) MB; of the packages: $(inside du -sm /opt/fpgacnn/venv | cut -f1) MB"
echo "digest of the packages: $(inside sh -c 'cd /opt/fpgacnn/venv && find . -type f | LC_ALL=C sort | xargs -d "\n" sha256sum | sha256sum | cut -c1-16')"
echo "written by demo and tests outside /work, /tmp and the cache:"
inside find / -xdev -newer /opt/fpgacnn/venv/pyvenv.cfg -user 10001 -type f -not -path '/work/*' -not -path '/tmp/*' -not -path '/var/cache/fpgacnn/*' -not -path '/proc/*'
