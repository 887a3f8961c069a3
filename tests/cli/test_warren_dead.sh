#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren dead` on a real broker: fifty looks leave everything as it was, hostile bytes never reach
# the terminal, a replay may be interrupted, and a drop asks first.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; };' >config/warren.cfg
echo 'queue: { name = "emails"; jobs: ( { type = "email.welcome"; } ); };' >config/queues/emails.cfg
"$WARREN" topology apply 2>/dev/null || bail_out "no topology"

depth()
{
    "$WARREN" queue list -o jsonl | sed -n "s/^{\"name\":\"$1\".*\"messages\":\([0-9]*\).*/\1/p"
}
has_depth()
{
    [[ $(depth "$1") == "$2" ]]
}
# bury N: N jobs whose handler gives them up. (A stock client without confirms may lose some of
# thousands when it leaves.)
bury()
{
    local already
    already=$(depth emails.dead)
    seq 1 "$1" | "$WARREN" publish email.welcome --lines 2>/dev/null || bail_out "no jobs"
    start_in_background "$WARREN" run --plugin ./plugin.so
    wait_for 60 has_depth emails.dead $((already + $1)) ||
        bail_out "not all were buried: $(depth emails.dead) of $1: $(tail -1 background.err)"
    kill -TERM "$child"
    wait "$child"
}
ids()
{
    "$WARREN" dead list emails -o jsonl | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | md5sum
}
# valid_json FILE: cmake reads JSON, and is there wherever Warren is built.
valid_json()
{
    cat >check.cmake <<CMAKE
file(READ "$1" text)
string(JSON kind ERROR_VARIABLE bad TYPE "\${text}")
if(bad)
  message(FATAL_ERROR "\${bad}")
endif()
CMAKE
    cmake -P check.cmake
}

cat >plugin.c <<'C'
#include <warren/plugin.h>

static warren_verdict give_up(warren_job *job, void *user)
{
    (void)user;
    return warren_dead(job, "given up");
}

WARREN_PLUGIN("test", { "email.welcome", give_up });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"

run "$WARREN" dead list emails
assert_status 0 "no dead letters are no error"
assert_eq "$out" "" "and no output"
run "$WARREN" dead list emails -o json
assert_eq "$out" "[]" "but an empty list in JSON"
run "$WARREN" dead list other
assert_status 4 "an unknown queue is not found"

# --- looking ---
bury 120
first=$(ids)
for ((i = 0; i < 50; i++)); do "$WARREN" dead list emails --limit $((i + 1)) >/dev/null; done
assert_eq "$(depth emails.dead)" 120 "fifty looks lost nothing"
assert_eq "$(ids)" "$first" "and kept the order"
run "$WARREN" dead list
assert_eq "$(wc -l <<<"$out")" 121 "without a queue all are listed"

"$WARREN" queue purge emails.dead --yes >/dev/null
printf '\033[2J\033]0;owned\007 \302\233 {' | amqp-publish -u "$url" -r emails.dead -p \
    -C application/json -H $'evil:\033[31mred'
wait_for 10 has_depth emails.dead 1
id=''
run "$WARREN" dead show emails "$id"
assert_status 0 "a letter without an id is found by an empty one"
assert_lacks "$out" $'\033' "no escape byte reaches the terminal"
assert_lacks "$out" $'\302\233' "nor a C1 control"
assert_contains "$out" '\x1b[2J' "it is shown escaped"
run "$WARREN" dead show emails "$id" -o json
assert_lacks "$out" $'\033' "nor in JSON"
if valid_json out; then ok "which is well-formed"; else fail "which is well-formed" "$out" JSON; fi
run "$WARREN" dead list -o json
if valid_json out; then ok "so is the list"; else fail "so is the list" "$out" JSON; fi
run "$WARREN" dead show emails nobody
assert_status 4 "an unknown id is not found"

# --- dropping ---
run "$WARREN" dead drop emails
assert_status 5 "off a terminal a drop is refused"
run "$WARREN" dead drop emails --dry-run
assert_contains "$err" "1 dead letter of emails would be dropped" "a dry run counts"
assert_eq "$(depth emails.dead)" 1 "and drops nothing"
run "$WARREN" dead drop emails --reason failed --yes -o json
assert_eq "$out" '[{"queue":"emails","dropped":0}]' "another reason's are not dropped"
run "$WARREN" dead drop emails --reason unknown --yes
assert_contains "$err" "1 dead letter of emails dropped" "--yes drops"

# --- replaying ---
bury 3000
run "$WARREN" dead replay emails --dry-run
assert_contains "$err" "3000 dead letters of emails would be replayed" "a dry run counts"
run "$WARREN" dead replay emails --limit 10
assert_status 0 "ten are replayed"
if wait_for 10 has_depth emails 10; then ok "and are home"; else fail "and are home"; fi
assert_eq "$(depth emails.dead)" 2990 "the others stay"

some_are_home()
{
    (($(depth emails) > 50))
}
start_in_background env --default-signal=INT "$WARREN" dead replay emails
wait_for 20 some_are_home
kill -INT "$child"
wait "$child"
assert_eq $? 3 "Ctrl-C ends a replay as partly done"
assert_contains "$(cat background.err)" "the same command goes on" "and says how to go on"
all_are_somewhere()
{
    (($(depth emails) + $(depth emails.dead) == 3000))
}
if wait_for 20 all_are_somewhere; then ok "nothing was lost or doubled"; else
    fail "nothing was lost or doubled" "$(depth emails) + $(depth emails.dead)" 3000
fi
if (($(depth emails.dead) > 0)); then ok "it had stopped on the way"; else
    fail "it had stopped on the way" "an empty dead queue" "some left"
fi
run "$WARREN" dead replay emails -o jsonl
assert_status 0 "the same command goes on"
if wait_for 20 has_depth emails 3000; then ok "and all are home"; else fail "and all are home"; fi

run "$WARREN" dead replay emails --id nobody
assert_status 4 "an unknown id is not found"
run "$WARREN" dead replay unrouted
assert_status 0 "the catch-all is replayed like a dead queue"
run "$WARREN" publish email.gone '{}' --delay 125ms --id stray
is_stray()
{
    [[ $("$WARREN" dead list unrouted -o jsonl) == *stray* ]]
}
if wait_for 10 is_stray; then ok "a delayed job that nobody takes waits in it"; else
    fail "a delayed job that nobody takes waits in it"
fi
run "$WARREN" dead replay unrouted
assert_status 4 "and isn't said to be replayed while nobody takes it"
assert_contains "$err" "job type email.gone is in no queue of this configuration" "but why not"
if is_stray; then ok "and stays"; else fail "and stays"; fi
run "$WARREN" dead list warren.unrouted -o jsonl
assert_contains "$out" "stray" "the catch-all goes by its name at the broker, too"
run "$WARREN" dead list emails.dead -o jsonl
assert_status 0 "and a dead queue by its own"
run "$WARREN" queue purge unrouted
assert_status 5 "the catch-all isn't purged unasked"
if is_stray; then ok "and stays"; else fail "and stays"; fi
run "$WARREN" queue purge unrouted --yes
assert_status 0 "the catch-all is purged by the word that dead takes"
if is_stray; then fail "and is empty"; else ok "and is empty"; fi

finish
