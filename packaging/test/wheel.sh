#!/usr/bin/env bash
# Installs the wheel of target/dist, or the one named, as a user would, and runs the demo with no other
# step: in a venv that is not activated, in one that is, and by pipx. Needs PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Each step tells how many seconds it took: together they are a user's first five minutes, whose camera is
# a simulated one.
wheel=$(realpath "${1:-$(find target/dist -name "celaje-*_$(uname -m).whl" | head -n 1)}")
test=$(mktemp -d)
children=()
# What still runs could write into the folder while it is removed.
trap '[ ${#children[@]} -eq 0 ] || { kill "${children[@]}" 2>/dev/null || true; wait; }; rm -rf "$test"' EXIT
mkdir "$test/home"

# In an empty home, with nothing of the caller's environment.
fresh() {
  (cd "$test/home" && env -i HOME="$test/home" PATH="${path:-/usr/bin:/bin}" LANG=C.UTF-8 "$@")
}

wanted=
# says COMMAND… : fails unless it exits with 0 and prints what stands in $wanted.
says() {
  local told
  told=$("$@" 2>&1) || { echo "$told"; echo "failed: $*"; return 1; }
  [[ $told == *"$wanted"* ]] || { echo "$told"; echo "not said: $wanted"; return 1; }
}

# took STEP: the seconds since `begin`.
begin() { start=$(date +%s%N); }
took() { awk -v ns=$(($(date +%s%N) - start)) -v step="$1" 'BEGIN { printf "%s: %.1f s\n", step, ns / 1e9 }'; }

begin
python3 -m venv "$test/venv"
"$test/venv/bin/pip" install -q --disable-pip-version-check "$wheel"
took 'pip install'

celaje=$test/venv/bin/celaje
wanted="installed by: pip ($test/venv/bin)" says fresh "$celaje" --version
wanted="ONNX Runtime: 1" says fresh "$celaje" --version
path=$test/venv/bin:/usr/bin:/bin wanted="ONNX Runtime: 1" says fresh celaje --version
echo 'a venv, activated or not: the program and ONNX Runtime are found'

begin
wanted='total=144 | nuevos=144 | duplicados=0 | fallidos=0' says fresh "$celaje" demo --once
! [ -e "$test/home/.cache/celaje" ] || { echo 'the demo fetched a library'; exit 1; }
took 'celaje demo --once'

fresh "$celaje" simulate --port 8196 --log off >/dev/null 2>&1 &
children+=($!)
answers() { for _ in $(seq 600); do (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done; return 1; }
answers 8196
begin
wanted='celaje.toml' says fresh "$celaje" init --url http://127.0.0.1:8196/ --latitude=-53.79 --longitude=-67.7 \
  --time-zone America/Argentina/Ushuaia
took 'celaje init'
yesterday=$(date -u -d '2 days ago' +%F)
begin
wanted='total=144 | nuevos=144 | duplicados=0 | fallidos=0' says fresh "$celaje" backfill --from "$yesterday" --to "$yesterday"
took 'celaje backfill, a day'
begin
fresh "$celaje" serve --listen 127.0.0.1:8195 >/dev/null 2>&1 &
children+=($!)
answers 8195
curl -sf "http://127.0.0.1:8195/api/v1/stations/sky/observations?from=$yesterday&to=$yesterday" | grep -q '"okta"' ||
  { echo 'serve does not show the day'; exit 1; }
took 'celaje serve, until it answers'

[ "$(find "$test"/venv/lib/python3*/site-packages/celaje-*.dist-info/licenses -type f | wc -l)" -eq 4 ] ||
  { echo 'the licences are not in the wheel'; exit 1; }

python3 -m venv "$test/tools"
"$test/tools/bin/pip" install -q --disable-pip-version-check pipx
PIPX_HOME=$test/pipx PIPX_BIN_DIR=$test/home/.local/bin "$test/tools/bin/pipx" install "$wheel" >/dev/null
wanted='installed by: pip' says fresh "$test/home/.local/bin/celaje" --version
wanted="ONNX Runtime: 1" says fresh "$test/home/.local/bin/celaje" --version
echo 'pipx: the program and ONNX Runtime are found'
