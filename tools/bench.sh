#!/bin/sh
# The speed table: each recipe's training rate, and PyTorch's on the same work where tools/bench.py can run. The two take turns,
# so that what else the machine does hits both; the ratio is the median of the rounds' ratios.
#   tools/bench.sh build/elbo [ROUNDS] [RECIPE...]
set -eu
here=$(dirname "$0")
if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    exec /usr/bin/python3 "$here/bench.py" "$@"
fi
echo "(python3-torch is not installed: elbo alone)"
elbo=$1
shift $(($# > 1 ? 2 : 1))
[ $# -gt 0 ] || set -- mnist-ae mnist-ae-2d mnist-vae mnist-vae-2d fashion-vae mnist-cae mnist-conv-vae
for recipe; do
    "$elbo" bench "$recipe" --steps 300
done
