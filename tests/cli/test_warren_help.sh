#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The command's words: help for everything, answers to slips, exit codes. No broker.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"

run "$WARREN"
assert_status 2 "without a command it is a usage error"
assert_eq "$out" "" "and standard output stays clean"
assert_contains "$err" "dead replay QUEUE" "the overview names the commands"

run "$WARREN" --help
assert_status 0 "--help is no error"
listing=$out commands=0
run "$WARREN" --version
assert_contains "$out" "warren 0." "--version tells the version"

# Every command of the overview has a help of its own, with a usage line and an example.
while read -r noun verb _; do
    case "$noun" in help | publish | run) verb='' ;; esac
    # shellcheck disable=SC2086
    run "$WARREN" $noun $verb --help
    [[ $status == 0 && $out == *"Usage: warren $noun"* && $out == *"Examples:"* ]] ||
        fail "help of $noun $verb" "$out$err" "usage and examples"
    examples=$(sed -n '/^Examples:/,$p' <<<"$out" | grep -c "  .*warren $noun")
    ((examples >= 1)) || fail "an example of $noun $verb" "$out" "warren $noun $verb …"
    ((++commands))
done < <(sed -n '/^Commands:/,/^$/p' <<<"$listing" | sed -n 's/^  \([a-z]\)/\1/p')
assert_eq "$commands" "$(grep -cE '^    \{ "[a-z]+", ("[a-z]+"|NULL), ' "$root/bin/commands.c")" \
    "each command of the table shows its help"

run "$WARREN" help exit
assert_contains "$out" "6  no broker answers" "help exit lists the exit codes"
run "$WARREN" help config
assert_contains "$out" "WARREN_CONFIG" "help config tells where it is looked for"
run "$WARREN" help dead drop
assert_contains "$out" "Usage: warren dead drop" "help NOUN VERB is that command's help"

run "$WARREN" queu list
assert_status 2 "an unknown command is a usage error"
assert_contains "$err" 'did you mean `warren queue`?' "and the nearest one is named"
assert_contains "$err" 'Try `warren help`.' "and where all of them are"
run "$WARREN" dead repaly emails
assert_contains "$err" 'did you mean `warren dead replay`?' "also the verb"
run "$WARREN" --config x.cfg queue list
assert_contains "$err" "options stand behind the command" "an option before it is told"
run "$WARREN" dead list emails --resaon failed
assert_status 2 "an unknown option is a usage error"
assert_contains "$err" "did you mean --reason?" "and the nearest one is named"
assert_contains "$err" 'Try `warren dead list --help`.' "and where to look"
run "$WARREN" dead list --lim 3
assert_status 2 "an abbreviated option is refused"
run "$WARREN" dead list --limit
assert_contains "$err" "needs a value" "a missing value is told"
run "$WARREN" dead list --limit -3
assert_contains "$err" 'got "-3", want a whole number from 1' "a number is checked"
run "$WARREN" queue list -o xml
assert_contains "$err" 'got "xml", want table, json or jsonl' "a format is checked"
run "$WARREN" dead show emails
assert_contains "$err" "dead show QUEUE ID" "too few arguments show the synopsis"
run "$WARREN" queue list more
assert_contains "$err" 'unexpected argument "more"' "too many arguments are named"

finish
