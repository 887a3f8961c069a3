/* SPDX-License-Identifier: MIT */
/*
 * A test's hold on the real broker. tests/run starts one private RabbitMQ for all tests and says
 * where it is in the environment; each test process gets a vhost of its own on it, with the rights,
 * users and shield policies of deploy/rabbitmq/definitions.json, and loses it at exit.
 *
 * Everything here is loud: what cannot be done prints a sentence and ends the process with 1, so a
 * test never passes because there was no broker. Threads: call from the main thread only, but
 * live_wait, which any thread may call.
 */
#ifndef TESTS_SUPPORT_LIVE_H
#define TESTS_SUPPORT_LIVE_H

#include <stdbool.h>

/** From now on a broker of this process alone (7-10 s to start), to be killed and restarted as the
 * test likes; stopped and forgotten at exit. Call it before anything else here. */
void live_own_broker(void);

/** The same, with these lines more in its rabbitmq.conf. */
void live_own_broker_with(const char *settings);

/** A file of the broker in use, by its path in its folder: "tls/ca-key.pem". The caller frees it. */
char *live_file(const char *name);

/** The AMQP URL of this process's vhost, made at the first call. Borrowed, valid until exit. */
const char *live_url(void);

/** The name of that vhost. */
const char *live_vhost(void);

/** The same vhost by TLS: its amqps URL. The CA that signed the broker's certificate. */
const char *live_tls_url(void);
const char *live_tls_ca(void);

/** http://user:password@127.0.0.1:port of the management API. */
const char *live_management_url(void);

/** The URL of this vhost for another user: one of definitions.json (it has no password until the
 * test sets one with `live_ctl("change_password", …)`). The caller frees it. */
char *live_url_as(const char *user, const char *password);

/** Runs `rabbitmqctl -q` with these words, the last one NULL; returns what it printed, which the
 * caller frees. Takes about a second. */
char *live_ctl(const char *word, ...) __attribute__((sentinel));

/** The same, for what is allowed to fail: returns the exit code and prints nothing of the output.
 */
int live_try_ctl(const char *word, ...) __attribute__((sentinel));

/** kill -9, as a crash would. Only with live_own_broker, or it is everybody's broker that dies. */
void live_kill_broker(void);

/** Stops it cleanly; it stays down until live_restart_broker. Only with live_own_broker. */
void live_stop_broker(void);

/** Sends its process a signal, such as SIGSTOP. Only with live_own_broker. */
void live_signal_broker(int signal);

/** Starts it again (cleanly stopping it before, if it runs); same URL, same data. */
void live_restart_broker(void);

/** Waits until `holds(user)` is true; false when `deadline_ms` have passed and it still is not. */
bool live_wait(bool (*holds)(void *user), void *user, int deadline_ms);

#endif
