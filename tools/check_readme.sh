#!/bin/sh
# The commands that README.md names exist: check_readme.sh [ELBO] (default build/elbo) looks at code spans and code blocks for
# `elbo WORD` and `make TARGET`, and fails on each that `elbo help` or the Makefile does not list.
set -eu
cd "$(dirname "$0")/.."
elbo=${1:-build/elbo}
readme=${README:-README.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$elbo" help | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p' >"$work/commands"
sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' Makefile >"$work/targets"
if [ ! -s "$work/commands" ] || [ ! -s "$work/targets" ]; then
    echo "check_readme.sh: \`$elbo help\` or the Makefile lists nothing" >&2
    exit 1
fi

# What stands in code, one command to a line: "LINE elbo WORD" or "LINE make WORD". Spans may run over a line's end.
awk '
    function words(code, line,   n, w, i, part, parts, p) {
        sub(/#.*/, "", code)
        gsub(/[()$]/, " ", code)
        parts = split(code, part, /[;&|`]+/)
        for (p = 1; p <= parts; p++) {
            n = split(part[p], w, /[ \t]+/)
            for (i = 1; i < n; i++) {
                if (w[i] != "elbo" && w[i] != "build/elbo" && w[i] != "make") continue
                if (w[i + 1] ~ /^[a-z][a-z-]*[,.:]?$/) {
                    sub(/[,.:]$/, "", w[i + 1])
                    sub(/^build\//, "", w[i])
                    print line, w[i], w[i + 1]
                }
                break
            }
        }
    }
    /^```/ { block = !block; inside = 0; code = ""; next }
    block { words($0, NR); next }
    /^$/ { inside = 0; code = ""; next }
    {
        count = split($0, piece, "`")
        for (i = 1; i <= count; i++) {
            if (inside) code = code " " piece[i]
            if (i < count) {
                if (inside) words(code, NR)
                inside = !inside
                code = ""
            }
        }
    }' "$readme" >"$work/named"
[ -s "$work/named" ] || {
    echo "check_readme.sh: $readme names no command" >&2
    exit 1
}

broken=0
while read -r line program word; do
    case $program in
    elbo) list=commands ;;
    *) list=targets ;;
    esac
    grep -qx -- "$word" "$work/$list" || {
        echo "$readme:$line: \`$program $word\`: there is no such $([ $list = commands ] && echo command || echo target)" >&2
        broken=1
    }
done <"$work/named"
exit $broken
