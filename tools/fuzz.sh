#!/bin/sh
# Gives elbo's readers inputs that nobody would write: each target of tests/fuzz under libFuzzer, with AddressSanitizer and
# UndefinedBehaviorSanitizer, one after the other. fuzz.sh [TARGET...]; FUZZ_SECONDS (3600) and FUZZ_RUNS (10000000) are
# the most for each, whichever comes first. What is learnt stays in build-fuzz/corpus for the next time, what breaks
# something in build-fuzz/found: mended, it goes to tests/fuzz/corpus, which `make test` reads.
set -eu
cd "$(dirname "$0")/.."
build=build-fuzz
if [ ! -f $build/build.ninja ]; then
    CC=${FUZZ_CC:-clang} CXX=${FUZZ_CXX:-clang++} meson setup $build --werror --buildtype=debugoptimized -Doptimization=1 \
        -Dfuzz=true -Dtests=true -Db_sanitize=address,undefined -Db_lundef=false >$build.log || { cat $build.log; exit 1; }
fi
# FUZZ_ALL: everything else too, so that clang's warnings are seen.
if [ -n "${FUZZ_ALL:-}" ]; then ninja -C $build --quiet; else ninja -C $build --quiet tests/fuzz/fuzz; fi
fuzz=$build/tests/fuzz/fuzz
[ $# -gt 0 ] || set -- $(ls tests/fuzz/corpus)
mkdir -p $build/found
failed=0
printf '%-12s %12s %8s %10s %9s %9s %7s\n' target inputs seconds 'inputs/s' edges features corpus
for target; do
    mkdir -p $build/corpus/"$target"
    log=$build/found/$target.log
    status=0
    start=$(date +%s)
    $fuzz "$target" -max_total_time="${FUZZ_SECONDS:-3600}" -runs="${FUZZ_RUNS:-10000000}" -print_final_stats=1 \
        -artifact_prefix=$build/found/"$target"- $build/corpus/"$target" tests/fuzz/corpus/"$target" >"$log" 2>&1 || status=$?
    awk -v target="$target" -v seconds=$(($(date +%s) - start)) '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "ft:") features = $(i + 1)
                   if ($i == "corp:") corpus = $(i + 1) } }
        /^#[0-9]/ { inputs = substr($1, 2) }
        /stat::number_of_executed_units/ { inputs = $2 }
        END { sub("/.*", "", corpus)
              printf "%-12s %12d %8d %10.0f %9s %9s %7s\n", target, inputs, seconds,
                     inputs / (seconds ? seconds : 1), edges, features, corpus }' "$log"
    if [ $status != 0 ]; then
        failed=1
        grep -vE '^#[0-9]|^INFO|stat::' "$log" | grep -aE 'ERROR|SUMMARY|Assert|error:|\.c:[0-9]+' | head -n 12 || true
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        echo "  the whole of it: $log"
        [ -z "$input" ] || echo "  to see it again: $fuzz $target $input"
    fi
done
exit $failed
