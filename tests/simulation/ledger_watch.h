/* SPDX-License-Identifier: MIT */
/* What ledger.c and ledger_watch.c share. Threads: one. */
#ifndef TESTS_SIMULATION_LEDGER_WATCH_H
#define TESTS_SIMULATION_LEDGER_WATCH_H

#include "ledger.h"

/** The index of that state of a copy, made when there is none. */
int ledger_state(struct ledger *ledger, struct copy *copy, int attempt, int snoozes);

/** The number in a message's header "copy"; -1: none. */
int ledger_copy_number(const struct wr_message *message);

#endif
