#!/usr/bin/env bash
# Builds for aarch64 with Debian's own cross toolchain, and runs in an emulated machine (qemu-user) the tests
# of the pure rules (celaje-sky), then `predict`, `backfill` and `serve`. What is emulated is slow: a quick
# profile, and few pictures. Needs root once (apt-get); says that it was skipped where the toolchain is not
# to be had.
#
#   arm64.sh [rules | program]   one of the two
#   arm64.sh package             makes the wheel and the .deb for arm64 (packaging/build.sh) with that toolchain
#
# PROGRAM  a program for aarch64 that is built already
# CELAJE   one for this machine, the other side of the comparison [target/debug/celaje]
set -euo pipefail
cd "$(dirname "$0")/../.."

triple=aarch64-unknown-linux-gnu
tools=$PWD/target/packaging/arm64
skip() { echo "skipped: $*"; exit 0; }

[ "$(uname -m)" = x86_64 ] || skip 'this machine is not x86-64'
command -v apt-get >/dev/null || skip 'no apt-get: the toolchain is Debian'"'"'s'
emulator() { qemu-aarch64-static -L /usr/aarch64-linux-gnu "$@"; }

packages() {
  local missing=()
  command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
  command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
  [ ${#missing[@]} -eq 0 ] || apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Debian's compiler with its library for arm64, unpacked into a folder and not installed: beside it, the
# machine's own toolchain stays what it is. rustc-web follows the browsers' needs and is new enough.
compiler() {
  [ -x "$tools/usr/bin/rustc" ] && return
  dpkg --print-foreign-architectures | grep -qx arm64 || { dpkg --add-architecture arm64 && apt-get update -q >/dev/null; }
  local std llvm
  std=$(apt-cache depends libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9][0-9.]*\).*/\1/p' | head -n 1)
  llvm=$(apt-cache depends "$std" | sed -n 's/.*Depends: \(libllvm[0-9][0-9.]*\).*/\1/p' | head -n 1)
  mkdir -p "$tools/debs"
  (cd "$tools/debs" && apt-get download -q rustc-web "$std" "$llvm" libstd-rust-web-dev libstd-rust-web-dev:arm64 >/dev/null) || return 1
  for deb in "$tools"/debs/*.deb; do dpkg -x "$deb" "$tools"; done
}

# with_toolchain COMMAND…: the command, whose cargo builds with that toolchain.
with_toolchain() {
  env LD_LIBRARY_PATH="$tools/usr/lib/x86_64-linux-gnu" RUSTC="$tools/usr/bin/rustc" RUSTFLAGS="--sysroot $tools/usr" \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64-static -L /usr/aarch64-linux-gnu' "$@"
}

# cross COMMAND…: cargo with that toolchain, in a folder of its own.
cross() {
  with_toolchain env CARGO_TARGET_DIR="$tools/build" CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
    cargo "$1" --locked --target $triple "${@:2}"
}

if [ -z "${PROGRAM:-}" ]; then
  if ! { packages && compiler; }; then skip 'the toolchain for aarch64 is not to be had'; fi
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
  there=$(LD_LIBRARY_PATH=$tools/usr/lib/x86_64-linux-gnu "$tools/usr/bin/rustc" --version | cut -d ' ' -f 2)
  printf '%s\n' "$needed" "$there" | sort -VC || skip "Debian's rustc is $there, and $needed is needed"
fi

if [ "${1:-}" = package ]; then
  # glibc is Debian's: zig's choice of an older one needs rustup's library for arm64.
  with_toolchain env TARGET=$triple GLIBC=host packaging/build.sh wheel deb
  exit
fi

if [ "${1:-rules}" = rules ] && [ -z "${PROGRAM:-}" ]; then
  cross test -p celaje-sky --lib
  [ "${1:-}" != rules ] || exit 0
fi

start=$SECONDS
if [ -z "${PROGRAM:-}" ]; then
  cross build --bin celaje
  PROGRAM=$tools/build/$triple/debug/celaje
  echo "built in $((SECONDS - start)) s"
fi
program=$(realpath "$PROGRAM")
host=${CELAJE:-target/debug/celaje}
celaje() { emulator "$program" --lang en "$@"; }

test=$(mktemp -d)
children=()
# What still runs could write into the folder while it is removed.
trap '[ ${#children[@]} -eq 0 ] || { kill "${children[@]}" 2>/dev/null || true; wait; }; rm -rf "$test"' EXIT
fail() { echo "failed: $*" >&2; exit 1; }

celaje --version | head -n 1

# The camera is not what is tested: it runs on this machine's own processor.
[ -x "$host" ] || fail "$host is missing: cargo build"
"$host" simulate --port 8199 --from 2024-01-01 --to 2024-01-02 --log off &
children+=($!)
for _ in $(seq 60); do (: </dev/tcp/127.0.0.1/8199) 2>/dev/null && break; sleep 1; done

cd "$test"
printf '[station]\nid = "arm"\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = "America/Argentina/Ushuaia"\nurl_base = "http://127.0.0.1:8199/"\n' >celaje.toml
start=$SECONDS
celaje backfill --engine rten --db arm.db --from 2024-01-01T12:00 --to 2024-01-01T12:19 >told || { cat told; fail backfill; }
grep -q 'total=2 | nuevos=2 | duplicados=0 | fallidos=0' told || { cat told; fail 'backfill: two readings'; }
echo "backfill: two readings in $((SECONDS - start)) s"

# The same pictures give the same oktas on both machines.
mkdir pictures
for name in 2024-01011202 2024-01011212; do
  exec 3<>/dev/tcp/127.0.0.1/8199
  printf 'GET /2024/%s.jpg HTTP/1.0\r\nHost: localhost\r\n\r\n' $name >&3
  sed '1,/^\r$/d' <&3 >pictures/$name.jpg
done
start=$SECONDS
celaje predict --engine rten pictures | cut -f 1,2 >here
echo "predict: two pictures in $((SECONDS - start)) s"
(cd - >/dev/null && "$host" --lang en predict --engine rten "$test/pictures") | sed "s|^$test/||" | cut -f 1,2 >there
cat here
cmp here there || { cat there; fail 'predict: other oktas than on x86-64'; }

emulator "$program" --lang en serve --read-only --engine rten --db arm.db --listen 127.0.0.1:8198 >serve.log 2>&1 &
children+=($!)
answer() {
  exec 3<>/dev/tcp/127.0.0.1/8198 && printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3 && cat <&3
}
for _ in $(seq 120); do answer /livez 2>/dev/null | head -n 1 | grep -q ' 200 ' && break; sleep 1; done
answer '/api/v1/stations/arm/observations?from=2024-01-01&to=2024-01-01' | grep -q '"okta"' || { cat serve.log; fail 'serve: no readings'; }
echo 'serve: it shows them'
echo passed
