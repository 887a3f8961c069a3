// SPDX-License-Identifier: MIT
/*
 * DESIGN: all knowledge of how a broker is started, reached and told things is in
 * deploy/dev/broker; this file runs that script and reads what it prints. A vhost takes some 50 ms
 * through the management API. What was made is taken away in atexit, in reverse; a test that
 * crashes leaves its vhost to tests/run, which throws the whole broker away.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 30, NAME_BYTES = 128, URL_BYTES = 512 };

static struct {
    pid_t owner; /* a forked child must not take the vhost away */
    bool has_own_broker;
    bool has_vhost;
    char folder[NAME_BYTES]; /* of the own broker */
    char vhost[NAME_BYTES];
    char url[URL_BYTES];
    char tls_url[URL_BYTES];
    char tls_ca[URL_BYTES];
    char management_url[URL_BYTES];
} live;

static void give_up(const char *what)
{
    fprintf(stderr, "live: %s\n", what);
    exit(1);
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    if (value && *value)
        return value;
    fprintf(stderr, "live: %s is not set: this test needs a real broker, run it by tests/run\n",
            name);
    exit(1);
}

static void copy(char *to, size_t size, const char *from)
{
    if ((size_t)snprintf(to, size, "%s", from) >= size)
        give_up("a name or URL is too long");
}

static const char *folder(void)
{
    return live.has_own_broker ? live.folder : from_environment("WARREN_TEST_BROKER_DIR");
}

