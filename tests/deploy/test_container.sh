#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The container: rules for its Containerfile; and the root folder that its last stage copies, made from
# the packages in a clean Debian 12 by the same script. That folder stands in for the image: it is run as a
# container engine would, as another user without rights, read-only, on a real broker. Needs root.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC2317 # words in quotes, functions for wait_for
. "$1/tests/support/lib.sh"
# shellcheck source=tests/support/clean_root.sh
. "$root/tests/support/clean_root.sh"
# shellcheck source=tests/support/built_packages.sh
. "$root/tests/support/built_packages.sh"
cd "$work" || exit 1
unset WARREN_CONFIG
containerfile=$root/deploy/container/Containerfile
most_mib=32 # docs/container.md states it

# --- the Containerfile ----------------------------------------------------------------------------

# instructions FILE: one a line, without comments.
instructions()
{
    sed -e '/^[[:space:]]*#/d' -e ':more' -e '/\\$/{N;s/[[:space:]]*\\\n[[:space:]]*/ /;b more' -e '}' -e '/^$/d' "$1"
}

# lint FILE: prints a line for each rule that it breaks.
lint()
{
    instructions "$1" | awk '
    function fault(text) { print text; }
    $1 !~ /^(ARG|FROM|ENV|RUN|WORKDIR|COPY|LABEL|USER|STOPSIGNAL|ENTRYPOINT|CMD)$/ { fault("not here: " $1) }
    $1 == "FROM" {
        last = $2; user = ""; run = 0
        if ($2 != "scratch" && ($3 != "AS" || !$4)) fault("a stage without a name: " $0)
        if ($2 !~ /:|@|^scratch$|^\$\{BASE\}$/ || $2 ~ /:latest$/) fault("a base without a version: " $2)
    }
    $1 == "ARG" && $2 ~ /^BASE=/ && ($2 !~ /[:@]/ || $2 ~ /:latest$/) { fault("a base without a version: " $2) }
    $1 == "RUN" { run++ }
    $1 == "RUN" && /apt-get install/ {
        if (!/install -y --no-install-recommends /) fault("installs more than is asked for: " $0)
        if (!/rm -rf \/var\/lib\/apt\/lists\/\*/) fault("leaves lists: " $0)
        if (!/apt-get update &&/) fault("installs from old lists: " $0)
    }
    $1 == "RUN" && /(curl|wget|sudo|chmod 777) / { fault("fetches or opens something: " $0) }
    ($1 == "ARG" || $1 == "ENV") && /[Pp][Aa][Ss][Ss]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn]/ { fault("a secret: " $0) }
    $1 == "USER" { user = $2 }
    ($1 == "ENTRYPOINT" || $1 == "CMD") && $2 !~ /^\[/ { fault("by a shell: " $0) }
    { seen[$1] = $0 }
    END {
        if (last != "scratch" || run) fault("the last stage has more than it needs")
        if (user !~ /^[1-9][0-9]*:[1-9][0-9]*$/) fault("the user is not a number above 0: " user)
        if (seen["STOPSIGNAL"] != "STOPSIGNAL SIGTERM") fault("no STOPSIGNAL SIGTERM")
        split("title description licenses version revision base.name", names, " ")
        for (i in names) if (!index(seen["LABEL"], "org.opencontainers.image." names[i] "=")) fault("no label " names[i])
    }'
}

node=$("$root/tests/support/node") || bail_out "no validators"
run node "$node/containerfile.mjs" "$containerfile"
assert_eq "$status$out$err" 0 "the Containerfile has no fault of syntax"
sed 's/^WORKDIR/WORKDIRS/' "$containerfile" >changed
run node "$node/containerfile.mjs" changed
assert_contains "$out" "Unknown instruction: WORKDIRS" "and one would be told"
assert_eq "$(lint "$containerfile")" "" "the Containerfile keeps to the rules"
unseen=''
while IFS='|' read -r was is; do
    awk -v was="$was" -v is="$is" '{ at = index($0, was); if (at && !done) { $0 = substr($0, 1, at - 1) is substr($0, at + length(was)); done = 1 } print }' \
        "$containerfile" >changed
    ! cmp -s changed "$containerfile" || unseen+=" nothing has $was;"
    [[ -n $(lint changed) ]] || unseen+=" $was as $is;"
