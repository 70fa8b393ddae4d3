#!/bin/sh
# What a release build promises: test_release.sh LIBRARY PROGRAM... The library exports what its headers declare and
# nothing else; addresses are random, tables of them read-only from the start, buffers on the stack guarded, and calls that
# write into memory of a known size checked.
set -eu
headers=$(dirname "$0")/../include/elbo
failed=0
fail() {
    echo "$1" >&2
    failed=1
}

exported=$(nm -D --defined-only "$1" | sed 's/.* //; s/@.*//' | sort)
declared=$(sed -n 's/^ELBO_API .*[ *]\(elbo_[a-z0-9_]*\)(.*/\1/p' "$headers"/*.h | sort)
[ "$exported" = "$declared" ] || fail "$1: exports
$exported
but its headers declare
$declared"

for file; do
    LC_ALL=C readelf -W -h -l -d "$file" >"${TMPDIR:-/tmp}/elbo-release.$$"
    says() { grep -q "$1" "${TMPDIR:-/tmp}/elbo-release.$$" || fail "$file: $2"; }
    says 'Type: *DYN' 'is not position independent'
    says 'GNU_RELRO' 'has no read-only relocations'
    says 'FLAGS.*NOW' 'is not bound at its start'
    says 'GNU_STACK.* RW ' 'has an executable stack'
    rm -f "${TMPDIR:-/tmp}/elbo-release.$$"
    nm -D --undefined-only "$file" | grep -q '__stack_chk_fail' || fail "$file: its stack is not guarded"
    nm -D --undefined-only "$file" | grep -q '_chk@\|_chk$' || fail "$file: no call is checked (_FORTIFY_SOURCE)"
done
exit $failed
