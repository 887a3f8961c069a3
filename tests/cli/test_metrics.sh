#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What a worker under load shows to Prometheus, in both formats, is accepted by promtool and by the
# OpenMetrics parser of Prometheus' Python client; and whatever rules and dashboard ask for is there.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
# shellcheck source=tests/support/observe.sh
. "$1/tests/support/observe.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
build_plugin
mkdir -p config/queues
cat >config/warren.cfg <<'CFG'
broker: { url = "${env:WARREN_AMQP_URL}"; };
http: { listen = "0"; };
CFG
cat >config/queues/load.cfg <<'CFG'
queue: { name = "load"; retry: { attempts = 3; first = "125ms"; };
  jobs: ( { type = "good"; concurrency = 4; }, { type = "bad"; }, { type = "flaky"; },
          { type = "useless"; }, { type = "stray"; } ); };
CFG
cat >config/queues/slow.cfg <<'CFG'
queue: { name = "slow"; jobs: ( { type = "hang"; hard_timeout = "1s"; }, { type = "crash"; } ); };
CFG
export WARREN_CONFIG=config/warren.cfg
start_worker config/warren.cfg
worker=$child

# Jobs of each kind, for as long as the test looks.
publish_on()
{
    while "$WARREN" publish good --lines < <(seq 1000) >/dev/null &&
        "$WARREN" publish bad 1 && "$WARREN" publish flaky 1 && "$WARREN" publish useless 1 &&
        "$WARREN" publish stray 1; do
        :
    done
}
publish_on >/dev/null 2>publish.err &
load=$!
children+=("$load")
run "$WARREN" publish hang 1
assert_status 0 "a job that hangs is published"

counted()
{
    sed -n "s/^$1 //p" "$2"
}
is_loaded()
{
    scrape text now.txt && (($(counted 'warren_jobs_processed_total{queue="load",type="good",outcome="done"}' now.txt) > 1000)) &&
        (($(counted 'warren_dead_letters_total{queue="load",reason="failed"}' now.txt) > 0)) &&
        (($(counted 'warren_publishes_total{result="returned"}' now.txt) > 0)) &&
        [[ $(counted warren_threads_stuck now.txt) == 1 ]]
}
if wait_for 60 is_loaded; then ok "the worker is under load"; else
    fail "the worker is under load" "$(cat publish.err now.txt)" "jobs of each kind"
fi

for format in text openmetrics; do
    run scrape "$format" "$format.txt"
    assert_status 0 "a scrape under load: $format"
    run observe names "$format" "$format.txt"
    assert_status 0 "Prometheus' Python client reads it: $format"
    assert_contains "$out" "warren_job_duration_seconds_bucket" "and finds its series"
done
run bash -c '"$1" check metrics <text.txt' _ "$promtool"
assert_status 0 "promtool has nothing against it"
assert_eq "$out$err" "" "not even a word"
assert_eq "$(tail -n 1 openmetrics.txt)" "# EOF" "OpenMetrics says where it ends"
assert_eq "$(observe names text text.txt)" "$(observe names openmetrics openmetrics.txt)" \
    "both formats have the same series"

# A metric that is renamed leaves no alert and no panel behind that can never show anything.
observe names text text.txt >there
missing()
{
    observe used "$@" | grep ^warren_ | grep -vxFf there
}
run observe used "$root/deploy/prometheus/warren.rules.yml"
assert_contains "$out" warren_dead_letters_total "the rules' metrics are found"
assert_eq "$(missing "$root/deploy/prometheus/warren.rules.yml")" "" "each metric of the rules is there"
assert_eq "$(missing "$root/deploy/grafana/warren.json")" "" "each metric of the dashboard is there"
sed 's/warren_dead_letters/warren_dead_mail/' "$root/deploy/grafana/warren.json" >renamed.json
assert_eq "$(missing renamed.json)" warren_dead_mail_total "one that isn't there is named"

sed 's/^warren_ready 1/warren_ready one/' openmetrics.txt >broken.txt
run observe names openmetrics broken.txt
[[ $status != 0 ]] || fail "a broken scrape is found" "exit 0" "another"

kill "$load"
touch gate
kill -TERM "$worker"
wait "$worker"
assert_eq $? 0 "the worker drains"
finish
