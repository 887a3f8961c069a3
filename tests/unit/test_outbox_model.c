// SPDX-License-Identifier: MIT
// The outbox and its confirm window in random programs against a model of the broker: confirms out
// of order, for many at once, twice, for numbers that nobody published; messages returned before
// their ack; nacks; channels lost with everything under way. Each request is answered exactly once,
// with what the broker did, and what insists is never given up. A failing seed is printed and
// replays: test_outbox_model --seed 7 tells it step by step.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/outbox.h"
#include "seeded.h"

enum { PROGRAMS = 4000, STEPS = 250, REQUESTS = 120, NUMBERS_MOST = 4000 };

/* What the broker does with a publish. */
enum fate { NOTHING, TAKES, RETURNS, NACKS };

struct asked {
    struct wr_request request;
    char id[16];
    int answers;
    warren_status status;
    bool was_taken;   /* the broker has confirmed it */
    bool was_refused; /* the broker has returned or nacked it */
    int sent;
};

/* A publish on the channel that is open now. */
struct number {
    struct asked *asked;
    enum fate fate;
    bool is_told; /* its return */
    bool is_over;
};

static struct {
    struct wr_outbox outbox;
    struct asked asked[REQUESTS];
    size_t count;
    struct number numbers[NUMBERS_MOST + 1]; /* by the channel's count, from 1 on */
    uint64_t last;
    struct asked *again[NUMBERS_MOST]; /* what goes first since the channel was lost, in order */
    size_t again_next;
    size_t again_count;
    int64_t now_us;
    bool tells;
    bool closes;
    char failure[200];
} model;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    if (model.tells) {
        va_list args;
        va_start(args, format);
        printf("  %9.3f ms  ", (double)model.now_us / 1e3);
        (void)vprintf(format, args);
        printf("\n");
        va_end(args);
    }
}

static void fail(const char *what, const struct asked *asked)
{
    int at = asked ? (int)(asked - model.asked) : -1;
    tell("*** %s: request %d", what, at);
    if (!model.failure[0]) {
        (void)snprintf(model.failure, sizeof model.failure, "%s: request %d", what, at);
    }
}

/* --- answers --- */

static void check_answer(const struct asked *asked, warren_status status)
{
    bool is_over = model.now_us >= asked->request.deadline_us;
    if (status == WARREN_OK && !asked->was_taken) {
        fail("confirmed, but the broker has not confirmed it", asked);
    } else if ((status == WARREN_NACKED || status == WARREN_UNROUTABLE) && !asked->was_refused) {
        fail("refused, but the broker has not refused it", asked);
    } else if (status == WARREN_TIMEOUT && (asked->sent || !is_over)) {
        fail("given up as never sent", asked);
    } else if (status == WARREN_UNKNOWN && (!asked->sent || (!is_over && !model.closes))) {
        fail("given up as unknown", asked);
    } else if (status && asked->request.insists && !model.closes) {
        fail("given up, though it insists", asked);
    } else if (status == WARREN_CLOSED && (asked->sent || !model.closes)) {
        fail("given up as closed", asked);
    }
}

static void take_answer(struct wr_request *request, warren_status status, const warren_error *error)
{
    struct asked *asked = WR_OF(request, struct asked, request);
    (void)error;
    tell("request %d is answered: %d", (int)(asked - model.asked), status);
    if (asked->answers++) {
        fail("answered twice", asked);
    }
    asked->status = status;
    check_answer(asked, status);
}

/* --- asking and sending --- */

static void ask(void)
{
    if (model.count == REQUESTS) {
        return;
    }
    struct asked *asked = &model.asked[model.count];
    struct wr_message *message = &asked->request.parcel.message;
    bool is_twin = below(4) == 0; /* some share their id and place */
    (void)snprintf(asked->id, sizeof asked->id, "id-%zu", is_twin ? 0 : model.count);
    message->message_id = wr_slice_of(asked->id);
    message->exchange = wr_slice_of("jobs");
    message->key = wr_slice_of(below(5) ? "somewhere" : "nowhere");
    asked->request.insists = below(3) == 0;
    asked->request.deadline_us = model.now_us + 1 + below(400000);
    asked->request.done = take_answer;
    tell("request %zu%s to %.*s", model.count, asked->request.insists ? " insists and goes" : "",
         WR_SLICE(message->key));
    model.count++;
    struct wr_list fresh = { 0 };
    wr_list_push(&fresh, &asked->request.link);
    wr_outbox_take(&model.outbox, fresh, model.now_us);
}

