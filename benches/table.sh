#!/usr/bin/env bash
# The criterion benches as a table in docs/BENCHES.md, beside what an earlier run gave.
#
#   benches/table.sh            measure and write the table; "before" is the run that was kept last
#   benches/table.sh --keep     the same, and keep this run as what later ones are compared with
#
# What is kept lies in the build folder (criterion's baseline "kept"): both columns are of the same
# machine, or the second one is empty. Arguments after -- are criterion's, such as a part of a name.
# Needs bash and python3. It does not wait for a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=
[ "${1:-}" != --keep ] || { keep=1; shift; }
[ "${1:-}" != -- ] || shift
cargo bench --locked --bench stages -- --warm-up-time 0.5 --measurement-time 2 --noplot "$@"

python3 - "${CARGO_TARGET_DIR:-target}/criterion" docs/BENCHES.md "$keep" <<'PY'
import json, os, pathlib, platform, shutil, sys

folder, out, keep = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]


def middle(path):
    """Nanoseconds of one iteration, for each element of it; none where it was not measured."""
    try:
        time = json.loads((path / "estimates.json").read_text())["median"]["point_estimate"]
        sizes = json.loads((path / "benchmark.json").read_text())["throughput"] or {}
    except FileNotFoundError:
        return None
    return time / (sizes.get("Elements") or 1)


def shown(ns):
    if ns is None:
        return "–"
    for unit, size in (("ms", 1e6), ("µs", 1e3), ("ns", 1)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.2g} ns"


rows = []
for new in sorted(folder.glob("**/new")):
    now, before = middle(new), middle(new.parent / "kept")
    name = json.loads((new / "benchmark.json").read_text())["full_id"]
    ratio = f"{now / before:.2f}" if now and before else "–"
    rows.append((name, now, before, ratio))
    if keep:
        shutil.rmtree(new.parent / "kept", ignore_errors=True)
        shutil.copytree(new, new.parent / "kept")

lines = [
    "# Benches",
    "",
    "One thread, wall-clock time an element (a picture, a row, a slot), medians. Made by `benches/table.sh`",
    f"on {os.cpu_count()} cores of a {platform.machine()} machine that was shared with others; \"before\" is an earlier",
    "run of it on the same machine, the ratio below 1 where it got quicker.",
    "",
    "| bench | now | before | ratio |",
    "| --- | --- | --- | --- |",
    *(f"| {name} | {shown(now)} | {shown(before)} | {ratio} |" for name, now, before, ratio in rows),
]
out.write_text("\n".join(lines) + "\n")
print(f"{len(rows)} benches in {out}")
PY
