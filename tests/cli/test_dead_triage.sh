#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The way of an operator from "dead letters grow" to "replayed", on a real broker: groups, filters,
# canaries, pace, export and import, editing, moving. Nothing is lost on any of them.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; };' >config/warren.cfg
cat >config/queues/emails.cfg <<'CFG'
queue: { name = "emails"; retry: { attempts = 1; };
  jobs: ( { type = "email.welcome"; }, { type = "email.digest"; } ); };
CFG
echo 'queue: { name = "letters"; jobs: ( { type = "email.digest"; } ); };' >config/queues/letters.cfg
"$WARREN" topology apply 2>/dev/null || bail_out "no topology"

depth()
{
    "$WARREN" queue list -o jsonl | sed -n "s/^{\"name\":\"$1\".*\"messages\":\([0-9]*\).*/\1/p"
}
has_depth()
{
    [[ $(depth "$1") == "$2" ]]
}
assert_depth()
{
    if wait_for 10 has_depth "$1" "$2"; then ok "$3"; else fail "$3" "$(depth "$1") in $1" "$2"; fi
}
# field NAME: of JSON lines, its values.
field()
{
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}
# letter ID TYPE ERROR [DIED_MS]: a line as `dead export` writes it.
letter()
{
    printf '{"warren_letter":1,"properties":{"message_id":"%s","type":"%s","content_type":"application/json"},' \
        "$1" "$2"
    printf '"headers":[{"name":"traceparent","type":"string","value":"00-abc-%s-01"},' "$1"
    printf '{"name":"x-warren-dead-reason","type":"string","value":"failed"},'
    printf '{"name":"x-warren-attempt","type":"int64","value":5},'
    printf '{"name":"x-warren-died-ms","type":"int64","value":%s},' "${4:-1700000000000}"
    printf '{"name":"x-warren-errors","type":"array","value":[{"type":"table","value":['
    printf '{"name":"at-ms","type":"int64","value":1},{"name":"text","type":"string","value":"%s"}]}]}],' "$3"
    printf '"body":"{\\"n\\": %s}"}\n' "${1//[^0-9]/}"
}
start_over()
{
    local queue
    for queue in emails emails.dead letters letters.dead; do
        "$WARREN" queue purge "$queue" --yes 2>/dev/null >/dev/null
    done
}

cat >plugin.c <<'C'
#include <warren/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static warren_verdict judge(warren_job *job, void *user)
{
    (void)user;
    return getenv("JOBS_FAIL") ? warren_retry(job, "still no user %s", warren_job_id(job))
                               : WARREN_DONE;
}

WARREN_PLUGIN("test", { "email.welcome", judge }, { "email.digest", judge });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"

# --- import and groups ---
{
    for i in 1 2 3 4 5 6; do letter "w$i" email.welcome "no user $i" $((1700000000000 + i)); done
    for i in 7 8; do letter "d$i" email.digest "no user $i"; done
    letter w9 email.welcome "smtp timeout" 4000000000000
} >letters.jsonl
run "$WARREN" dead import emails letters.jsonl
assert_status 0 "letters are imported"
assert_contains "$err" "9 lines" "and counted"
assert_depth emails.dead 9 "they stand in the dead queue"
run "$WARREN" dead groups emails -o jsonl
assert_status 0 "they are grouped"
assert_eq "$(field count <<<"$out" | paste -sd ' ')" "6 2 1" "the largest group first"
assert_contains "$(head -1 <<<"$out")" '"error":"no user <n>"' "by the shape of their errors"
assert_contains "$(head -1 <<<"$out")" '"sample_id":"w6"' "with the newest as a sample"
assert_contains "$(head -1 <<<"$out")" '"first_died_at":"2023-11-14T22:13:20.001Z","last_died_at":"2023-11-14T22:13:20.006Z"' \
    "and the first and last death"
group=$(field group <<<"$out" | head -1)
run "$WARREN" dead groups --most 2
assert_contains "$err" "1 more dead letters are in other groups" "what is beyond the limit is told"

