// SPDX-License-Identifier: MIT
// DESIGN: a real publisher that writes down what it asks for and what it is told. It keeps a window
// of unanswered publishes; what ends unknown or refused may be published again under the same id, as
// somebody with an outbox would. The environment tells it everything:
//
//     FAULT_CONFIG  FAULT_LEDGER           paths
//     FAULT_PREFIX                         of the ids: <prefix>-<n>
//     FAULT_SEED                           of the random delays
//     FAULT_TYPE  FAULT_BODY  FAULT_ODD_BODY  FAULT_ODD_EVERY
//     FAULT_COUNT  FAULT_RATE  FAULT_WINDOW
//     FAULT_DELAY_MS  FAULT_DELAY_SPREAD_MS  FAULT_EXPIRES_MS  FAULT_REPUBLISH_MS
//
// Ends with 0 when every job is confirmed, with 3 when some are not, else with the library's code.
#include <pthread.h>
#include <stdbool.h>

#include "ledger.h"
#include "warren/warren.h"

enum { UNANSWERED_EXIT = 3, OPEN_PAUSE_MS = 50 };

enum state { STATE_NEW, STATE_ASKED, STATE_AGAIN, STATE_CONFIRMED };

struct source;

struct item {
    struct source *source;
    int index;
    enum state state;
    int64_t due_us; /* chosen at the first publish */
};

struct source {
    warren_publisher *publisher;
    int ledger;
    const char *prefix;
    const char *type;
    const char *body;
    const char *odd_body;
    long odd_every;
    long count;
    long rate;
    long window;
    long delay_ms;
    long delay_spread_ms;
    long expires_ms;
    int64_t began_us;
    int64_t until_us; /* of publishing again */
    uint64_t random;
    struct item *items;
    pthread_mutex_t lock; /* over the states and `asked` */
    pthread_cond_t answered;
    long asked;
};

static const char *setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

static long number(const char *name)
{
    return atol(setting(name, "0"));
}

static void pass_us(int64_t us)
{
    struct timespec time = { us / 1000000, (us % 1000000) * 1000 };
    if (us > 0) {
        (void)nanosleep(&time, NULL);
    }
}

static void note_answer(struct item *item, warren_status status)
{
    const struct source *source = item->source;
    bool is_unknown =
        status == WARREN_TIMEOUT || status == WARREN_UNKNOWN || status == WARREN_CLOSED;
    long long now_us = ledger_now_us();
    if (!status) {
        ledger_write(source->ledger, "C %s-%d %lld", source->prefix, item->index, now_us);
        return;
    }
    ledger_write(source->ledger, "%c %s-%d %lld %s", is_unknown ? 'U' : 'R', source->prefix,
                 item->index, now_us, warren_status_name(status));
}

static void answered(void *user, warren_status status, const warren_error *error)
{
    struct item *item = user;
    struct source *source = item->source;
    (void)error;
    note_answer(item, status);
    (void)pthread_mutex_lock(&source->lock);
    item->state = status ? STATE_AGAIN : STATE_CONFIRMED;
    source->asked--;
    (void)pthread_cond_signal(&source->answered);
    (void)pthread_mutex_unlock(&source->lock);
}

static void wait_until_asked(struct source *source, long most)
{
    (void)pthread_mutex_lock(&source->lock);
    while (source->asked > most) {
        (void)pthread_cond_wait(&source->answered, &source->lock);
    }
    (void)pthread_mutex_unlock(&source->lock);
}

