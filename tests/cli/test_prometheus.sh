#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A real Prometheus scrapes a worker. Each alert of `warren generate alerts` is quiet while all is well,
# and fires when what it is for has been brought about, on a broker of this test's own. Only how long it
# must be so is shortened. The same for the alerts on the broker's own metrics.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
# shellcheck source=tests/support/observe.sh
. "$1/tests/support/observe.sh"
cd "$work" || exit 1
own=$(mktemp -d "${WARREN_TEST_SCRATCH:-${TMPDIR:-/tmp}}/broker.XXXXXX")

end()
{
    local code=$?
    "$root/deploy/dev/broker" stop --purge "$own" >/dev/null 2>&1
    rm -rf "$own"
    (exit "$code")
    leave
}
trap end EXIT
own_ctl()
{
    "$root/deploy/dev/broker" ctl --dir "$own" -q "$@"
}
WARREN_AMQP_URL=$("$root/deploy/dev/broker" start --management "$own") || bail_out "no broker"
export WARREN_AMQP_URL
management=$("$root/deploy/dev/broker" management-url "$own")
build_plugin

# --- a worker and its Prometheus ------------------------------------------------------------------

configure()
{
    cat <<CFG
broker: { url = "\${env:WARREN_AMQP_URL}"; };
http: { listen = "$1"; };
CFG
}
mkdir -p config/queues
configure 0 >config/warren.cfg
cat >config/queues/load.cfg <<'CFG'
queue: { name = "load";
  jobs: ( { type = "good"; timeout = "30s"; }, { type = "bad"; }, { type = "useless"; }, { type = "stray"; },
          { type = "flaky"; concurrency = 4; retry: { attempts = 1000; backoff = "fixed"; first = "500ms"; }; } ); };
CFG
cat >config/queues/slow.cfg <<'CFG'
queue: { name = "slow"; jobs: ( { type = "hang"; timeout = "1s"; hard_timeout = "2s"; } ); };
CFG
cat >config/queues/deadly.cfg <<'CFG'
queue: { name = "deadly"; max_crashes = 1; jobs: ( { type = "crash"; timeout = "30s"; } ); };
CFG
export WARREN_CONFIG=config/warren.cfg
start_worker config/warren.cfg
worker=$child
configure "$address" >config/warren.cfg

