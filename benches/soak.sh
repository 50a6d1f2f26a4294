#!/usr/bin/env bash
# One run at full load against a camera that misbehaves, for an hour or as many minutes as are said:
# does it hold its memory and its descriptors, and is the record right in the end?
#
#   benches/soak.sh [MINUTES] [SAMPLES.csv]
#
# The camera resets connections, answers 503 (some with Retry-After), drips, hangs, cuts pictures off,
# sends pages, damaged pictures and redirects to elsewhere, has no picture for some slots, and dies
# and returns again and again. Every two seconds the resident memory, the descriptors and the threads
# of celaje are written to SAMPLES.csv. When the time is over the run is told to end (SIGINT).
#
# Verdict, exit status 1 when one does not hold:
#   memory        its mean in the last quarter is within 5 % of its mean in the second
#   descriptors   their mean in the last quarter is within 10 %, or 3, of that in the second
#   progress      rows were stored in each quarter
#   record        sound; the run's counts add up; each slot that was asked for has a row or a miss
#
# Needs bash, python3, and a release build: cargo build --release
# Environment:
#   CELAJE      the program            [target/release/celaje]
#   CELAJE_…    flags of `celaje backfill`: CELAJE_ORT_LIB, CELAJE_THREADS …
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
celaje=${CELAJE:-${CARGO_TARGET_DIR:-$root/target}/release/celaje}
unset CELAJE
[ -x "$celaje" ] || { echo "there is no $celaje: run cargo build --release" >&2; exit 2; }
minutes=${1:-60}
samples=${2:-/dev/null}

