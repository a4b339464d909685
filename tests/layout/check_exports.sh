#!/bin/sh
# tests/layout/check_exports.sh LIBRARY.so...
#
# Each of these shared libraries exports names of the public headers, and of its own (cfi_*) none: all
# that it exports begins with cf_. Other names are printed.
#
# Exit code 0: so it is; 1: there are others, or none at all; 2: the check could not be made.
set -eu

say() {
    printf 'check_exports.sh: %s\n' "$*" >&2
}

[ $# -gt 0 ] || { say "which shared libraries?"; exit 2; }

code=0
for library; do
    listed=$(nm -D --defined-only --format=posix "$library") || exit 2
    names=$(printf '%s\n' "$listed" | cut -d ' ' -f 1)
    others=$(printf '%s\n' "$names" | grep -v '^cf_') || continue # every name begins with it
    [ -n "$others" ] || others="no name at all"
    say "$library exports" $others
    code=1
done
exit $code
