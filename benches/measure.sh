#!/usr/bin/env bash
# The whole program against a plain web server on loopback: pictures a second and peak memory.
#
#   benches/measure.sh [FOLDER]
#
# FOLDER holds the JPEG pictures that are served, again and again; without one, celaje's own
# simulator draws 144. They are laid out (as hard links) as a camera's archive of the year 2023.
# nginx serves it where it is installed (Debian: apt-get install nginx-light), else Python, which is
# slow itself and says so. The runs: 432 slots (three days), each round into a fresh record; the last
# of them again (all stored); a year of 52,560 slots, and that again.
#
# Needs bash, python3, and a release build: cargo build --release
# Environment:
#   CELAJE      the program            [target/release/celaje]
#   ROUNDS      how often the three days are run  [3]
#   LATENCY     milliseconds before each answer; a small Python server waits them out  [0]
#   YEAR        0 leaves the year out  [1]
#   CELAJE_…    every flag of `celaje backfill`: CELAJE_ORT_LIB, CELAJE_BATCH, CELAJE_THREADS …
#
# It does not wait for a quiet machine: compare ratios of runs that alternate, not single numbers.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
celaje=${CELAJE:-${CARGO_TARGET_DIR:-$root/target}/release/celaje}
unset CELAJE
[ -x "$celaje" ] || { echo "there is no $celaje: run cargo build --release" >&2; exit 2; }
folder=${1:-}

work=$(mktemp -d)
# nginx, started by root, serves as another user.
chmod 755 "$work"
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# A port that was free a moment ago.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits until something answers on port $1.
wait_for() {
  python3 - "$1" <<'PY'
import socket, sys, time
for _ in range(200):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
        sys.exit()
    except OSError:
        time.sleep(0.05)
sys.exit(f"nothing answers on port {sys.argv[1]}")
PY
}

# A day of drawn pictures into $1.
draw() {
  mkdir -p "$1"
  local port
  port=$(free_port)
  "$celaje" simulate --port "$port" --scene fisheye --size 480x450 \
    --from 2023-06-01 --to 2023-06-01 >/dev/null 2>&1 &
  server=$!
  wait_for "$port"
  python3 - "$port" "$1" <<'PY'
import sys, urllib.request
port, out = sys.argv[1:]
for k in range(144):
    name = f"2023-0601{k // 6:02}{k % 6 * 10 + 2:02}.jpg"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}") as picture:
        open(f"{out}/{name}", "wb").write(picture.read())
PY
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
}

# The pictures of $1 as the archive of a year, in $2.
lay_out() {
  python3 - "$1" "$2" <<'PY'
import datetime, os, pathlib, shutil, sys
source, archive = map(pathlib.Path, sys.argv[1:])
(archive / "2023").mkdir(parents=True)
(archive / "all").mkdir()
pictures = sorted(p for p in source.iterdir() if p.suffix.lower() in (".jpg", ".jpeg"))
if not pictures:
    sys.exit(f"there are no JPEG pictures in {source}")
copies = [shutil.copyfile(p, archive / "all" / p.name) for p in pictures]
at = datetime.datetime(2023, 1, 1, 0, 2)
for k in range(52_560):
    os.link(copies[k % len(copies)], archive / "2023" / f"{at:%Y-%m%d%H%M}.jpg")
    at += datetime.timedelta(minutes=10)
size = sum(p.stat().st_size for p in pictures) / len(pictures) / 1000
print(f"{len(pictures)} pictures, {size:.0f} kB each on average", file=sys.stderr)
PY
}

# Serves $1 on port $2, each picture LATENCY milliseconds late, connections kept open.
late() {
  exec python3 - "$1" "$2" "$LATENCY" <<'PY'
import asyncio, pathlib, sys
root, port, latency = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000

async def serve(reader, writer):
    try:
        while True:
            asked = await reader.readuntil(b"\r\n\r\n")
            path = root / asked.split()[1].decode().lstrip("/")
            await asyncio.sleep(latency)
            status, body = ("200 OK", path.read_bytes()) if path.is_file() else ("404 Not Found", b"")
            head = f"HTTP/1.1 {status}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024) as server:
        await server.serve_forever()

asyncio.run(main())
PY
}

# Serves $1 on port $2.
serve() {
  local nginx
  nginx=$(command -v nginx || command -v /usr/sbin/nginx || true)
  if [ "${LATENCY:-0}" != 0 ]; then
    late "$1" "$2" &
  elif [ -n "$nginx" ]; then
    cat >"$work/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_requests 1000000; types { image/jpeg jpg; }
  client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
  uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  server { listen 127.0.0.1:$2; root $1; }
}
CONF
    "$nginx" -c "$work/nginx.conf" -p "$work" -e "$work/nginx.log" &
  else
    echo "nginx is not installed: Python serves, and takes much of the processor" >&2
    python3 -m http.server --bind 127.0.0.1 --protocol HTTP/1.1 --directory "$1" "$2" \
      >/dev/null 2>&1 &
  fi
  server=$!
  wait_for "$2"
}

# Runs celaje over the slots from $2 to $3 into the record $4, under the title $1. CPU time and peak
# of resident memory are what the kernel counted for the process.
measure() {
  python3 - "$1" "$celaje" backfill --from "$2" --to "$3" --db "$4" \
    --url-base "http://127.0.0.1:$port/" --json --quiet <<'PY'
import json, os, subprocess, sys
title, *command = sys.argv[1:]
program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
lines = program.stdout.read().splitlines()
_, status, used = os.wait4(program.pid, 0)
if status:
    sys.exit(f"celaje failed: {os.waitstatus_to_exitcode(status)}")
run = json.loads(lines[-1])
if run["missed"]:
    sys.exit(f"pictures were missed: {run['missed_by_reason']}")
cpu = used.ru_utime + used.ru_stime
each = f"{1000 * cpu / run['new']:.2f}" if run["new"] else "-"
print(f"{title:22} {run['total']:6} {run['new']:6} {run['duplicates']:6} {run['missed']:6} "
      f"{run['elapsed_s']:9.2f} {run['images_per_s']:9.1f} {each:>7} {used.ru_maxrss / 1024:8.1f}  {run['engine']}")
PY
}

if [ -z "$folder" ]; then
  folder=$work/drawn
  draw "$folder"
fi
lay_out "$folder" "$work/archive"
port=$(free_port)
serve "$work/archive" "$port"
printf '%-22s %6s %6s %6s %6s %9s %9s %7s %8s  %s\n' \
  run slots new stored missed seconds images/s 'CPU ms' 'peak MiB' engine
for ((round = 1; round <= ${ROUNDS:-3}; round++)); do
  rm -f "$work"/days.db*
  measure 'three days' 2023-01-01T00:00 2023-01-03T23:59 "$work/days.db"
done
measure 'three days, stored' 2023-01-01T00:00 2023-01-03T23:59 "$work/days.db"
if [ "${YEAR:-1}" != 0 ]; then
  measure 'a year' 2023-01-01T00:00 2023-12-31T23:59 "$work/year.db"
  measure 'a year, stored' 2023-01-01T00:00 2023-12-31T23:59 "$work/year.db"
fi
