/* SPDX-License-Identifier: MIT */
/*
 * Three nodes: the broker of this process alone (live_own_broker) and two that join it. They can be
 * killed and brought back one by one; nodes are numbered from 0, and node 0 is live's, with
 * everything that stands in live.h about it.
 *
 * Threads: the main thread. Errors: what cannot be done ends the process with a sentence. Memory:
 * what is returned is borrowed, until exit.
 */
#ifndef TESTS_SUPPORT_CLUSTER_H
#define TESTS_SUPPORT_CLUSTER_H

#include <stdbool.h>

enum { CLUSTER_NODES = 3 };

/** Starts two nodes more and waits until they have joined (40 s); they are gone at exit. After
 * live_own_broker, before anything is declared. */
void cluster_open(void);

/** The URL of live's vhost with all three hosts. */
const char *cluster_url(void);

/** The node that leads a queue now; -1: none, or nobody can tell just now. Takes about a second. */
int cluster_leader(const char *queue);

/** kill -9. */
void cluster_kill(int node);

/** Begins to start a killed node; cluster_is_up tells when it is done. */
void cluster_restart(int node);

bool cluster_is_up(int node);

#endif
