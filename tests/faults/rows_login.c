// SPDX-License-Identifier: MIT
// DESIGN: rows about who may come in. Each has a user of its own, whose password and rights an
// operator changes. Whatever is refused, no password may stand in any log: every row here greps for
// all that it used.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field_inside.h"
#include "field_operator.h"
#include "live.h"
#include "rows.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, REFUSED_MS = 45000, AT_ONCE = 4, PREFETCH = 20 };

#define PASSWORD_ONE "correct-horse-11"
#define PASSWORD_TWO "battery-staple-22"
#define PASSWORD_WRONG "open-sesame-33"

static const char *const all_rights[3] = { ".*", ".*", ".*" };
static const char *const no_declaring[3] = { "^$", ".*", ".*" };

static void expect_no_secret(struct field *field)
{
    static const char *const secrets[] = { PASSWORD_ONE, PASSWORD_TWO, PASSWORD_WRONG };
    for (size_t i = 0; i < field->inside->process_count; i++) {
        const struct field_process *process = &field->inside->slots[i].process;
        for (size_t s = 0; s < sizeof secrets / sizeof *secrets; s++) {
            (void)field_expect(field, !field_log_count(process, secrets[s]),
                               "the log of %s holds a password", process->name);
        }
    }
}

/* --- 31: refused ---------------------------------------------------------------------------------- */

/* A worker and a source with that URL end at once with 6, and say that. */
static void refused_at_start(struct field *field, const char *url, const char *says)
{
    const char *config = field_config(field, &(struct field_config){ .url = url });
    struct field_process *worker = field_worker(field, &(struct field_worker){ .config = config });
    field_expect_exit(field, worker, 6, 10000);
    (void)field_expect(field, field_log_count(worker, says) > 0, "%s does not say '%s'",
                       worker->name, says);
}

static void source_refused(struct field *field, const char *url)
{
    const char *config = field_config(field, &(struct field_config){ .url = url });
    struct field_source jobs = { .config = config, .count = 1 };
    field_expect_exit(field, field_source(field, &jobs), 6, 10000);
}

static void nowhere(struct field *field, const char *user)
{
    char *url = live_url_as(user, PASSWORD_ONE);
    char *other = field_print("%.*s/nowhere", (int)(strrchr(url, '/') - url), url);
    refused_at_start(field, other, "nowhere");
    free(other);
    free(url);
}

static void rights_at_start(struct field *field, const char *user)
{
    char *url = live_url_as(user, PASSWORD_ONE);
    char *wrong = live_url_as(user, PASSWORD_WRONG);
    refused_at_start(field, wrong, "password");
    source_refused(field, wrong);
    nowhere(field, user);
    operator_set_rights(field, user, NULL);
    refused_at_start(field, url, live_vhost());
    operator_set_rights(field, user, no_declaring);
    refused_at_start(field, url, "say topology = \"check\" here");
    operator_set_rights(field, user, all_rights);
    free(wrong);
    free(url);
}

/* A running worker that is locked out tries again slowly, for as long as it takes. */
static void locked_out(struct field *field, const char *user)
{
    char *url = live_url_as(user, PASSWORD_ONE);
    const char *config = field_config(field, &(struct field_config){ .url = url });
    const char *straight = field_config(field, NULL);
    struct field_process *worker = field_worker(field, &(struct field_worker){ .config = config });
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    (void)field_source(field, &(struct field_source){ .config = straight, .rate = 50 });
    (void)field_wait_count(field, BOOK_STARTED, 20, READY_MS);
    operator_set_rights(field, user, NULL);
    operator_close_connections(field, user);
    (void)field_wait_gauge(field, worker, "ready", 0, 0, 5000);
    field_pass(field, 6000);
    int tries = field_log_count(worker, "connection.failed role=consumer");
    (void)field_expect(field, tries >= 1 && tries <= 7, "it was tried %d times in 6 s", tries);
    operator_set_rights(field, user, all_rights);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, REFUSED_MS);
    field_note(field, "tries=%d", tries);
    free(url);
}

static void refused(struct field *field)
{
    const char *user = operator_add_user(field, PASSWORD_ONE);
    rights_at_start(field, user);
    locked_out(field, user);
    (void)field_drain(field, DRAIN_MS);
    expect_no_secret(field);
    field_check(field, &(struct field_bounds){ .duplicates_most = PREFETCH + AT_ONCE,
                                               .limits = { .at_once = AT_ONCE } });
}

/* --- 32: another password ------------------------------------------------------------------------- */

/* As a secret that is mounted: the new file takes the old one's place. */
static void write_secret(const char *path, const char *password)
{
    char *fresh = field_print("%s.new", path);
    FILE *file = fopen(fresh, "we");
    if (!file || fprintf(file, "%s\n", password) < 0 || fclose(file) || rename(fresh, path)) {
        field_give_up("cannot write a password file", path);
    }
    free(fresh);
}

static const char *file_config(struct field *field, const char *user, const char *path)
{
    const char *host = strchr(live_url(), '@');
    char *url = field_print("amqp://%s", host ? host + 1 : "");
    char *login = field_print("user = \"%s\"; password_file = \"%s\";", user, path);
    const char *config = field_config(field, &(struct field_config){ .url = url, .broker = login });
    free(login);
    free(url);
    return config;
}

static void password_rotates(struct field *field)
{
    const char *user = operator_add_user(field, PASSWORD_ONE);
    char *path = field_print("%s/secret", field->folder);
    write_secret(path, PASSWORD_ONE);
    const char *config = file_config(field, user, path);
    struct field_process *worker = field_worker(field, &(struct field_worker){ .config = config });
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    (void)field_source(field, &(struct field_source){ .rate = 50, .republish_ms = 120000 });
    (void)field_wait_count(field, BOOK_STARTED, 20, READY_MS);
    write_secret(path, PASSWORD_TWO); /* first the file, then the broker: nothing is refused */
    operator_set_password(field, user, PASSWORD_TWO);
    operator_close_connections(field, user);
    (void)field_wait_gauge(field, worker, "connections", 2, 2, 10000);
    (void)field_expect(field, !field_log_count(worker, "connection.failed"),
                       "the new password was not read in time");
    operator_set_password(field, user, PASSWORD_ONE); /* the other way round: refused for a while */
    operator_close_connections(field, user);
    (void)field_wait_log(field, worker, "connection.failed role=consumer", 1, 10000);
    (void)field_wait_gauge(field, worker, "ready", 0, 0, 5000);
    write_secret(path, PASSWORD_ONE);
    (void)field_wait_gauge(field, worker, "connections", 3, 3, REFUSED_MS);
    (void)field_drain(field, DRAIN_MS);
    expect_no_secret(field);
    int64_t most = 2 * (PREFETCH + AT_ONCE) + (int64_t)book_count(field->book, BOOK_UNKNOWN);
    field_check(
        field, &(struct field_bounds){ .duplicates_most = most, .limits = { .at_once = AT_ONCE } });
    free(path);
}

const struct row rows_login[] = {
    ROW(31, ROW_ONCE, 300, 40, refused,
        "password, vhost and rights refused: exit 6 at the start, slow tries later, no secret in a "
        "log"),
    ROW(32, ROW_ONCE, 500, 30, password_rotates,
        "the password changes while running: the next connect reads the file again"),
    ROWS_END,
};
