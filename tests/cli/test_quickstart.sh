#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bin/quickstart in small: all its jobs end, all its checks hold, and nothing is left behind, also
# when it is stopped halfway.
# shellcheck disable=SC2317 # quickstart is called by name, by run.
. "$1/tests/support/lib.sh"

mkdir "$work/tmp"
export TMPDIR=$work/tmp
cd "$root" || bail_out "no $root"

nothing_is_left()
{
    assert_eq "$(find "$work/tmp" -mindepth 1 -maxdepth 1)" '' "no folder is left $1"
    assert_eq "$(pgrep -f "$work/tmp/warren-quickstart")" '' "no process is left $1"
}

quickstart()
{
    bin/quickstart --build "$BUILD_DIR" --files 15
}

run quickstart
assert_status 0 'it ends well'
assert_eq "$(grep -c '^ok ' <<<"$out")" 5 'all of its five checks hold'
nothing_is_left 'after the end'

start_in_background bin/quickstart --build "$BUILD_DIR" --files 15
wait_for 120 grep -q 'the worker is ready' "$work/background.out"
assert_eq "$?" 0 'another one has a worker'
kill -TERM "$child"
wait "$child"
assert_eq "$?" 143 'SIGTERM ends it'
nothing_is_left 'after SIGTERM'
finish
