// SPDX-License-Identifier: MIT
// DESIGN: publishes on Warren's public calls from N threads that share one publisher: without
// waiting (the window is the configuration's publish.window), or each waiting for its confirm. The
// measured time ends with the last confirm.
//
//     warren_publish --config FILE --type TYPE --count N [--threads N] [--blocking]
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "side.h"
#include "warren/warren.h"

enum { THREADS_MOST = 64 };

static struct {
    warren_publisher *publisher;
    const char *type;
    long count;
    long threads;
    bool is_blocking;
    atomic_long confirmed;
    sem_t is_complete;
    unsigned char body[SIDE_BODY_BYTES];
} sender;

static void confirmed(void *user, warren_status status, const warren_error *error)
{
    (void)user;
    if (status) {
        side_give_up("publish", error->text);
    }
    if (atomic_fetch_add_explicit(&sender.confirmed, 1, memory_order_relaxed) == sender.count - 1) {
        (void)sem_post(&sender.is_complete);
    }
}

static void publish_one(void)
{
    warren_error err;
    const warren_message message = { .type = sender.type,
                                     .body = sender.body,
                                     .body_size = sizeof sender.body };
    if (!sender.is_blocking) {
        if (warren_publish_async(sender.publisher, &message, confirmed, NULL, &err)) {
            side_give_up("publish", err.text);
        }
        return;
    }
    warren_status rc = warren_publish(sender.publisher, &message, &err);
    confirmed(NULL, rc, &err);
}

static void *send_share(void *user)
{
    long number = (long)(intptr_t)user;
    for (long i = number; i < sender.count; i += sender.threads) {
        publish_one();
    }
    return NULL;
}

static void send_all(void)
{
    pthread_t threads[THREADS_MOST] = { 0 };
    for (long i = 1; i < sender.threads; i++) {
        if (pthread_create(&threads[i], NULL, send_share, (void *)(intptr_t)i)) {
            side_give_up("publish", "no thread");
        }
    }
    (void)send_share(NULL);
    for (long i = 1; i < sender.threads; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    while (sem_wait(&sender.is_complete) != 0) {
        continue;
    }
}

int main(int argc, char **argv)
{
    warren_error err;
    (void)argc;
    sender.type = side_word(argv, "--type", "");
    sender.count = side_number(argv, "--count", 1);
    sender.threads = side_number(argv, "--threads", 1);
    sender.is_blocking = side_has(argv, "--blocking");
    (void)sem_init(&sender.is_complete, 0, 0);
    (void)memset(sender.body, 'w', sizeof sender.body);
    if (sender.threads < 1 || sender.threads > THREADS_MOST) {
        side_give_up("--threads", "from 1 to 64");
    }
    if (warren_publisher_open(&sender.publisher, side_word(argv, "--config", NULL), &err)) {
        side_give_up("open", err.text);
    }
    side_ready();
    struct side_moment first = side_moment();
    send_all();
    side_say_publishes(sender.count, first, side_moment());
    side_end();
    warren_publisher_close(sender.publisher);
    return 0;
}
