// SPDX-License-Identifier: MIT
// A whole message from a stranger: envelope, properties, headers, body. It becomes a job whatever it
// is; the job goes on (again, later, or dead) as a message that the broker takes, with its id, body
// and foreign headers, nothing of the broker's, and books that are one step further.
//
//   input: options, exchange, key (each with its length), size of the properties, properties, body
#include "fuzz.h"

#include "base/error.h"
#include "io/broker_amqp_state.h"
#include "model/job_key.h"
#include "model/letter.h"
#include "model/parcel.h"
#include "model/strip.h"

enum { FRAME_MOST = 131072, NAME_MOST = 236 };

static const int64_t now_ms = INT64_C(1700000000000);

static struct wr_settings settings = {
    .body_most = 4096, .headers_most = 64, .headers_bytes = 16384, .json_depth = 32
};
static char queue_name[] = "emails";
static struct wr_queue_settings queue = { .name = queue_name };
static char type_name[] = "email.welcome";
static struct wr_job_settings type = {
    .type = type_name, .retry = { .backoff = WR_BACKOFF_FIXED, .attempts = 5, .first_ms = 1000 }
};

/* Writing what was read makes the bytes that it was read from. */
static void check_properties(const struct wr_message *message, struct wr_slice raw)
{
    struct wr_text written = { 0 };
    wr_message_write(message, &written);
    MUST(!written.failed && written.size <= raw.size);
    MUST(memcmp(written.data, raw.data, written.size) == 0);
    wr_text_done(&written);
}

static void check_condemned(const struct warren_job *job)
{
    MUST(job->id.size);
    if (job->reason) {
        MUST(job->verdict == WARREN_DEAD && job->text && job->text[0]);
        MUST(strlen(job->text) <= 500 && wr_text_is_utf8(wr_slice_of(job->text)));
    } else {
        MUST(job->type.size && job->message->body.size <= (size_t)settings.body_most);
    }
    MUST(job->books.attempt >= 0 && job->books.crashes >= 0 && job->books.snoozes >= 0);
}

static void use_public_view(struct warren_job *job)
{
    size_t size;
    job->settings = &type;
    MUST(strlen(warren_job_id(job)) <= 255 && warren_job_attempt(job) >= 1);
    MUST(warren_job_max_attempts(job) >= 1 && warren_job_snoozes(job) >= 0);
    (void)warren_job_content_type(job);
    (void)warren_job_correlation_id(job);
    (void)warren_job_reply_to(job);
    (void)warren_job_enqueued_ms(job);
    (void)warren_job_header(job, "traceparent", &size);
    if (wr_job_check_json(job, settings.json_depth, NULL) == WARREN_OK) {
        (void)warren_job_string(job, "a");
    }
}

/* What goes on can be sent: rabbitmq-c takes it, and it fits into a frame. */
static void check_sendable(const struct wr_message *message)
{
    amqp_pool_t pool;
    amqp_table_t tree;
    struct wr_text properties = { 0 };
    init_amqp_pool(&pool, 4096);
    MUST(wr_amqp_table(message->headers, &pool, &tree, NULL) == WARREN_OK);
    wr_message_write(message, &properties);
    MUST(!properties.failed && properties.size < FRAME_MOST - 512);
    MUST(message->exchange.size <= 255 && message->key.size <= 255);
    MUST(!(message->present & (WR_EXPIRATION | WR_USER_ID | WR_CLUSTER_ID)));
    MUST(message->delivery_mode == 2);
    wr_text_done(&properties);
    empty_amqp_pool(&pool);
}

static void check_headers(struct wr_table headers)
{
    struct wr_field field;
    size_t offset = 0;
    while (wr_table_next(headers, &offset, &field)) {
        MUST(!wr_strip_is_broker_header(field.name));
    }
    MUST(offset == headers.size);
}