work=$(mktemp -d)
camera=
cleanup() {
  [ -z "$camera" ] || kill "$camera" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# DrawnPicture pictures, of day and night.
"$celaje" simulate --port 0 --scene fisheye --size 480x450 --from 2023-06-01 --to 2023-06-01 \
  >"$work/drawn.txt" 2>/dev/null &
camera=$!
for _ in $(seq 100); do
  base=$(grep -o 'http://[^ ]*' "$work/drawn.txt" || true)
  [ -z "$base" ] || break
  sleep 0.1
done
python3 - "$base" "$work" <<'PY'
import sys, urllib.request
base, out = sys.argv[1:]
for k in range(0, 144, 4):
    name = f"2023-0601{k // 6:02}{k % 6 * 10 + 2:02}.jpg"
    with urllib.request.urlopen(base + name) as picture:
        open(f"{out}/{k:03}.jpg", "wb").write(picture.read())
PY
kill "$camera"
wait "$camera" 2>/dev/null || true

cat >"$work/camera.py" <<'PY'
"""A camera that misbehaves, the same way each time: what happens to a picture is drawn by its name
and by how often it was asked for."""
import asyncio, pathlib, random, socket, struct, sys

work = pathlib.Path(sys.argv[1])
pictures = [p.read_bytes() for p in sorted(work.glob("*.jpg"))]
page = b"<!DOCTYPE html><html><body>Camera offline</body></html>"
asked = {}
open_now = set()

def head(status, length, extra=""):
    return (f"HTTP/1.1 {status}\r\nContent-Type: image/jpeg\r\n"
            f"Content-Length: {length}\r\n{extra}\r\n").encode()

async def answer(name, writer):
    """Whether the connection goes on."""
    nth = asked.pop(name, 0)
    if nth < 3:
        asked[name] = nth + 1
    # What is remembered is bounded: this process is not under test, but shares the machine.
    while len(asked) > 100_000:
        asked.pop(next(iter(asked)))
    draw = random.Random(f"{name} {nth}").random() * 1000
    whole = pictures[hash(name) % len(pictures)]
    lasting = random.Random(name).random() * 1000
    if lasting < 10:
        writer.write(head("404 Not Found", 0))
        return True
    if lasting < 16:
        writer.write(head("200 OK", len(page)) + page)
        return True
    if lasting < 22:
        cut = whole[: len(whole) // 2]
        writer.write(head("200 OK", len(cut)) + cut)
        return True
    if lasting < 28:
        bad = bytearray(whole)
        for k in range(700, len(bad), 97):
            bad[k] ^= 0x5A
        writer.write(head("200 OK", len(bad)) + bytes(bad))
        return True
    if lasting < 30:
        writer.write(head("302 Found", 0, "Location: http://10.255.255.1/x.jpg\r\n"))
        return True
    if draw < 15:
        return False
    if draw < 25:
        # A reset, and not an end.
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if draw < 35:
        writer.write(head("503 Service Unavailable", 0))
        return True
    if draw < 35.05:
        writer.write(head("503 Service Unavailable", 0, "Retry-After: 1\r\n"))
        return True
    if draw < 45:
        writer.write(head("200 OK", len(whole)) + whole[: len(whole) // 2])
        return False
    if draw < 46:
        writer.write(head("200 OK", len(whole)))
        for k in range(20):
            writer.write(whole[k : k + 1])
            await writer.drain()
            await asyncio.sleep(0.5)
        return False
    if draw < 46.5:
        await asyncio.sleep(15)
        return False
    if draw < 47:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(40_000):
            writer.write(b"\xff" * 4096)
            await writer.drain()
        return False
    writer.write(head("200 OK", len(whole)) + whole)
    return True

async def serve(reader, writer):
    open_now.add(writer)
    try:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            name = request.split()[1].decode().rsplit("/", 1)[-1]
            if not await answer(name, writer):
                break
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        open_now.discard(writer)
        writer.close()

async def main():
    port = 0
    for life in range(1_000_000):
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
        if not port:
            port = server.sockets[0].getsockname()[1]
            (work / "port.tmp").write_text(str(port))
            (work / "port.tmp").rename(work / "port")
        await asyncio.sleep(20 + random.Random(life).random() * 20)
        server.close()
        for writer in list(open_now):
            writer.transport.abort()
        await asyncio.sleep(1 + random.Random(-life).random() * 3)

asyncio.run(main())
PY
PYTHONHASHSEED=0 python3 "$work/camera.py" "$work" &
camera=$!
for _ in $(seq 100); do
  [ ! -f "$work/port" ] || break
  sleep 0.1
done

python3 - "$celaje" "$work" "$(cat "$work/port")" "$minutes" "$samples" <<'PY'
import csv, json, os, pathlib, signal, sqlite3, subprocess, sys, time

celaje, work, port, minutes, samples = sys.argv[1:]
seconds, db = float(minutes) * 60, f"{work}/soak.db"
run = subprocess.Popen(
    [celaje, "backfill", "--from", "1990-01-01", "--to", "2019-12-31", "--db", db, "--layout", "root",
     "--url-base", f"http://127.0.0.1:{port}/", "--timeout", "3", "--json", "--quiet"],
    stdout=subprocess.PIPE, text=True)
proc = pathlib.Path(f"/proc/{run.pid}")
page = os.sysconf("SC_PAGE_SIZE")
begun, rows, table = time.monotonic(), 0, []
with open(samples, "w", newline="") as file:
    out = csv.writer(file)
    out.writerow(["second", "rss_bytes", "descriptors", "threads", "rows"])
    while (now := time.monotonic() - begun) < seconds and run.poll() is None:
        try:
            rss = int((proc / "statm").read_text().split()[1]) * page
            descriptors = len(list((proc / "fd").iterdir()))
            threads = len(list((proc / "task").iterdir()))
        except OSError:
            break
        if len(table) % 5 == 0 and os.path.exists(db):
            try:
                with sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=1) as record:
                    rows = record.execute(
                        "SELECT coalesce(max(new + missed), 0) FROM runs").fetchone()[0]
            except sqlite3.OperationalError:
                pass
        table.append((now, rss, descriptors, threads, rows))
        out.writerow([f"{now:.1f}", *table[-1][1:]])
        file.flush()
        time.sleep(min(2, seconds / 40))
early = run.poll() is not None
run.send_signal(signal.SIGINT)
text, _ = run.communicate(timeout=120)
if early or run.returncode != 130 or not text:
    sys.exit(f"the run ended by itself, with status {run.returncode}: {text}")
summary = json.loads(text.splitlines()[-1])

def quarter(n):
    return [row for row in table if n * seconds / 4 <= row[0] < (n + 1) * seconds / 4]

def mean(n, column):
    values = [row[column] for row in quarter(n)]
    return sum(values) / len(values)

print("quarter    RSS MiB   descriptors   threads   slots")
for n in range(4):
    done = quarter(n)[-1][4] - (quarter(n - 1)[-1][4] if n else 0)
    print(f"{n + 1:7} {mean(n, 1) / 2**20:10.1f} {mean(n, 2):13.1f} {mean(n, 3):9.1f} {done:7}")

verdicts = []
growth = mean(3, 1) / mean(1, 1) - 1
verdicts.append(("memory", abs(growth) <= 0.05, f"{growth:+.1%} from the second to the last quarter"))
more = mean(3, 2) - mean(1, 2)
verdicts.append(("descriptors", abs(more) <= max(3, 0.1 * mean(1, 2)), f"{more:+.1f}"))
steps = [quarter(n)[-1][4] - quarter(n)[0][4] for n in range(4)]
verdicts.append(("progress", all(step > 0 for step in steps), f"{steps} slots"))
record = sqlite3.connect(db)
one = lambda query: record.execute(query).fetchone()
sound = one("PRAGMA integrity_check")[0]
both = one("SELECT count(*) FROM observations JOIN misses USING (station, slot_local)")[0]
stored, missed = one("SELECT count(*) FROM observations")[0], one("SELECT count(*) FROM misses")[0]
status, new, counted = one("SELECT status, new, missed FROM runs")
right = (sound == "ok" and both == 0 and status == "interrupted"
         and (new, counted) == (stored, missed) == (summary["new"], summary["missed"])
         and summary["total"] == stored + missed)
verdicts.append(("record", right, f"{sound}; {stored} rows and {missed} misses, counted {new} and {counted}"))
print("misses by reason:", ", ".join(f"{reason} {n}" for reason, n in record.execute(
    "SELECT reason, count(*) FROM misses GROUP BY reason ORDER BY 2 DESC")))
for name, holds, detail in verdicts:
    print(f"{'✔' if holds else '✘'} {name}: {detail}")
sys.exit(0 if all(holds for _, holds, _ in verdicts) else 1)
PY
