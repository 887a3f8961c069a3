// SPDX-License-Identifier: MIT
// DESIGN: configurations with mistakes, as a table: what is written, and what must be said about it. A
// proxy stands where the broker would be, so that a single connection would be seen.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "field_inside.h"
#include "letters.h"
#include "proxy.h"

enum { DRAIN_MS = 60000, END_MS = 10000, LINES_MOST = 12, EXIT_CONFIG = 7 };

static const char fine_queue[] =
    "queue: { name = \"work\"; jobs: ( { type = \"work\"; concurrency = 4; } ); };\n";

struct mistake {
    const char *what;
    const char *main;  /* after the line with the broker's URL; NULL: no such file */
    const char *queue; /* NULL: fine_queue */
    mode_t main_mode;  /* 0: 0600 */
    mode_t queue_mode;
    const char *said[LINES_MOST]; /* each in a line of its own */
};

static const struct mistake mistakes[] = {
    { .what = "a typo",
      .main = "broker2: { };\ndrain_timout = \"5s\";\n",
      .said = { "warren.cfg:3: ", "drain_timeout" } },
    { .what = "bad units",
      .main = "drain_timeout = \"90\";\ndelay: { max = \"2 fortnights\"; };\n"
              "limits: { body = \"1 parsec\"; };\n",
      .said = { "warren.cfg:2: drain_timeout", "warren.cfg:3: delay.max",
                "warren.cfg:4: limits.body" } },
    { .what = "negative numbers",
      .main = "publish: { window = -1; timeout = \"-5s\"; };\nthreads = -2;\n",
      .queue = "queue: { name = \"work\"; prefetch = -1;\n"
               "retry: { attempts = -3; first = \"-1s\"; };\n"
               "jobs: ( { type = \"work\"; concurrency = -4; } ); };\n",
      .said = { "warren.cfg:2: publish.window", "warren.cfg:2: publish.timeout",
                "warren.cfg:3: threads", "10-work.cfg:1: queue.prefetch",
                "10-work.cfg:2: queue.retry.attempts", "10-work.cfg:2: queue.retry.first",
                "10-work.cfg:3: queue.jobs[0].concurrency" } },
    { .what = "wrong kinds",
      .main = "threads = \"many\";\nlog: { level = 3; };\nlimits: { json_depth = 1.5; };\n",
      .queue = "queue: { name = 5; type = \"fast\"; jobs: ( { type = \"\"; } ); };\n",
      .said = { "warren.cfg:2: threads", "warren.cfg:3: log.level",
                "warren.cfg:4: limits.json_depth", "10-work.cfg:1: queue.name",
                "10-work.cfg:1: queue.type", "10-work.cfg:1: queue.jobs[0].type" } },
    { .what = "numbers that wrap",
      .main = "threads = 4294967297;\npublish: { window = 99999999999999999999; };\n",
      .said = { "warren.cfg:2: threads", "warren.cfg:3: publish.window" } },
    { .what = "no syntax", .main = "threads = ;\n", .said = { "warren.cfg:2: " } },
    { .what = "the same twice",
      .main = "threads = 2;\nthreads = 3;\n",
      .said = { "warren.cfg:3: threads" } },
    { .what = "no file", .main = NULL, .said = { "warren.cfg: no such file" } },
    { .what = "a file that others may write",
      .main = "\n",
      .main_mode = 0666,
      .said = { "others may write this file" } },
    { .what = "a queue file that others may write",
      .main = "\n",
      .queue_mode = 0602,
      .said = { "10-work.cfg: others may write this file" } },
    { .what = "a secret in a missing file",
      .main = "log: { format = \"${file:nowhere}\"; };\n",
      .said = { "warren.cfg:2: log.format" } },
    { .what = "a type without a handler",
      .main = "\n",
      .queue =
          "queue: { name = \"work\"; jobs: ( { type = \"other\"; }, { type = \"work\"; } ); };\n",
      .said = { "10-work.cfg:1: queue work, job type \"other\"" } },
    { .what = "a handler without a type",
      .main = "\n",
      .queue = "queue: { name = \"work\"; jobs: ( { type = \"wrok\"; } ); };\n",
      .said = { "\"work\": no queue lists this type", "\"wrok\": no handler" } },
};