/* What was sent on a lost channel is sent again first, in its order. */
static void check_order(const struct asked *asked)
{
    while (model.again_next < model.again_count && model.again[model.again_next]->answers) {
        model.again_next++;
    }
    if (model.again_next < model.again_count && model.again[model.again_next++] != asked) {
        fail("sent before what was sent before", asked);
    }
}

static void send_some(unsigned most)
{
    struct wr_request *request;
    wr_outbox_take(&model.outbox, (struct wr_list){ 0 }, model.now_us);
    while (most-- && model.last < NUMBERS_MOST && (request = wr_outbox_next(&model.outbox))) {
        struct asked *asked = WR_OF(request, struct asked, request);
        bool has_queue = wr_slice_is(request->parcel.message.key, "somewhere");
        if (below(10) == 0) {
            tell("request %d can't be sent now", (int)(asked - model.asked));
            wr_outbox_put_back(&model.outbox, request);
            return;
        }
        check_order(asked);
        if (asked->answers) {
            fail("sent after its answer", asked);
        }
        enum fate fate = !has_queue ? RETURNS : below(6) ? TAKES : NACKS;
        asked->sent++;
        model.numbers[++model.last] = (struct number){ .asked = asked, .fate = fate };
        tell("request %d is sent as %llu, fate %d", (int)(asked - model.asked),
             (unsigned long long)model.last, fate);
        wr_outbox_sent(&model.outbox, request, model.now_us);
    }
}

/* --- the broker --- */

static void emit(enum wr_event_kind kind, uint64_t tag, bool multiple)
{
    struct wr_event event = { .kind = kind, .channel = 1, .tag = tag, .multiple = multiple };
    tell("broker %s %llu%s", kind == WR_EVENT_ACKED ? "acks" : "nacks", (unsigned long long)tag,
         multiple ? " and all below" : "");
    wr_outbox_resolve(&model.outbox, &event, model.now_us);
}

static void emit_return(struct number *number)
{
    const struct wr_message *message = &number->asked->request.parcel.message;
    char *body;
    struct wr_event event = { .kind = WR_EVENT_RETURNED, .channel = 1 };
    struct wr_text properties = { 0 };
    struct wr_message said = { .present = WR_MESSAGE_ID, .message_id = message->message_id };
    wr_message_write(&said, &properties);
    struct wr_slice raw = { properties.data, properties.size };
    if (wr_delivery_new(&event.delivery, message->exchange, message->key, raw, 0, &body)) {
        fail("no memory", number->asked);
    } else {
        tell("broker returns request %d", (int)(number->asked - model.asked));
        wr_outbox_resolve(&model.outbox, &event, model.now_us);
    }
    number->is_told = true;
    wr_text_done(&properties);
}

static void settle_number(struct number *number)
{
    number->is_over = true;
    number->asked->was_taken = number->asked->was_taken || number->fate == TAKES;
    number->asked->was_refused = number->asked->was_refused || number->fate != TAKES;
}

/* Whether all open numbers up to this one end in the same kind of confirm. */
static bool is_uniform(uint64_t upto)
{
    for (uint64_t i = 1; i < upto; i++) {
        const struct number *number = &model.numbers[i];
        bool differs = (number->fate == NACKS) != (model.numbers[upto].fate == NACKS);
        if (!number->is_over && differs) {
            return false;
        }
    }
    return true;
}

