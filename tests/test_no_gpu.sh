#!/bin/sh
# `--device cuda` where it cannot be: one line that says what is missing, and status 1. test_no_gpu.sh ELBO FAKE-DRIVER
set -eu
elbo=$(realpath "$1") driver=$(realpath "$2")
fake=$(mktemp -d)
trap 'rm -rf "$fake"' EXIT
cd "$fake"
expect() { # expect WORDS FAKE_GPU
    if FAKE_GPU=$2 "$elbo" bench mnist-ae --device cuda -n 1 >out 2>err; then
        echo "with '$2' it went on" >&2
        exit 1
    fi
    case $(cat err) in
    *"built without its kernels"*) exit 77 ;; # no clang where this was built
    *"$1"*) ;;
    *) echo "expected: $1" >&2; cat err >&2; exit 1 ;;
    esac
    [ "$(wc -l <err)" = 1 ] && [ ! -s out ] || { echo "more than one line:" >&2; cat out err >&2; exit 1; }
}
nvidia-smi -L >/dev/null 2>&1 || [ -e /dev/nvidiactl ] || expect "there is no NVIDIA driver here" ""
ln -s "$driver" libcuda.so.1
export LD_LIBRARY_PATH="$fake"
expect "the NVIDIA driver finds no GPU: no CUDA-capable device is detected" none
expect "the NVIDIA driver is for CUDA 8.0; 9.0 or later is needed" "old driver"
expect "the GPU's compute capability is 6.1; 7.0 or more is needed" "old gpu"
expect "out of memory: on the GPU the weights and what the optimizer keeps of them take 2 MiB" full
"$elbo" plan mnist-vae --device cuda | grep -q "launches"
