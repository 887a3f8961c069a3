#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren doctor`: what is wrong is named at the step where it is wrong, the rest is said to be
# unknown, and on a healthy broker nothing is left behind.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues
cat >config/queues/emails.cfg <<'CFG'
queue: { name = "emails"; jobs: ( { type = "email.welcome"; timeout = "30s"; } ); };
CFG
write_config()
{
    printf 'broker: { url = "${env:WARREN_AMQP_URL}"; %s };\n%s\n' "$1" "${2:-}" >config/warren.cfg
    chmod 600 config/warren.cfg
}
# state CHECK: what the last run said of it.
state()
{
    awk -v check="$1" '$2 == check { print $1 }' <<<"$out"
}
with_management="management_url = \"$WARREN_TEST_MANAGEMENT_URL\";"
write_config "$with_management"

# Nothing stands there yet: a worker would make it, so it is no failure.
run "$WARREN" doctor
assert_status 0 "a fresh vhost is no failure"
assert_eq "$(state topology)" "warn" "what is missing is a warning"
assert_contains "$out" "warren topology apply" "with what to do next"
assert_eq "$(state ladder)" "unknown" "the ladder can't be tried"

run "$WARREN" topology apply
assert_status 0 "the topology is declared"
knows_policies()
{
    run "$WARREN" doctor --read-only
    grep -q '^ok  *policies' <<<"$out" && grep -q '^ok  *stuck' <<<"$out"
}
wait_for 60 knows_policies || fail "policies stay unknown"
queues()
{
    broker ctl -q list_queues -p "$vhost" --no-table-headers name messages | sort
}
queues_before=$(queues)
run "$WARREN" doctor
assert_status 0 "all is well"
for check in config dns port tls login vhost management version alarms clock permissions topology \
    delivery_limits policies consumer_timeout memory unroutable ladder stuck unrouted; do
    assert_eq "$(state $check)" "ok" "$check is ok"
done
assert_contains "$err" "0 fail" "the sum is told"
is_as_before() # a level's counts are a moment behind
{
    [[ $(queues) == "$queues_before" ]]
}
wait_for 30 is_as_before || true
assert_eq "$(queues)" "$queues_before" "nothing is left behind"
run "$WARREN" doctor --read-only -o json
assert_status 0 "JSON"
assert_eq "$(grep -o '"check":"ladder","found":"[^"]*"' <<<"$out")" \
    '"check":"ladder","found":"skipped: read only"' "read only skips what writes"

# The rights of a worker that only looks: what it lacks is named, what it needn't have is no failure.
broker ctl -q change_password warren-worker w0rker >/dev/null
WARREN_AMQP_URL=$(sed -E 's,//[^@]*@,//warren-worker:w0rker@,' <<<"$url") run "$WARREN" doctor
assert_status 1 "a queue that may not be read is a failure"
assert_eq "$(state login) $(state permissions) $(state ladder)" "ok fail unknown" "it is the rights' failure"
assert_eq "$(state topology)" "unknown" "what it may not compare is unknown"
assert_contains "$out" "rabbitmqctl set_permissions" "with what to do"
assert_lacks "$out$err" "w0rker@" "without the password"

# Without the management API what it tells is unknown, and nothing fails for that.
write_config ""
run "$WARREN" doctor
assert_status 0 "the management API is not needed"
for check in management policies stuck clock alarms delivery_limits; do
    assert_eq "$(state $check)" "unknown" "$check is unknown without it"
done
assert_contains "$out" "bindings are unknown" "bindings, too"
write_config 'management_url = "http://127.0.0.1:1/";'
run "$WARREN" doctor
assert_status 0 "one that doesn't answer is no failure"
assert_eq "$(state management)" "unknown" "and is said"
write_config "$with_management"

# A policy that limits a queue, jobs that nobody takes, another queue type: found and named.
broker ctl -q set_policy -p "$vhost" --priority 1000 limit '^emails$' '{"max-length":5}' --apply-to queues \
    >"$work/policy.out" 2>&1 || fail "set_policy" "$(cat "$work/policy.out")" "done"
sees_policy()
{
    run "$WARREN" doctor --read-only # exit 1, as it should be
    grep -q '^fail  *policies .*emails: limit limits' <<<"$out"
}
if wait_for 60 sees_policy; then ok "a length limit is a failure"; else fail "the policy is not seen"; fi
broker ctl -q clear_policy -p "$vhost" limit >/dev/null
run "$WARREN" publish email.welcome '{}'
cat >config/queues/emails.cfg <<'CFG'
queue: { name = "emails"; type = "classic"; jobs: ( { type = "email.welcome"; timeout = "1h"; } ); };
CFG
run "$WARREN" doctor --read-only
assert_status 1 "another queue type is a failure"
assert_contains "$out" "x-queue-type is quorum at the broker, the config wants classic" "with the difference"
assert_contains "$out" "warren topology migrate" "and the way on"
assert_eq "$(state consumer_timeout)" "warn" "a job longer than the broker's patience is a warning"

# TLS: the certificate is told; one that isn't trusted stops everything behind it.
tls_url=$(broker url --tls --vhost "$vhost")
write_config "tls: { ca_file = \"$WARREN_TEST_BROKER_DIR/tls/ca.pem\"; };"
WARREN_AMQP_URL=$tls_url run "$WARREN" doctor --read-only
assert_eq "$(state tls) $(state login)" "ok ok" "a certificate that is trusted"
assert_contains "$out" "expires in" "with its expiry"
write_config ""
WARREN_AMQP_URL=$tls_url run "$WARREN" doctor
assert_status 6 "one that isn't is exit 6"
assert_eq "$(state port) $(state tls) $(state login) $(state vhost)" "ok fail unknown unknown" "at the step of TLS"
assert_contains "$out" "broker.tls.ca_file" "with what to do"
write_config "$with_management"

# Each step that fails is named; what stands behind it is not reached.
WARREN_AMQP_URL=amqp://guest:s3cret@127.0.0.1:1/ run "$WARREN" doctor
assert_status 6 "no broker is exit 6"
assert_eq "$(state port)" "fail" "the port is what fails"
assert_eq "$(state login)" "unknown" "the login is not reached"
assert_contains "$out" "not reached" "as it says"
assert_lacks "$out$err" "s3cret" "without the password"
WARREN_AMQP_URL=amqp://nosuch.invalid/ run "$WARREN" doctor --timeout 5
assert_status 6 "an unknown host is exit 6"
assert_eq "$(state dns)" "fail" "the name is what fails"
WARREN_AMQP_URL=$(sed -E 's,//[^@]*@,//nobody:wr0ng@,' <<<"$url") run "$WARREN" doctor
assert_status 6 "a wrong password is exit 6"
assert_eq "$(state port) $(state login) $(state vhost)" "ok fail unknown" "the login is what fails"
WARREN_AMQP_URL=${url%/*}/nosuch run "$WARREN" doctor
assert_eq "$(state login) $(state vhost)" "ok fail" "a vhost that isn't there is named"
assert_contains "$out" "rabbitmqctl add_vhost" "with what to do"
write_config "$with_management" 'nonsense = 1;'
run "$WARREN" doctor
assert_status 7 "a wrong configuration is exit 7"
assert_contains "$out" "nonsense" "it is named"
assert_eq "$(state dns)" "unknown" "and the rest is not reached"

# The page of the manual has every check.
while read -r name; do
    grep -q "^| \`$name\` |" "$root/docs/doctor.md" || fail "docs/doctor.md lacks $name"
done < <(awk 'NF { print $2 }' <<<"$out" | grep -E '^[a-z_]+$')
ok "docs/doctor.md has all checks"

finish
