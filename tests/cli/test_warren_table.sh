#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A walk through the whole table of commands, by what its help says: each has a sentence, examples that
# are commands of this table with its options and no more arguments than it takes, and -o where it has
# rows to show. No broker: an example is only parsed, with --help behind it.
# shellcheck source=tests/support/lib.sh
. "$1/tests/support/lib.sh"

# Those that have no rows: they do something, show one text, or write one file.
NO_ROWS=("run" "config init" "config schema" "queue pause" "queue resume" "dead edit" "dead export"
    "dead import" "generate alerts" "generate dashboard" "generate kubernetes" "generate systemd" "generate man" "completion bash"
    "completion zsh" "completion fish" "completion words" "help")

# commands: all of them, a line each.
commands()
{
    local noun verbs
    while read -r noun; do
        verbs=$("$WARREN" completion words -- help "$noun" '' | cut -f1)
        printf '%s\n' "$noun${verbs:+ ${verbs//$'\n'/$'\n'$noun }}"
    done < <("$WARREN" completion words -- '' | cut -f1 | grep -v '^-')
}

has_no_rows()
{
    local name
    for name in "${NO_ROWS[@]}"; do [[ $name != "$1" ]] || return 0; done
    return 1
}

# words EXAMPLE: what the shell would give to warren, a line a word; xargs knows quotes.
words()
{
    sed -E "s/^source <\((.*)\)\$/\1/; s/ [<>|].*//; s/^warren //" <<<"$1" | xargs -n 1 printf '%s\n'
}

# count_operands HELP WORD...: of the words behind the command's own, those that are no options and no
# values of one.
count_operands()
{
    local help=$1 count=0
    shift
    while (($#)); do
        if [[ $1 == -- ]]; then
            count=$((count + $# - 1))
            break
        elif [[ $1 == -?* ]]; then
            ! grep -qE -- "^ *(-[a-zA-Z], )?$1(, --[-a-z]+)? [^ ]" <<<"$help" || shift
        else
            ((++count))
        fi
        shift
    done
    echo "$count"
}

# check_example COMMAND HELP EXAMPLE
check_example()
{
    local command=$1 help=$2 example=$3 list own operands usage least most
    [[ $example == "warren $command"* || $example == "source <(warren $command"* ]] ||
        fail "an example of $command" "$example" "warren $command …"
    mapfile -t list < <(words "$example")
    own=$(wc -w <<<"$command")
    run "$WARREN" "${list[@]:0:own}" --help "${list[@]:own}"
    [[ $status == 0 && $out == "$help" ]] || fail "parses: $example" "$status $out$err" "its help"
    usage=$(sed -n 's/^Usage: .* \[OPTIONS\] *//p' <<<"$help")
    usage=${usage#-- }
    most=$(wc -w <<<"$usage")
    least=$(wc -w <<<"${usage%%\[*}")
    [[ $usage != *...* ]] || most=99
    operands=$(count_operands "$(sed -n '/^Options:/,/^$/p' <<<"$help")" "${list[@]:own}")
    ((operands >= least && operands <= most)) ||
        fail "arguments of: $example" "$operands" "$least to $most"
}

check_command()
{
    local command=$1 help example examples=0 failures=$test_failures
    # shellcheck disable=SC2086
    run "$WARREN" $command --help
    help=$out
    [[ $status == 0 && ${help%%$'\n'*} =~ ^[A-Z].{10,}\.$ ]] ||
        fail "a sentence of $command" "${help%%$'\n'*}" "A sentence."
    while read -r example; do
        check_example "$command" "$help" "$example"
        ((++examples))
    done < <(sed '1,/^Examples:/d' <<<"$help")
    ((examples > 0)) || fail "examples of $command" "$help" "one at least"
    if has_no_rows "$command"; then
        ! grep -q 'table|json|jsonl' <<<"$help" ||
            fail "$command is said to have no rows" "$help" "no -o FORMAT"
    else
        grep -qE '^  -o, --output table\|json\|jsonl' <<<"$help" ||
            fail "$command has -o, --output" "$help" "table|json|jsonl"
    fi
    ((test_failures != failures)) || ok "$command: sentence, $examples examples, rows"
}

all=$(commands)
walked=0
while read -r command; do
    check_command "$command"
    ((++walked))
done <<<"$all"
assert_eq "$walked" "$(grep -cE '^    \{ "[a-z]+", ("[a-z]+"|NULL), ' "$root/bin/commands.c")" \
    "the walk saw all commands of the table"
for name in "${NO_ROWS[@]}"; do
    grep -qxF -- "$name" <<<"$all" || fail "the list of those without rows" "$name" "a command"
done

finish