static char *write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
    char *path = field_print("%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) || chmod(path, mode ? mode : 0600)) {
        field_give_up("cannot write", path);
    }
    return path;
}

/* The path of a warren.cfg with that mistake, the caller's. */
static char *write_mistake(struct field *field, const struct mistake *mistake, int number,
                           const char *url)
{
    char *folder = field_print("%s/mistake%d", field->folder, number);
    char *queues = field_print("%s/queues", folder);
    char *text =
        field_print("broker: { url = \"%s\"; };\n%s", url, mistake->main ? mistake->main : "");
    if (mkdir(folder, 0700) || mkdir(queues, 0700)) {
        field_give_up("no folder", queues);
    }
    char *path = write_file(folder, "warren.cfg", text, mistake->main_mode);
    free(write_file(queues, "10-work.cfg", mistake->queue ? mistake->queue : fine_queue,
                    mistake->queue_mode));
    if (!mistake->main) {
        (void)remove(path);
    }
    free(folder);
    free(queues);
    free(text);
    return path;
}

static void make(struct field *field, const struct mistake *mistake, const char *config)
{
    struct field_process *worker = field_worker(field, &(struct field_worker){ .config = config });
    int code = field_wait_exit(field, worker, END_MS);
    field_expect(field, code == EXIT_CONFIG, "%s: it ends with %d (%s)", mistake->what, code,
                 worker->log);
    for (size_t i = 0; i < LINES_MOST && mistake->said[i]; i++) {
        field_expect(field, field_log_count(worker, mistake->said[i]) == 1,
                     "%s: '%s' is not said once (%s)", mistake->what, mistake->said[i],
                     worker->log);
    }
    if (code < 0) {
        field_signal(worker, SIGKILL);
    }
}

static void make_all(struct field *field, struct proxy *proxy)
{
    char *url = field_print("amqp://nobody:none@127.0.0.1:%d/none", proxy_port(proxy));
    int count = sizeof mistakes / sizeof *mistakes;
    for (int i = 0; i < count; i++) {
        char *config = write_mistake(field, &mistakes[i], i, url);
        make(field, &mistakes[i], config);
        free(config);
    }
    free(url);
    field_note(field, "mistakes=%d", count + 1);
}

/* A private key that everyone may read. */
static void open_key(struct field *field, struct proxy *proxy)
{
    static const struct mistake readable = { .what = "a key that all may read",
                                             .said = { "key.pem, a private key, may be read" } };
    char *key = write_file(field->folder, "key.pem", "no key\n", 0644);
    char *tls = field_print("broker: { url = \"amqps://nobody:none@127.0.0.1:%d/none\"; tls: { "
                            "cert_file = \"%s\"; key_file = \"%s\"; }; };\n",
                            proxy_port(proxy), key, key);
    char *queues = field_print("%s/queues", field->folder);
    if (mkdir(queues, 0700)) {
        field_give_up("no folder", queues);
    }
    char *config = write_file(field->folder, "open-key.cfg", tls, 0);
    free(write_file(queues, "10-work.cfg", fine_queue, 0));
    make(field, &readable, config);
    free(key);
    free(tls);
    free(queues);
    free(config);
}

static void mistakes_in_files(struct field *field)
{
    struct proxy *proxy = proxy_open(field_broker_port(field));
    make_all(field, proxy);
    open_key(field, proxy);
    field_expect(field, !proxy_counts(proxy).accepted, "%zu connections with a bad configuration",
                 proxy_counts(proxy).accepted);
    const char *config = field_config(field, &(struct field_config){ .port = proxy_port(proxy) });
    (void)letters_worker(field, &(struct field_worker){ .config = config });
    (void)field_source(field, &(struct field_source){ .config = config });
    (void)field_drain(field, DRAIN_MS);
    field_expect(field, proxy_counts(proxy).accepted > 0, "the proxy was not in the way");
    proxy_close(proxy);
    field_check(field, &(struct field_bounds){ .limits = { .attempts = 1 } });
}

const struct row rows_config[] = {
    ROW(57, ROW_ONCE, 100, 10, mistakes_in_files,
        "mistakes in the configuration: all are told at once with their lines, exit 7, nothing is "
        "connected"),
    ROWS_END,
};
