#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Nothing grows out of sight: no function above 80 lines, no file above 600, no goto.
# Prints the sizes, so that they can be watched. check_sizes.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

MOST_FUNCTION=80
MOST_FILE=600
faults=0

sources()
{
    find lib bin tests deploy -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.cpp' \
        -o -path tests/run -o -path deploy/dev/broker \) | sort
}

# spread WHAT: of `lines name` lines on stdin, how many, the median, the 90th percentile, the most.
spread()
{
    sort -n | awk -v what="$1" '
        { lines[NR] = $1; name[NR] = $2 }
        END {
            if (!NR) { print "sizes: no " what; exit 1 }
            printf "%s: %d, lines: median %d, p90 %d, most %d (%s)\n", what, NR,
                lines[int((NR + 1) / 2)], lines[int((NR * 9 + 9) / 10)], lines[NR], name[NR]
        }'
}

# too_long MOST: prints those of `lines name` that are longer; true if there is one.
too_long()
{
    awk -v most="$1" '$1 > most { print $2 ": " $1 " lines, at most " most; n++ } END { exit !n }'
}

functions()
{
    sources | grep '\.[ch]$' | ctags --languages=C --langmap=C:.c.h --c-kinds=f --fields=+ne \
        --sort=no -L - -f - | awk -F '\t' '
        {
            start = end = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) start = substr($i, 6)
                if ($i ~ /^end:/) end = substr($i, 5)
            }
            if (end) print end - start + 1, $2 ":" start ":" $1
        }'
}

files()
{
    sources | tr '\n' '\0' | wc -l --files0-from=- | awk '$2 != "total" { print $1, $2 }'
}

function_sizes=$(functions)
file_sizes=$(files)
if too_long "$MOST_FUNCTION" <<<"$function_sizes"; then faults=1; fi
if too_long "$MOST_FILE" <<<"$file_sizes"; then faults=1; fi
if sources | grep '\.[ch]$' | tr '\n' '\0' |
    xargs -0 grep -nHE '^[^"/]*\bgoto[[:space:]]+[A-Za-z_]+[[:space:]]*;'; then
    printf 'goto: use the cleanup attribute of base/cleanup.h, or a function of its own\n'
    faults=1
fi
spread functions <<<"$function_sizes"
spread files <<<"$file_sizes"
exit "$faults"
