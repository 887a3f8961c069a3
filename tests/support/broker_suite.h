/* SPDX-License-Identifier: MIT */
/*
 * How a broker behaves, as Warren needs it: one suite for every kind of broker behind io/broker.h,
 * so that the memory broker cannot drift from the real one. Call fixture_use before.
 */
#ifndef TESTS_SUPPORT_BROKER_SUITE_H
#define TESTS_SUPPORT_BROKER_SUITE_H

/** Adds all suites to the CUnit registry, runs them, and returns an exit code. `more` (may be NULL)
 * adds suites that only one kind of broker has. */
int broker_suite_run(void (*more)(void));

/* The parts, each adding one CUnit suite. */
void broker_suite_topology(void);
void broker_suite_routing(void);
void broker_suite_delivery(void);
void broker_suite_settle(void);
void broker_suite_death(void);

#endif