# --- filters ---
matching()
{
    "$WARREN" dead list emails -o jsonl "$@" | field id | paste -sd ' '
}
assert_eq "$(matching --group "$group")" "w1 w2 w3 w4 w5 w6" "--group takes its own"
assert_eq "$(matching --error timeout)" "w9" "--error looks for a text"
assert_eq "$(matching --since 2024-01-01T00:00:00Z)" "w9" "--since leaves out what died before"
assert_eq "$(matching --until 2023-11-14T22:13:20.002Z)" "w1 d7 d8" "--until what died later"
assert_eq "$(matching --until 10m --limit 2)" "w1 w2" "or so long ago"
assert_eq "$(matching --type email.digest --limit 1)" "d7" "and all of them together"
run "$WARREN" dead list emails --group nonsense
assert_status 2 "a group that is none is a usage error"
run "$WARREN" dead list emails --since yesterday
assert_status 2 "so is a time that is none"
for option in "--rate 0" "--rate x" "--canary 0" "--canary-wait 3s"; do
    # shellcheck disable=SC2086 # two words
    run "$WARREN" dead replay emails $option
    assert_status 2 "$option is a usage error"
done
assert_depth emails.dead 9 "nothing was replayed by them"
"$WARREN" dead list emails -o jsonl | head -1 >/dev/null
assert_eq "$(matching)" "w1 w2 w3 w4 w5 w6 d7 d8 w9" "a reader that leaves changes no order"
script -qec "'$WARREN' dead list emails" /dev/null >typescript </dev/null
assert_contains "$(cat typescript)" "looking [" "on a terminal there is a bar"
assert_contains "$(cat typescript)" " of 9" "of all that stand there"
assert_contains "$(cat typescript)" $'\r\033[K' "which is wiped off"
run "$WARREN" dead list emails
assert_eq "$err" "" "elsewhere there is none"

# --- export ---
run "$WARREN" dead export emails
assert_status 0 "they are exported"
assert_eq "$(wc -l <out)" 9 "a line each"
cp out exported.jsonl
assert_depth emails.dead 9 "and stay"
run "$WARREN" dead drop emails --keep dropped.jsonl --because "a test" --yes
assert_status 0 "dropped ones can be kept"
assert_depth emails.dead 0 "and are gone"
assert_contains "$(head -1 dropped.jsonl)" 'a test"}' "the file says why"
assert_eq "$(stat -c %a dropped.jsonl)" 600 "and is its owner's alone"
run "$WARREN" dead import emails - <dropped.jsonl
"$WARREN" dead import emails dropped.jsonl 2>/dev/null
assert_depth emails.dead 9 "and puts them back"
run "$WARREN" dead export emails
assert_eq "$(md5sum <out)" "$(md5sum <exported.jsonl)" "as they were, in the same order"
steering=$'\xc2\x9b and \xe2\x80\xae'
letter x1 email.welcome x | sed "s/\"body\":.*/\"body\":\"a $steering z\"}/" >steering.jsonl
"$WARREN" dead import letters steering.jsonl 2>/dev/null
run "$WARREN" dead export letters
assert_contains "$out" '"a \u009b and \u202e z"' "what could steer a terminal is escaped"
"$WARREN" dead drop letters --yes 2>/dev/null
"$WARREN" dead import letters out 2>/dev/null
run "$WARREN" dead show letters x1 -o json
assert_contains "$out" '"body":"a \u009b and \u202e z"' "and is read as it was"
"$WARREN" dead drop letters --yes 2>/dev/null
printf '{}\n' >>letters.jsonl
letter w10 email.welcome x >>letters.jsonl
run "$WARREN" dead import letters letters.jsonl
assert_status 3 "a bad line ends an import"
assert_contains "$err" "letters.jsonl:10: no dead letter" "and is named"
assert_contains "$err" "--from 10" "with the way to go on"
assert_depth letters.dead 9 "those before it are in"
run "$WARREN" dead import letters letters.jsonl --from 11
assert_status 0 "from the next one it goes on"
assert_depth letters.dead 10 "and only that one is added"
run "$WARREN" dead import nowhere letters.jsonl
assert_status 4 "into an unknown queue nothing is imported"
run "$WARREN" dead import emails missing.jsonl
assert_status 1 "nor from a file that isn't there"

