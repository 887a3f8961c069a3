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

finish
