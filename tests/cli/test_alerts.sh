#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren generate`: alerts and dashboard as shipped and as filled from queue files, judged by promtool.
# No broker.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
# shellcheck source=tests/support/observe.sh
. "$1/tests/support/observe.sh"
cd "$work" || exit 1
unset WARREN_CONFIG
shipped=$root/deploy/prometheus pages=$root/docs/runbooks

# What is shipped is what the command writes without a configuration.
for name in warren.rules.yml warren-rabbitmq.rules.yml; do
    [[ $name == warren.rules.yml ]] && options=() || options=(--rabbitmq)
    run "$WARREN" generate alerts "${options[@]}"
    assert_status 0 "alerts are generated: $name"
    cmp -s out "$shipped/$name"
    assert_eq $? 0 "deploy/prometheus/$name is that"
    run "$promtool" check rules "$shipped/$name"
    assert_status 0 "promtool checks $name"
done
run "$WARREN" generate dashboard
assert_status 0 "a dashboard is generated"
cmp -s out "$root/deploy/grafana/warren.json"
assert_eq $? 0 "deploy/grafana/warren.json is that"
for name in warren warren-rabbitmq; do
    run "$promtool" test rules "$root/tests/alerts/$name.test.yml"
    assert_status 0 "each alert fires, and doesn't: $name"
done

# The tests would see an alert that is broken.
mkdir -p deploy/prometheus tests/alerts
cp "$root/tests/alerts/warren.test.yml" tests/alerts/
broken=0 changed=0
while IFS=$'\t' read -r was is; do
    ((++changed))
    awk -v was="$was" -v is="$is" '{ at = index($0, was); if (at) $0 = substr($0, 1, at - 1) is substr($0, at + length(was)); print }' \
        "$shipped/warren.rules.yml" >deploy/prometheus/warren.rules.yml
    "$promtool" test rules tests/alerts/warren.test.yml >/dev/null 2>&1 ||
        { ((++broken)) && continue; }
    fail "a change is seen: $was" "no test failed" "$is"
done < <(sed 's/ => /\t/' <<'CHANGES'
threads_stuck > 0 => threads_stuck > 5
> 1800 => > 9800
> 300 => > 1900
=~"retry|dead" => =~"dead"
> 2 * => > 200 *
dead_letters_total unless => dead_letters_total{queue="x"} unless
job_crashes_total[15m])) > 0 => job_crashes_total[15m])) > 9
[30m])) == 0 => [30m])) > 9
consumed) == 0 => consumed) > 1
blocked == 1 => blocked == 2
[15m])) > 3 => [15m])) > 0
!="confirmed" => ="confirmed"
jobs_late_total[15m])) > 0 => jobs_late_total[15m])) > 9
unless warren_draining == 1 => unless warren_draining == 0
reload_successful == 0 => reload_successful == 1
for: 5m => for: 50m
CHANGES
)
assert_eq "$broken" "$changed" "the tests see each of $changed changes"

# Each alert has a test and a page; each page an alert.
names=$(sed -n 's/^ *- alert: //p' "$shipped"/*.yml | sort -u)
assert_eq "$(grep -ho 'Warren[A-Z][A-Za-z]*' "$root"/tests/alerts/*.yml | sort -u)" "$names" \
    "each alert has a test"
assert_eq "$(cd "$pages" && printf '%s\n' Warren*.md | sed 's/\.md$//' | sort)" "$names" \
    "each alert has a page"
for name in $names; do
    for part in "# $name" "## Meaning" "## Impact" "## How to look" "## What to do"; do
        grep -qxF "$part" "$pages/$name.md" || fail "the page of $name" "no $part" "$part"
    done
done
# Each command that a page names exists.
while read -r noun verb; do
    grep -qE "^    \{ \"$noun\", (NULL|\"$verb\")" "$root/bin/commands.c" ||
        fail "a page names a command that is there" "warren $noun $verb" "one of the table"
done < <(grep -hoE '(^|`)warren [a-z]+( [a-z]+)?' "$pages"/*.md | sed 's/^`\{0,1\}warren //' | sort -u)

# From queue files: their names, and limits that follow from them.
mkdir queues
cat >warren.cfg <<'CFG'
namespace = "shop";
http: { types = 4; };
CFG
cat >queues/mail.cfg <<'CFG'
queue: { name = "mail"; jobs: ( { type = "mail.send"; timeout = "30s"; concurrency = 8; },
                                { type = "mail.sort"; timeout = "30s"; },
                                { type = "mail.once"; retry: { attempts = 1; }; } ); };
CFG
cat >queues/odd.cfg <<'CFG'
queue: { name = "o\"d{{d}}\\ 'é"; jobs: ( { type = "a,|b.*c"; isolate = true; timeout = "1500ms"; },
                                        { type = "beyond"; timeout = "1h"; } ); };
CFG
run "$WARREN" generate alerts -c warren.cfg --runbooks "https://example.org/it's/" -o rules.yml
assert_status 0 "alerts of a configuration"
assert_eq "$out" "" "go to the file that was asked for"
rules=$(cat rules.yml)
run "$promtool" check rules rules.yml
assert_status 0 "promtool checks them, whatever the names"
assert_lacks "$out$err" duplicate "and finds none twice"
assert_contains "$rules" '{queue="mail",type=~"mail\\.send|mail\\.sort"} > 60' \
    "a job may run twice its timeout, those of one limit together"
assert_contains "$rules" '{queue="mail",type="mail.once"} > 1800' "without one half an hour"
assert_contains "$rules" 'type="a,|b.*c"} > 3' "names are taken by the letter"
assert_contains "$rules" 'type="(other)"} > 7200' "types beyond http.types are told together"
assert_lacks "$rules" 'beyond' "and not by name"
assert_contains "$rules" '> 0.05' "with one attempt less may fail"
assert_contains "$rules" 'https://example.org/it'"''"'s/WarrenJobStuck.md' "pages are where one says"
run "$WARREN" generate alerts -c warren.cfg --rabbitmq -o rules.yml
assert_contains "$(cat rules.yml)" '{queue="mail"}) > 1000' "a hundred may wait for each that may run"
run "$promtool" check rules rules.yml
assert_status 0 "promtool checks those on RabbitMQ's metrics"
run "$WARREN" generate dashboard -c warren.cfg -o board.json
assert_status 0 "the dashboard of a configuration"
board=$(/usr/bin/python3 -c '
import json
page = json.load(open("board.json"))
lists = {v["name"]: [o["value"] for o in v.get("options", [])] for v in page["templating"]["list"]}
print(page["title"], page["uid"], *lists["queue"], *lists["type"], sep="\n")')
assert_eq "$board" $'Warren: shop\nwarren-shop\nmail\no"d{{d}}\\ \'é\nmail.send\nmail.sort\nmail.once\na,|b.*c\n(other)' \
    "it offers the queues and types that are configured"
for name in "$root/deploy/grafana/warren.json" board.json; do
    observe rules "$name" >panels.yml
    run "$promtool" check rules panels.yml
    assert_status 0 "promtool checks each expression of $(basename "$name")"
done

# What goes wrong.
run "$WARREN" generate alerts -c warren.cfg -o nowhere/rules.yml
assert_status 1 "a folder that isn't there"
assert_contains "$err" "nowhere/rules.yml" "is named"
echo 'frobnicate = 1;' >>warren.cfg
echo kept >rules.yml
run "$WARREN" generate alerts -c warren.cfg -o rules.yml
assert_status 7 "a configuration with errors is exit 7"
assert_contains "$err" "frobnicate" "with what is wrong"
assert_eq "$(cat rules.yml)" kept "and the file stays as it was"
finish