/* In the child: stdout into the pipe; stderr stays the test's, so that a failure is seen. */
static void become(const char *const words[], int out)
{
    dup2(out, STDOUT_FILENO);
    execv(words[0], (char *const *)words);
    fprintf(stderr, "live: cannot run %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static char *read_all(int fd)
{
    char *text = NULL;
    size_t length = 0;
    ssize_t got = 0;
    do {
        text = realloc(text, length + 4097);
        if (!text)
            give_up("out of memory");
        got = read(fd, text + length, 4096);
        if (got > 0)
            length += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    text[length] = '\0';
    return text;
}

static char *run(const char *const words[], int *status)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        give_up("no pipe");
    pid_t child = fork();
    if (child < 0)
        give_up("no process");
    if (child == 0) {
        close(ends[0]);
        become(words, ends[1]);
    }
    close(ends[1]);
    char *text = read_all(ends[0]);
    close(ends[0]);
    while (waitpid(child, status, 0) < 0 && errno == EINTR)
        continue;
    return text;
}

/* deploy/dev/broker with these words (up to four), on the broker in use; its output, one line. */
static char *broker(const char *command, const char *option, const char *value, const char *more)
{
    const char *words[] = { from_environment("WARREN_TEST_BROKER"),
                            command,
                            "--dir",
                            folder(),
                            option,
                            value,
                            more,
                            NULL };
    int status = 0;
    char *text = run(words, &status);
    if (status != 0) {
        fprintf(stderr, "live: broker %s failed\n", command);
        exit(1);
    }
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void keep(char *to, size_t size, char *taken)
{
    copy(to, size, taken);
    free(taken);
}

static void clean_up(void)
{
    if (getpid() != live.owner)
        return;
    const char *script = getenv("WARREN_TEST_BROKER");
    const char *drop[] = { script, "drop-vhost", live.vhost, "--dir", folder(), NULL };
    const char *stop[] = { script, "stop", "--purge", "--dir", folder(), NULL };
    int status = 0;
    if (live.has_own_broker)
        free(run(stop, &status));
    else if (live.has_vhost)
        free(run(drop, &status));
    live.owner = 0;
}

static void own_this_process(void)
{
    if (live.owner)
        return;
    live.owner = getpid();
    atexit(clean_up);
}

static void add_settings(const char *settings)
{
    char path[NAME_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/extra.conf", live.folder);
    FILE *file = fopen(path, "w");
    if (!file || fputs(settings, file) < 0 || fclose(file))
        give_up("cannot write a broker's settings");
}

void live_own_broker(void)
{
    live_own_broker_with("");
}

void live_own_broker_with(const char *settings)
{
    if (live.owner)
        give_up("live_own_broker comes first");
    from_environment("WARREN_TEST_BROKER");
    snprintf(live.folder, sizeof live.folder, "%s/own.XXXXXX",
             from_environment("WARREN_TEST_SCRATCH"));
    if (!mkdtemp(live.folder))
        give_up("no folder for a broker");
    add_settings(settings);
    live.has_own_broker = true;
    own_this_process();
    free(broker("start", "--tls", "--management", NULL));
}

char *live_file(const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder(), name) < 0)
        give_up("out of memory");
    return path;
}

static void need_vhost(void)
{
    if (live.has_vhost)
        return;
    if (!live.has_own_broker)
        from_environment("WARREN_TEST_URL");
    own_this_process();
    snprintf(live.vhost, sizeof live.vhost, "%.80s-%ld", program_invocation_short_name,
             (long)getpid());
    keep(live.url, sizeof live.url, broker("vhost", live.vhost, NULL, NULL));
    live.has_vhost = true;
}

const char *live_url(void)
{
    need_vhost();
    return live.url;
}

const char *live_vhost(void)
{
    need_vhost();
    return live.vhost;
}

const char *live_tls_url(void)
{
    need_vhost();
    if (!*live.tls_url)
        keep(live.tls_url, sizeof live.tls_url, broker("url", "--vhost", live.vhost, "--tls"));
    return live.tls_url;
}

const char *live_tls_ca(void)
{
    if (!*live.tls_ca && (size_t)snprintf(live.tls_ca, sizeof live.tls_ca, "%s/tls/ca.pem",
                                          folder()) >= sizeof live.tls_ca)
        give_up("a path is too long");
    return live.tls_ca;
}

const char *live_management_url(void)
{
    if (!*live.management_url)
        keep(live.management_url, sizeof live.management_url,
             broker("management-url", NULL, NULL, NULL));
    return live.management_url;
}

char *live_url_as(const char *user, const char *password)
{
    const char *host = strchr(live_url(), '@');
    char *url = NULL;
    if (!host || asprintf(&url, "amqp://%s:%s%s", user, password, host) < 0)
        give_up("no such URL");
    return url;
}

/* The caller's words, after those that lead to rabbitmqctl on the broker in use. */
static char *control(const char *word, va_list rest, int *status)
{
    const char *words[MAX_WORDS + 1] = { from_environment("WARREN_TEST_BROKER"), "ctl", "--dir",
                                         folder(), "-q" };
    size_t count = 5;
    for (; word && count < MAX_WORDS; word = va_arg(rest, const char *))
        words[count++] = word;
    return run(words, status);
}

char *live_ctl(const char *word, ...)
{
    va_list rest;
    int status = 0;
    va_start(rest, word);
    char *text = control(word, rest, &status);
    va_end(rest);
    if (status == 0)
        return text;
    fprintf(stderr, "live: rabbitmqctl %s failed: %s\n", word, text);
    exit(1);
}

int live_try_ctl(const char *word, ...)
{
    va_list rest;
    int status = 0;
    va_start(rest, word);
    free(control(word, rest, &status));
    va_end(rest);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void need_own_broker(void)
{
    if (!live.has_own_broker)
        give_up("only a broker of live_own_broker may be stopped");
}

void live_kill_broker(void)
{
    need_own_broker();
    free(broker("kill", NULL, NULL, NULL));
}

void live_stop_broker(void)
{
    need_own_broker();
    free(broker("stop", NULL, NULL, NULL));
}

void live_signal_broker(int signal)
{
    char path[NAME_BYTES + 16];
    long pid = 0;
    need_own_broker();
    (void)snprintf(path, sizeof path, "%s/broker.pid", live.folder);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%ld", &pid) != 1 || pid < 2 || kill((pid_t)pid, signal))
        give_up("cannot signal the broker");
    (void)fclose(file);
}

void live_restart_broker(void)
{
    need_own_broker();
    free(broker("restart", NULL, NULL, NULL));
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool live_wait(bool (*holds)(void *user), void *user, int deadline_ms)
{
    const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
    long long until = now_ms() + deadline_ms;
    while (!holds(user)) {
        if (now_ms() >= until)
            return holds(user);
        nanosleep(&pause, NULL);
    }
    return true;
}
