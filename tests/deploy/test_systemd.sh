#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The units of deploy/systemd: they are what `warren generate systemd` writes, systemd-analyze finds no
# fault and little exposure, and their ExecStart runs as systemd would run it, on a real broker: another
# user, no rights, read-only files, a credential for the password; and says what sd_notify(3) wants.
# What is not tried here: the system call filter and the manager itself, since systemd isn't process 1.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
cd "$work" || exit 1
unset WARREN_CONFIG
units=$root/deploy/systemd
most_exposure=1.2 # docs/systemd.md states it

# --- what is shipped is what the command writes ---------------------------------------------------

for unit in warren.service warren@.service; do
    [[ $unit == *@* ]] && options=(--template) || options=()
    run "$WARREN" generate systemd "${options[@]}"
    assert_status 0 "a unit is generated: $unit"
    cmp -s out "$units/$unit"
    assert_eq $? 0 "deploy/systemd/$unit is that"
done

mkdir -p "some folder/queues"
cat >"some folder/warren.cfg" <<'CFG'
drain_timeout = "5m";
state_dir = "/srv/warren state";
plugins = [ "/home/ada/plugin.so" ];
broker: { connect_wait = "1h"; connect_timeout = "20s"; heartbeat = "60s"; };
limits: { body = "2MiB"; };
CFG
cat >"some folder/queues/things.cfg" <<'CFG'
queue: { name = "things"; prefetch = 50; jobs: (
    { type = "one"; concurrency = 6; }, { type = "two"; concurrency = 2; isolate = true; } ); };
CFG
cat >"some folder/queues/others.cfg" <<'CFG'
queue: { name = "others"; jobs: ( { type = "three"; concurrency = 2; } ); };
CFG
run "$WARREN" generate systemd --config "some folder/warren.cfg" --job-memory 1MiB -o fitted.service
assert_status 0 "a unit is fitted to a configuration"
fitted=$(cat fitted.service)
for line in "ExecStart=/usr/bin/warren run --config \"$work/some folder/warren.cfg\"" \
    TimeoutStartSec=3635s TimeoutStopSec=315s WatchdogSec=151s ProtectHome=read-only \
    'ReadWritePaths="/srv/warren state"'; do
    assert_contains "$fitted" "$line"$'\n' "it has $line"
done
# As for a container (docs/kubernetes.md): bodies of 2 MiB, 50 in each of two windows, 16 MiB in the automatic one;
# 10 threads; up to a whole 32 MiB.
assert_contains "$fitted" "MemoryMax=$(((32 + 2 * (2 * 50 * 2 + 16) + 10 * 1 + 31) / 32 * 32))M"$'\n' \
    "MemoryMax follows"
run "$WARREN" generate systemd --config "some folder/warren.cfg" --job-memory much
assert_status 2 "--job-memory is checked"
run "$WARREN" generate systemd --config missing.cfg
assert_status 7 "and so is the configuration"

# --- systemd-analyze ------------------------------------------------------------------------------

