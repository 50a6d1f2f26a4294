#!/usr/bin/env bash
# Builds the image of Containerfile with buildah and tries it as its own user: a backfill, `serve`, the
# health check, an orderly end. No registry is asked: in place of its two bases stands a Debian made by
# debootstrap, with a `cargo` that hands over a program which is built already. Needs root, buildah,
# debootstrap, Debian's mirror and PyPI; says that it was skipped where buildah is not to be had.
#
# PROGRAM  the program that the image gets [target/release/celaje]
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v buildah >/dev/null || { echo 'skipped: buildah is missing'; exit 0; }
program=$(realpath "${PROGRAM:-target/release/celaje}")
suite=bookworm
base=$PWD/target/packaging/$suite
test=$(mktemp -d -p "$(mkdir -p target/packaging && realpath target/packaging)")
# A storage of its own: the machine's images stay as they are.
export BUILDAH_ISOLATION=chroot
buildah=(buildah --storage-driver vfs --root "$test/images" --runroot "$test/run")
children=()
# What still runs could write into the folder while it is removed.
trap '[ ${#children[@]} -eq 0 ] || { kill "${children[@]}" 2>/dev/null || true; wait; }; rm -rf "$test"' EXIT
fail() { echo "failed: $*" >&2; exit 1; }

[ -d "$base/usr" ] || debootstrap --variant=minbase --include=ca-certificates,systemd "$suite" "$base"

# stand_in NAME FOLDER: an image of that name from what lies in FOLDER.
stand_in() {
  local container folder
  container=$("${buildah[@]}" from "$2")
  folder=$("${buildah[@]}" mount "$container")
  [ "$2" != scratch ] || cp -a "$base/." "$folder/"
  # The machine's own authorities, for a mirror that has a certificate of its own.
  cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/machine.crt"
  printf '[global]\ncert = /etc/machine.crt\n' >"$folder/etc/pip.conf"
  printf '#!/bin/sh\nexec install -D -m 755 /program/celaje target/release/celaje\n' >"$folder/usr/local/bin/cargo"
  chmod 755 "$folder/usr/local/bin/cargo"
  "${buildah[@]}" umount "$container" >/dev/null
  "${buildah[@]}" commit -q --rm "$container" "$1" >/dev/null
}
slim=docker.io/library/debian:bookworm-slim
stand_in $slim scratch
"${buildah[@]}" tag $slim "$(sed -n 's/^FROM \(docker.io[^ ]*rust[^ ]*\) AS build$/\1/p' Containerfile)"

mkdir "$test/program" "$test/data"
cp "$program" "$test/program/celaje"
start=$SECONDS
"${buildah[@]}" bud --format docker --pull-never -v "$test/program:/program:ro" -t celaje . >"$test/log" 2>&1 ||
  { tail -n 30 "$test/log"; fail 'the image is not built'; }
echo "image built in $((SECONDS - start)) s"

container=$("${buildah[@]}" from --pull-never localhost/celaje)
added=$(($(du -s --block-size=1000 "$("${buildah[@]}" mount "$container")" | cut -f 1) - $(du -s --block-size=1000 "$base" | cut -f 1)))
echo "beside its Debian: $((added / 1000)) MB"
described() { "${buildah[@]}" inspect --type image --format "{{.Docker.Config.$1}}" localhost/celaje; }
[ "$(described User)" = 10001 ] || fail 'it runs as root'

# Its user, a folder of the machine, and nothing else that it may write. buildah's own volume would lie over a
# folder that is mounted at /data.
chown 10001:10001 "$test/data"
inside() { "${buildah[@]}" run -v "$test/data:/mnt" --workingdir /mnt "$container" -- "$@"; }
inside celaje --lang en --version >"$test/log"
grep -q 'ONNX Runtime: 1' "$test/log" || { cat "$test/log"; fail 'ONNX Runtime is not found'; }
! inside touch /usr/local/bin/celaje 2>/dev/null || fail 'its user may write the program'

"$program" simulate --port 8197 --from 2024-01-01 --to 2024-01-02 --log off >/dev/null &
children+=($!)
listens() { for _ in $(seq 60); do (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 1; done; fail "nothing listens at $1"; }
listens 8197
inside celaje backfill --url-base http://127.0.0.1:8197/ --from 2024-01-01 --to 2024-01-01 >"$test/log" 2>&1 || { cat "$test/log"; fail backfill; }
grep -q 'total=144 | nuevos=144 | duplicados=0 | fallidos=0' "$test/log" || { cat "$test/log"; fail 'backfill: 144 readings'; }
[ -s "$test/data/registros-octas.db" ] || fail 'the record is not in the folder that was mounted'
echo 'backfill: 144 readings in the folder that was mounted'

mapfile -t health < <("${buildah[@]}" inspect --type image localhost/celaje |
  python3 -c 'import json, sys; print(*json.load(sys.stdin)["Docker"]["config"]["Healthcheck"]["Test"][1:], sep="\n")')
! inside "${health[@]}" 2>/dev/null || fail 'the health check finds a program that does not run'
inside celaje serve --read-only --listen 127.0.0.1:8080 >"$test/log" 2>&1 &
served=$!
listens 8080
inside "${health[@]}" || { cat "$test/log"; fail 'the health check'; }
pkill -TERM -u 10001 -x celaje || fail 'serve does not run'
wait $served || { cat "$test/log"; fail 'serve does not end in order'; }
echo 'serve: the health check sees it, and that it is gone; it ends in order'
echo passed
