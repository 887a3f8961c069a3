/* SPDX-License-Identifier: MIT */
/*
 * Charging: what a run that ended with its process costs its job. It keeps this worker's ledger
 * (io/ledger.h) and asks the crash book (io/crashbook.h) about jobs that come again.
 *
 * Attempts, crashes, interrupts and snoozes are counted apart: a crash is a run that ended with its
 * process by its own doing, or by nobody knows whose; an interrupt one that was cut off by a drain
 * or by a neighbour's crash. Neither is an attempt. Crashes are limited by queue.max_crashes.
 *
 * Ownership: close takes. NULL charges nothing, everywhere. Threads: look and settled by
 * the consumer's; the rest by the owner, while no other runs.
 */
#ifndef WR_ENGINE_CHARGE_H
#define WR_ENGINE_CHARGE_H

#include "engine/counters.h"
#include "io/ledger.h"

struct wr_charge;

struct wr_charge_options {
    const struct wr_settings *settings;
    struct wr_counters *counters;
    int threads;         /* worker threads there will be */
    bool handles_faults; /* notes faults by a signal handler: in warren_run only */
};

/** Opens the ledger and reads what dead processes left. NULL when the settings want none, or when
 * the folder can't be used: then one warning is logged, and the worker goes on without. */
struct wr_charge *wr_charge_open(const struct wr_charge_options *options);

/** For the pool and the runner; NULL without one. Borrowed. */
struct wr_ledger *wr_charge_ledger(struct wr_charge *charge);

/** A job has come again: adds what the book knows of it to its books, and condemns it when that is
 * too much. */
void wr_charge_look(struct wr_charge *charge, struct warren_job *job);

/** The job is done, or has gone on with its counts: the book forgets it. */
void wr_charge_settled(struct wr_charge *charge, const struct warren_job *job);

/** A drain begins: what is cut off from now on is an interrupt. */
void wr_charge_drain(struct wr_charge *charge);

/** The drain's time is up: what runs now is cut off. Before the connection is closed, so that who
 * gets the jobs next can see it. */
void wr_charge_cut(struct wr_charge *charge);

/** With handlers left running the ledger stays in memory for them. */
void wr_charge_close(struct wr_charge *charge, bool handlers_run);

#endif
