# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# For the tests of the commands: sourced by tests/cli/test_*.sh and tests/deploy/test_*.sh. Each of
# them gets the repository as its first argument, the built command in $WARREN, and a scratch folder
# in $work, gone at the end.
#
#     . "$1/tests/support/lib.sh"
#     fresh_vhost                              # $url, $vhost: its own, on the private broker
#     run "$WARREN" queue list --url "$url"    # $status, $out and $err (files $work/out, $work/err)
#     assert_status 0 "an empty vhost is listed"
#     assert_contains "$err" "no queue" "it says that there is none"
#     finish
#
# Quiet like TAP: a line for each assertion, with got and want only under one that failed.
set -uo pipefail

root=$(cd "${1:?the folder of the repository}" && pwd -P)
work=$(mktemp -d "${WARREN_TEST_SCRATCH:-${TMPDIR:-/tmp}}/cli.XXXXXX")
export XDG_STATE_HOME=$work/state # not the home of whoever runs the tests
unset STATE_DIRECTORY
test_count=0 test_failures=0
vhost='' url='' status=0 out='' err=''
children=()

leave()
{
    local code=$? pid
    trap - EXIT
    for pid in "${children[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    [[ -z $vhost ]] || broker drop-vhost "$vhost"
    rm -rf "$work"
    exit "$code"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- results --------------------------------------------------------------------------------------

ok()
{
    printf 'ok %d - %s\n' $((++test_count)) "$*"
}

# fail WHAT [GOT WANT]
fail()
{
    printf 'not ok %d - %s\n' $((++test_count)) "$1"
    ((++test_failures))
    (($# < 3)) || printf '#   got:  %s\n#   want: %s\n' "${2//$'\n'/$'\n#         '}" "$3"
    return 1
}

assert_eq()
{
    if [[ $1 == "$2" ]]; then ok "$3"; else fail "$3" "$1" "$2"; fi
}

assert_contains()
{
    if [[ $1 == *"$2"* ]]; then ok "$3"; else fail "$3" "$1" "… $2 …"; fi
}

assert_lacks()
{
    if [[ $1 != *"$2"* ]]; then ok "$3"; else fail "$3" "$1" "nothing with $2"; fi
}

# The exit code of the last `run`; what it said is shown when it is another one.
assert_status()
{
    if ((status == $1)); then ok "$2"; else fail "$2" "exit $status: $err" "exit $1"; fi
}

# The last line of every test.
finish()
{
    printf '1..%d\n' "$test_count"
    ((test_count > 0 && test_failures == 0))
    exit
}

# The end of a test that cannot go on.
bail_out()
{
    printf 'Bail out! %s\n' "$*"
    exit 1
}

# --- running things -------------------------------------------------------------------------------

# run COMMAND...: its exit code in $status, its output in $out and $err.
run()
{
    "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    out=$(cat "$work/out")
    err=$(cat "$work/err")
}

# start_in_background COMMAND...: its pid in $child; killed at the end if it still runs.
start_in_background()
{
    "$@" >"$work/background.out" 2>"$work/background.err" </dev/null &
    child=$!
    children+=("$child")
}

# wait_for SECONDS COMMAND...: until the command succeeds; false if it does not in that time.
wait_for()
{
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# --- the broker -----------------------------------------------------------------------------------

broker()
{
    local command=$1
    shift
    [[ -n ${WARREN_TEST_BROKER:-} ]] || bail_out "no broker: run this test by tests/run"
    "$WARREN_TEST_BROKER" "$command" --dir "$WARREN_TEST_BROKER_DIR" "$@"
}

# A vhost of this test's own, with the shield policies and the sample users' rights: $vhost, $url.
fresh_vhost()
{
    local name
    name=$(basename "$0" .sh)-$$
    url=$(broker vhost "$name") || bail_out "no vhost $name"
    vhost=$name
}

# How many messages stand in a queue of this vhost, ready or taken; empty if there is no such queue.
queue_depth()
{
    broker ctl -q list_queues -p "$vhost" --no-table-headers name messages |
        awk -v queue="$1" '$1 == queue { print $2 }'
}
