#!/usr/bin/env bash
# Makes what is handed out, in target/dist: `packaging/build.sh [all | wheel | deb | sbom | sums]…`.
#
#   wheel  celaje-VERSION-py3-none-….whl, for pip and pipx, and the program itself
#   deb    celaje_VERSION_ARCH.deb, for Debian, Ubuntu and Raspberry Pi OS
#   sbom   celaje-VERSION.cdx.json, what is in the program, as CycloneDX
#   sums   SHA256SUMS of all of these
#
# Each makes what it needs of those above it. The version is that of Cargo.toml. Needed: cargo, Python 3.10
# with venv, dpkg-dev for the .deb; maturin, zig and cargo-deb are fetched by their package names
# into target/packaging.
#
# TARGET      another machine (aarch64-unknown-linux-gnu); its Rust library must be installed (rustup
#             target add), and qemu-user-static to write its manual pages
# GLIBC       oldest glibc that the program runs on [2.28: Debian 10, RHEL 8]; `host`: this machine's own,
#             without zig
# MAINTAINER  who answers for the .deb, as `Name <mail>` [the author of the last commit]
# PROFILE     cargo's profile [release]; `dev`, with GLIBC=host, to try the packages quickly
set -euo pipefail
cd "$(dirname "$0")/.."

MATURIN='maturin[zig]==1.16.0'
CARGO_DEB=3.8.0
GLIBC=${GLIBC:-2.28}
PROFILE=${PROFILE:-release}
HOST=$(rustc -vV | sed -n 's/^host: //p')
TARGET=${TARGET:-$HOST}
VERSION=$(cargo pkgid --locked -p celaje | sed 's/.*[#@]//')
MAINTAINER=${MAINTAINER:-$(git log -1 --format='%an <%ae>')}
# The same commit makes the same files.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH CARGO_TARGET_DIR=$PWD/target
out=target/dist tools=target/packaging stage=target/package
mkdir -p "$out" "$tools" target/notices

have_tools() {
  [ -x "$tools/bin/maturin" ] && return
  python3 -m venv "$tools" && "$tools/bin/pip" install -q --disable-pip-version-check "$MATURIN"
}

have_cargo_deb() {
  [ -x "$tools/bin/cargo-deb" ] ||
    cargo install cargo-deb --version "$CARGO_DEB" --locked --debug --root "$tools" --target-dir "$tools/build"
}

notices() {
  python3 packaging/notices.py "$TARGET" >target/notices/THIRD-PARTY-NOTICES.txt
}

wheel_file() {
  find "$out" -name "celaje-$VERSION-*_${TARGET%%-*}.whl" 2>/dev/null | head -n 1
}

wheel() {
  have_tools
  notices
  rm -f "$out"/celaje-"$VERSION"-*_"${TARGET%%-*}".whl
  local how=(--target "$TARGET" --zig --compatibility "manylinux_${GLIBC/./_}")
  if [ "$GLIBC" != host ]; then
    # What the caller links with is the caller's: zig links by itself.
    unset RUSTFLAGS
  elif [ "$TARGET" = "$HOST" ]; then
    how=()
  else
    how=(--target "$TARGET")
  fi
  PATH="$PWD/$tools/bin:$PATH" maturin build --profile "$PROFILE" --locked "${how[@]}" --out "$out"
  [ "$PROFILE" != release ] || at_most "$(wheel_file)" 20
}

# Where cargo puts the program that the wheel holds.
program() {
  local folder=target/${PROFILE/dev/debug}
  [ "$GLIBC" = host ] && [ "$TARGET" = "$HOST" ] || folder=target/$TARGET/${PROFILE/dev/debug}
  echo "$folder/celaje"
}

# at_most FILE MB: says how large a file is, and fails where that is too much.
at_most() {
  local bytes
  bytes=$(stat -c %s "$1")
  printf '%s: %d.%d MB\n' "$1" $((bytes / 1000000)) $((bytes / 100000 % 10))
  [ "$bytes" -le $(($2 * 1000000)) ] || { echo "$1 is larger than $2 MB" >&2; return 1; }
}

# Whatever else the .deb holds, made by the program: manual pages and completions.
staged() {
  local run=("$1")
  [ "$TARGET" = "$HOST" ] || run=("qemu-${TARGET%%-*}-static" -L "/usr/${TARGET%%-*}-linux-gnu" "$1")
  rm -rf "$stage"
  mkdir -p "$stage/man/es" "$stage/completions"
  "${run[@]}" --lang en man "$stage/man"
  "${run[@]}" --lang es man "$stage/man/es"
  "${run[@]}" completions bash >"$stage/completions/celaje"
  "${run[@]}" completions zsh >"$stage/completions/_celaje"
  "${run[@]}" completions fish >"$stage/completions/celaje.fish"
  cp target/notices/THIRD-PARTY-NOTICES.txt "$stage/"
  cp CHANGELOG.md "$stage/changelog"
  gzip -9n "$stage"/man/*.1 "$stage"/man/es/*.1 "$stage/THIRD-PARTY-NOTICES.txt" "$stage/changelog"
  changes >"$stage/changelog.Debian"
}

# Debian's own changelog: CHANGELOG.md, which lies beside it, says what is new.
changes() {
  printf 'celaje (%s-1) unstable; urgency=medium\n\n  * Version %s.\n\n' "$VERSION" "$VERSION"
  printf ' -- %s  %s\n' "$MAINTAINER" "$(date -uRd "@$SOURCE_DATE_EPOCH")"
}

deb() {
  [ -n "$(wheel_file)" ] || wheel
  have_cargo_deb
  staged "$(program)"
  # cargo-deb takes the program from where a release for TARGET lies.
  local there=target/$TARGET/release/celaje
  [ "$(program)" = "$there" ] || install -D -s -m 755 "$(program)" "$there"
  local arch=${TARGET%%-*}
  arch=${arch/x86_64/amd64}
  local file=$out/celaje_$VERSION-1_${arch/aarch64/arm64}.deb
  "$tools/bin/cargo-deb" --no-build --no-strip --locked --target "$TARGET" --maintainer "$MAINTAINER" --output "$file"
  at_most "$file" 50
}

sbom() {
  [ -n "$(wheel_file)" ] || wheel
  python3 - "$(wheel_file)" "$out/celaje-$VERSION.cdx.json" <<'END'
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    (name,) = [n for n in wheel.namelist() if n.endswith(".cyclonedx.json")]
    parts = json.loads(wheel.read(name))
with open(sys.argv[2], "w") as file:
    json.dump(parts, file, indent=1)
print(f"{sys.argv[2]}: {len(parts['components'])} components")
END
}

sums() {
  (cd "$out" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum >SHA256SUMS)
  cat "$out/SHA256SUMS"
}

for what in "${@:-all}"; do
  case $what in
    all) wheel && deb && sbom && sums ;;
    wheel | deb | sbom | sums) "$what" ;;
    *) echo "packaging/build.sh makes all, wheel, deb, sbom or sums, not '$what'" >&2; exit 2 ;;
  esac
done