/* Returns come in the order of the publishes, confirms in any. */
static void confirm_one(uint64_t tag, bool multiple)
{
    for (uint64_t i = 1; i <= tag; i++) {
        struct number *number = &model.numbers[i];
        if (!number->is_over && number->fate == RETURNS && !number->is_told) {
            emit_return(number);
        }
    }
    for (uint64_t i = multiple ? 1 : tag; i <= tag; i++) {
        if (!model.numbers[i].is_over) {
            settle_number(&model.numbers[i]);
        }
    }
    emit(model.numbers[tag].fate == NACKS ? WR_EVENT_NACKED : WR_EVENT_ACKED, tag, multiple);
}

static void confirm(void)
{
    uint64_t tag = model.last ? 1 + below((unsigned)model.last) : 0;
    if (!tag || model.numbers[tag].is_over) {
        return;
    }
    confirm_one(tag, below(3) == 0 && is_uniform(tag));
}

/* What no good broker says: a number again, or one that was never published. */
static void confirm_wrongly(void)
{
    uint64_t tag = below((unsigned)model.last + 4);
    bool is_known = tag && tag <= model.last;
    if (!is_known || model.numbers[tag].is_over) {
        emit(below(2) ? WR_EVENT_ACKED : WR_EVENT_NACKED, tag, false);
    }
}

static void lose_channel(void)
{
    tell("the channel is lost");
    size_t open = 0;
    for (uint64_t i = 1; i <= model.last; i++) {
        const struct number *number = &model.numbers[i];
        if (!number->is_over && !number->asked->answers) {
            model.again[open++] = number->asked;
        }
    }
    model.again_next = 0;
    model.again_count = open;
    if (wr_outbox_rewind(&model.outbox) != open) {
        fail("another number of requests is to be sent again", NULL);
    }
    model.last = 0;
}

static void pass(void)
{
    model.now_us += below(60000);
    tell("time passes");
    wr_outbox_expire(&model.outbox, model.now_us);
}

static void take_step(void)
{
    unsigned kind = below(100);
    if (kind < 25) {
        ask();
    } else if (kind < 50) {
        send_some(1 + below(6));
    } else if (kind < 80) {
        confirm();
    } else if (kind < 86) {
        confirm_wrongly();
    } else if (kind < 98) {
        pass();
    } else {
        lose_channel();
    }
}

/* The broker answers everything; what insists and was refused goes again until it is taken. */
static void drain(void)
{
    for (int round = 0; round < 400 && !wr_outbox_is_empty(&model.outbox); round++) {
        send_some(UINT16_MAX);
        for (uint64_t tag = 1; tag <= model.last; tag++) {
            if (!model.numbers[tag].is_over) {
                confirm_one(tag, false);
            }
        }
        model.now_us += 200000;
        wr_outbox_expire(&model.outbox, model.now_us);
        for (size_t i = 0; i < model.count; i++) { /* every type finds its queue in the end */
            model.asked[i].request.parcel.message.key = wr_slice_of("somewhere");
        }
    }
}

static void check_end(void)
{
    for (size_t i = 0; i < model.count; i++) {
        if (model.asked[i].answers != 1) {
            fail("never answered", &model.asked[i]);
        }
    }
}

static const char *play(uint64_t seed, bool tells)
{
    memset(&model, 0, sizeof model);
    seeded_start(seed);
    model.tells = tells;
    if (wr_window_init(&model.outbox.window, 1 + below(below(2) ? 4 : 64), NULL)) {
        fail("no memory", NULL);
    }
    for (int i = 0; i < STEPS && !model.failure[0]; i++) {
        take_step();
    }
    bool is_cut_short = below(3) == 0;
    if (!is_cut_short && !model.failure[0]) {
        drain();
    }
    model.closes = is_cut_short;
    wr_outbox_close(&model.outbox);
    check_end();
    wr_window_done(&model.outbox.window);
    return model.failure;
}

static void every_request_is_answered_once_and_truly(void)
{
    seeded_play_all("test_outbox_model", play, PROGRAMS);
}

int main(int count, char **words)
{
    CU_TestInfo tests[] = { { "every_request_is_answered_once_and_truly",
                              every_request_is_answered_once_and_truly },
                            CU_TEST_INFO_NULL };
    return seeded_main(count, words, play, "outbox against a model", tests);
}
