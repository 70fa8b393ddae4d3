#!/bin/sh
# The programs of examples/ run one after the other: train makes the run that the others open.
# test_examples.sh DIGIT TRAIN [INTERPOLATE]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
    echo "$1" >&2
    exit 1
}
# NAME LINES: the output has so many lines, and some ink.
expect() {
    [ "$(wc -l <"$folder/$1")" -eq "$2" ] || fail "$1 printed $(wc -l <"$folder/$1") lines, not $2"
    grep -q '[=+*#%@]' "$folder/$1" || fail "$1 printed no image"
}

"$2" "$folder/run" 1 >"$folder/train"
expect train 30 # one epoch, 28 rows, the scores
grep -q '^epoch 1 of 1: [0-9.]* nats per image, test [0-9.]*$' "$folder/train" || fail "train did not tell of its epoch"
"$1" "$folder/run" 0.5 -1 >"$folder/digit"
expect digit 28
if "$2" "$folder/run" 1 >"$folder/again" 2>&1; then fail "train replaced a run"; fi
if [ $# -gt 2 ]; then
    "$3" "$folder/run" 3 >"$folder/interpolate"
    expect interpolate 87
    if "$3" "$folder/none" 3 2>"$folder/refusal"; then fail "interpolate opened what is not there"; fi
    grep -q none "$folder/refusal" || fail "interpolate did not say why"
fi