system=$work/system
mkdir -p "$system/usr/bin" "$system/bin" "$system/lib/systemd" "$system/etc/systemd/system"
cp "$WARREN" "$system/usr/bin/warren"
cp /bin/kill "$system/bin/kill"
cp -a /lib/systemd/system "$system/lib/systemd/"
cp "$units"/*.service fitted.service "$system/etc/systemd/system/"
sed 's/^ProtectSystem=/ProtectSistem=/' "$units/warren.service" >"$system/etc/systemd/system/wrong.service"
verify()
{
    run systemd-analyze verify --man=no --root="$system" "$@"
}
for unit in warren.service warren@emails.service fitted.service; do
    verify "$unit"
    assert_eq "$status$out$err" 0 "systemd-analyze verify has nothing against $unit"
done
verify wrong.service
assert_contains "$err" "ProtectSistem" "and would say so"

for unit in warren.service warren@.service; do
    run systemd-analyze security --offline=true --no-pager "$units/$unit"
    exposure=$(sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p' out)
    assert_eq "$(awk -v got="$exposure" -v most="$most_exposure" \
        'BEGIN { print got != "" && got <= most ? "fine" : "exposed: " got }')" fine \
        "the exposure of $unit is $exposure, $most_exposure at most"
done

# --- a run as the unit says -----------------------------------------------------------------------

# option NAME: of the unit that is run.
option()
{
    sed -n "s/^$1=//p" "$units/$unit" | sed "s/%i/$instance/g"
}

# Becomes the unit's process: its files, its user, its environment. $1: its folder in /etc/warren.
enter_unit()
{
    export notify name state unit_command
    exec unshare --mount --propagation private bash -ec '
        mount -t overlay -o "ro,lowerdir=$1/usr:/usr" overlay /usr
        mount -t overlay -o "ro,lowerdir=$1/etc:/etc" overlay /etc
        mount -t tmpfs -o mode=755 tmpfs /run
        mount -t tmpfs -o mode=755 tmpfs /var/lib
        mkdir -p "/run/credentials/$name" "/var/lib/$state"
        echo "$2" >"/run/credentials/$name/broker-password"
        chmod 400 "/run/credentials/$name/broker-password"
        chown -R 61234:61234 "/run/credentials/$name" "/var/lib/$state"
        chmod 700 "/var/lib/$state"
        mount -o remount,bind,ro /run
        mount -o remount,bind,ro /
        cd /
        exec env -i NOTIFY_SOCKET="$notify" WATCHDOG_USEC=4000000 WATCHDOG_PID=$$ \
            STATE_DIRECTORY="/var/lib/$state" CREDENTIALS_DIRECTORY="/run/credentials/$name" \
            setpriv --reuid 61234 --regid 61234 --clear-groups --no-new-privs --bounding-set=-all \
            --inh-caps=-all bash -c "umask 0077; ulimit -c 0; exec $unit_command"' \
        bash "$work" "$password"
}

# start_unit UNIT INSTANCE: as $child; what it tells its manager is in heard.INSTANCE.
start_unit()
{
    unit=$1 instance=$2 name=${1/@/@$2} heard=heard.$2
    unit_command=$(option ExecStart)
    state=$(option StateDirectory)
    notify=@warren-$$-$instance
    mkfifo "pipe.$instance"
    sleep infinity >"pipe.$instance" &
    children+=("$!")
    disown # its end is no news
    python3 "$root/tests/support/notify_receiver.py" "$notify" "$heard" <"pipe.$instance" &
    children+=("$!")
    disown
    wait_for 10 grep -q BOUND "$heard" || bail_out "nobody listens at $notify"
    (enter_unit) >"log.$instance" 2>&1 </dev/null &
    child=$!
    children+=("$child")
}

has_heard()
{
    grep -qE "$1" "$heard"
}

expect_word()
{
    if wait_for 30 has_heard "$1"; then ok "$2"; else
        fail "$2" "$(cat "$heard" "log.$instance")" "$1"
    fi
}

end_unit()
{
    kill -TERM "$child"
    wait "$child"
    assert_eq $? 0 "$name drains: exit 0"
}

fresh_vhost
export WARREN_AMQP_URL=$url
password=$(sed -E 's|^amqps?://[^:]*:([^@]*)@.*|\1|' <<<"$url")
mkdir -p usr/lib/warren etc/warren/queues etc/warren/emails/queues state
chmod 755 "$work" usr etc
cmake --install "$BUILD_DIR" --prefix "$work/usr" >/dev/null || bail_out "no installed copy"
cat >plugin.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <warren/plugin.h>

/* Dies with what it may do. */
static warren_verdict look_around(warren_job *job, void *user)
{
    static const char *const places[] = { "/usr/bin/x", "/etc/x", "/run/x", "/x" };
    int written = 0;
    (void)user;
    for (int i = 0; i < 4; i++) {
        written += open(places[i], O_CREAT | O_WRONLY, 0600) >= 0;
    }
    return warren_dead(job, "uid=%d written=%d privileges=%d", (int)getuid(), written,
                       !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static warren_verdict good(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

WARREN_PLUGIN("unit", { "good", good }, { "look", look_around });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o usr/lib/warren/plugin.so || bail_out "no plugin"
cat >etc/warren/warren.cfg <<CFG
plugins = [ "/usr/lib/warren/plugin.so" ];
broker: {
    url = "$(sed -E 's|://([^:]*):[^@]*@|://\1@|' <<<"$url")";
    password_file = "\${env:CREDENTIALS_DIRECTORY:-/run/credentials/warren.service}/broker-password";
};
CFG
echo 'queue: { name = "unit"; jobs: ( { type = "good"; concurrency = 2; }, { type = "look"; } ); };' \
    >etc/warren/queues/unit.cfg
cp etc/warren/warren.cfg etc/warren/emails/
cp etc/warren/queues/unit.cfg etc/warren/emails/queues/
chmod -R u+rwX,go+rX etc usr
mkdir config # of whoever looks at the queue
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; };' >config/warren.cfg
cp -r etc/warren/queues config/

start_unit warren.service single
expect_word $'\tREADY=1\t' "warren.service is ready"
assert_contains "$(sed -n 2p "$heard")" $'\tSTATUS=waiting for the broker\tEXTEND_TIMEOUT_USEC=' \
    "before, it asks for the time that a start may take"
for id in 1 2 3; do run "$WARREN" publish good '{}' --id "g-$id"; done
expect_word 'STATUS=taking jobs from 1 queue; 0 running, 3 done' "its status says what it does"
run "$WARREN" publish look '{}' --id look-1
is_dead()
{
    "$WARREN" dead show unit look-1
}
wait_for 20 is_dead
run "$WARREN" dead show unit look-1
assert_contains "$out" "uid=61234 written=0 privileges=0" \
    "a handler is another user, can gain nothing, and writes nowhere but to its state folder"
three_dogs()
{
    (($(grep -c 'WATCHDOG=1' "$heard") >= 3))
}
wait_for 60 three_dogs
gaps=$(awk '/WATCHDOG=1/ { if (last && $1 - last > 4) late++; last = $1; n++ } END { print(n >= 3 && !late ? "yes" : "no") }' "$heard")
assert_eq "$gaps" yes "the watchdog hears of it within its time"
MAINPID=$child bash -c "$(option ExecReload)"
expect_word $'\tRELOADING=1\tMONOTONIC_USEC=[0-9]+\t' "ExecReload reloads"
is_ready_again()
{
    sed '1,/RELOADING=1/d' "$heard" | grep -q READY=1
}
if wait_for 30 is_ready_again; then ok "and it is ready again"; else
    fail "and it is ready again" "$(cat "$heard" log.single)" READY=1
fi
end_unit
order=$(grep -oE 'READY=1|RELOADING=1|STOPPING=1' "$heard" | tr '\n' ' ')
assert_eq "$order" "READY=1 RELOADING=1 READY=1 STOPPING=1 " "the states come in their order"
assert_contains "$(grep STOPPING=1 "$heard")" $'\tSTATUS=draining; ' "it says that it drains"
assert_lacks "$(cat log.single)" state_dir.unusable "it could use its state folder"

start_unit warren@.service emails
expect_word $'\tREADY=1\t' "warren@emails.service is ready"
assert_eq "$state" warren@emails "with a state folder of its own"
end_unit

finish
