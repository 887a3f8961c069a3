#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The public headers are the whole contract: each compiles alone, as strict C11 and as C++17, without
# a warning, and every public function has a comment that ends right above it.
# check_headers.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

faults=0 headers=0 work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strict=(-Wall -Wextra -Werror -pedantic -Ilib/include -fsyntax-only)

compiles_alone()
{
    local name=${1#lib/include/}
    printf '#include <%s>\n#include <%s>\n' "$name" "$name" | tee "$work/alone.c" >"$work/alone.cpp"
    "${CC:-cc}" -std=c11 "${strict[@]}" "$work/alone.c" &&
        "${CXX:-c++}" -std=c++17 "${strict[@]}" "$work/alone.cpp"
}

# A declaration is documented when the line right above it ends a comment.
undocumented()
{
    awk '
        /^[[:space:]]*$/ { documented = 0 }
        /\*\/[[:space:]]*$/ && !/\/\*\*</ { documented = 1 }
        /^(WARREN_API|extern)[[:space:]]/ && !/extern "C"/ {
            declarations++
            if (!documented) { print FILENAME ":" FNR ": no comment right above: " $0; faults++ }
            documented = 0
        }
        END { exit !faults }' "$1"
}

# A function without WARREN_API would be hidden in the shared library.
unexported()
{
    grep -nHE '^[a-z][A-Za-z_ ]*[ *]warren_[a-z_]+\(' "$1" | grep -vE ':(typedef|static|#define) '
}

for header in lib/include/warren/*.h; do
    [[ -e $header ]] || continue
    headers=$((headers + 1))
    compiles_alone "$header" || faults=1
    if undocumented "$header"; then faults=1; fi
    if unexported "$header"; then
        printf '%s: without WARREN_API no program can call it\n' "$header"
        faults=1
    fi
done
((headers)) || { printf 'headers: none found\n' && exit 1; }
((faults)) || printf 'headers: %d, %d functions, each documented\n' "$headers" \
    "$(cat lib/include/warren/*.h | grep -cE '^WARREN_API')"
exit "$faults"