done <<'CHANGES'
USER 65532:65532|USER warren
USER 65532:65532|USER 0:0
FROM scratch|FROM ${BASE}
debian:bookworm-slim|debian
debian:bookworm-slim|debian:latest
install -y --no-install-recommends|install -y
&& rm -rf /var/lib/apt/lists/*|
COPY --from=root|ADD --from=root
ENTRYPOINT ["/usr/bin/warren"]|ENTRYPOINT /usr/bin/warren
STOPSIGNAL SIGTERM|STOPSIGNAL SIGINT
WORKDIR /src|HEALTHCHECK NONE
RUN deploy/packages/build|RUN curl https://example.org/x
org.opencontainers.image.licenses|licenses
ENV PATH=|ENV BROKER_PASSWORD=
AS build|
CHANGES
assert_eq "$unseen" "" "and a file that doesn't is seen"

# value INSTRUCTION: what its last stage says.
value()
{
    instructions "$containerfile" | sed -n "s/^$1 //p" | tail -n 1
}

# --- the root folder ------------------------------------------------------------------------------

make_clean_root
build_packages
beside_root cp "$packages"/libwarren0_*.deb "$packages"/warren_*.deb "$clean_root/var/cache/"
cat >plugin.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <warren/plugin.h>

static int status_of(const char *name)
{
    char line[200];
    int value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = (int)strtol(line + strlen(name), NULL, 16);
        }
    }
    if (file) {
        fclose(file);
    }
    return value;
}

/* Dies with what it may do. */
static warren_verdict look_around(warren_job *job, void *user)
{
    static const char *const places[] = { "/x", "/usr/bin/x", "/etc/warren/x", "/tmp/x", "/run/x" };
    int written = 0;
    (void)user;
    for (int i = 0; i < 5; i++) {
        written += open(places[i], O_CREAT | O_WRONLY, 0600) >= 0;
    }
    return warren_dead(job, "uid=%d shell=%d written=%d state=%d capabilities=%d new_privileges=%d",
                       (int)getuid(), access("/bin/sh", F_OK) == 0, written,
                       open("/var/lib/warren/x", O_CREAT | O_WRONLY, 0600) >= 0, status_of("CapEff:"),
                       !status_of("NoNewPrivs:"));
}

