#!/bin/sh
# Folders of src stand in the order that data passes through them; each includes only what stands above it. Drawing never
# runs a model. Nothing in src knows the programs in apps. Run from anywhere; says each line that breaks a rule.
set -eu
cd "$(dirname "$0")/.."

export order='base formats data recipe nn plan device run train stats explore export render'

# Exceptions, FROM>FOLDER, FROM a folder or a file: these shrink, and one that nothing needs any more is an error.
export exceptions=''

# What runs a model.
analyses='reconstruct|sample|interpolate|arithmetic|traverse|manifold'
analyses="$analyses|project|diagnose|diagnose_context|evaluate_run|compare|report_gather|run_measure|eval_context_open"
runs_a_model='^ *# *include +"(run/model\.h|train/|device/)|elbo_model_[a-z0-9_]*\(|elbo_('"$analyses"')\('
broken=$(
    grep -rnE '^ *# *include +"' src --include='*.c' --include='*.h' | awk '
        BEGIN {
            n = split(ENVIRON["order"], name, " ")
            for (i = 1; i <= n; i++) rank[name[i]] = i
            n = split(ENVIRON["exceptions"], line, "\n")
            for (i = 1; i <= n; i++) if (split(line[i], word, " ")) tolerated[word[1]] = 1
        }
        {
            split($0, at, ":")
            split(at[1], path, "/")
            split($0, quoted, "\"")
            split(quoted[2], to, "/")
            from = path[2]
            if (!(from in rank)) print at[1] ": src/" from " has no place in the order of tools/check_layers.sh"
            if (quoted[2] ~ /(^|\/)(apps|cli)\// || quoted[2] ~ /\.\.\//)
                print at[1] ":" at[2] ": includes \"" quoted[2] "\"; src includes nothing of apps, and no path with .."
            else if ((to[1] in rank) && rank[to[1]] > rank[from]) {
                folder = from ">" to[1]
                file = at[1] ">" to[1]
                if (file in tolerated) used[file] = 1
                else if (folder in tolerated) used[folder] = 1
                else print at[1] ":" at[2] ": src/" from " includes \"" quoted[2] "\", which stands below it"
            }
        }
        END {
            for (e in tolerated)
                if (!(e in used)) print "tools/check_layers.sh: the exception " e " is not needed any more; remove it"
        }'
    for file in src/render/*.c src/render/*.h; do
        runs=$(grep -nE "$runs_a_model" "$file" || true)
        [ -z "$runs" ] ||
            printf '%s\n' "$runs" | sed "s|^|$file:|; s|\$| (drawing runs no model: it is given a result of src/explore)|"
    done
)
[ -z "$broken" ] && exit 0
printf '%s\n' "$broken" >&2
exit 1
