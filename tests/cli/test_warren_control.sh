#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The control plane from the command line: who is there, orders, pauses, and `warren top` in a real
# terminal (tmux).
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues
printf '%s\n' 'broker: { url = "${env:WARREN_AMQP_URL}"; };' \
    'control: { enabled = true; heartbeat = "1s"; };' >config/warren.cfg
cat >config/queues/things.cfg <<'CFG'
queue: { name = "things"; jobs: ( { type = "one"; concurrency = 2; }, { type = "two"; } ); };
CFG
cat >plugin.c <<'C'
#include <warren/plugin.h>

static warren_verdict accept_it(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

WARREN_PLUGIN("test", { "one", accept_it }, { "two", accept_it });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"

run "$WARREN" worker list
assert_status 5 "without a worker there is no control plane yet"
assert_contains "$err" "control.enabled" "and the message says what is missing"

start_in_background env --default-signal "$WARREN" run --plugin ./plugin.so
has_started()
{
    grep -q '"event":"worker.start"' background.err
}
wait_for 20 has_started || fail "the worker starts" "$(cat background.err)" worker.start

# --- who is there ---
run "$WARREN" worker list -o jsonl
assert_status 0 "workers answer"
assert_contains "$out" '"state":"running"' "and say what they are at"
id=$(sed -n 's/.*"worker":"\([^"]*\)".*/\1/p' <<<"$out")
run "$WARREN" worker show "$id"
assert_contains "$out" "two" "one is shown by its types"
run "$WARREN" worker show nobody
assert_status 4 "a worker that isn't there is exit 4"

# --- orders ---
run "$WARREN" worker quiet
assert_status 2 "an order says to whom"
run "$WARREN" worker quiet "$id" --because "a look at it"
assert_status 0 "a worker is told to be quiet"
is_quiet()
{
    "$WARREN" worker list -o json | grep -q '"state":"quiet"'
}
if wait_for 10 is_quiet; then ok "and is"; else fail "and is"; fi
assert_contains "$(cat background.err)" "a look at it" "its log says why"
run "$WARREN" worker resume --all
assert_status 0 "all are told to resume"
run "$WARREN" worker set "$id" --queue things --type one --concurrency 9
assert_status 0 "an option gets another value"
run "$WARREN" worker show "$id" -o json
assert_contains "$out" '"concurrency":9' "which holds at once"
run "$WARREN" worker set "$id" --queue things --type one --concurrency many
assert_status 5 "what is no value is refused"
run "$WARREN" worker set "$id" --queue things
assert_status 2 "set wants an option"
run "$WARREN" worker drain "$id"
assert_status 5 "a drain asks, and nobody can be asked here"

# --- pauses ---
run "$WARREN" queue pause things --because "the mail is down"
assert_status 0 "a queue is paused"
is_paused()
{
    "$WARREN" top --once -o json | grep -q '"paused":true'
}
if wait_for 10 is_paused; then ok "on the worker"; else fail "on the worker"; fi
run "$WARREN" queue list
assert_contains "$out" "all" "the list says so"
run "$WARREN" publish one '{}'
waits()
{
    [[ $(queue_depth things) == 1 ]]
}
if wait_for 10 waits; then ok "jobs wait"; else fail "jobs wait" "$(queue_depth things)" 1; fi
run "$WARREN" queue resume things
is_empty()
{
    [[ $(queue_depth things) == 0 ]]
}
if wait_for 10 is_empty; then ok "until it resumes"; else fail "until it resumes"; fi
run "$WARREN" queue pause nothing
assert_status 4 "a queue that isn't there is exit 4"

# --- top, in a terminal ---
run "$WARREN" top </dev/null
assert_status 1 "top wants a terminal"
assert_contains "$err" "--once" "and says what else there is"

terminal()
{
    tmux -S "$work/tmux" "$@"
}
screen()
{
    terminal capture-pane -t top -p
}
shows()
{
    screen | grep -q -- "$1"
}
expect_screen()
{
    if wait_for 10 shows "$1"; then ok "$2"; else fail "$2" "$(screen)" "$1"; fi
}
type_keys()
{
    terminal send-keys -t top "$@"
}
terminal -f /dev/null new-session -d -s top -x 120 -y 20 "LC_ALL=C.UTF-8 $WARREN top; echo left \$?; cat" ||
    bail_out "no tmux"
expect_screen "things" "top shows the queue"
expect_screen "1 worker " "and how many workers there are"
type_keys Enter
expect_screen "0/9" "Enter shows its types with their limits"
type_keys Enter
expect_screen "RUNS" "Enter again the running jobs of a type"
type_keys Escape
expect_screen "0/9" "Escape goes back by one"
type_keys Escape
type_keys p
expect_screen "because:" "p asks for a reason"
type_keys "looking" Enter
expect_screen "PAUSED" "and pauses"
terminal resize-window -t top -x 60 -y 12
expect_screen "PAUSED" "a smaller terminal shows it, too"
type_keys p
expect_screen "resume things" "p again asks"
type_keys Enter
is_resumed()
{
    ! shows PAUSED
}
if wait_for 10 is_resumed; then ok "and resumes"; else fail "and resumes" "$(screen)"; fi
type_keys Tab
expect_screen "$id" "Tab shows the workers"
type_keys u
expect_screen " quiet  *[0-9]*/" "u has one be quiet"
broker ctl -q close_all_connections --vhost "$vhost" "to see who comes back" >/dev/null
takes_the_order()
{
    type_keys u
    wait_for 10 shows " running  *[0-9]*/"
}
if wait_for 60 takes_the_order; then
    ok "lost connections are made anew, and the worker resumes"
else
    fail "lost connections are made anew, and the worker resumes" "$(screen)"
fi
type_keys '?'
expect_screen "this help" "? shows the keys"
type_keys q
expect_screen "left 0" "q leaves the terminal as it was"
terminal kill-server
run env NO_COLOR=1 "$WARREN" top --once -o json
assert_contains "$out" '"queue":"things"' "--once prints JSON"

run "$WARREN" worker drain "$id" --yes
assert_status 0 "a worker is told to drain"
wait "$child"
assert_eq $? 0 "and ends as at SIGTERM"
finish
