#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren publish` and `warren queue` on a real broker: confirmed or an error, one job or a job a
# line, and a purge that asks first.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; };' >config/warren.cfg
echo 'queue: { name = "emails"; jobs: ( { type = "email.welcome"; } ); };' >config/queues/emails.cfg

# depth QUEUE: its ready messages.
depth()
{
    "$WARREN" queue show "$1" -o jsonl |
        sed -n "s/^{\"name\":\"$1\".*\"messages\":\([0-9]*\).*/\1/p"
}
has_depth()
{
    [[ $(depth "$1") == "$2" ]]
}

run "$WARREN" queue show emails
assert_status 4 "a queue that is not declared is not found"
assert_contains "$err" "topology apply" "and the way on is named"
run "$WARREN" publish email.welcome hello
assert_status 5 "nothing takes the job: refused"
assert_contains "$err" "no exchange 'warren.jobs'" "at once, and with the reason"
assert_contains "$err" "topology plan" "and where to look"
"$WARREN" topology apply 2>/dev/null || bail_out "no topology"

run "$WARREN" publish email.welcome '{"to": "ada"}'
assert_status 0 "a job is published"
if [[ $out =~ ^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$ ]]; then
    ok "its id printed"
else
    fail "its id printed" "$out" "a UUIDv7"
fi
run "$WARREN" publish email.welcome hello --id mine -o json
assert_eq "$out" '[{"id":"mine","type":"email.welcome"}]' "with an id of one's own, as JSON"
run "$WARREN" publish nobody.takes.it hello
assert_status 5 "a type without a queue is refused"
assert_contains "$err" "nobody.takes.it" "and named"
if wait_for 5 has_depth emails 2; then ok "two jobs wait"; else fail "two jobs wait"; fi

# The message as another client sees it.
run amqp-get -u "$url" -q emails
assert_eq "$out" '{"to": "ada"}' "the body is the payload, byte for byte"

seq 1 1000 | sed 's/.*/{"n": &}/' >lines
echo >>lines
run "$WARREN" publish email.welcome --lines --file lines
assert_status 0 "a job a line"
assert_contains "$err" "published 1000 jobs" "empty lines aside"
if wait_for 5 has_depth emails 1001; then ok "all are there"; else fail "all are there"; fi
"$WARREN" publish email.welcome --lines -o json <lines >out 2>err
assert_eq "$(cat out)" '[{"published":1000}]' "from standard input too"
run "$WARREN" publish nobody.takes.it --lines --file lines
assert_status 5 "lines that nobody takes are refused"

printf 'a\0b\n' >binary
run "$WARREN" publish email.welcome --file binary --content-type application/octet-stream
assert_status 0 "a file is a body"
run "$WARREN" publish email.welcome --file missing
[[ $status != 0 ]] || fail "a missing file is an error" "exit 0" "another"
assert_contains "$err" "missing: No such file" "and named"

run "$WARREN" publish email.welcome later --delay 1h --header team=blue --max-attempts 3
assert_status 0 "a delayed job is published"
run "$WARREN" publish email.welcome later --at 2031-01-31T08:00:00Z
assert_status 2 "a time beyond delay.max is refused"
for wrong in '--delay 5' '--delay 1y' '--at tomorrow' '--at 2030-02-30T00:00:00Z' '--header x' \
    '--priority 256' '--delay 1s --at @1' '--lines body'; do
    # shellcheck disable=SC2086
    run "$WARREN" publish email.welcome $wrong
    assert_status 2 "publish $wrong is a usage error"
done
run "$WARREN" publish email.welcome hello --header x-warren-attempt=9
assert_status 2 "Warren's own headers can't be forged"

WARREN_AMQP_URL=amqp://guest:s3cret@127.0.0.1:1/ run "$WARREN" publish email.welcome hello
assert_status 6 "no broker is exit 6"
assert_lacks "$err" "s3cret" "without the password"

# --- purge ---
run "$WARREN" queue purge emails --dry-run -o json
assert_contains "$out" '"dry_run":true' "a dry run says so"
before=$(depth emails)
run "$WARREN" queue purge emails
assert_status 5 "off a terminal a purge is refused"
assert_contains "$err" "--yes" "and says what it needs"
assert_eq "$(depth emails)" "$before" "nothing is gone"
run "$WARREN" queue purge emials --yes
assert_status 4 "an unknown queue is not found"
assert_contains "$err" "did you mean emails?" "and the nearest is named"
run "$WARREN" queue purge emails --yes -o jsonl
assert_eq "$out" "{\"queue\":\"emails\",\"purged\":$before,\"dry_run\":false}" "--yes does it"
assert_eq "$(depth emails)" 0 "and the queue is empty"

# On a terminal it asks for the name: util-linux's script gives it one.
if command -v script >/dev/null; then
    "$WARREN" publish email.welcome hello >/dev/null
    wait_for 5 has_depth emails 1
    echo no | script -qec "$WARREN queue purge emails" /dev/null >said
    assert_contains "$(cat said)" "purge queue emails, type its name:" "on a terminal it asks"
    assert_eq "$(depth emails)" 1 "another answer keeps the jobs"
    echo emails | script -qec "$WARREN queue purge emails" /dev/null >said
    assert_eq "$(depth emails)" 0 "the queue's name empties it"
fi

finish
