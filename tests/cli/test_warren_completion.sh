#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Completion: what `warren completion words` offers at each place of a command line, and that bash, zsh
# and fish really ask it and show the answer. The names of queues and types come from files; no broker.
# shellcheck source=tests/support/lib.sh
. "$1/tests/support/lib.sh"

mkdir -p "$work/here/queues"
cd "$work/here" || bail_out "no folder to work in"
unset WARREN_CONFIG
export WARREN_AMQP_URL=amqp://localhost:1 # nothing is there, and nobody may ask
echo 'queues = "queues";' >warren.cfg
for name in orders mail; do
    printf 'queue = { name = "%s"; jobs = ( { type = "%s.new"; }, { type = "%s.old"; } ); };\n' \
        "$name" "$name" "$name" >"queues/$name.cfg"
done
run "$WARREN" config check
assert_status 0 "the configuration of this test is one"
mkdir elsewhere
# shellcheck disable=SC2016 # a name that a shell must never see
echo 'queues = ( { name = "far"; jobs = ( { type = "far.type"; } ); },
    { name = "f $(x)"; jobs = ( { type = "x"; } ); } );' >elsewhere/warren.cfg

# --- the words themselves -------------------------------------------------------------------------

# offers WANT WHAT WORD...: exactly these words, in this order.
offers()
{
    local want=$1 what=$2
    shift 2
    run "$WARREN" completion words -- "$@"
    assert_eq "$status: $(cut -f1 <<<"$out" | paste -sd' ')" "0: $want" "$what"
    assert_eq "$err" "" "… and says nothing else"
}

offers "dead" "a noun" de
offers "replay" "a verb" dead re
offers "list show purge pause resume" "all verbs of a noun" queue ''
offers "--dry-run" "an option" dead replay mail --dr
offers "--delay" "an option of a command without verbs" publish --del
offers "mail orders" "queues" queue show ''
offers "orders" "those that begin so" queue show o
offers "" "no second queue" queue show mail ''
offers "mail orders unrouted" "queues with dead letters" dead list ''
offers "mail mail.dead" "where dead letters may move" dead move orders m
offers "orders.new orders.old" "types to publish" publish o
offers "mail.new mail.old" "types behind an option" dead list --type m
offers "--type=mail.old" "types joined to it" dead list --type=mail.o
offers "mail.old" "types joined to it, as bash breaks it" dead list --type = mail.o
offers "mail.new mail.old orders.new orders.old" "… and when nothing stands behind the sign" \
    dead list --type =
offers "mail.new mail.old" "… also behind a value with a sign in it" \
    publish -H a = b mail.
offers "table json jsonl" "a choice of the table" queue list -o ''
offers "live ready startup" "another one" run --probe ''
offers "far.type" "names of the configuration that is given" publish --config elsewhere/warren.cfg far.
offers "far" "… but none that a shell would have to quote" queue show -c elsewhere/warren.cfg ''
offers "" "nothing without a configuration" queue show --config missing.cfg ''
offers ":files" "files" run --config ''
offers ":files" "files behind a sign" run --config=x
offers ":files" "files as arguments" dead import mail ''
offers "broker.heartbeat" "options of the configuration" config explain broker.hea
offers "exit" "topics of help" help ex
offers "drop" "and their verbs" help dead dr
offers "" "behind -- no options" publish -- --de
offers "" "nothing behind a command that is none" nonsense ''

# --- the shells -----------------------------------------------------------------------------------

PATH=$(dirname "$WARREN"):$PATH
for shell in bash zsh fish; do
    run "$WARREN" completion "$shell"
    assert_status 0 "there is a script for $shell"
    echo "$out" >"$work/completion.$shell"
    run "$shell" -n "$work/completion.$shell"
    assert_eq "$status$err" "0" "and $shell can read it"
done
run "$WARREN" completion tcsh
assert_status 2 "another shell is refused"

# What each shell has to show for words; the last one is being written.
by_bash()
{
    # shellcheck disable=SC2016 # for the inner shell
    bash -c '. "$1"; shift; compopt() { printf "%s " "$@"; }
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _warren warren; printf "%s " "${COMPREPLY[@]}"' \
        _ "$work/completion.bash" "$@"
}

by_zsh()
{
    # shellcheck disable=SC2016
    zsh -f -c 'compdef() { :; }; _files() { print -rn "files " }; compset() { :; }
        _describe() { print -rn -- "${(@P)argv[-1]%%:*} " }
        . "$1"; shift; words=("$@") CURRENT=$#; _warren' _ "$work/completion.zsh" "$@"
}

by_fish()
{
    # shellcheck disable=SC2016
    XDG_CONFIG_HOME=$work/fish fish --no-config -c '
        source $argv[1]; complete -C "$argv[2]" | string replace -r "\t.*" "" | string join " "' \
        "$work/completion.fish" "$1"
}

touch some.file
assert_eq "$(by_bash warren dead re)" "replay " "bash shows a verb"
assert_eq "$(by_bash warren queue show '')" "mail orders " "bash shows queues"
assert_eq "$(by_bash warren dead import mail so)" "-o default  " "bash completes names of files"
assert_eq "$(by_zsh warren dead re)" "replay " "zsh shows a verb"
assert_eq "$(by_zsh warren queue show '')" "mail orders " "zsh shows queues"
assert_eq "$(by_zsh warren dead import mail so)" "files " "zsh completes names of files"
assert_eq "$(by_fish 'warren dead re')" "replay" "fish shows a verb"
assert_eq "$(by_fish 'warren queue show ')" "mail orders" "fish shows queues"
assert_eq "$(by_fish 'warren dead import mail so')" "some.file" "fish completes names of files"

finish
