#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren bench` on a real broker, with small numbers: figures that can be true, nothing left at the
# broker or in the temporary folder whatever happens, no secret in a file, the user's jobs untouched.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
password=${url#*:*:}
password=${password%@*}
export WARREN_AMQP_URL=$url TMPDIR=$work/tmp
mkdir -p config/queues tmp
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; }; publish: { window = 64; };' >config/warren.cfg
echo 'queue: { name = "emails"; jobs: ( { type = "email.welcome"; } ); };' >config/queues/emails.cfg

# member FILE NAME...: one member of a JSON file; cmake reads JSON, and is there wherever Warren is built.
member()
{
    local file=$1
    shift
    printf 'file(READ "%s" text)\nstring(JSON value GET "${text}" %s)\nmessage("${value}")\n' \
        "$file" "$*" >member.cmake
    cmake -P member.cmake 2>&1
}
# holds CONDITION: of awk, about numbers.
holds()
{
    awk "BEGIN { exit !($1) }"
}
names_of_bench()
{
    broker ctl -q list_queues -p "$vhost" --no-table-headers name | grep bench
    broker ctl -q list_exchanges -p "$vhost" --no-table-headers name | grep bench
}
assert_nothing_left()
{
    assert_eq "$(names_of_bench)$(ls tmp)" "" "$1: nothing is left, at the broker or in a file"
}
# measured NAME KIND...: the figures of a measure are possible ones.
measured()
{
    local name=$1 kind p50 p99 most
    shift
    for kind; do
        case $kind in
        rate)
            if holds "$(member out measures "$name" per_second) > 0"; then
                ok "$name has a rate"
            else
                fail "$name has a rate" "$(member out measures "$name")" "above 0"
            fi
            ;;
        times)
            p50=$(member out measures "$name" p50_ms)
            p99=$(member out measures "$name" p99_ms)
            most=$(member out measures "$name" max_ms)
            if holds "0 <= $p50 && $p50 <= $p99 && $p99 <= $most"; then
                ok "$name has times in order"
            else
                fail "$name has times in order" "$p50 $p99 $most" "p50 <= p99 <= max"
            fi
            ;;
        esac
    done
}

# --- what it measures, beside a user's own jobs ---

"$WARREN" topology apply 2>/dev/null || bail_out "no topology"
printf '{"n": 1}\n{"n": 2}\n{"n": 3}\n' >jobs.txt
"$WARREN" publish email.welcome --lines --file jobs.txt 2>/dev/null || bail_out "no jobs"
run "$WARREN" bench --seconds 1 --jobs 300 --body 1KiB -o json
assert_status 0 "a bench runs"
assert_eq "$err" "" "and says nothing else off a terminal"
for name in connect declare latency ladder; do measured "$name" times; done
for name in publish_single publish publish_classic; do measured "$name" rate times; done
measured drain rate
assert_eq "$(member out measures ladder jobs)" 200 "200 delayed jobs came home"
assert_eq "$(member out measures latency jobs)" 200 "at 200 a second"
published=$(($(member out measures publish_single jobs) + $(member out measures publish jobs)))
assert_eq "$(member out measures publish jobs)" 300 "--jobs is what is published"
drained=$(member out measures drain jobs)
if ((drained > published / 2 && drained <= published)); then
    ok "what was published is drained, and no more"
else
    fail "what was published is drained, and no more" "$drained" "$published"
fi
if holds "$(member out measures drain cpu_us_per_job) > 0"; then
    ok "a job costs CPU"
else
    fail "a job costs CPU" "$(member out measures drain)" "above 0"
fi
assert_eq "$(member out body_bytes) $(member out publish_window) $(member out queue_type)" \
    "1024 64 quorum" "the report says what was measured"
assert_eq "$(member out limits 0 of) $(member out limits 1 of)" "publish drain" "and what limits it"
for part in by what why next; do
    [[ -n $(member out limits 0 $part) && -n $(member out limits 1 $part) ]] ||
        fail "a limit has $part" "" "a text"
done
assert_lacks "$out" "$password" "without the password"
assert_nothing_left "after a bench"
assert_eq "$(queue_depth emails)" 3 "the user's jobs are untouched"
assert_eq "$(member out namespace | sed 's/[0-9a-f]\{6\}$/X/')" "warren.bench-X" \
    "its namespace is its own"

