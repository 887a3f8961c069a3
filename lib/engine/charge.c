// SPDX-License-Identifier: MIT
// DESIGN: a run that ends with its process can't be counted by it, so its next worker does: the
// broker delivers the job again and says so, and the ledger of the dead process says whether it had
// started.
//
//     worker dies ──▶ its ledger stays, unlocked
//     redelivered ──▶ harvest ledgers into the book (at most every 20 ms) ──▶ look the job up
//                     ──▶ counts in its headers ──▶ max_crashes reached: dead, crash_loop
//     settled     ──▶ forgotten
//
// The broker's own count (x-delivery-count) isn't used: it counts prefetched jobs that never ran,
// and classic queues have none.
#include "engine/charge.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "io/crashbook.h"
#include "io/state_dir.h"

enum { HARVEST_EVERY_US = 20000 };

struct wr_charge {
    struct wr_ledger *ledger;
    struct wr_crashbook *book;
    struct wr_counters *counters;
    bool handles_faults; /* the handler is installed */
    int64_t next_harvest_us;
};

/* A dead process's run, as it goes into the book. */
static void note_run(void *user, const struct wr_ledger_run *run)
{
    struct wr_charge *charge = user;
    char id[2 * WR_KEY_ID_SIZE];
    char queue[WR_LOG_WORD_SIZE];
    char name[16] = "none";
    if (run->is_interrupt) {
        wr_count(&charge->counters->interrupts);
        wr_log(WR_INFO, "run.interrupted", "queue=%s id=%s",
               wr_log_word(queue, sizeof queue, run->key.queue),
               wr_log_quote(id, sizeof id, run->key.id));
        return;
    }
    wr_count(&charge->counters->crashes);
    if (run->signal) {
        (void)wr_crash_signal_name(name, sizeof name, run->signal);
    }
    wr_log(WR_WARN, "run.crashed", "queue=%s id=%s signal=\"%s\" trace=\"%s\"",
           wr_log_word(queue, sizeof queue, run->key.queue),
           wr_log_quote(id, sizeof id, run->key.id), name, run->trace);
}

static void harvest(struct wr_charge *charge)
{
    wr_crashbook_harvest(charge->book, wr_clock_wall_ms(NULL), note_run, charge);
    charge->next_harvest_us = wr_clock_mono_us(NULL) + HARVEST_EVERY_US;
}

/* --- looking --- */

static void condemn(struct warren_job *job, const struct wr_crash_record *record)
{
    char name[16];
    if (!record->signal) {
        wr_job_condemn(
            job, "crash_loop",
            "crashed %lld times; last: no fault was seen (a kill, an exit, or no memory)",
            (long long)job->books.crashes);
        return;
    }
    wr_job_condemn(job, "crash_loop", "crashed %lld times; last: %s at %s",
                   (long long)job->books.crashes,
                   wr_crash_signal_name(name, sizeof name, record->signal), record->trace);
}

void wr_charge_look(struct wr_charge *charge, struct warren_job *job)
{
    struct wr_crash_record record;
    struct wr_job_key key;
    if (!charge) {
        return;
    }
    if (wr_clock_mono_us(NULL) >= charge->next_harvest_us) {
        harvest(charge);
    }
    wr_job_key_make(&key, job);
    if (!wr_crashbook_lookup(charge->book, &key, wr_clock_wall_ms(NULL), &record)) {
        return;
    }
    job->is_booked = true;
    job->books.crashes += record.crashes;
    job->books.interrupts += record.interrupts;
    if (record.crashes && job->books.crashes >= job->queue->max_crashes) {
        condemn(job, &record);
    }
}

void wr_charge_settled(struct wr_charge *charge, const struct warren_job *job)
{
    if (charge && job->is_booked) {
        struct wr_job_key key;
        wr_job_key_make(&key, job);
        wr_crashbook_forget(charge->book, &key);
    }
}

/* --- life --- */

static void say_unusable(const char *path, const char *why)
{
    char quoted[600];
    char folder[WR_STATE_PATH_SIZE];
    wr_log(
        WR_WARN, "state_dir.unusable",
        "folder=%s error=%s next=\"set state_dir to a folder that only this user may write, or to "
        "none; until then a job that crashes its worker again and again isn't recognised\"",
        wr_log_quote(folder, sizeof folder, path), wr_log_quote(quoted, sizeof quoted, why));
}

static warren_status open_files(struct wr_charge *charge, const struct wr_charge_options *options,
                                int folder_fd, warren_error *err)
{
    const char *ns = options->settings->ns;
    struct wr_ledger_options ledger = { folder_fd, ns, options->threads };
    warren_status rc = wr_crashbook_open(&charge->book, folder_fd, ns, err);
    return rc ? rc : wr_ledger_open(&charge->ledger, &ledger, err);
}

static warren_status open_in(struct wr_charge *charge, const struct wr_charge_options *options,
                             const char *path, warren_error *err)
{
    int folder_fd;
    warren_status rc = wr_state_dir_open(path, &folder_fd, err);
    if (rc) {
        return rc;
    }
    rc = open_files(charge, options, folder_fd, err);
    (void)close(folder_fd);
    if (!rc) {
        charge->handles_faults =
            options->handles_faults && wr_crash_install(wr_ledger_note(charge->ledger, -1));
        harvest(charge);
    }
    return rc;
}

/* A broker inside this process ends with it: nothing comes again. */
static bool is_wanted(const struct wr_settings *settings)
{
    return strncmp(settings->broker.url ? settings->broker.url : "", "memory:", 7) != 0;
}

struct wr_charge *wr_charge_open(const struct wr_charge_options *options)
{
    char path[WR_STATE_PATH_SIZE] = "";
    warren_error err = { .status = WARREN_OK };
    struct wr_charge *charge = NULL;
    if (!is_wanted(options->settings)) {
        return NULL;
    }
    warren_status rc = wr_state_dir_find(options->settings->state_dir, path, &err);
    if (rc == WARREN_NOT_FOUND) {
        return NULL;
    }
    charge = rc ? NULL : calloc(1, sizeof *charge);
    if (charge) {
        charge->counters = options->counters;
        rc = open_in(charge, options, path, &err);
    }
    if (!charge || rc) {
        say_unusable(path, rc ? err.text : "no memory");
        wr_charge_close(charge, false);
        return NULL;
    }
    return charge;
}

struct wr_ledger *wr_charge_ledger(struct wr_charge *charge)
{
    return charge ? charge->ledger : NULL;
}

void wr_charge_drain(struct wr_charge *charge)
{
    if (charge) {
        wr_ledger_drain(charge->ledger);
    }
}

void wr_charge_cut(struct wr_charge *charge)
{
    if (charge) {
        wr_ledger_cut(charge->ledger);
    }
}

void wr_charge_close(struct wr_charge *charge, bool handlers_run)
{
    if (!charge) {
        return;
    }
    if (charge->handles_faults) {
        wr_crash_uninstall(); /* before its note goes with the ledger */
    }
    if (!handlers_run) {
        wr_ledger_close(charge->ledger);
    }
    wr_crashbook_close(charge->book);
    free(charge);
}
