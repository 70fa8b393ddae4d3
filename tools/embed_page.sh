#!/bin/sh
# Writes the explorer's page as C: embed_page.sh OUTPUT.c FILE...  The assembler takes the files in as they are.
set -eu
output=$1
shift
{
    printf '/* Made by tools/embed_page.sh from apps/serve/page/. */\n#include "serve/page.h"\n\n'
    i=0
    for file; do
        path=$(cd "$(dirname "$file")" && pwd)/$(basename "$file")
        printf '__asm__(".section .rodata\\n.balign 16\\nserve_page_%d:\\n.incbin \\"%s\\"\\nserve_page_end_%d:\\n"\n' $i "$path" $i
        printf '        ".byte 0\\n.text\\n");\n'
        printf 'extern const unsigned char serve_page_%d[], serve_page_end_%d[];\n' $i $i
        i=$((i + 1))
    done
    printf '\nconst serve_page_file serve_page_files[] = {\n'
    i=0
    for file; do
        printf '    {"%s", serve_page_%d, serve_page_end_%d},\n' "$(basename "$file")" $i $i
        i=$((i + 1))
    done
    printf '    {0},\n};\n'
} >"$output"
