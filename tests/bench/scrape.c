// SPDX-License-Identifier: MIT
// DESIGN: what it costs a worker to be watched, in CPU time of its process. A child asks, so that its own
// work isn't counted. The worker is a whole one on the memory broker, with as many job types as make a
// thousand series, and counts in every one of them; it is otherwise idle.
//
//     bench_scrape [--short]
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "warren/warren.h"

enum { TYPES = 13, IDLE = 100, ANSWER_BYTES = 1 << 20 };

static char answer[ANSWER_BYTES];

static void fail(const char *what)
{
    fprintf(stderr, "bench_scrape: %s\n", what);
    exit(1);
}

/* --- the child: a client --- */

static int dial(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail("can't connect");
    }
    return fd;
}

/* One answer on a connection that stays open. Returns its size. */
static size_t ask(int fd)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n"
                                  "Accept: application/openmetrics-text;version=1.0.0\r\n\r\n";
    size_t size = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) {
        fail("can't ask");
    }
    do {
        ssize_t got = recv(fd, answer + size, sizeof answer - 1 - size, 0);
        if (got <= 0) {
            fail("no whole answer");
        }
        size += (size_t)got;
        answer[size] = '\0';
    } while (size < 6 || strcmp(answer + size - 6, "# EOF\n") != 0);
    return size;
}

static int count_series(void)
{
    int count = 0;
    for (const char *line = strstr(answer, "\r\n\r\n"); line && line[1];
         line = strchr(line + 1, '\n')) {
        count += strncmp(line + 1, "warren_", 7) == 0;
    }
    return count;
}

/* Each command is a byte, answered by a number: 's' a scrape (its series), 'b' its bytes, 'i' opens idle
 * connections, each of which has asked once. The pipe's end is the child's. */
static void be_client(int commands, int answers)
{
    int port = 0;
    if (read(commands, &port, sizeof port) != sizeof port) {
        exit(0);
    }
    int fd = dial(port);
    char command;
    while (read(commands, &command, 1) == 1) {
        int number = 0;
        if (command == 's') {
            (void)ask(fd);
            number = count_series();
        } else if (command == 'b') {
            number = (int)ask(fd);
        } else {
            for (; number < IDLE; number++) {
                (void)ask(dial(port));
            }
        }
        if (write(answers, &number, sizeof number) != sizeof number) {
            break;
        }
    }
    exit(0);
}

/* --- the parent: a worker --- */

struct client {
    int commands;
    int answers;
};

static struct client start_client(void)
{
    int commands[2];
    int answers[2];
    if (pipe(commands) != 0 || pipe(answers) != 0) {
        fail("no pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(commands[1]);
        (void)close(answers[0]);
        be_client(commands[0], answers[1]);
    }
    (void)close(commands[0]);
    (void)close(answers[1]);
    return (struct client){ commands[1], answers[0] };
}

static int tell(const struct client *client, char command)
{
    int number = -1;
    if (write(client->commands, &command, 1) != 1 ||
        read(client->answers, &number, sizeof number) != sizeof number) {
        fail("the client is gone");
    }
    return number;
}

static double cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static warren_verdict be_done(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

static void write_config(const char *path)
{
    char queue[256];
    (void)snprintf(queue, sizeof queue, "%s/queues", path);
    if (mkdir(queue, 0700) != 0) {
        fail("no folder");
    }
    (void)snprintf(queue, sizeof queue, "%s/warren.cfg", path);
    FILE *file = fopen(queue, "w");
    fprintf(file, "broker: { url = \"memory:\"; };\nstate_dir = \"none\";\nthreads = 4;\n"
                  "http: { listen = \"0\"; connections = 200; timeout = \"5m\"; };\n");
    (void)fclose(file);
    (void)snprintf(queue, sizeof queue, "%s/queues/work.cfg", path);
    file = fopen(queue, "w");
    fprintf(file, "queue: { name = \"work\"; jobs: (");
    for (int i = 0; i < TYPES; i++) {
        fprintf(file, "%s{ type = \"type.%d\"; }", i ? ", " : "", i);
    }
    fprintf(file, "); };\n");
    (void)fclose(file);
}

static void remove_config(const char *path)
{
    static const char *const parts[] = { "/queues/work.cfg", "/queues", "/warren.cfg", "" };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char part[256];
        (void)snprintf(part, sizeof part, "%s%s", path, parts[i]);
        (void)remove(part);
    }
}

static warren *start_worker(const char *folder)
{
    warren *w = NULL;
    warren_error err = { 0 };
    char path[256];
    (void)snprintf(path, sizeof path, "%s/warren.cfg", folder);
    if (warren_open(&w, path, &err)) {
        fail(err.text);
    }
    for (int i = 0; i < TYPES; i++) {
        char type[32];
        (void)snprintf(type, sizeof type, "type.%d", i);
        if (warren_handle(w, type, be_done, NULL, &err)) {
            fail(err.text);
        }
    }
    if (warren_start(w, &err)) {
        fail(err.text);
    }
    return w;
}

static void publish_all(warren *w)
{
    for (int i = 0; i < TYPES * 10; i++) {
        char type[32];
        (void)snprintf(type, sizeof type, "type.%d", i % TYPES);
        const warren_message message = { .type = type, .body = "{}" };
        if (warren_publish(warren_worker_publisher(w), &message, NULL)) {
            fail("can't publish");
        }
    }
}

/* CPU of the process in a while without work, as a part of one core. */
static double measure_idle(double seconds)
{
    const struct timespec time = { (time_t)seconds, 0 };
    double before = cpu_us();
    (void)nanosleep(&time, NULL);
    return (cpu_us() - before) / (seconds * 1e6);
}

static void measure(const struct client *client, bool is_short)
{
    int scrapes = is_short ? 10 : 2000;
    double seconds = is_short ? 1 : 20;
    int series = tell(client, 's');
    int bytes = tell(client, 'b');
    double before = cpu_us();
    for (int i = 0; i < scrapes; i++) {
        (void)tell(client, 's');
    }
    double each_us = (cpu_us() - before) / scrapes;
    printf("series: %d\nbytes: %d\nCPU a scrape: %.0f us\nCPU a thousand series: %.0f us\n", series,
           bytes, each_us, each_us * 1000 / series);
    printf("CPU idle: %.3f %% of a core\n", 100 * measure_idle(seconds));
    int idle = tell(client, 'i');
    printf("CPU idle with %d connections open: %.3f %% of a core\n", idle,
           100 * measure_idle(seconds));
}

int main(int argc, char **argv)
{
    bool is_short = argc > 1 && strcmp(argv[1], "--short") == 0;
    char folder[] = "/tmp/bench-scrape.XXXXXX";
    struct client client = start_client();
    if (!mkdtemp(folder)) {
        fail("no folder");
    }
    write_config(folder);
    warren *w = start_worker(folder);
    int port = atoi(strrchr(warren_http_address(w), ':') + 1);
    if (write(client.commands, &port, sizeof port) != sizeof port) {
        fail("the client is gone");
    }
    publish_all(w);
    measure(&client, is_short);
    (void)close(client.commands);
    (void)wait(NULL);
    (void)warren_stop(w, -1, NULL);
    warren_close(w);
    remove_config(folder);
    return 0;
}
