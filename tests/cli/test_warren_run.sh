#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren run` with a plugin on a real broker: jobs are done, failures end in the dead queue with
# their reason, the log is one JSON object a line, and SIGTERM drains.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; };' >config/warren.cfg
cat >config/queues/things.cfg <<'CFG'
queue: { name = "things"; jobs: ( { type = "good"; concurrency = 2; }, { type = "bad"; } ); };
CFG
cat >plugin.c <<'C'
#include <signal.h>
#include <stdio.h>
#include <warren/plugin.h>

static warren_verdict good(warren_job *job, void *user)
{
    (void)user;
    FILE *file = fopen("ids", "a");
    if (file) {
        fprintf(file, "%s\n", warren_job_id(job));
        fclose(file);
    }
    return WARREN_DONE;
}

static warren_verdict bad(warren_job *job, void *user)
{
    (void)user;
    return warren_dead(job, "no \"%s\"\nhere", warren_job_string(job, "who"));
}

/* A thread that was started here would have the same mask. */
static warren_status look_at_signals(void **user, warren_error *err)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGTSTP, SIGCONT };
    sigset_t blocked;
    (void)err;
    *user = NULL;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 0; i < 6; i++) {
        if (!sigismember(&blocked, numbers[i])) {
            fprintf(stderr, "signal %d is let in\n", numbers[i]);
            return WARREN_FAILED;
        }
    }
    return WARREN_OK;
}

WARREN_PLUGIN_WITH("test", look_at_signals, NULL, { "good", good }, { "bad", bad });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"

run "$WARREN" run
assert_status 7 "types without a handler are exit 7"
assert_contains "$err" "good" "and named"
run "$WARREN" run --plugin ./missing.so
[[ $status != 0 ]] || fail "a missing plugin is an error" "exit 0" "another"
assert_contains "$err" "missing.so" "and named"
cat >bad.c <<'C'
#include <warren/plugin.h>

WARREN_API extern const warren_plugin warren_plugin_info;
const warren_plugin warren_plugin_info = { WARREN_PLUGIN_MAGIC, WARREN_ABI_MAJOR, WARREN_ABI_MINOR,
                                           sizeof(warren_plugin), sizeof(warren_plugin_handler)
                                           BEHIND };
C
bad_plugin()
{
    "${CC:-cc}" -shared -fPIC -I"$root/lib/include" "-DBEHIND=$1" "${@:3}" bad.c -o bad.so
    run "$WARREN" run --plugin ./bad.so
    assert_status 2 "a plugin is refused: $2"
    assert_contains "$err" "$2" "and the message says so"
}
bad_plugin ',1,"bad",0,0,0' "has no handlers"
bad_plugin ',0,0,0,0,0' "has no name"
chmod go+w plugin.so
run "$WARREN" run --plugin ./plugin.so
assert_status 2 "a plugin that others may write is refused"
chmod go-w plugin.so
run "$WARREN" run --plugin ./plugin.so --log-level loud
assert_status 2 "a log level is checked"

start_in_background env --default-signal "$WARREN" run --plugin ./plugin.so
has_started()
{
    grep -q '"event":"worker.start"' background.err
}
wait_for 20 has_started || fail "the worker starts" "$(cat background.err)" worker.start
run "$WARREN" publish good '{}' --id g-1
assert_status 0 "a job is published"
run "$WARREN" publish bad '{"who": "ada"}' --id b-1
is_done()
{
    grep -qx g-1 ids
}
if wait_for 10 is_done; then ok "a good job is done"; else fail "a good job is done"; fi
is_dead()
{
    "$WARREN" dead list things | grep -q b-1
}
if wait_for 10 is_dead; then ok "a bad one is dead"; else fail "a bad one is dead"; fi
run "$WARREN" dead show things b-1
assert_contains "$out" 'no "ada"\x0ahere' "with the handler's words"

kill -TERM "$child"
wait "$child"
assert_eq $? 0 "SIGTERM drains: exit 0"
bad_lines=$(grep -cvE '^\{"ts":"[0-9-]+T[0-9:.]+Z","level":"[a-z]+","event":"[a-z._]+","msg":"[^"]+"(,"[a-z_0-9]+":.*)?\}$' \
    background.err)
assert_eq "$bad_lines" 0 "each log line is one JSON object"
assert_contains "$(cat background.err)" '"type":"bad"' "with its fields as members"

# For a Job: it does what waits, and ends by itself.
run "$WARREN" publish good '{}' --id last-1
start_in_background env --default-signal "$WARREN" run --plugin ./plugin.so --until-idle 300ms
wait "$child"
assert_eq $? 0 "a worker that is idle drains by itself: exit 0"
assert_eq "$(grep -cx last-1 ids)" 1 "after it has done what waited"
run "$WARREN" run --plugin ./plugin.so --until-idle soon
assert_status 2 "how long is checked"

# Probes: asked by the command itself, at the address that the worker says in its log.
with_http()
{
    { cat config/warren.cfg; echo "http: { listen = \"$1\"; };"; } >config/http.cfg
}
run "$WARREN" run --probe ready
assert_status 1 "nothing listens without http.listen"
assert_contains "$err" "http.listen" "and the message says so"
run "$WARREN" run --probe wealthy
assert_status 2 "a probe is checked"
assert_contains "$err" "want live, ready or startup" "and the right ones are named"
with_http 80.80
run "$WARREN" run --config config/http.cfg --plugin ./plugin.so
assert_status 7 "an address is checked with the configuration"
assert_contains "$err" 'http.listen: got "80.80", want' "and named with its place"
with_http 0
start_in_background env --default-signal "$WARREN" run --config config/http.cfg --plugin ./plugin.so
wait_for 20 has_started || fail "the worker starts" "$(cat background.err)" worker.start
address=$(sed -n 's/.*"event":"http.listen",.*"address":"\([^"]*\)".*/\1/p' background.err)
with_http "$address"
for probe in live ready startup; do
    run "$WARREN" run --config config/http.cfg --probe "$probe"
    assert_status 0 "it is well: $probe"
    assert_contains "$out" '{"status":"ok","checks":{' "and says so as JSON"
done
run curl -sSf -H 'Accept: application/openmetrics-text' "http://$address/metrics"
assert_contains "$out" "# TYPE warren_build info" "its metrics are there for curl"
kill -TERM "$child"
wait "$child"
run "$WARREN" run --config config/http.cfg --probe live
assert_status 1 "a worker that is gone is not alive"

# The dead letter goes home and dies again, with its history.
run "$WARREN" dead replay things --id b-1
assert_status 0 "it is replayed"
start_in_background env --default-signal "$WARREN" run --plugin ./plugin.so --log-format text
has_died_twice()
{
    "$WARREN" dead show things b-1 -o json | grep -q '"replays":1,.*"errors":\[{.*},{'
}
if wait_for 20 has_died_twice; then ok "the second death has both errors"; else
    fail "the second death has both errors" "$("$WARREN" dead show things b-1 -o json)" two
fi
kill -TERM "$child"
wait "$child"
assert_contains "$(cat background.err)" " info  worker.start " "text lines are for people"

finish