# --- canaries ---
is_consumed()
{
    "$WARREN" queue list -o jsonl | grep -q '^{"name":"emails",.*"consumers":[1-9]'
}
start_in_background env JOBS_FAIL=1 "$WARREN" run --plugin ./plugin.so
run "$WARREN" dead replay emails --group "$group" --canary 2 --canary-wait 60s
assert_status 5 "canaries that die again stop a replay"
assert_contains "$err" "of 2 canaries died again" "with a sentence"
assert_contains "$err" "still no user w" "and their error"
assert_depth emails.dead 9 "and all are in the dead queue"
kill -TERM "$child"
wait "$child"
assert_contains "$(matching)" "w3 w4 w5 w6 d7 d8 w9" "the others weren't touched"
is_idle()
{
    ! is_consumed
}
wait_for 20 is_idle
run "$WARREN" dead replay emails --canary 1 --canary-wait 1s
assert_status 5 "canaries that nobody runs stop a replay"
assert_contains "$err" "may not have run yet, since no worker consumes emails;" "with a sentence"
assert_depth emails.dead 8 "and the others stay"
start_in_background "$WARREN" run --plugin ./plugin.so
wait_for 20 is_consumed
run "$WARREN" dead replay emails --canary 2 --canary-wait 5s
assert_status 0 "canaries that live let the others follow"
assert_contains "$err" "none of 2 canaries came back within 5 s" "it says so"
assert_depth emails.dead 0 "all are replayed"
kill -TERM "$child"
wait "$child"

# --- pace and Ctrl-C ---
start_over
for i in {1..40}; do letter "p$i" email.welcome x; done | "$WARREN" dead import emails 2>/dev/null
start_in_background env --default-signal=INT "$WARREN" dead replay emails --until 10m --rate 20 --limit 39
some_are_home()
{
    (($(depth emails) >= 3))
}
wait_for 20 some_are_home
kill -INT "$child"
wait "$child"
assert_eq $? 3 "Ctrl-C stops a paced replay"
done_count=$(sed -n 's/^warren: \([0-9]*\) dead letters\{0,1\} of emails replayed/\1/p' background.err)
again=$(sed -n 's/.*goes on: warren //p' background.err)
assert_contains "$again" " --rate 20 --limit $((39 - done_count))" "and prints how to go on"
assert_contains "$again" "dead replay emails --until $(date -u +%Y-%m-%dT)" "with the time that it had"
if ((done_count >= 3 && done_count < 39)); then ok "on the way"; else
    fail "on the way" "$done_count" "3 to 38"
fi
assert_depth emails "$done_count" "what it said was replayed is home"
# shellcheck disable=SC2086 # words of a command
run "$WARREN" ${again/--rate 20/--rate 1000}
assert_status 0 "that command goes on"
assert_depth emails 39 "each was replayed once"
assert_depth emails.dead 1 "up to the first limit"

# --- move ---
start_over
"$WARREN" dead import emails exported.jsonl 2>/dev/null
run "$WARREN" dead move emails letters.dead --type email.digest --dry-run
assert_contains "$err" "2 dead letters of emails would be moved" "a dry run of a move counts"
run "$WARREN" dead move emails letters.dead --type email.digest
assert_status 0 "letters are moved to another dead queue"
assert_depth letters.dead 2 "and stand there"
run "$WARREN" dead show letters d7
assert_contains "$out" "no user 7" "with their history"
assert_contains "$out" '"x-warren-moved-from": "emails"' "and where they were"
run "$WARREN" dead move emails letters --type email.welcome
assert_status 5 "a queue that doesn't take the type is refused"
assert_contains "$err" 'job type "email.welcome", which queue letters doesn'"'"'t take' "by name"
assert_depth emails.dead 7 "and nothing is moved"
run "$WARREN" dead move letters emails
assert_status 0 "to a queue that takes it they are replayed"
assert_depth emails 2 "and are jobs again"
run "$WARREN" dead move emails emails.dead
assert_status 5 "a dead queue isn't moved into itself"

