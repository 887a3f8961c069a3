#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The reference of the C interface: Doxygen has nothing to say against the public headers, each
# function, type and value is in it, and what is not documented would be found. No broker.
# shellcheck source=tests/support/lib.sh disable=SC2317 # functions for run
. "$1/tests/support/lib.sh"

# refer TREE: what the target `reference` does, into $work/reference.
refer()
{
    rm -rf "$work/reference"
    "$1/docs/reference/make" "$work/reference" 0.0.0
}

run refer "$root"
assert_status 0 "doxygen is content"
assert_eq "$out$err" "" "and silent"
html=$(cat "$work"/reference/html/*_8h.html "$work"/reference/html/struct*.html)
missing=''
while read -r name; do
    [[ $html == *">$name<"* || $html == *">$name</a>"* || $html == *"$name&"* ]] || missing+="$name "
done < <(sed -n '/^WARREN_API /{:a;/(/!{N;ba};s/[^(]*[ *]\(warren_[a-z_]*\)(.*/\1/p}' "$root"/lib/include/warren/*.h
    sed -n 's/^} \(warren_[a-z_]*\);$/\1/p; s/^    \(WARREN_[A-Z_0-9]*\) = .*/\1/p' "$root"/lib/include/warren/*.h)
assert_eq "$missing" "" "the reference has every function, struct and value"
assert_contains "$(cat "$work/reference/html/index.html")" "Position says who owns" "and a page that says what holds everywhere"

touch "$work/reference/html/of_a_header_that_is_gone.html"
run "$root/docs/reference/make" "$work/reference" 0.0.0
assert_eq "$status$(find "$work/reference/html" -name "*gone*")" 0 "written anew, it has nothing of the last one"

# --- without a place nothing is written -----------------------------------------------------------

mkdir -p "$work/bare/lib/include" "$work/bare/docs"
cp -r "$root/lib/include/warren" "$work/bare/lib/include/"
cp -r "$root/docs/reference" "$work/bare/docs/"
touch "$work/mark"
cd "$work/bare" || bail_out "no $work/bare"
run env WARREN_REFERENCE= docs/reference/make "" 0.0.0
assert_status 2 "an empty folder is refused"
assert_contains "$err" "want a folder" "with a sentence"
run env WARREN_REFERENCE= doxygen docs/reference/Doxyfile
assert_status 1 "doxygen alone fails"
assert_eq "$(find "$work/bare" / -maxdepth 1 -name html -newer "$work/mark")$(diff -rq "$root/docs/reference" docs/reference)" "" \
    "and neither leaves anything"
cd "$work" || bail_out "no $work"

# --- what isn't documented is found ---------------------------------------------------------------

# spoiled WHAT SED-SCRIPT HEADER WANT: a copy of the headers in which something is missing.
spoiled()
{
    rm -rf "$work/tree"
    mkdir -p "$work/tree/lib/include" "$work/tree/docs"
    cp -r "$root/lib/include/warren" "$work/tree/lib/include/"
    cp -r "$root/docs/reference" "$work/tree/docs/"
    sed -i "$2" "$work/tree/lib/include/warren/$3"
    if cmp -s "$work/tree/lib/include/warren/$3" "$root/lib/include/warren/$3"; then
        fail "$1: nothing was spoiled"
        return
    fi
    run refer "$work/tree"
    assert_status 1 "$1 is an error"
    assert_contains "$err" "$4" "and named"
}

spoiled "a parameter that nothing is said of" '/@param by_ms/d' testing.h "warren_test_advance"
spoiled "a value that nothing is said of" '/@return how many jobs ran/d' testing.h \
    "return type of member warren_test_run is not documented"
spoiled "a parameter that isn't there" 's/@param by_ms/@param by_hours/' testing.h "by_hours"
spoiled "a member without a word" 's,^\(    uint64_t received;\).*,\1,' worker.h \
    "Member received (variable) of struct warren_stats_data is not documented"
spoiled "a function without a comment" 's,^WARREN_API void warren_dump,\n&,; /^\/\*\* Takes jobs again/d' worker.h \
    "warren_resume"

finish
