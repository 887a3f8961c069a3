#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren config`: files to start from are valid, mistakes are listed at once, secrets stay secret.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
unset WARREN_CONFIG WARREN_AMQP_URL

run "$WARREN" config init
assert_status 0 "config init writes files"
assert_eq "$out" "config/warren.cfg
config/queues/emails.cfg" "and names them"
run "$WARREN" config check
assert_status 0 "they are valid"
echo '# mine' >>config/warren.cfg
run "$WARREN" config init
assert_status 5 "files that are there are not overwritten"
assert_contains "$(tail -1 config/warren.cfg)" "# mine" "and stay as they are"
run "$WARREN" config init --force
assert_status 0 "--force overwrites them"
mkdir -p half/queues
echo '# mine' >half/queues/emails.cfg
run "$WARREN" config init half
assert_status 5 "one that is there is enough"
assert_eq "$(find half -type f)" "half/queues/emails.cfg" "for none to be written"
run "$WARREN" config init --minimal small
assert_contains "$err" "warren config check --config small/warren.cfg" "what comes next is told"
run "$WARREN" config check --config small/warren.cfg
assert_status 0 "--minimal is valid"
run "$WARREN" config init --full large
assert_eq "$out" "large/warren.cfg
large/queues/reports.cfg" "--full writes a queue file with everything"
run "$WARREN" config check --config large/warren.cfg
assert_status 0 "which is valid"
run cmp large/queues/reports.cfg "$root/config/queues/full.cfg"
assert_status 0 "and the one that is shipped"
run "$WARREN" config init --full --minimal both
assert_status 2 "both at once make no sense"
run "$WARREN" config check --config "$root/config/warren.cfg"
assert_status 0 "the shipped folder is valid as a whole"

mkdir -p other/queues
cat >other/warren.cfg <<'CFG'
broker: { url = "amqp://alice:s3cret@localhost/"; hartbeat = "10s"; };
drain_timeout = "90";
CFG
run "$WARREN" config check --config other/warren.cfg
assert_status 7 "mistakes are exit 7"
assert_contains "$out" "other/warren.cfg:1:" "with file and line"
assert_contains "$out" "did you mean 'heartbeat'" "and the nearest key"
assert_contains "$out" "other/warren.cfg:2:" "all of them at once"
assert_contains "$err" "a worker would not start" "and what follows from them"
assert_lacks "$out$err" "s3cret" "without the secret"
run "$WARREN" config check --config other/warren.cfg -o jsonl
assert_status 7 "also for programs"
assert_contains "$out" '{"problem":"other/warren.cfg:2: ' "as an object each"
assert_contains "$out" '"note":false}' "that tells errors from notes"

cat >other/warren.cfg <<'CFG'
broker: { url = "amqp://alice:s3cret@localhost/"; };
CFG
run "$WARREN" config show --config other/warren.cfg
assert_contains "$out" "alice:***@localhost" "config show hides the password"
assert_lacks "$out" "s3cret" "everywhere"
WARREN_CONFIG=other/warren.cfg run "$WARREN" config show -o json
assert_contains "$out" "alice:***@localhost" "WARREN_CONFIG goes before the current folder's files"
run "$WARREN" config check --config nowhere.cfg
assert_status 7 "a named file that is missing is an error"

run "$WARREN" config diff --config config/warren.cfg config
assert_status 0 "a configuration can be compared"
assert_lacks "$out" "queue" "with itself nothing differs"
cp -r config next
sed -i 's/^drain_timeout = .*/drain_timeout = "9s";/; s/^namespace = .*/namespace = "other";/' next/warren.cfg
run "$WARREN" config diff --config config/warren.cfg next -o jsonl
assert_contains "$out" '"option":"drain_timeout"' "what differs is named"
assert_contains "$out" '"from":"25s","to":"9s","live":true' "with both values, and that it is live"
assert_contains "$out" '"from":"warren","to":"other","live":false' "or that it isn't"
assert_contains "$err" "1 of them waits for a restart" "which is said"
echo 'threads = "many";' >>next/warren.cfg
run "$WARREN" config diff --config config/warren.cfg next/warren.cfg
assert_status 7 "a broken one can't be compared"

run "$WARREN" config explain broker.heartbeat
assert_contains "$out" 'default: "15s"' "config explain tells the default"
run "$WARREN" config explain broker.heartbeat -o jsonl
assert_contains "$out" '{"option":"broker.heartbeat","sentence":"After how long' "also for programs"
run "$WARREN" config explain -o jsonl
listed=$(wc -l <<<"$out")
assert_eq "$listed" "$("$WARREN" config explain | grep -c '^[a-z]')" "with an object for each option"
run "$WARREN" config explain broker.heartbeet
assert_status 4 "an unknown option is not found"
assert_contains "$err" "broker.heartbeat" "and the nearest one is named"
run "$WARREN" config explain broker.heartbeet -o json
assert_status 4 "for programs, too"
assert_eq "$out" "" "with nothing on standard output"
run "$WARREN" config explain broker.heartbeat -o jsonl
for want in '"kind":"duration"' '"units":"ms, s, m, h, d"' '"default":"15s"' '"least":"5s"' \
    '"most":"1h"' '"live":false' 'broker: { heartbeat = '; do
    assert_contains "$out" "$want" "an option is explained with $want"
done
run "$WARREN" config explain queue.retry
assert_contains "$out" "When failed jobs of a queue run again" "a group is explained"
assert_contains "$out" "queue: { retry: { attempts = 5; }; };" "with an example for each of its options"
# Each example is a line that a file may have.
missing=''
while read -r line; do
    [[ $line != *queue:* ]] || continue # those need a name and a type beside them
    echo "$line" >example.cfg
    "$WARREN" config check --config example.cfg 2>&1 | grep -q 'unknown key\|want ' && missing+="$line "
done < <("$WARREN" config explain | sed -n 's/^    Example: //p')
assert_eq "$missing" "" "examples are understood"

run "$WARREN" config schema
assert_status 0 "there is a JSON Schema"
assert_eq "$out" "$(cat "$root/config/warren.schema.json")" "which is the one that is shipped"

finish
