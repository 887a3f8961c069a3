#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The units of the package under a real systemd, which is process 1 of a clean Debian 12 in namespaces of its
# own: a dynamic user, the sandbox with its system call filter, a credential, the watchdog, times that a worker
# asks for. On a real broker. Needs root and a cgroup v2 hierarchy.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
# shellcheck source=tests/support/clean_root.sh
. "$root/tests/support/clean_root.sh"
# shellcheck source=tests/support/built_packages.sh
. "$root/tests/support/built_packages.sh"
# shellcheck source=tests/support/systemd_root.sh
. "$root/tests/support/systemd_root.sh"
cd "$work" || exit 1
unset WARREN_CONFIG

# --- a machine with the package and a plugin ------------------------------------------------------

fresh_vhost
export WARREN_AMQP_URL=$url
make_clean_root
build_packages
beside_root cp "$packages"/libwarren0_*.deb "$packages"/warren_*.deb "$clean_root/var/cache/"
run in_root sh -c 'apt-get update && apt-get install -y --no-install-recommends systemd procps /var/cache/*.deb'
assert_status 0 "systemd and the packages are installed in a clean Debian 12"
keep_downloads
cat >plugin.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <warren/plugin.h>

static int writes(const char *path)
{
    return open(path, O_CREAT | O_WRONLY, 0600) >= 0;
}

/* Dies with what it may do. */
static warren_verdict look_around(warren_job *job, void *user)
{
    struct timespec time = { 0 };
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)user;
    return warren_dead(job, "dynamic=%d etc=%d usr=%d home=%d state=%d tmp=%d code=%d packet=%d namespace=%d clock=%d others=%d",
                       getuid() >= 61184 && getuid() <= 65519, writes("/etc/x"), writes("/usr/x"),
                       access("/root", R_OK) == 0, writes("/var/lib/warren/x"), writes("/tmp/x"),
                       code != MAP_FAILED, socket(AF_PACKET, SOCK_RAW, 0) >= 0,
                       unshare(CLONE_NEWUSER) == 0, clock_settime(CLOCK_REALTIME, &time) == 0 || errno != EPERM,
                       access("/proc/1/status", R_OK) == 0);
}

/* Hangs the first time. */
static warren_verdict hang_once(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    if (access("/var/lib/warren/hung", F_OK) == 0) {
        return WARREN_DONE;
    }
    (void)writes("/var/lib/warren/hung");
    for (;;) {
        pause();
    }
}

static warren_verdict nap(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    (void)writes("/var/lib/warren/naps");
    sleep(4);
    return WARREN_DONE;
}

WARREN_PLUGIN("boot", { "look", look_around }, { "hang", hang_once }, { "nap", nap });
C
"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"
mkdir -p config/queues
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; };' >config/warren.cfg
echo 'queue: { name = "unit"; jobs: ( { type = "look"; }, { type = "nap"; }, { type = "hang"; hard_timeout = "1s"; } ); };' \
    >config/queues/unit.cfg
