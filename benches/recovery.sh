#!/usr/bin/env bash
# After SIGKILL on a record of a million rows: how long until the next run asks for its first picture?
#
#   benches/recovery.sh [RECORD]
#
# RECORD is copied; without one, a million rows are made. A run into the copy is killed in its midst
# against a slow camera, so that its log is not folded in and it is marked as running. Then the same
# command is spawned again, and the time until the camera hears the first request is measured: once
# for a day that is not stored, once for the fifty years that the million lies in and that day.
#
# Needs bash, python3, and a release build: cargo build --release
# Environment:
#   CELAJE   the program  [target/release/celaje]
#   ROUNDS   how often    [5]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
celaje=${CELAJE:-${CARGO_TARGET_DIR:-$root/target}/release/celaje}
unset CELAJE
[ -x "$celaje" ] || { echo "there is no $celaje: run cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$celaje" "$work" "${1:-}" "${ROUNDS:-5}" <<'PY'
import http.server, os, shutil, signal, sqlite3, statistics, subprocess, sys, threading, time

celaje, work, record, rounds = sys.argv[1:]
db = f"{work}/million.db"
heard, first = [], threading.Event()

class Camera(http.server.BaseHTTPRequestHandler):
    """Says 404 to each, half a second late: what it is asked is of no matter."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        heard.append(time.monotonic())
        first.set()
        time.sleep(0.5)
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_address[1]}/"

def spawn(start, end):
    heard.clear()
    first.clear()
    begun = time.monotonic()
    run = subprocess.Popen(
        [celaje, "backfill", "--from", start, "--to", end, "--db", db, "--url-base", base, "--quiet",
         "--layout", "root"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not first.wait(60):
        sys.exit(f"no request came: status {run.poll()}")
    return run, heard[0] - begun

def kill(run):
    run.send_signal(signal.SIGKILL)
    run.wait()

if record:
    shutil.copyfile(record, db)
else:
    # The schema, the station and a run of the program's own; the rows are made from one.
    run, _ = spawn("2024-01-01T00:00", "2024-01-01T00:59")
    run.wait()
    with sqlite3.connect(db) as made:
        made.executescript("""
            DELETE FROM misses;
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999),
            at(t) AS (SELECT datetime('1980-01-01 00:02', (i * 10) || ' minutes') FROM n)
            INSERT INTO observations SELECT (SELECT id FROM stations),
                strftime('%Y-%m-%dT%H:%M', t), strftime('%Y-%m-%dT%H:%M:00Z', t, '+3 hours'),
                strftime('%Y-%m%d%H%M.jpg', t), 'http://127.0.0.1/' || strftime('%Y-%m%d%H%M.jpg', t),
                abs(random()) % 9, 0.5, 0.9, 'SCT', 'partly cloudy', 'ok', 'made 1',
                lower(hex(zeroblob(32))), 10.0, 'day', 480, 450, lower(hex(randomblob(32))),
                t, strftime('%Y-%m-%dT%H:%M', t), 'celaje', (SELECT max(id) FROM runs) FROM at;
            UPDATE runs SET total = 1000000, new = 1000000, missed = 0;
        """)
with sqlite3.connect(db) as made:
    rows = made.execute("SELECT count(*) FROM observations").fetchone()[0]
    # A day that is not stored, after the last that is.
    day = made.execute("SELECT date(max(slot_local), '+2 days') FROM observations").fetchone()[0]
    years = made.execute("SELECT date(max(slot_local), '-49 years') FROM observations").fetchone()[0]
print(f"{rows} rows, {os.path.getsize(db) / 2**20:.0f} MiB")
for title, start in [("a day that is not stored", day), ("fifty years, and that day", years)]:
    times = []
    for _ in range(int(rounds)):
        # In its midst: something of it is in the log.
        run, _ = spawn(start, day)
        time.sleep(1.2)
        kill(run)
        run, seconds = spawn(start, day)
        kill(run)
        times.append(seconds)
        with sqlite3.connect(db) as cleared:
            cleared.execute("DELETE FROM misses")
    print(f"{title}: {statistics.median(times):.2f} s in the middle, {max(times):.2f} s at most, "
          f"of {len(times)} runs after a SIGKILL")
    if max(times) > 2:
        sys.exit("more than two seconds")
PY
