#!/usr/bin/env bash
# Does the store get slower as a record grows?
#
#   benches/rows.sh [ROWS…]
#
# Makes a record of each number of rows [0 1000000 10000000], then backfills the same ten days of drawn
# pictures into each of them, in turns, and prints pictures a second and the store's own ms a slot; then asks each for ten years that are stored, or as much as it has. Ten million rows take
# some 5 GB of disk and a few minutes.
#
# Needs bash, python3, and a release build: cargo build --release
# Environment:
#   CELAJE   the program  [target/release/celaje]
#   ROUNDS   how often    [5]
#   TMPDIR   where the records are made
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
celaje=${CELAJE:-${CARGO_TARGET_DIR:-$root/target}/release/celaje}
unset CELAJE
[ -x "$celaje" ] || { echo "there is no $celaje: run cargo build --release" >&2; exit 2; }
[ $# -gt 0 ] || set -- 0 1000000 10000000

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$celaje" "$work" "${ROUNDS:-5}" "$@" <<'PY'
import json, os, re, sqlite3, statistics, subprocess, sys, time, urllib.request

celaje, work, rounds, *sizes = sys.argv[1:]
LAST = "2020-01-01 00:02"
# The pictures of a drawn day, an hour apart, are served again and again.
pictures = f"{work}/pictures"
os.makedirs(pictures)
drawing = subprocess.Popen([celaje, "simulate", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)  # fmt: skip
while not (told := re.search(r"http://127\.0\.0\.1:\d+/", drawing.stdout.readline())):
    if drawing.poll() is not None:
        sys.exit("the simulator did not start")
for hour in range(24):
    with urllib.request.urlopen(f"{told.group()}2021/2021-0102{hour:02}02.jpg") as picture:
        open(f"{pictures}/{hour:02}.jpg", "wb").write(picture.read())
drawing.kill()
camera = subprocess.Popen([celaje, "bench-camera", pictures], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)
base = camera.stdout.readline().strip()

def backfill(db, start, end):
    begun = time.monotonic()
    run = subprocess.Popen(
        [celaje, "backfill", "--from", start, "--to", end, "--db", db, "--url-base", base,
         "--quiet", "--json", "--stats"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = run.communicate()
    seconds = time.monotonic() - begun
    if run.returncode:
        sys.exit(err)
    told = json.loads(out.splitlines()[-1])
    store = next(stage for stage in told["stats"]["stages"] if stage["stage"] == "store")
    return told, seconds, 1000 * store["worked_s"] / max(store["done"], 1)

def made(rows):
    """A record of so many rows, the last of them at LAST: one of the program's own, over and over."""
    db = f"{work}/{rows}.db"
    backfill(db, "2021-01-01T00:00", "2021-01-01T00:09")
    with sqlite3.connect(db) as record:
        columns = [name for _, name, *_ in record.execute("PRAGMA table_info(observations)")]
        moved = {
            "slot_local": "strftime('%Y-%m-%dT%H:%M', t)", "captured_at": "strftime('%Y-%m-%dT%H:%M', t)",
            "slot_utc": "strftime('%Y-%m-%dT%H:%M:00Z', t, '+3 hours')",
            "file_name": "strftime('%Y-%m%d%H%M.jpg', t)", "url": "strftime('http://127.0.0.1/%Y-%m%d%H%M.jpg', t)",
            "image_sha256": "lower(hex(randomblob(32)))",
        }  # fmt: skip
        record.execute(f"""
            WITH RECURSIVE n(i) AS (SELECT {rows} WHERE {rows} > 0 UNION ALL SELECT i - 1 FROM n WHERE i > 1),
            at(t) AS (SELECT datetime('{LAST}', (-10 * i) || ' minutes') FROM n)
            INSERT INTO observations ({", ".join(columns)})
            SELECT {", ".join(moved.get(name, name) for name in columns)} FROM at, observations
            WHERE slot_local LIKE '2021-%'""")
    return db

records = [made(int(rows)) for rows in sizes]
found = {db: [] for db in records}
for turn in range(int(rounds)):
    for db in records:
        days = f"2022-{turn + 1:02}-01T00:00", f"2022-{turn + 1:02}-10T23:59"
        run, _, store = backfill(db, *days)
        if run["new"] != 1440:
            sys.exit(f"{run}")
        found[db].append((run["images_per_s"], store))
print("| rows | MiB | pictures a second | store, ms a slot | ten years that are stored |\n| --- | --- | --- | --- | --- |")
for rows, db in zip(sizes, records):
    run, seconds, _ = backfill(db, "2010-01-01T00:00", "2019-12-31T23:59") if int(rows) >= 600_000 else ({}, 0, 0)
    years = f"{run['duplicates']} slots in {seconds:.2f} s" if run.get("new") == 0 else ""
    rate, store = (statistics.median(column) for column in zip(*found[db]))
    print(f"| {int(rows):,} | {os.path.getsize(db) / 2**20:,.0f} | {rate:.0f} | {store:.3f} | {years} |")
camera.kill()
PY