/* The next reader of a message that a good job became. */
static void check_next(const struct wr_message *message, const struct warren_job *before,
                       const struct wr_forward *how)
{
    struct wr_job_rules rules = { &settings, &queue, wr_slice_of("warren.jobs") };
    struct wr_message copy = *message;
    struct warren_job *job = wr_job_decode(&copy, &rules, now_ms);
    MUST(job && wr_slice_equals(job->id, before->id));
    MUST(wr_slice_equals(copy.body, before->message->body));
    if (!before->reason) {
        MUST(!job->reason && wr_slice_equals(job->type, before->type));
        MUST(job->books.attempt == before->books.attempt + (how->is_charged ? 1 : 0));
        MUST(job->books.crashes == before->books.crashes);
        MUST(job->books.max_attempts == before->books.max_attempts);
        MUST(job->books.expires_ms == before->books.expires_ms);
        MUST(job->books.foreign_bytes == before->books.foreign_bytes);
        MUST(wr_slice_equals(job->books.backoff, before->books.backoff));
    }
    wr_job_free(job);
}

static void check_letter(const struct wr_message *message, const struct wr_forward *how)
{
    const struct wr_letter_place place = { .ns = "warren", .queue = queue_name };
    struct wr_letter letter;
    MUST(wr_letter_read(&letter, message, &place) == WARREN_OK);
    MUST(strcmp(letter.data.reason, how->reason) == 0 && !letter.is_brokers);
    MUST(strcmp(letter.data.error, how->text) == 0 && letter.data.died_ms == now_ms);
    wr_letter_done(&letter);
}

static void forward(const struct warren_job *job, enum wr_forward_kind kind, const char *text)
{
    struct wr_forward how = { .kind = kind,
                              .ns = "warren",
                              .home = queue_name,
                              .is_charged = kind == WR_FORWARD_RETRY,
                              .delay_ms = kind == WR_FORWARD_DEAD ? 0 : 1125,
                              .reason = job->reason ? job->reason : "failed",
                              .text = kind == WR_FORWARD_SNOOZE ? NULL : text,
                              .worker = "worker-1",
                              .wall_ms = now_ms };
    struct wr_parcel parcel;
    MUST(wr_parcel_forward(&parcel, job, &how) == WARREN_OK);
    check_sendable(&parcel.message);
    check_headers(parcel.message.headers);
    check_next(&parcel.message, job, &how);
    if (kind == WR_FORWARD_DEAD) {
        check_letter(&parcel.message, &how);
    }
    MUST(wr_parcel_keep(&parcel) == WARREN_OK);
    wr_parcel_done(&parcel);
}

static void run(struct wr_message *message, unsigned options)
{
    struct wr_job_rules rules = { &settings, &queue, wr_slice_of("warren.jobs") };
    queue.default_type = options & 1 ? type_name : NULL;
    struct warren_job *job = wr_job_decode(message, &rules, now_ms);
    MUST(job);
    check_condemned(job);
    use_public_view(job);
    struct wr_job_key key;
    wr_job_key_make(&key, job);
    MUST(wr_job_key_is_whole(&key) && wr_job_key_equals(&key, &key) && wr_job_key_hash(&key));
    const char *text = job->text ? job->text : "smtp: gone";
    forward(job, WR_FORWARD_DEAD, text);
    forward(job, WR_FORWARD_RETRY, text);
    forward(job, WR_FORWARD_SNOOZE, text);
    wr_job_free(job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    unsigned options = fuzz_byte(&input);
    struct wr_slice exchange = fuzz_slice(&input);
    struct wr_slice key = fuzz_slice(&input);
    size_t properties = (size_t)fuzz_byte(&input) << 8;
    struct wr_slice raw = fuzz_take(&input, properties | fuzz_byte(&input));
    struct wr_message message;
    warren_error err = { 0 };
    if (size > FRAME_MOST) {
        return -1; /* no frame holds it */
    }
    if (wr_message_read(&message, raw, &err)) {
        MUST(err.status == WARREN_INVALID && fuzz_is_printable(err.text));
        return 0;
    }
    check_properties(&message, raw);
    message.exchange = exchange;
    message.key = key;
    message.body = fuzz_take(&input, input.size);
    run(&message, options);
    return 0;
}
