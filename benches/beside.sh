#!/usr/bin/env bash
# Celaje beside what a user would run instead, on the same pictures and cores, in turns.
#
#   benches/beside.sh BENCH PICTURES NETWORK [FAR]
#
# BENCH holds three Python programs, baseline_{seq,async,best}.py: one picture after the other as the
# replaced system does it, 96 requests in flight, and a good engineer's best effort; each is called with
# BASE FROM TO DATABASE NETWORK and ends its line with pictures a second. PICTURES is a folder of JPEGs.
# NETWORK is an ONNX file that all of them and Celaje run (with its manifest NETWORK.toml); Celaje runs
# its bundled one too. FAR is how many milliseconds the far server is away [150].
# Everything is served by Celaje's own benchmark camera, on loopback and on the same cores.
#
# Needs bash, a release build, and python3 with numpy, pillow, onnxruntime, requests and aiohttp.
# Environment: CELAJE (the program), PYTHON, ROUNDS [3], SLOTS [1440], CELAJE_… (flags of backfill)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
celaje=${CELAJE:-${CARGO_TARGET_DIR:-$root/target}/release/celaje}
unset CELAJE
exec "${PYTHON:-python3}" - "$celaje" "$@" <<'PY'
import datetime as dt, json, os, pathlib, re, statistics, subprocess, sys, tempfile

celaje, bench, pictures, network, *more = sys.argv[1:]
far = int(more[0]) if more else 150
rounds, slots = int(os.environ.get("ROUNDS", 3)), int(os.environ.get("SLOTS", 1440))
long = 3 * slots  # the quickest case: as many seconds as the others
START = dt.datetime(2024, 1, 1, 0, 2)
work = tempfile.TemporaryDirectory()


def camera(latency):
    command = [celaje, "bench-camera", pictures, f"--latency={latency}"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return server, server.stdout.readline().strip()


def until(n):
    return START + dt.timedelta(minutes=10 * (n - 1))


def fresh(number=[0]):
    number[0] += 1
    return str(pathlib.Path(work.name) / f"{number[0]}.db")


def run(command):
    """Pictures a second, CPU ms a picture is left to the caller: what ran, and what it used."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = program.stdout.read(), program.stderr.read()
    _, status, used = os.wait4(program.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}\n{out}{err}")
    return out, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def python(which, base, n):
    script = str(pathlib.Path(bench) / f"baseline_{which}.py")
    out, cpu, memory = run([sys.executable, script, base.rstrip("/"), f"{START:%Y-%m-%dT%H:%M}",
                            f"{until(n):%Y-%m-%dT%H:%M}", fresh(), network])
    return float(re.search(r"([\d.]+) img/s", out).group(1)), 1000 * cpu / n, memory


def ours(model, base, n):
    out, cpu, memory = run([celaje, "backfill", "--desde", f"{START:%Y-%m-%dT%H:%M}",
                            "--hasta", f"{until(n):%Y-%m-%dT%H:%M}", "--url-base", base, "--db", fresh(),
                            "--json", "--quiet", *(["--model", model] if model else [])])
    run_ = json.loads(out.splitlines()[-1])
    if run_["new"] != n:
        sys.exit(f"{run_['missed_by_reason']}")
    return run_["images_per_s"], 1000 * cpu / n, memory


near_server, near = camera(0)
far_server, away = camera(far)
cases = {
    "Python, one by one": lambda: python("seq", near, slots // 4),
    "Python, 96 in flight": lambda: python("async", near, slots // 2),
    "Python, best effort": lambda: python("best", near, slots // 2),
    "Celaje, the same network": lambda: ours(network, near, slots // 2),
    "Celaje, its own network": lambda: ours(None, near, long),
    f"Python, one by one, {far} ms away": lambda: python("seq", away, 40),
    f"Celaje, its own network, {far} ms away": lambda: ours(None, away, long),
}
found = {name: [] for name in cases}
for _ in range(rounds):
    for name, case in cases.items():
        found[name].append(case())
        print(f"{name}: {found[name][-1][0]:.1f}", file=sys.stderr, flush=True)
near_server.kill()
far_server.kill()
middle = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}
print("| what | pictures a second | CPU ms a picture | peak MiB |\n| --- | --- | --- | --- |")
for name, (rate, cpu, memory) in middle.items():
    print(f"| {name} | {rate:.1f} | {cpu:.1f} | {memory:.0f} |")
rate = lambda name: middle[name][0]
print("\n| ratio | found |\n| --- | --- |")
for label, a, b in (
    ("the same network, against best-effort Python", "Celaje, the same network", "Python, best effort"),
    ("the same network, against one by one", "Celaje, the same network", "Python, one by one"),
    ("its own network, against one by one", "Celaje, its own network", "Python, one by one"),
    (f"the same, {far} ms away", f"Celaje, its own network, {far} ms away",
     f"Python, one by one, {far} ms away"),
    (f"{far} ms away over loopback", f"Celaje, its own network, {far} ms away", "Celaje, its own network"),
):  # fmt: skip
    print(f"| {label} | {rate(a) / rate(b):.2f} |")
PY