# --- edit ---
start_over
"$WARREN" dead import emails exported.jsonl 2>/dev/null
cat >editor <<'SH'
#!/bin/sh
cp "$1" shown.json
stat -c %a "$1" >shown.mode
exec sed -i 's/"n": *1$/"n": 4711/' "$1"
SH
chmod +x editor
export EDITOR=$work/editor VISUAL=''
run "$WARREN" dead edit emails w1 --because "a wrong number" --keep kept.jsonl
assert_status 0 "a letter is edited"
assert_eq "$(cat shown.mode)" 600 "in a file for its owner alone"
assert_contains "$(cat shown.json)" '"body_json": {' "whose JSON body is shown as JSON"
assert_depth emails.dead 9 "it stays dead"
run "$WARREN" dead export emails --id w1
assert_contains "$out" '4711' "with its new body"
assert_contains "$out" '"x-warren-edited-why","type":"string","value":"a wrong number"' "and why it was edited"
assert_contains "$out" '00-abc-w1-01' "and its trace"
assert_contains "$(sed -n 1p kept.jsonl)" '{\"n\": 1}' "before is kept"
assert_contains "$(sed -n 2p kept.jsonl)" '4711' "and after"
run "$WARREN" dead edit emails w1
assert_status 0 "an edit that changes nothing does nothing"
assert_contains "$err" "nothing was edited" "and says so"
EDITOR="sed -i s/w2/w3/g" run "$WARREN" dead edit emails w2 --keep kept.jsonl
assert_status 2 "the id can't be edited"
assert_contains "$err" "--file" "and the work isn't lost"
EDITOR="sed -i s/body/boddy/" run "$WARREN" dead edit emails w2 --keep kept.jsonl
assert_status 2 "nor the names of members"
EDITOR=false run "$WARREN" dead edit emails w2
assert_status 1 "an editor that fails changes nothing"
printf '#!/bin/sh\nsed -i s/w2/typed/ "$1"\nexit 1\n' >fails
chmod +x fails
EDITOR=$work/fails TMPDIR=$work run "$WARREN" dead edit emails w2
assert_status 1 "nor one that fails after it saved"
typed=$(sed -n 's/.*what was typed is in \([^ ,]*\),.*/\1/p' <<<"$err")
assert_contains "$(cat "$typed")" typed "and what was typed is kept"
deep='[]'
for i in {1..15}; do deep="[{\"name\":\"t\",\"type\":\"table\",\"value\":$deep}]"; done
letter deep email.welcome "no user" | sed "s/\"headers\":\[/&${deep:1:-1},/" | "$WARREN" dead import emails - 2>/dev/null
printf '{"half' >torn.jsonl
EDITOR="sed -i s/no.user/some.user/" run "$WARREN" dead edit emails w3 --keep torn.jsonl
assert_eq "$(sed -n 1p torn.jsonl) $(wc -l <torn.jsonl)" '{"half 3' "a torn line of the record stays alone"
EDITOR="sed -i s/no.user/some.user/" run "$WARREN" dead edit emails deep --keep kept.jsonl
assert_status 0 "a letter with deep headers is edited"
"$WARREN" dead drop emails --id deep --yes 2>/dev/null
"$WARREN" dead export emails --id w2 2>/dev/null | sed 's/no user 2/&2/' >fixed.json
run "$WARREN" dead edit emails w2 --file fixed.json --keep kept.jsonl --replay
assert_status 0 "an edited letter can be replayed at once"
assert_depth emails 1 "and is home"
assert_depth emails.dead 8 "and gone from the dead queue"
run "$WARREN" dead edit emails w2 --file fixed.json --keep kept.jsonl
assert_status 4 "a letter that is gone isn't edited"

finish
