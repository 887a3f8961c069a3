#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The manual pages: scdoc takes what `warren generate man` writes, mandoc finds no fault in what comes
# out, and everything of the tables can be read in it. An installation puts them, and completion,
# where man and the shells look.
# shellcheck source=tests/support/lib.sh
. "$1/tests/support/lib.sh"

run "$WARREN" generate man "$work/without"
assert_status 0 "without a source tree there is no page of the C interface"
assert_lacks "$out" "warren.3" "and none is told"
run "$WARREN" generate man "$work/sources" --source "$root"
assert_status 0 "the sources are written"
assert_eq "$(sort <<<"$out")" "$(find "$work/sources" -type f | sort)" "and their names told"
run "$WARREN" generate man "$work/no-tree" --source "$work/without"
assert_status 1 "a folder that is no source tree"
assert_contains "$err" "$work/without/lib/include/warren/job.h: No such file" "is named"
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

# The message's page has each header of the table, and each reason.
missing=''
while read -r name; do
    [[ $(tr -s ' \n' ' ' <"$pages/warren-message.7.txt") == *"$name ("* ]] || missing+="$name "
done < <(grep -oh '"x-warren-[a-z-]*"' "$root/lib/model/header.h" "$root/lib/model/header.c" | tr -d '"' | grep -v -- '-$')
assert_eq "$missing" "" "warren-message(7) has every header"
stands warren-message.7 "message_id (string) the job's id" "and the properties"
stands warren-message.7 "crash_loop its runs ended with their process" "and the reasons"
stands warren-message.7 "limits.body (1MiB) The largest body" "and the limits, with their defaults"

# The interface's page has each function, and each has a page that leads there.
functions=$(sed -n '/^WARREN_API /{:a;/(/!{N;ba};s/[^(]*[ *]\(warren_[a-z_]*\)(.*/\1/p}' "$root"/lib/include/warren/*.h | sort)
assert_eq "$(grep -o '^ *warren_[a-z_]*()$' "$pages/warren.3.txt" | tr -d ' ()' | sort)" "$functions" "warren(3) has every function"
assert_eq "$(cd "$work/sources" && printf '%s\n' *.3 | sed 's/\.3$//' | sort)" "$functions" "each has a link"
assert_eq "$(cat "$work"/sources/*.3 | sort -u)" ".so man3/warren.3" "to that page"
stands warren.3 "WARREN_NACKED the broker said that it could not take the message" "and each status"
stands warren.3 'fprintf(stderr, "%s\n", err.text);' "and the example, byte for byte"

# Every variable of the environment that the sources ask for, but the one for tests.
missing=''
while read -r name; do
    grep -qx " *$name" "$pages/warren.1.txt" || missing+="$name "
done < <(grep -oh 'getenv("[A-Z_]*")' -r "$root/lib" "$root/bin" --include='*.c' | sed 's/.*"\(.*\)".*/\1/' |
    grep -vx WARREN_CRASH_AT | sort -u)
assert_eq "$missing" "" "warren(1) has every environment variable"
run "$WARREN" help environment
assert_contains "$out" "WARREN_AMQP_URL" "and so has help environment"

# --- installed ------------------------------------------------------------------------------------

run cmake --install "$BUILD_DIR" --prefix "$work/prefix"
assert_status 0 "cmake --install"
share=$work/prefix/share
for page in "$pages"/*.[1357]; do
    run diff <(sed '/^\.TH/d;/^\.\\"/d' "$page") \
        <(sed '/^\.TH/d;/^\.\\"/d' "$share/man/man${page##*.}/$(basename "$page")")
    assert_status 0 "man${page##*.}/$(basename "$page") is installed, and is this one"
done
assert_eq "$(find "$share/man" -type f | wc -l)" \
    "$(($(find "$pages" -name '*.[1357]' | wc -l) + $(wc -l <<<"$functions")))" "and no other but the links"
assert_eq "$(cd "$share/man" && mandoc -T ascii man3/warren_publish.3 | head -1)" \
    "$(mandoc -T ascii "$share/man/man3/warren.3" | head -1)" "a link leads to the page"
for file in bash:bash-completion/completions/warren zsh:zsh/site-functions/_warren \
    fish:fish/vendor_completions.d/warren.fish; do
    run cmp <("$WARREN" completion "${file%%:*}") "$share/${file#*:}"
    assert_status 0 "completion for ${file%%:*} is installed"
done

finish
