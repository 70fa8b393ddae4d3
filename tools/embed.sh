#!/bin/sh
# Writes the table of built-in recipes: embed.sh OUTPUT.c NAME.yaml...  Rows stand in the order given.
set -eu
output=$1
shift
{
    printf '/* Made by tools/embed.sh from recipes/. */\n#include "recipe/recipe.h"\n\n'
    printf 'const elbo_builtin_recipe elbo_builtin_recipes[] = {\n'
    for file; do
        printf '    {"%s",\n' "$(basename "$file" .yaml)"
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
        printf '    },\n'
    done
    printf '    {0},\n};\n'
} >"$output"
