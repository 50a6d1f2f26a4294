#!/usr/bin/env bash
# Runs inside the Debian that deb.sh starts: the service is given a simulated camera, and works.
set -uo pipefail
exec >/var/log/check-service 2>&1
cd /tmp || exit 1

# asks PATH: the status line of the service's answer.
asks() {
  exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3 && head -n 1 <&3
}
# until SECONDS COMMAND…: tries once a second.
until_ok() {
  for _ in $(seq "$1"); do "${@:2}" && return; sleep 1; done
  return 1
}
live() { asks /readyz 2>/dev/null | grep -q ' 200 '; }
has_row() { asks /api/v1/stations/sky/latest 2>/dev/null | grep -q ' 200 '; }
check() {
  runuser -u nobody -- celaje simulate --port 8088 --log off &
  until_ok 60 bash -c ': </dev/tcp/127.0.0.1/8088' 2>/dev/null || { echo 'no camera'; return 1; }
  celaje init --config /etc/celaje/celaje.toml --url http://127.0.0.1:8088/ --latitude -53.79 --longitude -67.7 \
    --time-zone America/Argentina/Ushuaia || return 1
  systemctl enable --now celaje || { systemctl status --no-pager celaje; journalctl --no-pager -u celaje; return 1; }
  systemctl show -p User celaje
  until_ok 120 live || { echo 'not ready'; return 1; }
  until_ok 300 has_row || { echo 'no reading'; return 1; }
  journalctl --no-pager -q -o cat -u celaje | grep -o 'model .* on .*'
  systemctl reload celaje || { echo 'no reload'; return 1; }
  until_ok 60 live || { echo 'not ready after a reload'; return 1; }
  systemctl stop celaje || { echo 'no stop'; return 1; }
  [ "$(systemctl show -P Result celaje)" = success ] || { echo 'it ended badly'; return 1; }
  [ "$(stat -c %U /var/lib/celaje/registros-octas.db)" = celaje ] || { echo 'whose record is it?'; return 1; }
}
if check; then echo passed; else journalctl --no-pager -u celaje -n 50; fi