/* splitmix64 */
static uint64_t next_random(struct source *source)
{
    uint64_t z = source->random += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static int64_t choose_delay_ms(struct source *source, const struct item *item)
{
    if (item->due_us) { /* again: what is left of it */
        int64_t left_ms = (item->due_us - ledger_now_us()) / 1000 + 1;
        return left_ms > 1 ? left_ms : 1;
    }
    int64_t spread_ms = source->delay_spread_ms
                            ? (int64_t)(next_random(source) % (uint64_t)source->delay_spread_ms)
                            : 0;
    return source->delay_ms + spread_ms;
}

static const char *body_of(const struct source *source, const struct item *item)
{
    bool is_odd = source->odd_every && item->index % source->odd_every == source->odd_every - 1;
    return is_odd ? source->odd_body : source->body;
}

static void publish(struct source *source, struct item *item)
{
    char id[128];
    warren_error err;
    bool is_delayed = source->delay_ms || source->delay_spread_ms;
    int64_t delay_ms = is_delayed ? choose_delay_ms(source, item) : 0;
    int64_t now_us = ledger_now_us();
    if (is_delayed && !item->due_us) {
        item->due_us = now_us + delay_ms * 1000;
    }
    (void)snprintf(id, sizeof id, "%.100s-%d", source->prefix, item->index);
    warren_message message = { .type = source->type,
                               .body = body_of(source, item),
                               .id = id,
                               .delay_ms = delay_ms,
                               .expires_ms = source->expires_ms };
    ledger_write(source->ledger, "A %s %s %lld %lld", id, source->type, (long long)now_us,
                 (long long)item->due_us);
    item->state = STATE_ASKED;
    (void)pthread_mutex_lock(&source->lock);
    source->asked++;
    (void)pthread_mutex_unlock(&source->lock);
    warren_status rc = source->window == 1 ? warren_publish(source->publisher, &message, &err)
                                           : warren_publish_async(source->publisher, &message,
                                                                  answered, item, &err);
    if (rc || source->window == 1) {
        answered(item, rc, NULL);
    }
}

static void keep_rate(const struct source *source, long published)
{
    if (source->rate) {
        pass_us(source->began_us + published * 1000000 / source->rate - ledger_now_us());
    }
}

/* Publishes those in that state, and waits for all answers. */
static void publish_all(struct source *source, enum state state)
{
    for (long i = 0; i < source->count; i++) {
        if (source->items[i].state == state) {
            publish(source, &source->items[i]);
            wait_until_asked(source, source->window - 1);
            keep_rate(source, i + 1);
        }
    }
    wait_until_asked(source, 0);
}

static long count_unconfirmed(const struct source *source)
{
    long count = 0;
    for (long i = 0; i < source->count; i++) {
        count += source->items[i].state != STATE_CONFIRMED;
    }
    return count;
}

static void work(struct source *source)
{
    publish_all(source, STATE_NEW);
    while (count_unconfirmed(source) && ledger_now_us() < source->until_us) {
        pass_us(OPEN_PAUSE_MS * 1000);
        publish_all(source, STATE_AGAIN);
    }
}

static warren_status open_publisher(struct source *source, warren_error *err)
{
    warren_status rc;
    while ((rc = warren_publisher_open(&source->publisher, getenv("FAULT_CONFIG"), err)) ==
               WARREN_UNREACHABLE &&
           ledger_now_us() < source->until_us) {
        pass_us(OPEN_PAUSE_MS * 1000);
    }
    return rc;
}

static void read_settings(struct source *source)
{
    source->prefix = setting("FAULT_PREFIX", "job");
    source->type = setting("FAULT_TYPE", "work");
    source->body = setting("FAULT_BODY", "{\"do\":\"done\"}");
    source->odd_body = setting("FAULT_ODD_BODY", source->body);
    source->odd_every = number("FAULT_ODD_EVERY");
    source->count = number("FAULT_COUNT");
    source->rate = number("FAULT_RATE");
    source->window = number("FAULT_WINDOW") > 0 ? number("FAULT_WINDOW") : 100;
    source->delay_ms = number("FAULT_DELAY_MS");
    source->delay_spread_ms = number("FAULT_DELAY_SPREAD_MS");
    source->expires_ms = number("FAULT_EXPIRES_MS");
    source->random = strtoull(setting("FAULT_SEED", "1"), NULL, 10);
    source->began_us = ledger_now_us();
    source->until_us = source->began_us + number("FAULT_REPUBLISH_MS") * 1000;
    source->ledger = ledger_open(getenv("FAULT_LEDGER"));
}

static void print_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)fprintf(stderr, "%lld %d %s %s\n", (long long)ledger_now_us(), level, event, fields);
}

int main(void)
{
    struct source source = { .lock = PTHREAD_MUTEX_INITIALIZER,
                             .answered = PTHREAD_COND_INITIALIZER };
    warren_error err = { .status = WARREN_OK };
    (void)setvbuf(stderr, NULL, _IOLBF, 0);
    read_settings(&source);
    warren_log_to(print_line, NULL, (int)atol(setting("FAULT_LOG", "2")));
    source.items = calloc((size_t)source.count + 1, sizeof *source.items);
    if (!source.items) {
        return 1;
    }
    for (long i = 0; i < source.count; i++) {
        source.items[i] = (struct item){ .source = &source, .index = (int)i };
    }
    warren_status rc = open_publisher(&source, &err);
    if (rc) {
        (void)fprintf(stderr, "fault_source: %s\n", err.text);
        free(source.items);
        return warren_exit_code(rc);
    }
    work(&source);
    warren_publisher_close(source.publisher);
    long left = count_unconfirmed(&source);
    free(source.items);
    return left ? UNANSWERED_EXIT : 0;
}
