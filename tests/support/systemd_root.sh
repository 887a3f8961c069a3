# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# A systemd of a test's own, as process 1 of a clean Debian: for units as they will run. To be sourced behind
# clean_root.sh; needs root, and a cgroup v2 hierarchy with room for a folder of ours.
#
#     make_clean_root
#     run in_root apt-get install -y systemd …
#     boot_systemd                            # nothing but journal and what comes before basic.target
#     run in_systemd systemctl start warren
#
# It sees its own processes, mounts, host name and part of the cgroups, and this machine's network. It can change
# neither this machine's devices nor its kernel settings. All of it ends with the test.

systemd_cgroup='' systemd_pid=''

# Process 1 to be: in a cgroup of its own it makes what a container's manager makes, and becomes systemd.
become_systemd()
{
    # shellcheck disable=SC2016 # for the inner shells
    exec nsenter --target "$root_holder" --mount --pid sh -c '
        echo 0 >"$2/cgroup.procs" &&
            exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --propagation private sh -ec "$3" sh "$1"' \
        sh "$clean_root" "$systemd_cgroup" '
        root=$1
        mount -t proc proc "$root/proc"
        mount --bind "$root/proc/sys" "$root/proc/sys"
        mount -o remount,bind,ro "$root/proc/sys"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        cd "$root/dev"
        mkdir pts shm mqueue hugepages
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts pts
        mount -t tmpfs -o mode=1777 tmpfs shm
        mknod -m 666 null c 1 3; mknod -m 666 zero c 1 5; mknod -m 666 full c 1 7
        mknod -m 666 random c 1 8; mknod -m 666 urandom c 1 9; mknod -m 666 tty c 5 0
        mknod -m 600 console c 1 3
        ln -s pts/ptmx ptmx
        ln -s /proc/self/fd fd
        mkdir -p "$root/old"
        cd "$root"
        pivot_root . old
        umount -l /old
        mount --make-rshared /
        exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            /lib/systemd/systemd --log-target=journal --unit=for-tests.target'
}

is_up()
{
    local next
    [[ $(cat "/proc/$systemd_pid/comm") != systemd ]] || { in_systemd systemctl -q is-active for-tests.target; return; }
    next=$(pgrep -P "$systemd_pid") && systemd_pid=$next
    return 1
}

# boot_systemd: once a test, when all packages are installed.
boot_systemd()
{
    local folder unit
    folder=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    if [[ -z $folder ]] || ! mkdir "$folder/warren-test-$$"; then
        printf 'ok - # SKIP no cgroup v2 to run systemd in (%s)\n' "${folder:-none is mounted}"
        exit 77
    fi
    systemd_cgroup=$folder/warren-test-$$
    trap 'shut_systemd' EXIT
    # What would look after a machine that isn't ours.
    for unit in $(in_root sh -c 'cd /lib/systemd/system && ls sysinit.target.wants timers.target.wants' 2>/dev/null |
        grep -E '[.](service|mount|automount|timer)$' | grep -vE 'journal|tmpfiles|sysusers'); do
        in_root ln -sf /dev/null "/etc/systemd/system/$unit"
    done
    in_root sh -ec '
        printf "[Unit]\nRequires=basic.target\nAfter=basic.target\n" >/etc/systemd/system/for-tests.target
        ln -sf /dev/null /etc/systemd/system/systemd-remount-fs.service
        echo 0123456789abcdef0123456789abcdef >/etc/machine-id
        rm -f /usr/sbin/policy-rc.d' || bail_out "no units"
    become_systemd >"$work/systemd.log" 2>&1 </dev/null &
    systemd_pid=$!
    children+=("$systemd_pid")
    disown
    wait_for 60 is_up || bail_out "systemd does not come up: $(cat "$work/systemd.log")"
}

# in_systemd COMMAND...: as root, beside its services.
in_systemd()
{
    nsenter --target "$systemd_pid" --all env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

is_empty()
{
    find "$systemd_cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
    [[ ! -e $systemd_cgroup ]]
}

shut_systemd()
{
    local status=$?
    kill -KILL "$root_holder" 2>/dev/null
    wait_for 10 is_empty
    (exit "$status")
    leave
}