# The broker's plugin, with a port that was free a moment ago, for as long as this broker runs.
plugin_port=$(/usr/bin/python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
start_plugin()
{
    own_ctl eval "application:load(rabbitmq_prometheus),
        application:set_env(rabbitmq_prometheus, tcp_config, [{port, $plugin_port}, {ip, \"127.0.0.1\"}]),
        {ok, _} = application:ensure_all_started(rabbitmq_prometheus), ok." >/dev/null || bail_out "no plugin"
}
start_plugin

shortened()
{
    "$WARREN" generate alerts "$@" | sed 's/^\( *for:\) .*/\1 2s/'
}
shortened >rules.yml
shortened --rabbitmq >rabbitmq.yml
names_in()
{
    sed -n 's/^ *- alert: //p' "$@" | sort -u
}
names=$(names_in rules.yml rabbitmq.yml)
assert_eq "$names" "$(names_in "$root"/deploy/prometheus/*.rules.yml)" \
    "the alerts are those that are shipped"
cat >prometheus.yml <<CFG
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yml, rabbitmq.yml]
scrape_configs:
  - { job_name: load, static_configs: [{ targets: ['$address'] }] }
  - job_name: rabbitmq
    metrics_path: /metrics/detailed
    params: { family: [queue_coarse_metrics, queue_consumer_count] }
    static_configs: [{ targets: ['127.0.0.1:$plugin_port'] }]
  - job_name: rabbitmq-global
    static_configs: [{ targets: ['127.0.0.1:$plugin_port'] }]
CFG
has_prometheus()
{
    where=$(sed -n 's/.*msg="Listening on" address=\([0-9.:]*\).*/\1/p' prometheus.log)
    [[ -n $where ]] && curl -sf "http://$where/-/ready" >ready
}
# start_prometheus DATA: its pid in $prometheus_pid, its place in $where.
start_prometheus()
{
    "$prometheus" --config.file=prometheus.yml --storage.tsdb.path="$1" \
        --web.listen-address=127.0.0.1:0 >prometheus.log 2>&1 </dev/null &
    prometheus_pid=$!
    children+=("$prometheus_pid")
    wait_for 60 has_prometheus || bail_out "no Prometheus: $(cat prometheus.log)"
}
start_prometheus data
# Prometheus begins anew: for what counts as a share of all that was in its window.
begin_window()
{
    kill -TERM "$prometheus_pid"
    wait "$prometheus_pid"
    start_prometheus "data.$prometheus_pid"
}
ask()
{
    curl -sSf -G "http://$where/api/v1/query" --data-urlencode "query=$1"
}
firing()
{
    curl -sSf "http://$where/api/v1/alerts" | observe firing
}

# --- all is well ----------------------------------------------------------------------------------

# Its jobs, enough for each rule to have been looked at.
"$WARREN" publish good --lines < <(seq 200) >/dev/null 2>&1 || fail "jobs are published"
has_seen()
{
    ask 'sum(count_over_time(warren_build_info[5m])) > 5' | grep -q '"value"' &&
        ask 'warren_jobs_processed_total{type="good",outcome="done"} == 200' | grep -q '"value"'
}
if wait_for 30 has_seen; then ok "Prometheus sees the worker and what it did"; else
    fail "Prometheus sees the worker" "$(cat prometheus.log)" "scrapes"
fi
targets=$(curl -sSf "http://$where/api/v1/targets")
assert_contains "$targets" '"lastError":""' "and has nothing against what it reads"
assert_contains "$targets" '"health":"up"' "at all"
assert_eq "$(firing)" "" "no alert fires"

# --- nothing is -----------------------------------------------------------------------------------

fired=''
has_fired()
{
    firing | grep -qxF "$1"
}
expect_fired()
{
    local name
    for name; do
        if wait_for 90 has_fired "$name"; then ok "$name fires" && fired+=$name$'\n'; else
            fail "$name fires" "$(firing)" "$name"
        fi
    done
}

# publish_foreign TYPE HEADERS: as a foreign client whose clock, or broker, is behind.
publish_foreign()
{
    curl -sSf -X POST "$management/api/exchanges/%2f/warren.jobs/publish" -d "{\"routing_key\": \"$1\",
        \"payload\": \"1\", \"payload_encoding\": \"string\", \"properties\": {\"headers\": {$2}}}" >/dev/null ||
        fail "a job is published by HTTP"
}
ago_ms()
{
    echo "$(($(date +%s) - $1))000"
}

for type in bad stray hang; do
    "$WARREN" publish "$type" 1 >/dev/null || fail "a job is published: $type"
done
"$WARREN" publish flaky --lines < <(seq 20) >/dev/null 2>&1 || fail "jobs are published: flaky"
publish_foreign good "\"x-warren-enqueued-ms\": $(ago_ms 600)"
expect_fired WarrenDeadLetters WarrenPublishesFailing WarrenJobStuck WarrenJobRunsLong \
    WarrenJobFailureRatio WarrenRetryStorm WarrenJobWaitLong

# Twenty seconds late counts only where the worker stood ready for so long.
is_old_enough()
{
    ask 'count_over_time((warren_queue_consumed{queue="load"} == 1)[60s:1s]) > 25' | grep -q '"value"'
}
wait_for 60 is_old_enough || fail "the worker has consumed for 25 s"
publish_foreign good "\"x-warren-run-at-ms\": $(ago_ms 60), \"x-warren-enqueued-ms\": $(ago_ms 61)"
expect_fired WarrenLadderLate

own_ctl set_vm_memory_high_watermark 0.00001 >/dev/null # the jobs that retry want to publish
expect_fired WarrenBrokerBlocked
own_ctl set_vm_memory_high_watermark 0.6 >/dev/null

for loss in 1 2 3 4 5; do
    connections=$(curl -sf "http://$address/metrics" | sed -n 's/^warren_connections_total{role="consumer"} //p')
    own_ctl close_all_connections --global "cut $loss" >/dev/null
    is_back()
    {
        (($(curl -sf "http://$address/metrics" | sed -n 's/^warren_connections_total{role="consumer"} //p') > connections))
    }
    wait_for 40 is_back || fail "the worker connects again"
done
expect_fired WarrenConnectionFlapping

own_ctl stop_app >/dev/null
expect_fired WarrenWorkerNotReady WarrenQueueNotConsumed
own_ctl start_app >/dev/null
start_plugin
is_ready()
{
    curl -sf "http://$address/readyz" >ready
}
wait_for 60 is_ready || fail "the worker is ready again"

cp config/queues/load.cfg load.cfg
echo 'frobnicate = 1;' >>config/queues/load.cfg
kill -HUP "$worker"
expect_fired WarrenConfigReloadFailed
cp load.cfg config/queues/load.cfg

"$WARREN" publish crash 1 >/dev/null || fail "a job is published: crash"
wait "$worker" 2>shell.err
assert_eq $? 139 "a handler takes its worker with it"
touch gate
start_worker config/warren.cfg
worker=$child
expect_fired WarrenJobCrashes

# A whole window without progress.
rm gate
"$WARREN" publish hang 1 >/dev/null || fail "a job is published: hang"
hangs()
{
    curl -sf "http://$address/metrics" | grep -q '^warren_jobs_in_flight{queue="slow"} 1'
}
wait_for 30 hangs || fail "the job hangs"
begin_window
expect_fired WarrenNoProgress

touch gate
kill -TERM "$worker"
wait "$worker"
expect_fired WarrenMetricsAbsent

# What only the broker can tell: nobody takes the jobs, and they get more. The retries of before are
# not in this window: however many they were, what is held is more than a tenth of what leaves queues.
begin_window
has_counts()
{
    ask 'count_over_time(rabbitmq_global_messages_dead_lettered_expired_total{
        dead_letter_strategy="at_least_once"}[1m]) > 2' | grep -q '"value"'
}
wait_for 30 has_counts || fail "Prometheus sees what leaves queues"
publish_on()
{
    while "$WARREN" publish good --lines < <(seq 300) >/dev/null 2>&1; do
        sleep 1 # a slope needs time
    done
}
publish_on &
load=$!
children+=("$load")
curl -sSf -X POST "$management/api/exchanges/%2f/warren.unrouted/publish" -d '{"routing_key": "",
    "payload": "1", "payload_encoding": "string", "properties": {}}' >/dev/null || fail "a message is lost"
# Messages whose dead-letter exchange isn't there stay where they are, and no queue shows them.
curl -sSf -X PUT "$management/api/queues/%2f/held" -d '{"durable": true, "arguments": {
    "x-queue-type": "quorum", "x-overflow": "reject-publish", "x-message-ttl": 100,
    "x-dead-letter-exchange": "nowhere", "x-dead-letter-strategy": "at-least-once"}}' || fail "a queue"
for _ in {1..30}; do
    curl -sSf -X POST "$management/api/exchanges/%2f/amq.default/publish" -d '{"routing_key": "held",
        "payload": "1", "payload_encoding": "string", "properties": {}}' >/dev/null || fail "a message is held"
done
expect_fired WarrenBacklogNoConsumers WarrenBacklogGrows WarrenUnrouted WarrenDeadLettersHeld
kill "$load"
assert_eq "$(sort <<<"${fired%$'\n'}")" "$names" "that was each of them"
kill -TERM "$prometheus_pid"
finish
