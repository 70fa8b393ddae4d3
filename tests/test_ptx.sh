#!/bin/sh
# The kernels that were embedded are whole: every kernel has its entry, and ptxas, where it is, assembles them for GPUs of
# today. test_ptx.sh KERNELS.ptx KERNELS.def
set -eu
for kernel in $(sed -n 's/^KERNEL_ROW(\([a-z_0-9]*\),.*/\1/p' "$2"); do
    grep -q "entry elbo_$kernel(" "$1" || { echo "$1 has no kernel elbo_$kernel" >&2; exit 1; }
done
if grep -nE '(atom|red)\..*\.f(32|64)' "$1"; then
    echo "a float is added atomically: the order of its sum is left to chance" >&2
    exit 1
fi
ptxas=$(command -v ptxas || ls /usr/local/cuda/bin/ptxas 2>/dev/null) || {
    echo "skipped: no ptxas here to assemble the kernels with"
    exit 77
}
for gpu in sm_75 sm_80 sm_90; do
    "$ptxas" -arch=$gpu -o /dev/null "$1" || { echo "$ptxas -arch=$gpu: see above" >&2; exit 1; }
done
