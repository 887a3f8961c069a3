// SPDX-License-Identifier: MIT
/*
 * DESIGN: the receiver of the demo's webhooks, and no more than that: one thread, one request a
 * connection, on a free port of 127.0.0.1. It prints its URL, answers 503 to the first REFUSE
 * requests and 200 afterwards, 404 to "/missing" always, and appends a line to LOG for each answer:
 * `<status> <path> <idempotency key>`. A request has 2 seconds and 64 KiB. Ends with its parent.
 *
 *     webhook_server REFUSE LOG
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST_MOST 65536

struct request {
    char path[256];
    char key[300];
};

/* Whether `text` holds a whole request: the head, and as much body as it says. */
static bool is_whole(const char *text, size_t length)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return false;
    const char *said = strcasestr(text, "\r\nContent-Length:");
    size_t body = said && said < end ? strtoul(said + 17, NULL, 10) : 0;
    return length - (size_t)(end + 4 - text) >= body;
}

/* Reads and understands one request; false when it is too long, too late or none. */
static bool read_request(int client, struct request *out)
{
    static char text[REQUEST_MOST + 1];
    size_t length = 0;

    text[0] = '\0';
    while (!is_whole(text, length)) {
        ssize_t got = recv(client, text + length, REQUEST_MOST - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        text[length] = '\0';
    }
    out->key[0] = '\0';
    const char *key = strcasestr(text, "\r\nIdempotency-Key: ");
    if (key)
        (void)sscanf(key + 19, "%299[^\r\n]", out->key);
    return sscanf(text, "POST %255s HTTP/1.", out->path) == 1;
}

static int choose_status(const struct request *request, long *refuse)
{
    if (!strcmp(request->path, "/missing"))
        return 404;
    if (*refuse <= 0)
        return 200;
    --*refuse;
    return 503;
}

static void serve(int client, long *refuse, FILE *log)
{
    const struct timeval patience = { .tv_sec = 2 };
    struct request request;
    char answer[128];

    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!read_request(client, &request))
        return;
    int status = choose_status(&request, refuse);
    (void)fprintf(log, "%d %s %s\n", status, request.path, request.key);
    (void)fflush(log);
    int length =
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 %d Demo\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
    (void)send(client, answer, (size_t)length, MSG_NOSIGNAL);
}

/* A listening socket on a free port of the loopback; prints its URL. */
static int listen_somewhere(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET };
    socklen_t size = sizeof here;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (server < 0 || bind(server, (struct sockaddr *)&here, sizeof here) || listen(server, 64) ||
        getsockname(server, (struct sockaddr *)&here, &size))
        return -1;
    printf("http://127.0.0.1:%d\n", ntohs(here.sin_port));
    return fflush(stdout) ? -1 : server;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: webhook_server REFUSE LOG\n", stderr);
        return 2;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    long refuse = strtol(argv[1], NULL, 10);
    FILE *log = fopen(argv[2], "we");
    int server = log ? listen_somewhere() : -1;
    if (server < 0) {
        perror("webhook_server");
        return 1;
    }
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (client < 0)
            continue;
        serve(client, &refuse, log);
        (void)close(client);
    }
}
