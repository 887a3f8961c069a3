#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The users of the broker's sample, with the rights that `warren generate kubernetes` gives them, on a real
# broker: the Job declares, a worker that only checks works, a publisher publishes, KEDA's user reads a queue's
# length; and none of them may do more.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
management=${WARREN_TEST_MANAGEMENT_URL:?no management API}
users=()

forget_users()
{
    local user
    for user in "${users[@]}"; do curl -sf -X DELETE "$management/api/users/$user" >/dev/null; done
    leave
}
trap forget_users EXIT

# put PATH JSON: to the management API, as its administrator.
put()
{
    curl -sf -X PUT -H 'content-type: application/json' -d "$2" "$management/api/$1" >/dev/null || bail_out "PUT $1"
}

place=${url#*@}
mkdir -p config/queues secrets
cat >config/warren.cfg <<CFG
topology = "check";
plugins = ["$work/plugin.so"];
state_dir = "$work/state/worker";
broker: {
    url = "amqp://rabbitmq/${place#*/}";
    user_file = "$work/secrets/username";
    password_file = "$work/secrets/password";
    connect_wait = "0s";
};
delay: { max = "1s"; };
http: { listen = "0.0.0.0:9400"; };
control: { enabled = true; };
CFG
cat >config/queues/mail.cfg <<'CFG'
queue: { name = "my.mail"; retry: { backoff = "fixed"; first = "125ms"; jitter = 0.0; };
         jobs: ( { type = "send"; }, { type = "alone"; isolate = true; } ); };
CFG
cat >plugin.c <<'C'
#include <stdio.h>
#include <warren/plugin.h>

/* The first run of each job fails, so that all of them go by way of the ladder. */
static warren_verdict note(warren_job *job, void *user)
{
    (void)user;
    if (warren_job_attempt(job) == 1) {
        return warren_retry(job, "not yet");
    }
    FILE *file = fopen("ids", "a");
    if (file) {
        fprintf(file, "%s\n", warren_job_id(job));
        fclose(file);
    }
    return WARREN_DONE;
}

WARREN_PLUGIN("test", { "send", note }, { "alone", note });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"
run "$WARREN" generate kubernetes -c config/warren.cfg -o manifests
assert_status 0 "manifests are generated"
((status == 0)) || bail_out "nothing to try"
# Here the broker is nearer, and the workers need no port.
sed -i "/^http:/d; s|amqp://.*\";|amqp://$place\";|" config/warren.cfg
export WARREN_CONFIG=$work/config/warren.cfg

# A user for each Permission; the operator would do this.
pick()
{
    "$root/tests/deploy/pick.py" manifests/rabbitmq/"$1" "${@:2}"
}
for role in worker deploy publisher keda; do
    user=$role-$$
    users+=("$user")
    tags=$(pick users.yaml User "warren-$role" spec | /usr/bin/python3 -c 'import json, sys; print(",".join(json.load(sys.stdin).get("tags", [])))')
    put "users/$user" "{\"password\": \"secret-$role\", \"tags\": \"$tags\"}"
    put "permissions/$vhost/$user" "$(pick permissions.yaml Permission "warren-$role" spec.permissions)"
done
# become ROLE: its user and password stand where a pod would have them.
become()
{
    printf '%s-%s' "$1" $$ >secrets/username
    printf 'secret-%s' "$1" >secrets/password
    chmod 600 secrets/*
}

become worker
run "$WARREN" topology apply
[[ $status != 0 ]] || fail "a worker may not declare" "exit 0" "another"
become deploy
run "$WARREN" topology apply
assert_status 0 "the Job's user may"
/usr/bin/python3 - manifests/rabbitmq/topic-permissions/topicpermissions.yaml <<'PYTHON' >topics
import json, sys, yaml
for one in yaml.safe_load_all(open(sys.argv[1])):
    print(one["spec"]["userReference"]["name"].removeprefix("warren-"), json.dumps(one["spec"]["permissions"]))
PYTHON
assert_eq "$(wc -l <topics)" 5 "there are topic permissions for orders and for each level of the ladder"
while read -r role body; do
    put "topic-permissions/$vhost/$role-$$" "$body"
done <topics

become publisher
for type in send alone; do
    run "$WARREN" publish "$type" '{}' --id "$type-1"
    assert_status 0 "the publisher may publish: $type"
    run "$WARREN" publish "$type" '{}' --id "$type-2" --delay 250ms
    assert_status 0 "and with a delay: $type"
done
run "$WARREN" queue purge my.mail --yes
[[ $status != 0 ]] || fail "but not purge" "exit 0" "another"

# What KEDA asks, with its user: waiting and running jobs of a queue.
keda_sees()
{
    [[ $(curl -sf -u "keda-$$:secret-keda" "${management%%//*}//${management#*@}/api/queues/$vhost/my.mail" |
        /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin).get("messages"))') == 2 ]]
}
if wait_for 30 keda_sees; then ok "KEDA's user sees how many jobs there are"; else fail "KEDA's user sees how many jobs there are"; fi
code=$(curl -s -o /dev/null -w '%{http_code}' -u "keda-$$:secret-keda" -X DELETE \
    "${management%%//*}//${management#*@}/api/queues/$vhost/my.mail")
[[ $code == 401 || $code == 403 ]] || fail "and may not touch them" "$code" "401 or 403"

become worker
start_in_background env --default-signal "$WARREN" run --log-level debug
all_done()
{
    [[ $(sort -u ids | tr '\n' ' ') == "alone-1 alone-2 send-1 send-2 " ]]
}
if wait_for 30 all_done; then
    ok "a worker that only checks does all jobs, by way of the ladder"
else
    fail "a worker that only checks does all jobs, by way of the ladder" "$(cat ids) $(tail -n 5 background.err)" "4 ids"
fi
kill -TERM "$child"
wait "$child"
assert_eq $? 0 "and drains"
assert_lacks "$(cat background.err)" ACCESS_REFUSED "without a right that it would have needed"
finish