run "$WARREN" bench --seconds 1 --jobs 50 --threads 1 --type classic -o jsonl
assert_status 0 "a classic queue"
assert_eq "$(wc -l <out)" 1 "is one object, in a line"
assert_eq "$(member out queue_type) $(member out threads)" "classic 1" "that says so"
assert_lacks "$out" publish_classic "without a comparison"

run "$WARREN" bench --seconds 1 --jobs 50
assert_contains "$out" "What limits the publish: " "for people there are sentences"
assert_contains "$out" "delayed by 1 s, late by" "and a table"

# With a window of one message the round trip is the limit, unless others take the CPU meanwhile.
sed 's/window = 64/window = 1/' config/warren.cfg >narrow.cfg
judged_by_window()
{
    run "$WARREN" bench --seconds 1 --jobs 1000 --type classic --config narrow.cfg -o json
    [[ $(member out limits 0 by) == window ]]
}
if wait_for 60 judged_by_window; then
    ok "a narrow window is found out"
else
    fail "a narrow window is found out" "$out" "limits: publish by window"
fi
assert_contains "$(member out limits 0 next)" "raise publish.window" "with what to do"

run bash -c '"$WARREN" bench --seconds 1 --jobs 50 | true'
assert_nothing_left "when nobody reads the report"

# --- cut off ---

bench_stands()
{
    [[ $(names_of_bench) == *bench-*.work* ]] && [[ -f $(echo tmp/warren-bench.*/warren.cfg) ]]
}
start_in_background env --default-signal "$WARREN" bench --seconds 20
if wait_for 20 bench_stands; then ok "it stands at the broker"; else fail "it stands at the broker"; fi
assert_eq "$(grep -rlF "$password" tmp)" "" "no file has the password"
assert_eq "$(stat -c %a tmp/warren-bench.* tmp/warren-bench.*/warren.cfg | xargs)" "700 600" \
    "and the files are for their owner only"
kill -INT "$child"
wait "$child"
assert_eq $? 130 "Ctrl-C ends it with 130"
assert_eq "$(cat background.out)" "" "without figures"
assert_contains "$(cat background.err)" "interrupted; removing warren.bench-" "but it cleans up"
assert_nothing_left "after Ctrl-C"

start_in_background env --default-signal "$WARREN" bench --seconds 20
wait_for 20 bench_stands || fail "it stands at the broker"
kill -KILL "$child"
wait "$child" 2>/dev/null
ns=$(names_of_bench | sed -n 's/^\(warren\.bench-[0-9a-f]*\)\..*/\1/p' | head -n 1)
rm -rf tmp/warren-bench.*
run "$WARREN" bench --remove "$ns"
assert_status 0 "what kill -9 left can be removed"
assert_nothing_left "after --remove"
for other in warren emails warren.jobs "${ns}x/"; do
    run "$WARREN" bench --remove "$other"
    assert_status 2 "--remove $other is refused"
done
assert_eq "$(queue_depth emails)" 3 "the user's jobs are still untouched"

# --- it can't ---

WARREN_AMQP_URL=amqp://guest:s3cret@127.0.0.1:1/ run "$WARREN" bench
assert_status 6 "no broker is exit 6"
assert_lacks "$err" "s3cret" "without the password"
WARREN_AMQP_URL=memory: run "$WARREN" bench
assert_status 2 "a broker in memory is none to measure"
broker ctl -q add_user "$vhost" secret >/dev/null || bail_out "no user"
place=${url#*@}
# refused CONFIGURE WRITE READ WORDS
refused()
{
    broker ctl -q set_permissions -p "$vhost" "$vhost" "$1" "$2" "$3" >/dev/null
    WARREN_AMQP_URL=amqp://$vhost:secret@$place run "$WARREN" bench --seconds 1
    assert_status 5 "without a right ($1 $2 $3): refused"
    assert_contains "$err" "$4" "and it is named"
    assert_nothing_left "after a refusal"
}
refused '^emails$' '.*' '.*' "the right to configure"
refused '.*' '.*' '^$' "and to write and read what is bound"
refused '.*' '^((?!jobs).)*$' '.*' "publishing, which takes the right to write"
broker ctl -q delete_user "$vhost" >/dev/null

for wrong in '--jobs 0' '--seconds x' '--threads 1000' '--body 0' '--body 17MiB' '--body 4kb' \
    '--type stream' '-o xml' extra; do
    # shellcheck disable=SC2086 # two words
    run "$WARREN" bench $wrong
    assert_status 2 "bench $wrong is a usage error"
done
finish
