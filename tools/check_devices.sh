#!/bin/sh
# Only a device knows where tensors lie, and only the table of devices names one. Run from anywhere; says each line that
# breaks a rule.
set -eu
cd "$(dirname "$0")/.."
broken=$(
    grep -rnE '(->|\.)(base|shard_stride|arena)\b' src apps --include='*.c' --include='*.h' | grep -v '^src/device/' |
        sed 's/$/ (memory of a tensor, outside src\/device)/' || true
    grep -rnE '"(cpu|ref|cuda)"' src apps --include='*.c' --include='*.h' | grep -v '^src/device/' |
        sed 's/$/ (a device by name, outside src\/device)/' || true
    grep -rnE '# *include +"device/cpu/(program|cpu|program_make|lower/)' src apps --include='*.c' --include='*.h' |
        grep -v '^src/device/' | sed 's/$/ (what the CPU device keeps to itself)/' || true
)
[ -z "$broken" ] && exit 0
printf '%s\n' "$broken" >&2
exit 1
