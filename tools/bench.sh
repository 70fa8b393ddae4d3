#!/bin/sh
# The speed table: each recipe's training rate, and PyTorch's on the same work where tools/peer.py can run. The two take turns,
# so that what else the machine does hits both; the ratio is the median of the rounds' ratios.
#   tools/bench.sh build/elbo [ROUNDS]
set -eu
elbo=$1
rounds=${2:-3}
here=$(dirname "$0")
if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    exec /usr/bin/python3 "$here/bench.py" "$elbo" "$rounds"
fi
echo "(python3-torch is not installed: elbo alone)"
for recipe in mnist-ae mnist-ae-2d mnist-vae mnist-vae-2d fashion-vae mnist-cae mnist-conv-vae; do
    "$elbo" bench "$recipe" --steps 300
done
