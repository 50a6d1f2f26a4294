#!/usr/bin/env bash
# A hundred readers beside the always-on program: is any write late, does anybody get an error?
#
#   benches/readers.sh [SECONDS] [READERS]
#
# `celaje serve` on a record of a year, by a trial's clock on which a slot is due every second. Each
# reader does as a dashboard: it listens to the live events, and looks around (latest, a day, a month by
# the hour, charts, the page, metrics), two seconds apart. Measured are how long after the
# camera has handed out a picture its row can be read from the database by another program, the
# readers' times, and what they got.
#
# Exit status 1 when a row took more than a second, or a reader got anything but 200.
#
# Needs bash, python3, and a release build: cargo build --release --features testing
# Environment:
#   CELAJE      the program            [target/release/celaje]
#   CELAJE_…    flags of `celaje serve`: CELAJE_ORT_LIB, CELAJE_THREADS …
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
celaje=${CELAJE:-${CARGO_TARGET_DIR:-$root/target}/release/celaje}
unset CELAJE
[ -x "$celaje" ] || { echo "there is no $celaje: run cargo build --release --features testing" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$celaje" "$work" "${1:-60}" "${2:-100}" <<'PY'
import asyncio, http.server, os, re, signal, sqlite3, statistics, subprocess, sys, threading, time
import urllib.request

celaje, work, seconds, readers = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
db, served = f"{work}/year.db", {}

# DrawnPicture pictures of a day.
drawn = subprocess.Popen([celaje, "simulate", "--port", "0", "--size", "480x450", "--from", "2024-03-01",
                          "--to", "2024-03-01"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
for line in drawn.stdout:
    if found := re.search(r"http://\S+", line):
        break
pictures = [urllib.request.urlopen(f"{found[0]}2024-0301{k // 6:02}{k % 6 * 10 + 2:02}.jpg").read()
            for k in range(0, 144, 6)]
drawn.terminate()

class Camera(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        body = pictures[hash(name) % len(pictures)]
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        served.setdefault(name, time.monotonic())

    def log_message(self, *_):
        pass

camera = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
camera.daemon_threads = True
threading.Thread(target=camera.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{camera.server_address[1]}/"

def start(clock):
    program = subprocess.Popen(
        [celaje, "serve", "--db", db, "--url-base", base, "--layout", "root", "--listen", "127.0.0.1:0",
         "--clock", clock, "--catch-up", "0d"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in program.stdout:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            threading.Thread(target=program.stdout.read, daemon=True).start()
            return program, int(found[1])
    sys.exit("the program did not start")

def stop(program):
    program.send_signal(signal.SIGTERM)
    program.wait(30)

# The schema and the station are the program's own; the rows of a year are made from them.
program, _ = start("2024-03-01T15:00:30Z@600")
time.sleep(3)
stop(program)
with sqlite3.connect(db) as made:
    made.executescript("""
        DELETE FROM observations; DELETE FROM misses;
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 52559),
        at(t) AS (SELECT datetime('2023-03-02 00:02', (i * 10) || ' minutes') FROM n)
        INSERT INTO observations SELECT (SELECT id FROM stations),
            strftime('%Y-%m-%dT%H:%M', t), strftime('%Y-%m-%dT%H:%M:00Z', t, '+3 hours'),
            strftime('%Y-%m%d%H%M.jpg', t), 'http://127.0.0.1/' || strftime('%Y-%m%d%H%M.jpg', t),
            abs(random()) % 9, 0.5, 0.9, 'SCT', 'partly cloudy', 'ok', 'made 1',
            lower(hex(zeroblob(32))), 10.0, 'day', 480, 450, lower(hex(randomblob(32))),
            t, strftime('%Y-%m-%dT%H:%M', t), 'celaje', (SELECT max(id) FROM runs) FROM at;
    """)
served.clear()
program, port = start("2024-03-02T15:00:30Z@600")
station = sqlite3.connect(db).execute("SELECT id FROM stations").fetchone()[0]
v1 = f"/api/v1/stations/{station}"
look = [f"{v1}/latest", f"{v1}/observations?from=2024-03-01&to=2024-03-01&by=raw", "/octas", "/",
        f"{v1}/observations?from=2024-02-01&to=2024-02-29&by=hour", "/metrics", "/api/v1/state",
        f"/charts/timeline.svg?station={station}&from=2024-03-01&to=2024-03-01&lang=en"]
times, wrong, events = [], [], [0]

async def ask(path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        if (answer.split(b"\r\n", 1)[0].split(b" ") + [b""])[1] != b"200":
            wrong.append((path, answer[:300]))
    finally:
        writer.close()

async def looks_around(n, until):
    await asyncio.sleep(n / readers)
    while time.monotonic() < until:
        path, begun = look[n % len(look)], time.monotonic()
        n += 1
        try:
            await ask(path)
            times.append(time.monotonic() - begun)
        except OSError as error:
            wrong.append((path, str(error)))
        await asyncio.sleep(2)

async def listens(until):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    status = await reader.readline()
    if b" 200 " not in status:
        wrong.append(("/api/v1/events", status))
    while (left := until - time.monotonic()) > 0:
        try:
            line = await asyncio.wait_for(reader.readline(), left)
        except asyncio.TimeoutError:
            break
        if not line:
            wrong.append(("/api/v1/events", "ended"))
            break
        events[0] += line.startswith(b"event: observation")
    writer.close()

readable = {}

def reads_rows(until):
    mine = sqlite3.connect(f"file:{db}?mode=rw", uri=True)
    mine.execute("PRAGMA query_only = ON")
    while time.monotonic() < until:
        for (name,) in mine.execute("SELECT file_name FROM observations WHERE slot_local > '2024-03-02' "
                                    "ORDER BY slot_local DESC LIMIT 8"):
            readable.setdefault(name, time.monotonic())
        time.sleep(0.01)

async def all_of_them():
    until = time.monotonic() + seconds
    rows = threading.Thread(target=reads_rows, args=(until + 2,))
    rows.start()
    await asyncio.gather(*(looks_around(n, until) for n in range(readers)),
                         *(listens(until) for _ in range(readers)))
    end = time.monotonic()
    rows.join()
    return end

end = asyncio.run(all_of_them())
stop(program)
# Those that were handed out while there were readers.
late = [readable.get(name, float("inf")) - at for name, at in served.items() if at < end - 1]
times.sort()
print(f"{readers} readers, {seconds:.0f} s: {len(times)} answers, middle {1000 * statistics.median(times):.0f} ms, "
      f"99 of 100 within {1000 * times[int(0.99 * len(times))]:.0f} ms; {events[0]} events heard")
print(f"{len(late)} rows: readable {1000 * statistics.median(late):.0f} ms after their picture, "
      f"{1000 * max(late):.0f} ms at most; {len(wrong)} errors")
for path, what in wrong[:5]:
    print(f"  {path}: {what}")
if wrong or not late or max(late) > 1:
    sys.exit(1)
PY
