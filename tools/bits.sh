#!/bin/sh
# Checksums of what training computes: bits.sh ELBO [RECIPE...] trains each recipe for one epoch (photo recipes on 48
# photographs of ELBO_DATA/dogs-sample) and prints the SHA-256 of its weights. Two builds that print the same compute the
# same bits on this machine: bits.sh old/elbo >a; bits.sh new/elbo >b; diff a b
set -eu
elbo=$1
shift
[ $# -gt 0 ] || set -- mnist-ae mnist-ae-2d mnist-vae mnist-vae-2d fashion-vae fashion-sigma-vae mnist-cae mnist-cae-pool mnist-conv-vae \
    fashion-conv-vae photo-vae photo-sigma-vae faces-vae cifar-vae cifar-sigma-vae dogs-sharp-vae
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/photos"
find "$ELBO_DATA/dogs-sample" -type f \( -name '*.jpg' -o -name '*.jpeg' -o -name '*.png' \) | sort | head -n 48 |
    while read -r file; do
        mkdir -p "$work/photos/$(basename "$(dirname "$file")")"
        ln -s "$file" "$work/photos/$(basename "$(dirname "$file")")/"
    done
for recipe; do
    case "$recipe" in
    *photo*|*faces*|*cifar*|*dogs*) data="--data $work/photos --set train.batch=16" ;;
    *) data="" ;;
    esac
    # shellcheck disable=SC2086 # words
    "$elbo" train "$recipe" -e 1 -s 1 -q --force -o "$work/run" $data ${BITS_OPTIONS:-} >/dev/null
    header=$(od -An -t u8 -N 8 "$work/run/model.safetensors" | tr -d ' ')
    printf '%-18s %s\n' "$recipe" "$(tail -c +$((9 + header)) "$work/run/model.safetensors" | sha256sum | cut -c1-32)"
done
