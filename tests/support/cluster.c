// SPDX-License-Identifier: MIT
/*
 * DESIGN: as in live.c, all knowledge of how nodes are started and joined is in deploy/dev/broker;
 * here it is run, in the background where it takes long, so that a test can go on with its harm
 * meanwhile.
 */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"

enum { TEXT_BYTES = 1024, UNHEARD = -1 };

struct node {
    char *folder;
    char name[128]; /* Erlang's */
    pid_t starter;  /* the script that starts it, 0: none */
    bool is_up;
};

static struct {
    pid_t owner; /* a forked child must not take the nodes away */
    struct node nodes[CLUSTER_NODES];
    char url[TEXT_BYTES];
} cluster;

static void give_up(const char *what)
{
    fprintf(stderr, "cluster: %s\n", what);
    exit(1);
}

/* deploy/dev/broker with these words, up to NULL, in a process of its own. What it prints has the
 * password in it. */
static pid_t begin(int out, const char *words[])
{
    words[0] = getenv("WARREN_TEST_BROKER");
    pid_t child = words[0] ? fork() : -1;
    if (child < 0)
        give_up("no process");
    if (child > 0)
        return child;
    (void)dup2(out < 0 ? open("/dev/null", O_WRONLY) : out, STDOUT_FILENO);
    (void)execv(words[0], (char *const *)words);
    _exit(127);
}

static bool finish(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            give_up("a script is lost");
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What it prints; NULL when it fails. The caller frees it. */
static char *ask(const char *words[])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        give_up("no pipe");
    pid_t child = begin(ends[1], words);
    (void)close(ends[1]);
    FILE *file = fdopen(ends[0], "r");
    char *text = NULL;
    size_t size = 0;
    if (!file || getdelim(&text, &size, '\0', file) < 0)
        text = NULL;
    if (file)
        (void)fclose(file);
    if (finish(child) && text)
        return text;
    free(text);
    return NULL;
}

static void run(const char *command, const char *option, int node)
{
    const char *words[] = { NULL, command, "--dir", cluster.nodes[node].folder, option, NULL };
    if (!finish(begin(UNHEARD, words)))
        give_up(command);
}

static void clean_up(void)
{
    if (getpid() != cluster.owner)
        return;
    for (int node = 0; node < CLUSTER_NODES; node++) {
        if (cluster.nodes[node].starter)
            (void)finish(cluster.nodes[node].starter);
        if (node > 0)
            run("stop", "--purge", node);
    }
    cluster.owner = 0;
}

/* --- opening --- */

static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *print(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        give_up("out of memory");
    va_end(args);
    return text;
}

static void read_name(struct node *node)
{
    char *path = print("%s/state", node->folder);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "node=%127s", node->name) != 1)
        give_up("a node has no name");
    (void)fclose(file);
    free(path);
}

static void start_node(int number)
{
    struct node *first = &cluster.nodes[0], *node = &cluster.nodes[number];
    const char *words[] = { NULL, "start", "--join", first->folder, node->folder, NULL };
    node->folder = print("%s.%d", first->folder, number + 1);
    words[4] = node->folder;
    node->starter = begin(UNHEARD, words);
}

/* The first node's URL with the ports of the others behind its own. */
static void make_url(void)
{
    const char *url = live_url();
    const char *vhost = strrchr(url, '/');
    int length = snprintf(cluster.url, TEXT_BYTES, "%.*s", (int)(vhost - url), url);
    for (int node = 1; node < CLUSTER_NODES; node++) {
        const char *words[] = { NULL, "url", "--dir", cluster.nodes[node].folder, NULL };
        char *other = ask(words);
        const char *host = other ? strrchr(other, '@') : NULL;
        if (!host)
            give_up("a node has no URL");
        length += snprintf(cluster.url + length, TEXT_BYTES - (size_t)length, ",%.*s",
                           (int)strcspn(host + 1, "/"), host + 1);
        free(other);
    }
    (void)snprintf(cluster.url + length, TEXT_BYTES - (size_t)length, "%s", vhost);
}

void cluster_open(void)
{
    char *folder = live_file("");
    folder[strlen(folder) - 1] = '\0'; /* its slash */
    cluster.nodes[0] = (struct node){ .folder = folder, .is_up = true };
    cluster.owner = getpid();
    (void)atexit(clean_up);
    for (int node = 1; node < CLUSTER_NODES; node++)
        start_node(node);
    for (int node = 0; node < CLUSTER_NODES; node++) {
        if (node > 0 && !finish(cluster.nodes[node].starter))
            give_up("a node did not join");
        cluster.nodes[node].starter = 0;
        cluster.nodes[node].is_up = true;
        read_name(&cluster.nodes[node]);
    }
    make_url();
}

const char *cluster_url(void)
{
    return cluster.url;
}

/* --- harm --- */

static int first_that_is_up(void)
{
    for (int node = 0; node < CLUSTER_NODES; node++) {
        if (cluster_is_up(node))
            return node;
    }
    return -1;
}

static int number_of(const char *name)
{
    for (int node = 0; node < CLUSTER_NODES; node++) {
        size_t length = strlen(cluster.nodes[node].name);
        if (strncmp(name, cluster.nodes[node].name, length) == 0)
            return node;
    }
    return -1;
}

int cluster_leader(const char *queue)
{
    int node = first_that_is_up(), leader = -1;
    if (node < 0)
        return -1;
    const char *words[] = { NULL,          "ctl", "--dir",      cluster.nodes[node].folder, "-q",
                            "list_queues", "-p",  live_vhost(), "--no-table-headers",       "name",
                            "leader",      NULL };
    char *text = ask(words), *rest = NULL;
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strlen(queue);
        if (strncmp(line, queue, length) == 0 && line[length] == '\t')
            leader = number_of(line + length + 1);
    }
    free(text);
    return leader;
}

void cluster_kill(int node)
{
    run("kill", NULL, node);
    cluster.nodes[node].is_up = false;
}

void cluster_restart(int node)
{
    const char *words[] = { NULL, "restart", "--dir", cluster.nodes[node].folder, NULL };
    cluster.nodes[node].starter = begin(UNHEARD, words);
}

bool cluster_is_up(int node)
{
    struct node *one = &cluster.nodes[node];
    int status = 0;
    if (!one->starter || waitpid(one->starter, &status, WNOHANG) == 0)
        return one->is_up;
    one->starter = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        give_up("a node does not come back");
    one->is_up = true;
    return true;
}
