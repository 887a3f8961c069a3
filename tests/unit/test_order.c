// SPDX-License-Identifier: MIT
// What goes through the control plane: orders and pauses, written and read again, whatever is in them;
// and the list of what is paused.
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "engine/pauses.h"
#include "model/order.h"

static struct wr_slice slice(const struct wr_text *text)
{
    return (struct wr_slice){ text->data, text->size };
}

/* --- orders --- */

static void an_order_is_read_as_it_was_written(void)
{
    for (int verb = 0; verb < WR_ORDER_VERBS; verb++) {
        struct wr_order order = { .verb = (enum wr_order_verb)verb,
                                  .wish = { "ada@host", "\"quotes\", \n and \xC3\xA9",
                                            1700000000123 },
                                  .token = "0123",
                                  .queue = "emails",
                                  .type = "email.digest",
                                  .option = "concurrency",
                                  .value = "8" };
        struct wr_order back;
        struct wr_text text = { 0 };
        wr_order_write(&order, &text);
        CU_ASSERT_EQUAL(wr_order_read(slice(&text), &back, NULL), WARREN_OK);
        CU_ASSERT_EQUAL(back.verb, order.verb);
        CU_ASSERT_STRING_EQUAL(back.wish.who, order.wish.who);
        CU_ASSERT_STRING_EQUAL(back.wish.why, order.wish.why);
        CU_ASSERT_EQUAL(back.wish.at_ms, order.wish.at_ms);
        CU_ASSERT_STRING_EQUAL(back.token, order.token);
        CU_ASSERT_STRING_EQUAL(back.queue, order.queue);
        CU_ASSERT_STRING_EQUAL(back.type, order.type);
        CU_ASSERT_STRING_EQUAL(back.option, order.option);
        CU_ASSERT_STRING_EQUAL(back.value, order.value);
        wr_text_done(&text);
    }
}

static void refuses(const char *json, const char *because)
{
    struct wr_order order;
    warren_error err = { .status = WARREN_OK };
    CU_ASSERT_EQUAL(wr_order_read(wr_slice_of(json), &order, &err), WARREN_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, because));
}

static void what_is_no_order_is_refused(void)
{
    char large[WR_ORDER_BYTES + 100];
    refuses("", "no JSON object");
    refuses("[]", "no JSON object");
    refuses("{\"order\":\"quiet\"", "no JSON object");
    refuses("{\"who\":\"ada\"}", "\"order\" is missing");
    refuses("{\"order\":\"quiet\"}", "\"who\" is missing");
    refuses("{\"order\":\"explode\",\"who\":\"ada\"}", "no order \"explode\"");
    refuses("{\"order\":7,\"who\":\"ada\"}", "no order \"7\"");
    refuses("{\"order\":\"quiet\",\"who\":[]}", "\"who\" is no text");
    refuses("{\"order\":\"quiet\",\"who\":\"a\\u0000b\"}", "\"who\" is no text");
    memset(large, ' ', sizeof large);
    large[sizeof large - 1] = '\0';
    refuses(large, "at most 16384");
    (void)snprintf(large, sizeof large, "{\"order\":\"quiet\",\"who\":\"%0*d\"}", 128, 1);
    refuses(large, "at most 127 bytes");
}

static void what_a_newer_sender_adds_is_left_alone(void)
{
    struct wr_order order;
    CU_ASSERT_EQUAL(
        wr_order_read(wr_slice_of("{\"order\":\"drain\",\"who\":\"ada\",\"new\":[1,{}]}"), &order,
                      NULL),
        WARREN_OK);
    CU_ASSERT_EQUAL(order.verb, WR_ORDER_DRAIN);
    CU_ASSERT_STRING_EQUAL(order.token, "");
}

/* --- pauses --- */

static struct wr_pause make_pause(const char *queue, const char *type, bool is_paused)
{
    struct wr_pause pause = { .wish = { .who = "ada" }, .is_paused = is_paused };
    (void)snprintf(pause.queue, sizeof pause.queue, "%s", queue);
    (void)snprintf(pause.type, sizeof pause.type, "%s", type);
    return pause;
}

