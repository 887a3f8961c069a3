# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # sourced by test_docs.sh, whose variables these are
# The configuration of `files`, and a worker for it. Its mail server refuses while the file `down` is there.
# The worker's name on the page is pod-7-1-3fa2, its process id stands in worker.pid.
# shellcheck source=tests/deploy/stages/files.sh
. "$here/stages/files.sh"
cat >plugin.c <<'C'
#include <unistd.h>
#include <warren/plugin.h>

static warren_verdict mail(warren_job *job, void *user)
{
    (void)user;
    if (!access("down", F_OK))
        return warren_retry(job, "smtp.example: 450 no room for \"%s\"", warren_job_string(job, "to"));
    return WARREN_DONE;
}

WARREN_PLUGIN("mail", { "email.welcome", mail }, { "email.digest", mail }, { "letter.print", mail });
C
# shellcheck disable=SC2046 # words
cc -shared -fPIC -o plugin.so plugin.c $(pkg-config --cflags warren) || fail "no plugin for $page"
cp -r config next
sed -i 's/concurrency = 4/concurrency = 2/' next/queues/emails.cfg
echo 'echo $$ >worker.pid; exec warren run --plugin ./plugin.so' >run.sh
rule[until]='worker.start'
start_background "$PWD/run.sh" worker
unset 'rule[until]'

has_name()
{
    worker_name=$(warren worker list -o jsonl | sed -n 's/.*"worker":"\([^"]*\)".*/\1/p;q')
    [[ -n $worker_name ]]
}
wait_for 30 has_name || fail "no worker answers for $page"
substitute "s/pod-7-1-3fa2/$worker_name/g"