cat >warren.cfg <<CFG
plugins = [ "/usr/lib/warren/plugin.so" ];
drain_timeout = "6s";
broker: {
    url = "$(sed -E 's|://([^:]*):[^@]*@|://\1@|' <<<"$url")";
    password_file = "\${env:CREDENTIALS_DIRECTORY:-/run/credentials/warren.service}/broker-password";
};
CFG
sed -E 's|^amqps?://[^:]*:([^@]*)@.*|\1|' <<<"$url" >password
# As docs/systemd.md has it.
beside_root sh -ec '
    umask 022
    mkdir -p "$1/etc/warren/queues" "$1/usr/lib/warren"
    cp "$2/warren.cfg" "$1/etc/warren/" && cp "$2"/config/queues/*.cfg "$1/etc/warren/queues/"
    cp "$2/plugin.so" "$1/usr/lib/warren/"
    cp -r "$1/etc/warren" "$2/emails" && mv "$2/emails" "$1/etc/warren/emails"
    sed -i s/warren.service/warren@emails.service/ "$1/etc/warren/emails/warren.cfg"
    install -d -m 700 "$1/etc/credstore"
    install -m 600 "$2/password" "$1/etc/credstore/warren.broker-password"
    install -m 600 "$2/password" "$1/etc/credstore/warren@emails.broker-password"' sh "$clean_root" "$work" ||
    bail_out "no configuration"
boot_systemd

# property NAME [UNIT]
property()
{
    in_systemd systemctl show "${2:-warren}" -p "$1" --value
}

journal()
{
    in_systemd journalctl --no-pager -o cat -u warren
}

has_logged()
{
    journal | grep -q "$1"
}

# --- a life ---------------------------------------------------------------------------------------

run in_systemd systemctl start warren
assert_status 0 "it starts, which takes until it says READY=1"
((status == 0)) || journal
assert_eq "$(property ActiveState) $(property Type) $(property DynamicUser)" "active notify yes" "and is active"
assert_contains "$(property StatusText)" "taking jobs from 1 queue; 0 running" "with its status"
run "$WARREN" publish look '{}' --id look-1
is_dead()
{
    "$WARREN" dead show unit look-1
}
wait_for 20 is_dead
run "$WARREN" dead show unit look-1
assert_contains "$out" \
    "dynamic=1 etc=0 usr=0 home=0 state=1 tmp=1 code=0 packet=0 namespace=0 clock=0 others=0" \
    "a handler has what the sandbox leaves: its state, a /tmp, and no more"
run in_systemd env WARREN_CONFIG=/etc/warren/warren.cfg warren queue list
assert_status 0 "root uses the same configuration beside it, with the worker's credential"
run in_systemd systemctl reload warren
assert_status 0 "systemctl reload works"
if wait_for 20 has_logged '"event":"config.reloaded"'; then ok "and it has reloaded"; else
    fail "and it has reloaded" "$(journal)"
fi
assert_eq "$(property ActiveState)" active "it is active afterwards"

# --- a stop that takes longer than the unit allows ------------------------------------------------

in_systemd sh -ec 'mkdir -p /etc/systemd/system/warren.service.d
    printf "[Service]\nTimeoutStopSec=1s\nWatchdogSec=4s\nRestartSec=1s\n" >/etc/systemd/system/warren.service.d/test.conf
    systemctl daemon-reload; systemctl restart warren'
run "$WARREN" publish nap '{}'
wait_for 20 in_systemd test -e /var/lib/private/warren/naps
run in_systemd systemctl stop warren
assert_eq "$(property Result)" success "a drain has drain_timeout, though TimeoutStopSec is shorter"
assert_contains "$(journal | grep worker.stop | tail -n 1)" '"drained":1,"done":1,' "its job was done"

# --- a stuck worker -------------------------------------------------------------------------------

in_systemd systemctl start warren
run "$WARREN" publish hang '{}' --id hang-1
has_restarted()
{
    [[ $(property NRestarts) == 1 && $(property ActiveState) == active ]]
}
if wait_for 60 has_restarted; then ok "a worker with a stuck thread is started again by the watchdog"; else
    fail "a worker with a stuck thread is started again by the watchdog" "$(journal)"
fi
said=$(journal | grep -oE '"event":"(service.unwell|drain.begin|run.interrupted|run.crashed)"|Watchdog timeout|signal SIG[A-Z]+' |
    tail -n 5 | tr '\n' ' ')
assert_eq "$said" '"event":"service.unwell" Watchdog timeout signal SIGTERM "event":"drain.begin" "event":"run.interrupted" ' \
    "by way of a drain, and the job is charged with no crash"
is_done()
{
    [[ $(queue_depth unit) == 0 ]]
}
if wait_for 30 is_done; then ok "the next run is fine"; else fail "the next run is fine" "$(journal)"; fi

# --- a second one ---------------------------------------------------------------------------------

run in_systemd systemctl start warren@emails
assert_status 0 "an instance of the template starts beside it"
assert_eq "$(in_systemd ls /var/lib/private | tr '\n' ' ')" "warren warren@emails " "each has a state folder"
run in_systemd systemctl stop warren warren@emails
assert_eq "$(property Result) $(property Result warren@emails)" "success success" "both stop well"
finish
