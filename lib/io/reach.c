// SPDX-License-Identifier: MIT
// DESIGN: the way to a host in steps, so that the first one that fails can be named. The lookup runs
// on a thread of its own: getaddrinfo knows no timeout. Who waits in vain leaves the question to
// that thread, which frees it when the answer comes after all.
#include "io/reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"

/* --- names --- */

/* A lookup under way. Freed by whoever is the last to need it. */
struct question {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    char name[256];
    char port[8];
    bool is_answered;
    bool is_abandoned;
    int status; /* of getaddrinfo */
    struct addrinfo *addresses;
};

static void free_question(struct question *question)
{
    if (question->addresses) {
        freeaddrinfo(question->addresses);
    }
    (void)pthread_cond_destroy(&question->answered);
    (void)pthread_mutex_destroy(&question->lock);
    free(question);
}

static void *answer(void *user)
{
    struct question *question = user;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
    struct addrinfo *addresses = NULL;
    int status = getaddrinfo(question->name, question->port, &hints, &addresses);
    (void)pthread_mutex_lock(&question->lock);
    question->addresses = status ? NULL : addresses;
    question->status = status;
    question->is_answered = true;
    bool is_abandoned = question->is_abandoned;
    (void)pthread_cond_signal(&question->answered);
    (void)pthread_mutex_unlock(&question->lock);
    if (is_abandoned) {
        free_question(question);
    }
    return NULL;
}

/* Waits for the answer; false: it didn't come, and the thread has the question now. */
static bool await_answer(struct question *question, int64_t timeout_us)
{
    int64_t deadline_us = wr_clock_mono_us(NULL) + timeout_us;
    WR_SCOPED_LOCK(&question->lock);
    while (!question->is_answered) {
        int64_t left_us = deadline_us - wr_clock_mono_us(NULL);
        if (left_us <= 0 || !wr_cond_wait(&question->answered, &question->lock, left_us)) {
            question->is_abandoned = !question->is_answered;
            return question->is_answered;
        }
    }
    return true;
}

static void keep_addresses(const struct addrinfo *addresses, struct wr_reach *out)
{
    out->count = 0;
    for (const struct addrinfo *at = addresses; at && out->count < WR_REACH_ADDRESSES_MOST;
         at = at->ai_next) {
        if (at->ai_addrlen <= sizeof out->addresses[0]) {
            memcpy(&out->addresses[out->count], at->ai_addr, at->ai_addrlen);
            out->sizes[out->count++] = at->ai_addrlen;
        }
    }
}

static struct question *ask(const struct wr_uri_host *host)
{
    struct question *question = calloc(1, sizeof *question);
    if (question) {
        (void)pthread_mutex_init(&question->lock, NULL);
        wr_cond_init(&question->answered);
        (void)snprintf(question->name, sizeof question->name, "%s", host->name);
        (void)snprintf(question->port, sizeof question->port, "%d", host->port);
    }
    return question;
}

warren_status wr_reach_look_up(const struct wr_uri_host *host, int64_t timeout_us,
                               struct wr_reach *out, warren_error *err)
{
    struct wr_thread thread = { 0 };
    struct question *question = ask(host);
    if (!question) {
        return wr_no_memory(err);
    }
    warren_status rc =
        wr_thread_start(&thread, "warren-lookup", WR_STACK_WORKER, answer, question, err);
    if (rc) {
        free_question(question);
        return rc;
    }
    if (!await_answer(question, timeout_us)) {
        (void)pthread_detach(thread.id);
        return wr_fail(err, WARREN_TIMEOUT, "%s: the name server did not answer within %lld ms",
                       host->name, (long long)(timeout_us / WR_US_PER_MS));
    }
    wr_thread_join(&thread);
    if (question->status) {
        rc = wr_fail(err, WARREN_UNREACHABLE, "%s: %s", host->name,
                     question->status == EAI_NONAME ? "no such host"
                                                    : gai_strerror(question->status));
    } else {
        keep_addresses(question->addresses, out);
    }
    free_question(question);
    return rc;
}

const char *wr_reach_show(const struct wr_reach *reach, size_t index, char *out, size_t size)
{
    if (getnameinfo((const struct sockaddr *)&reach->addresses[index], reach->sizes[index], out,
                    (socklen_t)size, NULL, 0, NI_NUMERICHOST)) {
        (void)snprintf(out, size, "?");
    }
    return out;
}

/* --- ports --- */

static int await_connect(int fd, int64_t deadline_us)
{
    for (;;) {
        int64_t left_ms = (deadline_us - wr_clock_mono_us(NULL)) / WR_US_PER_MS;
        struct pollfd polled = { .fd = fd, .events = POLLOUT };
        int ready = poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
        int error = 0;
        socklen_t size = sizeof error;
        if (ready == 0) {
            return ETIMEDOUT;
        }
        if (ready > 0) {
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
            return error;
        }
        if (errno != EINTR) {
            return errno;
        }
    }
}

static int dial(const struct wr_reach *reach, size_t index, int64_t timeout_us, int *out_fd)
{
    const struct sockaddr *address = (const struct sockaddr *)&reach->addresses[index];
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0) {
        return errno;
    }
    int error = connect(fd, address, reach->sizes[index]) ? errno : 0;
    if (error == EINPROGRESS || error == EINTR) {
        error = await_connect(fd, wr_clock_mono_us(NULL) + timeout_us);
    }
    if (error) {
        (void)close(fd);
        return error;
    }
    *out_fd = fd;
    return 0;
}

warren_status wr_reach_dial(const struct wr_reach *reach, int64_t timeout_us, int *out_fd,
                            int64_t *out_us, warren_error *err)
{
    int64_t begun_us = wr_clock_mono_us(NULL);
    int64_t share_us = timeout_us / (int64_t)(reach->count ? reach->count : 1);
    int error = EADDRNOTAVAIL;
    for (size_t i = 0; i < reach->count && error; i++) {
        error = dial(reach, i, share_us, out_fd);
    }
    *out_us = wr_clock_mono_us(NULL) - begun_us;
    if (!error) {
        return WARREN_OK;
    }
    char buffer[128];
    return error == ETIMEDOUT
               ? wr_fail(err, WARREN_TIMEOUT, "no answer within %lld ms",
                         (long long)(timeout_us / WR_US_PER_MS))
               : wr_fail(err, WARREN_UNREACHABLE, "%s", strerror_r(error, buffer, sizeof buffer));
}

/* --- memory --- */

/* A file of one number; 0: none there, or "max". */
static int64_t read_number(const char *path)
{
    char line[64] = "";
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    bool has_line = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    return has_line && line[0] >= '0' && line[0] <= '9' ? strtoll(line, NULL, 10) : 0;
}

/* The tightest limit from our group up to the root; 0: none. Version 2 only. */
static int64_t group_limit(char *group)
{
    int64_t least = 0;
    for (;;) {
        char path[1200];
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
        int64_t limit = read_number(path);
        least = limit && (!least || limit < least) ? limit : least;
        char *slash = strrchr(group, '/');
        if (!slash) {
            return least;
        }
        *slash = '\0';
    }
}

static int64_t own_group_limit(void)
{
    char line[1024];
    int64_t limit = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0) {
            limit = group_limit(line + 3);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return limit ? limit : read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
}

int64_t wr_reach_memory_limit(const char **out_whose)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    int64_t machine = pages > 0 && page > 0 ? (int64_t)pages * page : 0;
    int64_t group = own_group_limit();
    bool is_group = group && (!machine || group < machine);
    *out_whose = is_group ? "cgroup" : "machine";
    return is_group ? group : machine;
}
