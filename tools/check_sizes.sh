#!/bin/sh
# No function is longer than 70 lines, no function in a header has more than 8 parameters, no file more than 600 lines: check_sizes.sh
# names each that is.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- $(git ls-files 'src/*.[ch]' 'include/*.h' 'apps/*.[ch]' 'tests/*.[ch]')

awk '
    function file_ends() {
        if (lines > 600) say(name, lines " lines; a file has at most 600")
        lines = 0; head = 0; declared = ""
    }
    function say(where, what) { print where ": " what; bad = 1 }
    # Parameters of a declaration, one text: commas outside inner parentheses.
    function parameters(text,   depth, n, i, c) {
        sub(/^[^(]*\(/, "", text)
        n = 1
        for (i = 1; i <= length(text) && depth >= 0; i++) {
            c = substr(text, i, 1)
            depth += (c == "(") - (c == ")")
            n += c == "," && !depth
        }
        return n
    }
    FNR == 1 { file_ends(); name = FILENAME }
    { lines = FNR }
    /^[a-z].*\(/ && !/;$/ && !/^(typedef|extern|enum|struct)/ { head = FNR }  # a definition begins, or a declaration goes on
    /^[#}]/ || /^$/ { if ($0 != "}") head = 0 }
    $0 == "}" {
        if (head && FNR - head + 1 > 70) say(FILENAME ":" head, "a function of " FNR - head + 1 " lines; at most 70")
        head = 0
    }
    FILENAME ~ /\.h$/ {
        code = $0
        sub(/\/\/.*/, "", code)
        if (declared == "" && code !~ /^[a-z][a-z_0-9 *]*\(/) next
        declared = declared code
        if (code !~ /[;{]$/) next
        if (declared !~ /^(typedef|static const)/ && parameters(declared) > 8)
            say(FILENAME ":" FNR, parameters(declared) " parameters; at most 8")
        declared = ""
    }
    END { file_ends(); exit bad }
' "$@"
