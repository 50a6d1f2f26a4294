#!/usr/bin/env bash
# Fuzzes the targets named, or all, one after the other, each for so many minutes (default 5):
#   fuzz/run.sh [MINUTES] [TARGET…]
# Needs cargo-fuzz (cargo install --locked cargo-fuzz). The pinned stable toolchain will do: the
# flags that it wants a word for are those of the instrumentation. What is found goes to
# fuzz/artifacts/; a copy in fuzz/regressions/TARGET/ makes `cargo test` try it for ever.
set -euo pipefail
cd "$(dirname "$0")"
export RUSTC_BOOTSTRAP=1

minutes=${1:-5}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo fuzz list --fuzz-dir .)

cargo fuzz build --fuzz-dir .
for target in "${targets[@]}"; do
  kept=("seeds/$target")
  [ -d "regressions/$target" ] && kept+=("regressions/$target")
  [ "$target" = picture ] && kept+=(../tests/fixtures/pictures)
  mkdir -p "corpus/$target" "artifacts/$target"
  printf '\n== %s, %s min\n' "$target" "$minutes"
  cargo fuzz run --fuzz-dir . "$target" "corpus/$target" "${kept[@]}" -- \
    -max_total_time=$((60 * minutes)) -rss_limit_mb=1024 -timeout=10 -max_len=65536 \
    -print_final_stats=1
done
