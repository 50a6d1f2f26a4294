#!/usr/bin/env bash
# Checks the .deb of target/dist, or the one named: lintian, the unit's exposure, and in a fresh Debian (a
# folder made by debootstrap) its installation, an upgrade, removal and purge. With systemd-nspawn that
# Debian is started too, and the service reads a simulated camera. Needs root, debootstrap, lintian,
# systemd (systemd-analyze) and Debian's mirror. SUITE names the release [bookworm]; ORT=file gives the service
# that library of ONNX Runtime.
set -euo pipefail
cd "$(dirname "$0")/../.."

deb=$(realpath "${1:-$(find target/dist -name "celaje_*_$(dpkg --print-architecture).deb" | head -n 1)}")
suite=${SUITE:-bookworm}
base=$PWD/target/packaging/$suite
root=$(mktemp -d -p "$PWD/target/packaging")
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT

fail() { echo "failed: $*" >&2; exit 1; }

lintian --fail-on error,warning "$deb" || fail 'lintian complains'
echo 'lintian: clean'
exposure=$(systemd-analyze security --offline=true contrib/celaje.service | tail -n 1 | grep -oE '[0-9]+\.[0-9]')
[ "${exposure/./}" -le 20 ] || fail "the unit's exposure is $exposure"
echo "systemd-analyze security: $exposure"

[ -d "$base/usr" ] || debootstrap --variant=minbase --include=ca-certificates,systemd "$suite" "$base"
cp -a "$base/." "$root"
mount -t proc proc "$root/proc"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
install_deb() {
  cp "$1" "$root/tmp/celaje.deb"
  inside apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold /tmp/celaje.deb >"$root/log" 2>&1 ||
    { cat "$root/log"; fail "apt-get install $1"; }
}

install_deb "$deb"
inside celaje --version | grep -q 'installed by: a package of the system (/usr/bin)' || fail 'it does not tell how it was installed'
inside getent passwd celaje | grep -q ':/var/lib/celaje:' || fail 'there is no user celaje'
[ -f "$root/etc/celaje/celaje.toml" ] || fail 'there are no settings'
! [ -e "$root/etc/systemd/system/multi-user.target.wants/celaje.service" ] || fail 'it is enabled before it has a camera'
inside celaje doctor --config /etc/celaje/celaje.toml --help >/dev/null
echo 'installed: user, settings, program; not enabled'

# An upgrade keeps the settings that were changed, and the record.
echo '# mine' >>"$root/etc/celaje/celaje.toml"
install -d "$root/var/lib/celaje" "$root/var/cache/celaje"
echo record >"$root/var/lib/celaje/registros-octas.db"
newer=$root/newer
dpkg-deb -R "$deb" "$newer"
sed -i 's/^Version: .*/&+1/' "$newer/DEBIAN/control"
echo '# A new remark.' >>"$newer/etc/celaje/celaje.toml"
dpkg-deb -Znone --root-owner-group -b "$newer" "$root/newer.deb" >/dev/null
install_deb "$root/newer.deb"
inside dpkg-query -s celaje | grep -qE '^Version: .*[+]1$' || fail 'it was not upgraded'
grep -q '# mine' "$root/etc/celaje/celaje.toml" || fail 'the upgrade changed the settings'
echo 'upgraded: changed settings stay'

inside apt-get remove -q -y celaje >/dev/null 2>&1
! [ -e "$root/usr/bin/celaje" ] || fail 'the program is still there'
grep -q '# mine' "$root/etc/celaje/celaje.toml" || fail 'the removal took the settings'
inside apt-get purge -q -y celaje >"$root/log" 2>&1
grep -q 'The record stays' "$root/log" || fail 'the purge does not tell of the record'
! [ -e "$root/etc/celaje" ] || fail 'the settings are still there'
! [ -e "$root/var/cache/celaje" ] || fail 'the cache is still there'
[ -s "$root/var/lib/celaje/registros-octas.db" ] || fail 'the purge took the record'
left=$(inside find / -xdev -name '*celaje*' -not -path '/tmp/*' -not -path '/newer*' -not -path '/var/lib/celaje*' \
  -not -path '/var/log/*' -not -path '/var/cache/apt/*' 2>/dev/null || true)
[ -z "$left" ] || fail "left behind: $left"
echo 'removed and purged: nothing is left but the record'

if ! command -v systemd-nspawn >/dev/null; then
  echo 'skipped: the service was not started (systemd-nspawn is missing: systemd-container)'
  exit 0
fi
rm -rf "$root/var/lib/celaje"
install_deb "$deb"
[ -z "${ORT:-}" ] || install -m 644 "$ORT" "$root/usr/local/lib/libonnxruntime.so"
install -m 755 packaging/test/service.sh "$root/usr/local/bin/check-service"
printf '%s\n' '[Unit]' 'After=basic.target' '[Service]' 'Type=oneshot' 'ExecStart=/usr/local/bin/check-service' \
  'ExecStopPost=/bin/systemctl --no-block poweroff' '[Install]' 'WantedBy=multi-user.target' \
  >"$root/etc/systemd/system/check.service"
inside systemctl enable -q check.service
umount "$root/proc"
# No network but its own loopback.
timeout 600 systemd-nspawn -q --register=no --keep-unit --private-network -b -D "$root" >"$root/console" 2>&1 || true
cat "$root/var/log/check-service" || { tail -n 40 "$root/console"; fail 'the machine did not start'; }
grep -qx passed "$root/var/log/check-service" || fail 'the service does not do its work'
