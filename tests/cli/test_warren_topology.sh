#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren topology` on a real broker: plan tells, apply makes, nothing is changed by force, and
# bindings that nobody asks for are found by the management API and pruned on request only.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues
cat >config/queues/emails.cfg <<'CFG'
queue: { name = "emails"; jobs: ( { type = "email.welcome"; }, { type = "email.digest"; } ); };
CFG
write_config()
{
    printf 'broker: { url = "${env:WARREN_AMQP_URL}"; management_url = "%s"; };\n' "$1" \
        >config/warren.cfg
    chmod 600 config/warren.cfg
}
write_config "$WARREN_TEST_MANAGEMENT_URL"

run "$WARREN" topology export
assert_status 0 "export needs no broker"
assert_contains "$out" "warren.jobs" "and writes all of it"
run "$WARREN" topology plan
assert_status 0 "an empty vhost is no error"
assert_contains "$out" "missing  queue     emails " "what is missing is listed"
run "$WARREN" topology apply --dry-run
assert_contains "$out" "missing  queue     emails " "a dry run shows the plan"
run "$WARREN" queue list
assert_contains "$out" "emails           work      emails  no" "and declares nothing"

run "$WARREN" topology apply
assert_status 0 "apply declares"
run "$WARREN" topology plan
assert_eq "$out" "" "after it nothing is left to do"
assert_lacks "$err" "unknown" "bindings are compared too"
run "$WARREN" topology apply
assert_status 0 "doing it again is fine"
run "$WARREN" topology plan --all -o jsonl
assert_contains "$out" '{"state":"exists","kind":"queue","name":"emails"' "--all lists what is there"

# A type leaves the configuration: its binding is surplus, named by plan, removed by --prune only.
cat >config/queues/emails.cfg <<'CFG'
queue: { name = "emails"; jobs: ( { type = "email.welcome"; } ); };
CFG
run "$WARREN" topology plan
assert_contains "$out" "surplus  binding  warren.jobs -> emails (email.digest)" "plan names it"
run "$WARREN" topology apply
run "$WARREN" topology plan
assert_contains "$out" "surplus" "apply leaves it"
run "$WARREN" topology apply --prune
assert_status 0 "apply --prune removes it"
run "$WARREN" topology plan
assert_eq "$out" "" "and nothing is left to do"

write_config "http://127.0.0.1:1/"
run "$WARREN" topology plan
assert_status 0 "without the management API the plan goes on"
assert_contains "$err" "management API: " "says why"
assert_contains "$err" "unknown" "and what is not known"
write_config "$WARREN_TEST_MANAGEMENT_URL"

# What the management API knows beyond the configuration: a queue that is bound but in no file, a policy.
assert_contains "$err" "looked by AMQP only" "what was asked is said"
cp config/queues/emails.cfg emails.kept
printf 'queue: { name = "letters"; jobs: ( { type = "letter"; } ); };\n' >config/queues/emails.cfg
run "$WARREN" topology apply
cp emails.kept config/queues/emails.cfg
run "$WARREN" topology plan
assert_contains "$err" "other queues by http://127.0.0.1" "and by whom it was answered"
assert_lacks "$err" "@" "without a login"
assert_contains "$out" "unlisted  queue  letters       bound to warren." "a queue of no file is named"
broker ctl -q delete_queue -p "$vhost" letters >/dev/null
broker ctl -q delete_queue -p "$vhost" letters.dead >/dev/null
broker ctl -q set_policy -p "$vhost" --priority 5 short '^emails$' '{"max-length":7}' --apply-to queues >/dev/null
sees_policy()
{
    run "$WARREN" topology plan
    grep -q 'in effect  policy  emails  short takes effect on it: max-length 7' <<<"$out"
}
if wait_for 60 sees_policy; then ok "a policy in effect is shown"; else fail "no policy" "$out" "in effect"; fi
broker ctl -q clear_policy -p "$vhost" short >/dev/null
sees_no_policy()
{
    ! sees_policy
}
if wait_for 60 sees_no_policy; then ok "until it is gone"; else fail "the policy stays" "$out" ""; fi

# The same name with other arguments: told and refused, never deleted.
cat >config/queues/emails.cfg <<'CFG'
queue: { name = "emails"; type = "classic"; jobs: ( { type = "email.welcome"; } ); };
CFG
run "$WARREN" topology plan
assert_status 7 "another type of queue is exit 7"
assert_contains "$out" "differs  queue  emails" "plan names it"
assert_contains "$err" "delete it by hand" "with the ways on"
run "$WARREN" topology apply
assert_status 7 "apply refuses"
assert_contains "$err" "emails" "and names it"
assert_contains "$err" "x-queue-type is quorum at the broker, the config wants classic" "and how it differs"
assert_contains "$err" "delete it by hand" "and the ways on"

# Moved by way of a stand-in; asked for first, and nothing where nobody can be asked.
printf 'drain_timeout = "0s";\n' >>config/warren.cfg
run "$WARREN" publish email.welcome '{"n": 1}'
assert_status 0 "a job waits"
run "$WARREN" topology migrate emails --dry-run
assert_status 0 "a dry run of a migration"
assert_contains "$out" "emails  differs         1          0  warren.migrate.emails" "shows what stands there"
assert_contains "$err" "its bindings turn to warren.migrate.emails" "and the steps"
run "$WARREN" topology migrate emails
assert_status 5 "without --yes and a terminal it is refused"
run "$WARREN" topology migrate emails --yes --settle 1s
assert_status 2 "a queue has to be still for 3s at least"
cp -p config/warren.cfg config/kept
write_config "http://127.0.0.1:1"
run "$WARREN" topology migrate emails --yes
assert_status 5 "a management API that is configured and down: refused"
assert_contains "$err" "bindings could not be asked" "and why"
mv config/kept config/warren.cfg
run "$WARREN" topology migrate emails.dead --yes
assert_status 5 "a dead queue can't be migrated"
run "$WARREN" topology migrate nosuch --yes
assert_status 4 "a queue of no file is not found"
run "$WARREN" topology migrate emails --yes -o json
assert_status 0 "a migration"
assert_contains "$out" '"state":"as wanted","messages":1,' "the job is in the new queue"
assert_contains "$err" "moving messages back" "its steps are told"
assert_eq "$(broker ctl -q list_queues -p "$vhost" --no-table-headers name type | grep -c migrate)" "0" \
    "the stand-in is gone"
run "$WARREN" topology plan
assert_status 0 "nothing differs any more"
run "$WARREN" topology migrate emails --yes
assert_status 0 "doing it again is fine"
assert_contains "$err" "nothing to do" "and does nothing"

WARREN_AMQP_URL=amqp://guest:s3cret@127.0.0.1:1/ run "$WARREN" topology apply
assert_status 6 "no broker is exit 6"
assert_lacks "$err" "s3cret" "without the password"

finish
