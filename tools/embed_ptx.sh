#!/bin/sh
# Writes kernels as a C string: embed_ptx.sh OUTPUT.c [FILE.ptx]  Without a file, an empty one.
set -eu
{
    printf '/* Made by tools/embed_ptx.sh. */\n#include "device/cuda/ptx.h"\n\nconst char elbo_gpu_ptx[] =\n    ""\n'
    [ $# -lt 2 ] || sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' -e 's/^/    "/' -e 's/$/\\n"/' "$2"
    printf '    ;\n'
} >"$1"
