// SPDX-License-Identifier: MIT
// Handlers for each way that a job can end, for tests that look at what a worker shows of itself. Built
// as a plugin by tests/support/observe.sh.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <warren/plugin.h>

static warren_verdict good(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

static warren_verdict bad(warren_job *job, void *user)
{
    (void)user;
    return warren_dead(job, "no good");
}

static warren_verdict flaky(warren_job *job, void *user)
{
    (void)user;
    return warren_retry(job, "not yet");
}

static warren_verdict useless(warren_job *job, void *user)
{
    (void)user;
    return warren_discard(job, "nobody wants it");
}

/* Publishes what no queue takes. */
static warren_verdict stray(warren_job *job, void *user)
{
    const warren_message message = { .type = "nobody.takes.it", .body = "{}" };
    (void)user;
    (void)warren_job_publish(job, &message, NULL);
    return WARREN_DONE;
}

/* Runs until there is a file `gate`. */
static warren_verdict hang(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    while (access("gate", F_OK) != 0) {
        (void)usleep(20000);
    }
    return WARREN_DONE;
}

static warren_verdict crash(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return raise(SIGSEGV) == 0 ? WARREN_DONE : warren_dead(job, "alive");
}

WARREN_PLUGIN("load", { "good", good }, { "bad", bad }, { "flaky", flaky }, { "useless", useless },
              { "stray", stray }, { "hang", hang }, { "crash", crash });
