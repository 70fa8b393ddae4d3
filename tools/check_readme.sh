#!/bin/sh
# The commands that the documentation names exist: check_readme.sh [ELBO [FILE.md...]] (default build/elbo, README.md, CONTRIBUTING.md
# and every .md in docs/) reads code spans and code blocks for `elbo COMMAND ...` and `make TARGET`. It fails where `elbo help` or the
# Makefile has no such word, where the command's --help has no such option, where no recipe or key has the name that train, sweep and
# the like are given, and where a linked file is missing.
set -eu
cd "$(dirname "$0")/.."
elbo=${1:-build/elbo}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- README.md CONTRIBUTING.md $(find docs -name '*.md')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$elbo" help | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p' >"$work/commands"
sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' Makefile >"$work/targets"
"$elbo" recipes | awk '{ print $1 }' >"$work/recipes"
"$elbo" recipes --keys | sed -n 's/^\([a-z][a-z0-9_.]*\):.*/\1/p' >"$work/keys"
for list in commands targets recipes keys; do
    [ -s "$work/$list" ] || {
        echo "check_readme.sh: \`$elbo help\`, its recipes or the Makefile list no $list" >&2
        exit 1
    }
done
mkdir "$work/help"
while read -r command; do "$elbo" "$command" --help >"$work/help/$command"; done <"$work/commands"

# What stands in code, one command to a line: "LINE elbo WORD ARGUMENT..." or "LINE make WORD". Spans may run over a line's end.
cat >"$work/commands.awk" <<'AWK'
    function words(code, line,   n, w, i, j, part, parts, p, said) {
        sub(/(^|[ \t])#.*/, "", code)
        gsub(/[()$\[\]\\]/, " ", code)
        parts = split(code, part, /[;&|`]+/)
        for (p = 1; p <= parts; p++) {
            n = split(part[p], w, /[ \t]+/)
            for (i = 1; i < n; i++) {
                if (w[i] != "elbo" && w[i] != "build/elbo" && w[i] != "make") continue
                if (w[i + 1] ~ /^[a-z][a-z-]*[,.:]?$/) {
                    sub(/[,.:]$/, "", w[i + 1])
                    sub(/^build\//, "", w[i])
                    said = line " " w[i]
                    for (j = i + 1; j <= n && w[j] !~ /^[<>]/; j++) said = said " " w[j]
                    print said
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
    }
AWK

# What is wrong with each such line of one file; lists are the files made above.
cat >"$work/wrong.awk" <<'AWK'
    function wrong(what) { print file ":" $1 ": `" $2 " " $3 "`: " what }
    function load(name, set,   line, from) {
        from = work "/" name
        while ((getline line < from) > 0) set[line] = 1
        close(from)
    }
    function options_of(command,   line, from, i, n, w) {
        if (command in read) return
        read[command] = 1
        from = work "/help/" command
        while ((getline line < from) > 0) {
            if (line !~ /^ +-/) continue
            n = split(line, w, /[ ,]+/)
            for (i = 2; i <= n && w[i] ~ /^-/; i++) option[command, w[i]] = 1
        }
        close(from)
    }
    function is_key(name,   k) {
        if (name in keys) return 1
        for (k in keys) if (index(k, name ".") == 1) return 1
        return 0
    }
    BEGIN {
        load("commands", commands); load("targets", targets); load("recipes", recipes); load("keys", keys)
        takes_recipe = " train sweep plan bench import recipes "
    }
    $2 == "make" { if (!($3 in targets)) wrong("there is no such target"); next }
    !($3 in commands) { if ($3 != "help") wrong("there is no such command"); next }
    {
        options_of($3)
        first = $4
        if (index(takes_recipe, " " $3 " ") && first ~ /^[a-z]+-[a-z0-9-]*[a-z0-9]$/ && !(first in recipes))
            wrong("there is no recipe " first)
        for (i = 4; i <= NF; i++) {
            word = $i
            gsub(/[",.\x27]+$/, "", word)
            sub(/=.*/, "", word)
            if (word ~ /^(-[a-zA-Z]|--[a-z][a-z-]*)$/ && !(($3, word) in option)) wrong("there is no option " word)
            if (word != "--set" && word != "--over") continue
            key = $(i + 1)
            if (key !~ /=/) continue
            gsub(/^[\x27"]/, "", key)
            sub(/=.*/, "", key)
            if (key ~ /^[a-z]/ && key != "key" && !is_key(key)) wrong("there is no key " key)
        }
    }
AWK

named=0
for page in "$@"; do
    awk -f "$work/commands.awk" "$page" >"$work/named"
    [ ! -s "$work/named" ] || named=1
    awk -v work="$work" -v file="$page" -f "$work/wrong.awk" "$work/named" >>"$work/wrong"
    # Linked files: [text](path), without an address or a place within the page.
    grep -no '](\([^)# ]*\)' "$page" | grep -v '](\(https*\|mailto\):' | sed 's/](//' | while IFS=: read -r line target; do
        [ -z "$target" ] || [ -e "$(dirname "$page")/$target" ] || echo "$page:$line: $target: there is no such file"
    done >>"$work/wrong" || true
done
[ $named = 1 ] || {
    echo "check_readme.sh: $* name no command" >&2
    exit 1
}
[ ! -s "$work/wrong" ] || {
    cat "$work/wrong" >&2
    exit 1
}
