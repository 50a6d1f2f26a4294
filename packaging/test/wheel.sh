#!/usr/bin/env bash
# Installs the wheel of target/dist, or the one named, as a user would, and runs the demo with no other
# step: in a venv that is not activated, in one that is, and by pipx. Needs PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."

wheel=$(realpath "${1:-$(find target/dist -name "celaje-*_$(uname -m).whl" | head -n 1)}")
test=$(mktemp -d)
trap 'rm -rf "$test"' EXIT
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

start=$SECONDS
python3 -m venv "$test/venv"
"$test/venv/bin/pip" install -q --disable-pip-version-check "$wheel"
echo "pip install: $((SECONDS - start)) s"

celaje=$test/venv/bin/celaje
wanted="installed by: pip ($test/venv/bin)" says fresh "$celaje" --version
wanted="ONNX Runtime: 1" says fresh "$celaje" --version
path=$test/venv/bin:/usr/bin:/bin wanted="ONNX Runtime: 1" says fresh celaje --version
echo 'a venv, activated or not: the program and ONNX Runtime are found'

start=$SECONDS
wanted='total=144 | nuevos=144 | duplicados=0 | fallidos=0' says fresh "$celaje" demo --once
! [ -e "$test/home/.cache/celaje" ] || { echo 'the demo fetched a library'; exit 1; }
echo "celaje demo --once: $((SECONDS - start)) s"

[ "$(find "$test"/venv/lib/python3*/site-packages/celaje-*.dist-info/licenses -type f | wc -l)" -eq 4 ] ||
  { echo 'the licences are not in the wheel'; exit 1; }

python3 -m venv "$test/tools"
"$test/tools/bin/pip" install -q --disable-pip-version-check pipx
PIPX_HOME=$test/pipx PIPX_BIN_DIR=$test/home/.local/bin "$test/tools/bin/pipx" install "$wheel" >/dev/null
wanted='installed by: pip' says fresh "$test/home/.local/bin/celaje" --version
wanted="ONNX Runtime: 1" says fresh "$test/home/.local/bin/celaje" --version
echo 'pipx: the program and ONNX Runtime are found'
