#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# docs/packages.md is true: its commands are typed by a user in a clean Debian 12 in which nothing of
# Warren was ever installed, with the packages of this source tree and the test's broker. The first
# job is done within two minutes of the first command; CMake and pkg-config build services in C and
# C++; pages and completion are where man and bash look. Then everything is purged, and every file is
# as it was before. A block of the page says its part: <!-- not run: in a clean root instead, as NAME -->
# shellcheck disable=SC2317 # Most functions are called by name, by wait_for.
. "$1/tests/support/lib.sh"
. "$root/tests/support/built_packages.sh"
. "$root/tests/support/clean_root.sh"

# block NAME: that block of the page.
block()
{
    local text
    text=$(awk -v comment="<!-- not run: in a clean root instead, as $1 -->" '
        $0 == comment { armed = 1 }
        /^```/ && inside { exit }
        /^```/ && armed { inside = 1; next }
        inside' "$root/docs/packages.md")
    [[ -n $text ]] || bail_out "docs/packages.md has no block '$1'"
    printf '%s\n' "$text"
}

# as_ada COMMANDS: the shell of a user who may use sudo.
as_ada()
{
    in_root_as ada env HOME=/home/ada "WARREN_AMQP_URL=$url" stdbuf -oL bash -euc "cd; $1"
}

apt()
{
    in_root apt-get -y -qq --no-install-recommends "$@" >>"$work/apt.log" 2>&1
}

# Names, owners and rights of all files that are not dpkg's and apt's own, and what stands in /etc.
list_files()
{
    # shellcheck disable=SC2016 # for the inner shell
    in_root bash -c 'find / -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache/apt -o -path /home/ada \
            -o -path "/var/log/*" -o -path /var/cache/ldconfig/aux-cache \) -prune -o -printf "%y %m %u:%g %p %l\n" | sort
        find /etc -type f ! -name ld.so.cache -print0 | sort -z | xargs -0 sha256sum' >"$1"
}

# --- the first job --------------------------------------------------------------------------------

# Refused until the worker has declared its queue.
is_published()
{
    run as_ada "$(block publish)"
    return "$status"
}

# In the root's own process namespace, so no other warren can be met.
stop_worker()
{
    # shellcheck disable=SC2016 # for the inner shell
    in_root sh -c 'for one in /proc/[0-9]*; do
        [ "$(cat "$one/comm")" != warren ] || kill -TERM "${one#/proc/}"
    done'
    wait "$child"
}

first_job()
{
    local begun=$SECONDS folder=/tmp/packages
    run as_ada "cd $folder; $(block install)"
    assert_status 0 "the packages are installed"
    ((status == 0)) || printf '%s\n' "$out" | tail -n 20
    start_in_background as_ada "$(block worker)"
    wait_for 60 is_published
    assert_status 0 "a job is published"
    wait_for 30 grep -q 'hello from a plugin, Ada' "$work/background.out"
    assert_contains "$(cat "$work/background.out" "$work/background.err")" 'hello from a plugin, Ada' "and done by the plugin"
    local took=$((SECONDS - begun))
    if ((took < 120)); then ok "all that in $took s"; else
        fail "all that in less than two minutes" "$took s" "< 120"
    fi
    stop_worker
    assert_eq "$?" 0 "the worker ends well at SIGTERM"
}

# --- what else is installed -----------------------------------------------------------------------

prints_timeout()
{
    run as_ada "$1"
    assert_eq "$out$err" 'timeout 8' "$2 runs"
}

services()
{
    local program
    run as_ada "$(block pkg-config)"
    assert_status 0 "the page's service is built by pkg-config"
    run in_root pkg-config --libs warren
    assert_eq "$out" '-lwarren ' "with folders that need no mention"
    run as_ada 'cd hello; readelf -d hello'
    assert_contains "$out" '[libwarren.so.0]' "it asks for the shared library"
    run as_ada "cat >hello/CMakeLists.txt <<'PROJECT'
$(block CMakeLists.txt)
PROJECT
        cmake -S hello -B hello/build && cmake --build hello/build"
    assert_status 0 "and by CMake"
    run as_ada 'cp -r /tmp/consumer . && cmake -S consumer -B consumer/build && cmake --build consumer/build'
    assert_status 0 "a project in C11 and C++17 finds it"
    ((status == 0)) || printf '%s\n' "$out$err" | tail -n 20
    for program in c_shared c_static cpp_shared cpp_static; do
        prints_timeout "consumer/build/$program" "$program"
    done
    # shellcheck disable=SC2016 # for the inner shell
    run as_ada 'cd consumer
        cc -std=c11 -Wall -Wextra -Werror -o c main.c $(pkg-config --cflags --libs warren)
        c++ -std=c++17 -Wall -Wextra -Werror -o cpp main.cpp $(pkg-config --cflags --libs warren)
        cc -std=c11 -o static main.c $(pkg-config --static --cflags --libs warren | sed "s/-lwarren/-l:libwarren.a/")'
    assert_status 0 "pkg-config builds in C11, C++17, and with the archive"
    for program in c cpp static; do
        prints_timeout "consumer/$program" "pkg-config's $program"
    done
}

pages_and_completion()
{
    local page
    for page in 'warren' 'warren-dead' '5 warren.cfg'; do
        run as_ada "man -w $page"
        assert_status 0 "man finds $page"
    done
    # shellcheck disable=SC2016 # for the inner shell
    run as_ada 'set +eu; . /usr/share/bash-completion/bash_completion; compopt() { :; }; _completion_loader warren; COMP_WORDS=(warren dead re) COMP_CWORD=2
        _warren warren; echo "${COMPREPLY[@]}"'
    assert_contains "$out$err" replay "bash completes warren's verbs"
    run as_ada 'ls /usr/share/zsh/vendor-completions/_warren /usr/share/fish/vendor_completions.d/warren.fish'
    assert_status 0 "zsh and fish have theirs"
    run as_ada 'warren config check --config /usr/share/doc/warren/examples/hello/warren.cfg'
    assert_status 0 "an installed example is a good configuration"
    run in_root ldd -r /usr/bin/warren
    assert_lacks "$out$err" 'not found' "the loader finds every library"
}

# --- what only some want --------------------------------------------------------------------------

documentation_and_symbols()
{
    apt install "/tmp/packages/$(basename "$packages"/warren-doc_*.deb)" "/tmp/packages/$(basename "$packages"/warren-dbgsym_*.deb)"
    assert_eq "$?" 0 "warren-doc and warren-dbgsym are installed beside the others"
    run as_ada 'cat /usr/share/doc/warren-doc/first-job.md /usr/share/doc/warren-doc/reference/index.html'
    assert_status 0 "pages and reference are there to read"
    # shellcheck disable=SC2016 # for the inner shell
    run as_ada 'for file in /usr/bin/warren $(ls -d /usr/lib/*/libwarren.so.0); do
        id=$(readelf -n $file | sed -n "s/.*Build ID: //p")
        ls /usr/lib/debug/.build-id/$(echo $id | cut -c1-2)/$(echo $id | cut -c3-).debug; done'
    assert_status 0 "symbols are where a debugger looks for those of the installed programs"
    run in_root dpkg --verify libwarren0 libwarren-dev warren warren-doc warren-dbgsym
    assert_eq "$out$err" '' "every installed file is as it was packed"
    apt purge warren-doc warren-dbgsym
    assert_eq "$?" 0 "and they go by themselves"
}

# --- the units' workers ---------------------------------------------------------------------------

# No systemd runs in there. This one only notes what it is told, for as long as COMMAND runs.
with_systemd()
{
    in_root sh -c 'mkdir -p /run/systemd/system && sed -i s/101/0/ /usr/sbin/policy-rc.d
        printf "#!/bin/sh\necho \"\$*\" >>/tmp/systemctl\n" >/usr/bin/systemctl && chmod 755 /usr/bin/systemctl'
    "$@"
    run in_root sh -c 'cat /tmp/systemctl; rm -r /tmp/systemctl /run/systemd/system /usr/bin/systemctl
        sed -i s/0$/101/ /usr/sbin/policy-rc.d'
}

workers_go_along()
{
    with_systemd apt install --reinstall "/tmp/packages/$(basename "$packages"/warren_*.deb)"
    assert_contains "$out" "try-restart warren.service warren@*.service" "an upgrade restarts workers that run"
    # What systemd would have made.
    in_root sh -c 'mkdir /var/lib/private/warren && ln -s private/warren /var/lib/warren && cd /etc/systemd/system/multi-user.target.wants &&
        ln -s /usr/lib/systemd/system/warren@.service warren@mail.service && ln -s /usr/lib/systemd/system/warren.service .'
    assert_eq "$?" 0 "a worker was enabled, and ran"
}

# --- and nothing is left --------------------------------------------------------------------------

everything_goes()
{
    list_files "$work/with"
    remove_all() { as_ada "$(block remove)" >"$work/remove.log" 2>&1; }
    with_systemd remove_all
    assert_contains "$out" "stop warren.service warren@*.service" "workers that run are stopped"
    run in_root dpkg -l 'libwarren*' warren
    assert_status 1 "the page's commands take it away"
    run in_root find / -xdev \( -path /home -o -path /tmp -o -name '.made-by-warren' \) -prune -o -iname '*warren*' -print
    assert_eq "$out" '' "no file has its name, also none of dpkg's"
    # What is left is the compiler, and what a package that is there anyway would suggest.
    apt purge --auto-remove -o APT::AutoRemove::RecommendsImportant=0 -o APT::AutoRemove::SuggestsImportant=0 \
        "${ours[@]}" gcc libc6-dev
    list_files "$work/after"
    run diff "$work/before" "$work/after"
    assert_eq "$out" '' "and with the compilers gone every file is as before"
    assert_eq "$(($(wc -l <"$work/with") > $(wc -l <"$work/before") + 1000))" 1 "(there were some thousand more)"
}

ours=(cmake make g++ man-db bash-completion) # what the test wants besides

build_packages
make_clean_root
fresh_vhost
{ apt update && apt install sudo; } || bail_out "no sudo in the clean root: $(tail -n 3 "$work/apt.log")"
in_root useradd --create-home --shell /bin/bash ada
in_root sh -c 'echo "ada ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/ada
    mkdir -p /run/systemd /var/lib/private /etc/systemd/system/multi-user.target.wants' # as systemd has them
list_files "$work/before"
beside_root sh -c "mkdir '$clean_root/tmp/packages' && cp '$packages'/*.deb '$clean_root/tmp/packages' &&
    cp -r '$root/tests/consumer' '$clean_root/tmp'"

first_job
apt install "${ours[@]}" || bail_out "no compilers: $(tail -n 3 "$work/apt.log")"
services
pages_and_completion
documentation_and_symbols
workers_go_along
everything_goes
keep_downloads
finish
