#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A password is in no output, right or wrong, as it is or as it stands in a URL; nor in the command
# line of a process, nor in what the broker shows of a connection. And it can be changed while a
# worker runs: the next connect reads its file again.
# shellcheck source=tests/support/lib.sh disable=SC2317 # functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
fresh_vhost
place=${url#*@}
place=${place%%/*}
tls_url=$(broker url --tls --vhost "$vhost")
tls_place=${tls_url#*@}
tls_place=${tls_place%%/*}
ca=$WARREN_TEST_BROKER_DIR/tls/ca.pem
user=$vhost
# What must be escaped in a URL has two forms.
right=r1ght/pass@w0rd right_escaped=r1ght%2Fpass%40w0rd
wrong=wr0ng/pass@w0rd wrong_escaped=wr0ng%2Fpass%40w0rd
next=n3xt/pass@w0rd last=l4st/pass@w0rd
secrets=("$right" "$right_escaped" "$wrong" "$wrong_escaped" "$next" "$last")

forget_user()
{
    broker ctl -q delete_user "$user" >/dev/null 2>&1
    leave
}
trap forget_user EXIT
broker ctl -q add_user "$user" "$right" >/dev/null || bail_out "no user $user"
broker ctl -q set_permissions -p "$vhost" "$user" '.*' '.*' '.*' >/dev/null || bail_out "no rights"

mkdir -p queues
cat >queues/things.cfg <<'CFG'
queue: { name = "things"; jobs: ( { type = "good"; } ); };
CFG
cat >plugin.c <<'C'
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

WARREN_PLUGIN("test", { "good", good });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"

# configure BROKER-OPTIONS: the configuration, at debug level.
configure()
{
    printf 'plugins = ["./plugin.so"];\nbroker: { %s connect_wait = "0s"; };\n%s\n' "$1" \
        'log: { level = "debug"; };' >warren.cfg
    chmod 600 warren.cfg
}

# keep_secret FILE WHAT: none of the secrets stands in it.
keep_secret()
{
    local secret found=''
    for secret in "${secrets[@]}"; do
        if grep -qF -- "$secret" "$1"; then found="$found $secret"; fi
    done
    assert_eq "$found" "" "no secret in $2"
}

# say_all WHAT EXIT-CODE WORDS: every command, with this configuration.
say_all()
{
    local what=$1 want=$2 words=$3 command
    : >all
    for command in "config show" "config check" "topology apply" "topology plan" "queue list" \
        "dead list" "publish good {}" "run"; do
        [[ $want != 0 || $command != run ]] || continue # that one stays up, and has its own turn
        # shellcheck disable=SC2086 # several words
        run timeout 60 "$WARREN" $command -c warren.cfg
        cat "$work/out" "$work/err" >>all
    done
    assert_status "$want" "$what: exit $want"
    assert_contains "$(cat all)" "$words" "$what: it says why"
    keep_secret all "$what"
}

# --- no secret in any output ----------------------------------------------------------------------

printf '%s\n' "$right" >right.secret
printf '%s\n' "$wrong" >wrong.secret
chmod 600 ./*.secret
configure "url = \"amqp://$user:$right_escaped@$place/$vhost\";"
say_all "a right password in the URL" 0 "things"
configure "url = \"amqp://$place/$vhost\"; user = \"$user\"; password = \"$right\";"
say_all "a right password in the file" 0 "things"
configure "url = \"amqps://$user:$right_escaped@$tls_place/$vhost\"; tls: { ca_file = \"$ca\"; };"
say_all "a right password by TLS" 0 "things"
configure "url = \"amqp://$user:$wrong_escaped@$place/$vhost\";"
say_all "a wrong password in the URL" 6 "wrong user name or password"
configure "url = \"amqp://$place/$vhost\"; user = \"$user\"; password_file = \"wrong.secret\";"
say_all "a wrong password in its file" 6 "wrong user name or password"
configure "url = \"amqps://$user:$right_escaped@$tls_place/$vhost\";"
say_all "a right password and an unknown CA" 6 "not signed by a CA that is trusted"
configure "url = \"amqp://$user:$right_escaped@$place/no-such-vhost\";"
say_all "a right password and a missing vhost" 6 "no vhost 'no-such-vhost'"
configure "url = \"amqps://$user:$right_escaped@$place/$vhost\";"
say_all "TLS with a port that has none" 6 "speaks no TLS"
configure "url = \"amqp://$user:$right@$place/$vhost\";"
say_all "a password that should be escaped" 7 "%40"
configure "url = \"amqp://$user:$right_escaped@$place/$vhost\"; pasword = \"$wrong\";"
say_all "an option that does not exist" 7 "pasword"
configure "url = \"amqp://$place/$vhost\"; user = \"$user\"; password = \"\${env:NO_SUCH:-$wrong}\";"
say_all "a password from the environment" 6 "wrong user name or password"
configure "url = \"amqp://$place/$vhost\"; management_url = \"http://joe:$wrong_escaped@127.0.0.1:1\";
    user = \"$user\"; password_file = \"right.secret\";"
say_all "a management API that is away" 0 "things"

# --- a worker, and a password that changes --------------------------------------------------------

cp right.secret password
configure "url = \"amqp://$place/$vhost\"; user = \"$user\"; password_file = \"password\";"
start_in_background env --default-signal "$WARREN" run -c warren.cfg

# A job is published by the broker's administrator, and done by the worker.
works()
{
    run "$WARREN" publish good '{}' --id "$1" -c publish.cfg
    if wait_for 90 grep -qx "$1" ids; then ok "$2" && return; fi
    fail "$2" "$(tail -n 5 background.err)" "the job $1 done"
}
printf 'broker: { url = "%s"; };\n' "$url" >publish.cfg
works first "a worker does a job"
tr '\0' ' ' <"/proc/$child/cmdline" >cmdline
keep_secret cmdline "the worker's command line"
broker ctl -q list_connections user name client_properties >connections
assert_contains "$(cat connections)" "$user" "the broker shows the worker's connection"
keep_secret connections "what the broker shows of it"

# change_password NEW: at the broker, and nobody stays connected with the old one.
change_password()
{
    broker ctl -q change_password "$user" "$1" >/dev/null || bail_out "no other password"
    broker ctl -q close_all_connections --vhost "$vhost" rotated >/dev/null ||
        bail_out "the connections stay"
}

printf '%s\n' "$next" >password
change_password "$next"
works second "the next connect reads the password again"
change_password "$last"
is_refused()
{
    grep -q 'wrong user name or password' background.err
}
wait_for 60 is_refused || fail "the old password is refused" "$(tail -n 5 background.err)" refused
kill -0 "$child" || fail "a refused worker goes on trying" "it ended" "it runs"
printf '%s\n' "$last" >password
works third "a worker that was refused comes back with the new password"
kill -TERM "$child"
wait "$child"
assert_eq $? 0 "and drains"
keep_secret background.err "its log"
keep_secret background.out "its output"
finish
