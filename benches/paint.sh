#!/usr/bin/env bash
# How soon does a visitor see the dashboard of a year of data?
#
#   benches/paint.sh [ROUNDS]
#
# `celaje serve --read-only` on a record of a year; a browser without anything in its caches visits a view, and
# tells when it first painted something (first-contentful-paint), when the largest thing stood
# (largest-contentful-paint), and when the first chart did (the page's own mark `celaje-chart`), in
# milliseconds since the visit began. Medians and worst of ROUNDS [5] visits each; the server answers
# the first visit to a view without having drawn it before.
#
# Exit status 1 when a first paint took more than a second.
#
# Needs bash, python3, chromium and chromedriver, and a release build: cargo build --release
# Environment:
#   CELAJE   the program  [target/release/celaje]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
celaje=${CELAJE:-${CARGO_TARGET_DIR:-$root/target}/release/celaje}
unset CELAJE
[ -x "$celaje" ] || { echo "there is no $celaje: run cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$celaje" "$work" "${1:-5}" <<'PY'
import datetime as dt, json, re, sqlite3, statistics, subprocess, sys, time, urllib.error, urllib.request

celaje, work, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = f"{work}/year.db"
running = []

def start(command, address):
    """A program, and what it says that its address is."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    running.append(program)
    for line in program.stdout:
        if found := re.search(address, line):
            return found.group(1)
    sys.exit(f"{command[0]} did not start")

base = start([celaje, "simulate", "--port", "0"], r"(http://127\.0\.0\.1:\d+/)")
today = dt.date.today()
subprocess.run([celaje, "backfill", "--from", f"{today - dt.timedelta(2)}T00:00", "--to",
                f"{today - dt.timedelta(2)}T23:59", "--db", db, "--url-base", base, "--quiet"],
               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
with sqlite3.connect(db) as record:
    columns = [name for _, name, *_ in record.execute("PRAGMA table_info(observations)")]
    moved = {
        "slot_local": "strftime('%Y-%m-%dT%H:%M', slot_local, by)",
        "captured_at": "strftime('%Y-%m-%dT%H:%M', slot_local, by)",
        "slot_utc": "strftime('%Y-%m-%dT%H:%M:00Z', slot_utc, by)",
        "file_name": "strftime('%Y-%m%d%H%M.jpg', slot_local, by)",
        "okta": "abs(random()) % 9", "image_sha256": "lower(hex(randomblob(32)))",
    }  # fmt: skip
    # Every eleventh slot is a gap.
    record.execute(f"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 365),
        days(by) AS (SELECT '-' || i || ' days' FROM n)
        INSERT INTO observations ({", ".join(columns)})
        SELECT {", ".join(moved.get(name, name) for name in columns)} FROM days, observations
        WHERE abs(random()) % 11 <> 0""")
    print(record.execute("SELECT count(*) || ' rows, ' || min(slot_local) || ' to ' || max(slot_local)"
                         " FROM observations").fetchone()[0])
site = start([celaje, "serve", "--read-only", "--listen", "127.0.0.1:0", "--db", db, "--url-base", base],
             r"(http://127\.0\.0\.1:\d+)/")
driver = start(["chromedriver", "--port=0"], r"started successfully on port (\d+)")

def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{driver}{path}", data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())["value"]
    except urllib.error.HTTPError as error:
        sys.exit(error.read().decode()[:500])

SEEN = """
const done = arguments[0];
const at = name => { const e = performance.getEntriesByName(name)[0]; return e ? e.startTime : null; };
let largest = null;
new PerformanceObserver(list => list.getEntries().forEach(e => largest = e.startTime))
  .observe({type: 'largest-contentful-paint', buffered: true});
const look = () => (at('celaje-chart') === null || at('first-contentful-paint') === null)
  ? setTimeout(look, 20)
  : setTimeout(() => done([at('first-contentful-paint'), largest, at('celaje-chart')]), 500);
look();
"""

def visit(view):
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--window-size=1280,900"]
    wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}}
    session = f"/session/{ask('POST', '/session', wanted)['sessionId']}"
    ask("POST", f"{session}/timeouts", {"script": 60_000})
    ask("POST", f"{session}/url", {"url": f"{site}/#/{view}"})
    seen = ask("POST", f"{session}/execute/async", {"script": SEEN, "args": []})
    ask("DELETE", session)
    return seen

slowest = 0
try:
    print("| view | first paint, ms | at most | largest paint, ms | first chart, ms |\n| --- | --- | --- | --- | --- |")
    for view in ("now", "timeline?days=30", "timeline?days=365", "history?span=month", "history?span=year"):
        seen = [visit(view) for _ in range(rounds)]
        first, largest, chart = (statistics.median(value or 0 for value in column) for column in zip(*seen))
        worst = max(one[0] for one in seen)
        slowest = max(slowest, worst)
        print(f"| {view} | {first:.0f} | {worst:.0f} | {largest:.0f} | {chart:.0f} |", flush=True)
finally:
    for program in running:
        program.kill()
sys.exit("a first paint took more than a second" if slowest > 1000 else 0)
PY
