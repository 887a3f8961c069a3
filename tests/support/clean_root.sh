# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# A clean Debian 12 of a test's own, where nothing of this machine is installed: for what a reader of
# the docs does first. To be sourced behind lib.sh; needs root and debootstrap.
#
#     . "$1/tests/support/clean_root.sh"
#     make_clean_root                     # its folder in $clean_root, as only its processes see it
#     run in_root apt-get -y install ./warren_*.deb
#     run in_root_as nobody env HOME=/tmp warren run # as another user
#     run beside_root mount -o remount,ro "$clean_root" # in its namespaces, but this machine's programs
#
# The Debian is unpacked once a machine, in $WARREN_CLEAN_ROOT or /var/cache/warren/bookworm, and never
# changed: a test writes to an overlay in $work, or in memory where $work is on a file system that can't be
# the upper part of one (such as a container's own overlay). All that runs in it lives in a process namespace
# that ends with the test, however it ends. The network is this machine's, so the private broker is
# there at its URL. `keep_downloads` at the end spares the next test the download of what apt fetched.

clean_root='' root_holder=''
debian_12=${WARREN_CLEAN_ROOT:-/var/cache/warren/bookworm}
downloads=$debian_12.debs

# What is downloaded already is not downloaded again.
lend_downloads()
{
    local archives=$1/var/cache/apt/archives
    mkdir -p "$archives" "$downloads"
    cp --link -n "$downloads"/*.deb "$archives" 2>/dev/null || cp -n "$downloads"/*.deb "$archives" 2>/dev/null
}

# Becomes process 1 of the namespace: the mounts, then sleep for as long as the test lives.
hold_root()
{
    # shellcheck disable=SC2016 # for the inner shell
    exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child sh -c '
        root=$1
        overlay() { mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$root"; }
        in_memory() {
            mkdir "$2/memory" && mount -t tmpfs tmpfs "$2/memory" && mkdir "$2/memory/work" &&
                cp -a "$2/upper" "$2/memory/" && overlay "$1" "$2/memory"
        }
        { overlay "$2" "$3" || in_memory "$2" "$3"; } &&
            mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/dev/shm" &&
            mount -t tmpfs tmpfs "$root/tmp" && chmod 1777 "$root/tmp" &&
            mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts" &&
            mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx" &&
            touch "$3/is-there" && exec sleep infinity' \
        sh "$clean_root" "$debian_12" "$work/overlay"
}

# make_clean_root: once a test.
make_clean_root()
{
    "$root/deploy/dev/debian" make bookworm "$debian_12" || bail_out "no clean Debian 12"
    clean_root=$work/clean
    mkdir -p "$clean_root" "$work/overlay/upper/etc" "$work/overlay/work"
    chmod 755 "$work/overlay/upper" "$work/overlay/upper/etc"
    cp -L /etc/resolv.conf "$work/overlay/upper/etc/resolv.conf"
    lend_downloads "$work/overlay/upper"
    hold_root >"$work/root.log" 2>&1 </dev/null &
    local holder=$!
    children+=("$holder")
    disown # its end is no news
    wait_for 20 test -e "$work/overlay/is-there" || bail_out "no overlay: $(cat "$work/root.log")"
    root_holder=$(pgrep -P "$holder")
}

# beside_root COMMAND...: in the root's namespaces, with this machine's files.
beside_root()
{
    nsenter --target "$root_holder" --mount --pid "$@"
}

# in_root COMMAND...: as root, in its home folder, with an empty environment.
in_root()
{
    # shellcheck disable=SC2016 # for the inner shell
    beside_root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        chroot "$clean_root" sh -c 'cd && exec "$@"' sh "$@"
}

# in_root_as USER COMMAND...: as that user and its groups, in /tmp, which is also its home.
in_root_as()
{
    local group
    group=$(in_root id -g "$1") || return
    # shellcheck disable=SC2016 # for the inner shell
    beside_root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 chroot "$clean_root" \
        setpriv --reuid "$1" --regid "$group" --init-groups sh -c 'cd && exec "$@"' sh "${@:2}"
}

# keep_downloads: what apt fetched from Debian, for later tests.
keep_downloads()
{
    # shellcheck disable=SC2016 # for the inner shell
    beside_root bash -c 'for file in "$1"/*.deb; do
        [[ -e $file && ! -e $2/${file##*/} ]] || continue
        cp "$file" "$2/.${file##*/}.$$" && mv "$2/.${file##*/}.$$" "$2/${file##*/}"
    done' keep "$clean_root/var/cache/apt/archives" "$downloads"
}