static warren_verdict good(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

WARREN_PLUGIN("container", { "good", good }, { "look", look_around });
C
"${CC:-cc}" -shared -fPIC -I"$root/lib/include" plugin.c -o plugin.so || bail_out "no plugin"
run in_root sh -c 'apt-get update && apt-get install -y --no-install-recommends /var/cache/*.deb ca-certificates libcurl4'
assert_status 0 "the packages are installed in a clean Debian 12"
keep_downloads
beside_root mkdir -p "$clean_root/usr/src/container" "$clean_root/usr/lib/warren"
beside_root cp "$root/deploy/container/assemble" "$root/deploy/container/bom" "$clean_root/usr/src/container/"
run in_root /usr/src/container/assemble /image
assert_status 0 "the image's root folder is made"
run in_root sh -c '/usr/src/container/assemble /again && diff -r --no-dereference /image /again &&
    stamps() { cd "$1" && find . -printf "%p %m %U %G %t %l\n" | sort; } && stamps /image >/one && stamps /again >/two && cmp /one /two'
assert_eq "$status$out$err" 0 "made again, it is the same, with names, rights, owners and dates"
image=$work/image
mkdir "$image"
beside_root tar -C "$clean_root/image" -cf - . | tar -C "$image" --same-owner -xpf -

programs=$(cd "$image" && find . -type f -perm /111 ! -name '*.so' ! -name '*.so.*' | sort)
assert_eq "$programs" ./usr/bin/warren "its only program is warren: no shell, no interpreter, no package manager"
assert_eq "$(find "$image" -perm /6000)" "" "no file changes its user"
assert_eq "$(find "$image" ! -type l \( -perm /022 -o ! -uid 0 -o ! -gid 0 \) -printf '%P %m %U:%G\n')" \
    "var/lib/warren 700 65532:65532" "nothing can be written by its user but the state folder"
mib=$(du -sm --apparent-size "$image" | cut -f 1)
assert_eq "$((mib <= most_mib))" 1 "it has $mib MiB, $most_mib at most"
bom=$image/usr/share/doc/warren/bom.cdx.json
run python3 "$root/tests/deploy/check_bom.py" "$image" "$bom"
assert_status 0 "the bill of materials agrees with it: $out"
assert_contains "$(cat "$bom")" '"id": "GPL-2.0-or-later"' "licences are those of SPDX where they have one"
run node "$node/bom.mjs" "$bom"
assert_eq "$status$out$err" 0 "it is one by the schema of CycloneDX 1.5"
sed 's/"id": "MIT"/"id": "MITT"/' "$bom" >other.json
run node "$node/bom.mjs" other.json
assert_contains "$out" "license/id: must be equal to one of the allowed values" "which looks at licences, too"
echo more >"$image/etc/passwd"
run python3 "$root/tests/deploy/check_bom.py" "$image" "$bom"
assert_eq "$out" "/etc/passwd: the bill has $(awk -F '"' '/"\/etc\/passwd"/ { there = 1 } there && /content/ { print $4; exit }' "$bom")" \
    "and would tell a file that was changed"

# --- a run, as an engine would --------------------------------------------------------------------

beside_root cp "$work/plugin.so" "$clean_root/usr/lib/warren/plugin.so"
run in_root /usr/src/container/assemble /with-handlers /usr/lib/warren/plugin.so
assert_status 0 "handlers are put beside it"

fresh_vhost
export WARREN_AMQP_URL=$url
mkdir -p config/queues etc/queues etc/secrets
echo 'broker: { url = "${env:WARREN_AMQP_URL}"; };' >config/warren.cfg
echo 'queue: { name = "boxed"; jobs: ( { type = "good"; concurrency = 2; }, { type = "look"; } ); };' \
    >etc/queues/boxed.cfg
cp etc/queues/boxed.cfg config/queues/
sed -E 's|^amqps?://[^:]*:([^@]*)@.*|\1|' <<<"$url" >etc/secrets/password
cat >etc/warren.cfg <<CFG
plugins = [ "/usr/lib/warren/plugin.so" ];
broker: { url = "$(sed -E 's|://([^:]*):[^@]*@|://\1@|' <<<"$url")"; password_file = "secrets/password"; };
http: { listen = "0"; };
CFG
chmod -R go+rX etc
chmod 440 etc/secrets/password # as a mounted Secret with fsGroup
chown -R 0:65532 etc/secrets
box=$clean_root/box
beside_root sh -ec '
    mkdir "$1" && mount --bind "$2" "$1" && mount -o remount,bind,ro "$1"
    mount --bind "$3" "$1/etc/warren" && mount -o remount,bind,ro "$1/etc/warren"
    mount -t tmpfs -o mode=700,uid=65532,gid=65532 tmpfs "$1/var/lib/warren"
    mount -t proc proc "$1/proc"' sh "$box" "$clean_root/with-handlers" "$work/etc" || bail_out "no box"
read -ra environment < <(value ENV)
mapfile -t entry < <(python3 -c 'import json, sys; print(*json.loads(sys.argv[1]), sep="\n")' "$(value ENTRYPOINT)")
mapfile -t command < <(python3 -c 'import json, sys; print(*json.loads(sys.argv[1]), sep="\n")' "$(value CMD)")

# in_box COMMAND...: as the Containerfile's user, with its environment, and no way to more rights.
in_box()
{
    beside_root env -i "${environment[@]}" /usr/bin/setpriv --no-new-privs --inh-caps=-all \
        --bounding-set=-all,+sys_chroot,+setuid,+setgid \
        /usr/sbin/chroot --userspec="$(value USER)" --groups= "$box" "$@"
}

in_box "${entry[@]}" "${command[@]}" >log 2>&1 </dev/null &
child=$!
children+=("$child")
has_started()
{
    grep -q '"event":"worker.start"' log
}
if wait_for 30 has_started; then ok "it starts by ENTRYPOINT and CMD"; else
    fail "it starts by ENTRYPOINT and CMD" "$(cat log)" worker.start
fi
for id in 1 2 3; do run "$WARREN" publish good '{}' --id "g-$id"; done
run "$WARREN" publish look '{}' --id look-1
is_dead()
{
    "$WARREN" dead show boxed look-1
}
wait_for 20 is_dead
run "$WARREN" dead show boxed look-1
assert_contains "$out" "uid=65532 shell=0 written=0 state=1 capabilities=0 new_privileges=0" \
    "a handler has no rights, no shell, and nowhere to write but the state folder"
are_done()
{
    [[ $(queue_depth boxed) == 0 ]]
}
if wait_for 20 are_done; then ok "jobs are done"; else fail "jobs are done" "$(cat log)"; fi

address=$(sed -n 's/.*"event":"http.listen",.*"address":"\([^"]*\)".*/\1/p' log)
sed -i "s/listen = \"0\"/listen = \"$address\"/" etc/warren.cfg
health=$(sed -n "s/^podman run --health-cmd='\(.*\)' --health-interval.*/\1/p" "$root/docs/container.md")
mapfile -t asks < <(python3 -c 'import json, sys; print(*json.loads(sys.argv[1]), sep="\n")' "$health")
assert_eq "${asks[-1]}" "--probe=live" "the page asks whether it is alive"
for probe in startup live ready; do
    run in_box "${asks[@]:0:${#asks[@]}-1}" "--probe=$probe"
    assert_status 0 "a probe by the page's words: $probe"
done
run in_box /bin/sh -c true
assert_status 127 "there is no shell to run"

worker=$child # the last of those that wait for each other
while next=$(pgrep -P "$worker"); do worker=$next; done
kill -TERM "$worker"
wait "$child"
assert_eq $? 0 "SIGTERM drains: exit 0"
assert_contains "$(tail -n 1 log)" '"event":"worker.stop","msg":"the worker has ended; its counts are in the line","drained":1,"done":3,' \
    "with all done"
assert_lacks "$(cat log)" state_dir.unusable "its state folder was of use"
finish