static void a_pause_is_read_as_it_was_written(void)
{
    struct wr_pause pause = make_pause("emails", "email.digest", true);
    struct wr_pause back;
    struct wr_text text = { 0 };
    char key[300];
    wr_pause_write(&pause, &text);
    CU_ASSERT_EQUAL(wr_pause_read(slice(&text), &back, NULL), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(back.queue, "emails");
    CU_ASSERT_STRING_EQUAL(back.type, "email.digest");
    CU_ASSERT(back.is_paused);
    CU_ASSERT(wr_pause_key(key, sizeof key, &pause));
    CU_ASSERT_STRING_EQUAL(key, "state.emails/email.digest");
    pause.type[0] = '\0';
    CU_ASSERT(wr_pause_key(key, sizeof key, &pause));
    CU_ASSERT_STRING_EQUAL(key, "state.emails");
    memset(pause.queue, 'q', 250);
    CU_ASSERT_FALSE(wr_pause_key(key, sizeof key, &pause));
    wr_text_done(&text);
}

static void the_last_word_on_a_queue_holds(void)
{
    struct wr_list pauses = { 0 };
    struct wr_pause queue = make_pause("emails", "", true);
    struct wr_pause type = make_pause("emails", "email.digest", true);
    wr_pauses_note(&pauses, &queue, 0);
    wr_pauses_note(&pauses, &type, 0);
    wr_pauses_note(&pauses, &type, 0);
    CU_ASSERT_EQUAL(pauses.length, 2);
    CU_ASSERT_PTR_NOT_NULL(wr_pauses_find(&pauses, &queue));
    queue.is_paused = false;
    wr_pauses_note(&pauses, &queue, 0);
    CU_ASSERT_PTR_NULL(wr_pauses_find(&pauses, &queue));
    CU_ASSERT_PTR_NOT_NULL(wr_pauses_find(&pauses, &type));
    wr_pauses_done(&pauses);
}

static void an_older_word_that_comes_late_changes_nothing(void)
{
    struct wr_list pauses = { 0 };
    struct wr_pause begun = make_pause("emails", "", true);
    struct wr_pause ended = make_pause("emails", "", false);
    begun.wish.at_ms = 1000;
    ended.wish.at_ms = 2000;
    wr_pauses_note(&pauses, &begun, 1);
    CU_ASSERT_PTR_NOT_NULL(wr_pauses_find(&pauses, &begun));
    wr_pauses_note(&pauses, &ended, 2);
    wr_pauses_note(&pauses, &begun, 3); /* somebody said it again behind its end */
    CU_ASSERT_PTR_NULL(wr_pauses_find(&pauses, &begun));
    CU_ASSERT_EQUAL(wr_pauses_said_ms(&pauses, &begun), 2000);
    begun.wish.at_ms = 3000;
    wr_pauses_note(&pauses, &begun, 4);
    CU_ASSERT_PTR_NOT_NULL(wr_pauses_find(&pauses, &begun));
    wr_pauses_done(&pauses);
}

static void what_is_over_makes_room(void)
{
    struct wr_list pauses = { 0 };
    for (int i = 0; i < 1500; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "q%d", i);
        struct wr_pause pause = make_pause(name, "", i >= 1000);
        wr_pauses_note(&pauses, &pause, 0);
    }
    struct wr_pause last = make_pause("q1499", "", true);
    CU_ASSERT_EQUAL(pauses.length, 1000);
    CU_ASSERT_PTR_NOT_NULL(wr_pauses_find(&pauses, &last));
    wr_pauses_done(&pauses);
}

static void nobody_can_fill_the_memory_with_pauses(void)
{
    struct wr_list pauses = { 0 };
    for (int i = 0; i < 1500; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "q%d", i);
        struct wr_pause pause = make_pause(name, "", true);
        wr_pauses_note(&pauses, &pause, 0);
    }
    CU_ASSERT_EQUAL(pauses.length, 1000);
    wr_pauses_done(&pauses);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("order", NULL, NULL);
    CU_ADD_TEST(suite, an_order_is_read_as_it_was_written);
    CU_ADD_TEST(suite, what_is_no_order_is_refused);
    CU_ADD_TEST(suite, what_a_newer_sender_adds_is_left_alone);
    CU_ADD_TEST(suite, a_pause_is_read_as_it_was_written);
    CU_ADD_TEST(suite, the_last_word_on_a_queue_holds);
    CU_ADD_TEST(suite, an_older_word_that_comes_late_changes_nothing);
    CU_ADD_TEST(suite, what_is_over_makes_room);
    CU_ADD_TEST(suite, nobody_can_fill_the_memory_with_pauses);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
