#!/bin/sh
# Writes the table of the explorer's files: embed_page.sh OUTPUT.c FILE...  Rows stand in the order given. Two question
# marks, which could begin a trigraph, are kept apart.
set -eu
output=$1
shift
{
    printf '/* Made by tools/embed_page.sh from apps/serve/page/. */\n#include "apps/serve/page/page.h"\n\n'
    printf 'const elbo_page_file elbo_page_files[] = {\n'
    for file; do
        case "$file" in
        *.html) type='text/html; charset=utf-8' ;;
        *.svg) type='image/svg+xml' ;;
        *.css) type='text/css; charset=utf-8' ;;
        *) type='text/javascript; charset=utf-8' ;;
        esac
        printf '    {"%s", "%s", %d,\n' "$(basename "$file")" "$type" "$(wc -c <"$file")"
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/??/?\\?/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
        printf '    },\n'
    done
    printf '    {0},\n};\n'
} >"$output"
