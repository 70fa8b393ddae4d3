#!/bin/sh
# On a machine with an NVIDIA GPU: builds, runs the op and golden tests on the GPU, asks compute-sanitizer, trains twice and
# through a kill to the same bits, and measures, in less than ten minutes. Where there is no GPU it says so and ends with
# status 77. cuda.sh [BUILD]
set -eu
cd "$(dirname "$0")/.."
build=${1:-build-cuda}

if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "elbo: no NVIDIA GPU here (nvidia-smi finds none); nothing was built or run" >&2
    exit 77
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
[ -f "$build/build.ninja" ] || meson setup "$build" -Dtests=true >/dev/null
ninja -C "$build" elbo tests/test-shim tests/test-ops tests/test-golden >"$build/build.log" 2>&1 || {
    tail -n 30 "$build/build.log" >&2
    exit 1
}
elbo=$build/elbo
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
say() { printf '%-44s %s\n' "$1" "$2"; }
check() { # check WHAT COMMAND...: its output is shown where it fails
    what=$1
    shift
    if timeout 150 "$@" >"$work/log" 2>&1; then
        say "$what" ok
    else
        failed=1
        say "$what" FAILED
        tail -n 20 "$work/log"
    fi
}
train() { # train RUN [OPTION...]
    run=$1
    shift
    "$elbo" train mnist-vae -d digits -o "$work/$run" -e 2 -q --device cuda "$@"
}

export ELBO_TEST_DEVICE=cuda
check "op tests against plain loops" "$build/tests/test-ops"
check "golden steps against PyTorch" "$build/tests/test-golden"
unset ELBO_TEST_DEVICE

check "training on the GPU" train a
check "training once more" train b
check "the same bits twice" cmp "$work/a/model.safetensors" "$work/b/model.safetensors"
# (killed in the middle of its second epoch, or before: a resume leads to the same bits from wherever it was)
train c >"$work/killed" 2>&1 & pid=$!
sleep 3
kill -9 $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
check "a resume after a kill" "$elbo" train --resume "$work/c" -q --device cuda
check "the same bits after it" cmp "$work/a/model.safetensors" "$work/c/model.safetensors"

if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck synccheck initcheck; do
        check "compute-sanitizer: $tool" compute-sanitizer --tool "$tool" --error-exitcode 1 \
            "$elbo" bench mnist-vae --device cuda --steps 3
    done
else
    say "compute-sanitizer" "skipped: it is not here"
fi

for recipe in mnist-ae mnist-vae mnist-cae mnist-conv-vae; do
    "$elbo" bench $recipe --device cuda --set train.batch=128 2>&1 || true
done
[ $failed = 0 ] || exit 1
