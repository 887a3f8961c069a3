#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The manual pages: scdoc takes what `warren generate man` writes, mandoc finds no fault in what comes
# out, and everything of the tables can be read in it. An installation puts them, and completion,
# where man and the shells look.
# shellcheck source=tests/support/lib.sh
. "$1/tests/support/lib.sh"

run "$WARREN" generate man "$work/sources"
assert_status 0 "the sources are written"
assert_eq "$(sort <<<"$out")" "$(find "$work/sources" -name '*.scd' | sort)" "and their names told"
run "$WARREN" generate man "$work/no/such/folder"
assert_status 1 "where they can't be written it fails"
assert_contains "$err" "$work/no/such/folder: No such file or directory" "and says why"
run "$WARREN" generate man /dev/null
assert_status 1 "a file is no folder"

mkdir "$work/pages"
for source in "$work"/sources/*.scd; do
    page=$work/pages/$(basename "$source" .scd)
    if ! scdoc <"$source" >"$page" 2>"$work/err"; then
        fail "scdoc takes $source" "$(cat "$work/err")" "no error"
        continue
    fi
    # What scdoc itself makes: paragraphs that mandoc has no use for, names in small letters.
    run mandoc -T lint -W warning "$page"
    assert_eq "$(grep -v 'skipping paragraph macro' <<<"$out")" "" "mandoc likes $(basename "$page")"
    mandoc -T ascii "$page" | sed 's/.\x08//g' >"$page.txt"
done
pages=$work/pages

# stands PAGE TEXT WHAT: is it in there, however its lines are broken?
stands()
{
    assert_contains "$(tr -s ' \n' ' ' <"$pages/$1.txt")" "$2" "$3"
}

# Each command with its options and examples, as its --help has them.
while read -r noun; do
    page=warren-$noun.1
    stands warren.1 "warren-$noun(1) " "warren(1) names $noun"
    mapfile -t verbs < <("$WARREN" completion words -- help "$noun" '' | cut -f1)
    ((${#verbs[@]})) || verbs=('')
    text=$(tr -s ' \n' ' ' <"$pages/$page.txt")
    for verb in "${verbs[@]}"; do
        missing='' words=("$noun" ${verb:+"$verb"})
        while read -r word _; do
            [[ $text == *"${word%,}"* ]] || missing+="$word "
        done < <("$WARREN" "${words[@]}" --help | sed -n 's/^  \( *-\)/\1/p')
        while read -r example; do
            [[ $text == *"$(tr -s ' ' <<<"$example")"* ]] || missing+="$example "
        done < <("$WARREN" "${words[@]}" --help | sed '1,/^Examples:/d')
        assert_eq "$missing" "" "$page has options and examples of $noun $verb"
    done
done < <("$WARREN" completion words -- '' | cut -f1 | grep -v '^-')

stands warren-dead.1 "warren dead show [OPTIONS] QUEUE ID" "a synopsis is as in the help"
stands warren.1 "6 no broker answers" "warren(1) has the exit codes"
stands warren-run.1 "--probe asks the worker" "a line that begins with a dash is text"
stands warren-bench.1 "(<namespace>.bench-<random>)" "signs are signs"
missing=''
while read -r option; do
    grep -qx " *$option" "$pages/warren.cfg.5.txt" || missing+="$option "
done < <("$WARREN" config explain | grep '^[a-z]')
assert_eq "$missing" "" "warren.cfg(5) has every option"
stands warren.cfg.5 'After how long a silent connection counts as dead.' "with its sentence"
# shellcheck disable=SC2016 # as it stands there
stands warren.cfg.5 '"${env:WARREN_AMQP_URL:-amqp://localhost}"' "and its default"
assert_eq "$(cat "$pages"/*.txt | grep -c '\\[][<>_*~+.]')" 0 "no escape is left over"

# --- installed ------------------------------------------------------------------------------------

run cmake --install "$BUILD_DIR" --prefix "$work/prefix"
assert_status 0 "cmake --install"
share=$work/prefix/share
for page in "$pages"/*.[15]; do
    run diff <(sed '/^\.TH/d;/^\.\\"/d' "$page") \
        <(sed '/^\.TH/d;/^\.\\"/d' "$share/man/man${page##*.}/$(basename "$page")")
    assert_status 0 "man${page##*.}/$(basename "$page") is installed, and is this one"
done
assert_eq "$(find "$share/man" -type f | wc -l)" "$(find "$pages" -name '*.[15]' | wc -l)" "and no other"
for file in bash:bash-completion/completions/warren zsh:zsh/site-functions/_warren \
    fish:fish/vendor_completions.d/warren.fish; do
    run cmp <("$WARREN" completion "${file%%:*}") "$share/${file#*:}"
    assert_status 0 "completion for ${file%%:*} is installed"
done

finish
