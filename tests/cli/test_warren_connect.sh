#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The commands where the broker is away, refuses or is otherwise than the configuration wants: one
# sentence without a secret, and exit 6 at once (7 for what differs). Only `warren run` waits.
# shellcheck source=tests/support/lib.sh disable=SC2317 # functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
secret=hunter2secret
place=${url#*@}
place=${place%%/*}
tls_url=$(broker url --tls --vhost "$vhost")
ca=$WARREN_TEST_BROKER_DIR/tls/ca.pem
mkdir -p queues
cat >queues/things.cfg <<'CFG'
queue: { name = "default"; jobs: ( { type = "good"; } ); };
CFG
cat >plugin.c <<'C'
#include <warren/plugin.h>

static warren_verdict good(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

WARREN_PLUGIN("test", { "good", good });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"

# configure BROKER-OPTIONS [OTHERS]
configure()
{
    printf 'plugins = ["./plugin.so"];\nbroker: { %s };\n%s\n' "$1" "${2:-}" >warren.cfg
}

# refused WORDS WHAT: the commands, a worker too, end with 6 at once and say these words.
refused()
{
    local words=$1 what=$2 command from=$SECONDS
    for command in "queue list" "dead list" "topology plan" "publish good {}" "run"; do
        # shellcheck disable=SC2086 # several words
        run timeout 30 "$WARREN" $command -c warren.cfg
        assert_status 6 "$what: warren $command ends with 6"
        assert_contains "$err" "$words" "and says why"
        assert_lacks "$err$out" "$secret" "without the password"
    done
    ((SECONDS - from < 15)) || fail "$what: at once" "$((SECONDS - from)) s" "a few s"
}

configure "url = \"amqp://joe:$secret@127.0.0.1:1/v\"; connect_wait = \"0s\";"
refused "connection refused" "a closed port"
configure "url = \"amqp://joe:$secret@no-such-host.invalid/v\"; allow_plaintext = true; connect_wait = \"0s\";"
refused "no-such-host.invalid" "an unknown host"
configure "url = \"amqp://warren:$secret@$place/$vhost\";"
refused "wrong user name or password" "a wrong password"
configure "url = \"${url%/*}/no-such-vhost\";"
refused "no vhost 'no-such-vhost'" "a missing vhost"
secret=${url#*:*:}
secret=${secret%@*}
configure "url = \"$tls_url\";"
refused "not signed by a CA that is trusted" "an unknown CA"
configure "url = \"$tls_url\"; tls: { ca_file = \"$ca\"; server_name = \"rabbit.example\"; };"
refused "is not for 'rabbit.example'" "another's certificate"
secret=stranger-secret
broker ctl -q add_user "$vhost" "$secret" >/dev/null || bail_out "no user"
configure "url = \"amqp://$vhost:$secret@$place/$vhost\";"
refused "has no access to the vhost" "a user without rights"
broker ctl -q delete_user "$vhost" >/dev/null

# A worker waits for its broker, and a signal ends the wait.
secret=hunter2secret
configure "url = \"amqp://joe:$secret@127.0.0.1:1/v\";"
start_in_background env --default-signal "$WARREN" run -c warren.cfg
tries_again()
{
    (($(grep -c '"event":"connect.failed"' background.err) >= 2))
}
if wait_for 20 tries_again; then ok "a worker tries again"; else fail "a worker tries again"; fi
assert_lacks "$(cat background.err)" "$secret" "without the password in its log"
kill -TERM "$child"
wait "$child"
assert_eq $? 0 "SIGTERM ends a worker that waits"

# What differs from the configuration.
configure "url = \"$url\";" 'topology = "check";'
run timeout 30 "$WARREN" run -c warren.cfg
assert_status 7 "a topology that is missing is exit 7"
assert_contains "$err" "missing: queue default" "and named"
assert_contains "$err" "missing: exchange warren.jobs" "all of it"
assert_contains "$err" "missing: 60 exchanges and queues of the delay ladder, such as warren." \
    "the ladder in one line"
assert_contains "$err" "warren topology apply" "with what to do"
configure "url = \"$url\";"
run "$WARREN" topology apply -c warren.cfg
assert_status 0 "it is applied"
sed -i 's/jobs:/type = "classic"; jobs:/' queues/things.cfg
run timeout 30 "$WARREN" run -c warren.cfg
assert_status 7 "a queue with other arguments is exit 7"
assert_contains "$err" "queue default: x-queue-type is quorum at the broker, the config wants classic" \
    "with both values"
assert_contains "$err" "Ways on:" "and the ways on"
finish
