// SPDX-License-Identifier: MIT
/*
 * The checker of the fault runs: what it is for is to see what went wrong, so each thing that can go
 * wrong is told to it here.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "book.h"

static const struct book_limits no_limits;

/* A book with these lines, the last one NULL. */
static struct book *book_of(const char *const lines[])
{
    struct book *book = book_new();
    for (; *lines; lines++) {
        book_line(book, *lines);
    }
    return book;
}

static struct book_sum sum_of(const char *const lines[], const struct book_limits *limits)
{
    struct book *book = book_of(lines);
    struct book_sum sum;
    book_close(book, limits, &sum);
    CU_ASSERT_EQUAL(book_count(book, BOOK_BROKEN), 0);
    book_free(book);
    return sum;
}

static void a_job_that_ends_once_is_fine(void)
{
    const char *const lines[] = { "A a work 1 0", "C a 2", "S a work 3 7 1", "D a work 4 7", NULL };
    struct book_sum sum = sum_of(lines, &no_limits);
    CU_ASSERT_EQUAL(sum.lost + sum.unexpected + sum.duplicates + sum.reruns + sum.recovered, 0);
    CU_ASSERT_EQUAL(sum.answer_most_us, 1);
}

static void a_confirmed_job_without_an_end_is_lost(void)
{
    const char *const lines[] = { "A a work 1 0", "C a 2", "S a work 3 7 1", NULL };
    struct book_sum sum = sum_of(lines, &no_limits);
    CU_ASSERT_EQUAL(sum.lost, 1);
    CU_ASSERT_STRING_EQUAL(sum.example, "lost a");
}

static void an_unconfirmed_job_is_not_lost(void)
{
    const char *const lines[] = { "A a work 1 0", "U a 2 timeout", "A b work 1 0",
                                  "R b 2 unroutable", NULL };
    CU_ASSERT_EQUAL(sum_of(lines, &no_limits).lost, 0);
}

static void an_unknown_job_that_ends_is_recovered(void)
{
    const char *const lines[] = { "A a work 1 0", "U a 2 unknown", "S a work 3 7 1", "D a work 4 7",
                                  NULL };
    struct book_sum sum = sum_of(lines, &no_limits);
    CU_ASSERT_EQUAL(sum.recovered, 1);
    CU_ASSERT_EQUAL(sum.lost + sum.unexpected, 0);
}

static void a_job_that_nobody_published_is_unexpected(void)
{
    const char *const lines[] = { "S a work 3 7 1", "D a work 4 7", NULL };
    CU_ASSERT_EQUAL(sum_of(lines, &no_limits).unexpected, 1);
}

static void endings_too_many_are_duplicates(void)
{
    const char *const lines[] = { "A a work 1 0",   "C a 2",          "S a work 3 7 1",
                                  "D a work 4 7",   "S a work 5 8 1", "D a work 6 8",
                                  "S a work 7 8 1", "D a work 8 8",   NULL };
    struct book_sum sum = sum_of(lines, &no_limits);
    CU_ASSERT_EQUAL(sum.duplicates, 2);
    CU_ASSERT_EQUAL(sum.reruns, 2);
}

static void a_dead_letter_ends_a_job_and_counts_as_an_ending(void)
{
    const char *const lines[] = {
        "A a work 1 0", "C a 2", "A b work 1 0", "C b 2", "S b work 3 7 1", "D b work 4 7", NULL
    };
    struct book *book = book_of(lines);
    struct book_sum sum;
    CU_ASSERT_EQUAL(book_count(book, BOOK_OPEN), 1);
    book_dead(book, "a", "failed");
    book_dead(book, "b", "failed");
    book_dead(book, "", "bad_message");
    book_close(book, &no_limits, &sum);
    CU_ASSERT_EQUAL(book_count(book, BOOK_OPEN), 0);
    CU_ASSERT_EQUAL(book_count(book, BOOK_DEAD), 3);
    CU_ASSERT_EQUAL(book_dead_by(book, "failed"), 2);
    CU_ASSERT_EQUAL(sum.lost, 0);
    CU_ASSERT_EQUAL(sum.duplicates, 1);
    book_forget_dead(book);
    CU_ASSERT_EQUAL(book_count(book, BOOK_OPEN), 1);
    CU_ASSERT_EQUAL(book_count(book, BOOK_DEAD), 0);
    book_free(book);
}

static void overlaps_count_in_one_process_and_type(void)
{
    const char *const lines[] = { "A a w 1 0",    "A b w 1 0",    "A c w 1 0",    "A d o 1 0",
                                  "S a w 10 7 1", "S b w 11 7 1", "S c w 12 8 1", "S d o 12 7 1",
                                  "D a w 12 7",   "D b w 20 7",   "D d o 21 7",   NULL };
    const struct book_limits limits = { .type = "w", .at_once = 1 };
    struct book_sum sum = sum_of(lines, &limits);
    CU_ASSERT_EQUAL(sum.at_once_most, 2);
    CU_ASSERT_EQUAL(sum.over_limit, 1);
}

static void attempts_are_limited(void)
{
    const char *const lines[] = {
        "A a w 1 0",  "C a 2", "S a w 10 7 1", "F a w 11 7 1 fail", "S a w 50 7 2",
        "D a w 51 7", NULL
    };
    const struct book_limits limits = { .attempts = 1 };
    struct book_sum sum = sum_of(lines, &limits);
    CU_ASSERT_EQUAL(sum.over_attempts, 1);
    CU_ASSERT_EQUAL(sum.attempt_most, 2);
    CU_ASSERT_EQUAL(sum.reruns, 0);
}

static void runs_before_their_time_are_early(void)
{
    const char *const lines[] = { "A a w 1 0",
                                  "C a 2",
                                  "S a w 10 7 1",
                                  "F a w 20 7 1 fail",
                                  "S a w 5020 7 2",
                                  "D a w 5021 7",
                                  "A b w 1 9000",
                                  "C b 2",
                                  "S b w 8000 7 1",
                                  "D b w 8001 7",
                                  "A d w 1 9000",
                                  "C d 2",
                                  "S d w 8001 7 1",
                                  "D d w 8002 7",
                                  "A c w 1 9000",
                                  "C c 2",
                                  "S c w 9030 7 1",
                                  "D c w 9040 7",
                                  NULL };
    const struct book_limits enough = { .retry_least_us = 5999 };
    const struct book_limits more = { .retry_least_us = 6000 };
    CU_ASSERT_EQUAL(sum_of(lines, &enough).early, 1);
    CU_ASSERT_EQUAL(sum_of(lines, &more).early, 2);
    CU_ASSERT_EQUAL(sum_of(lines, &more).late_most_us, 30);
}

static void a_promised_job_must_end_unless_its_parent_died(void)
{
    const char *const lines[] = { "A a w 1 0",    "C a 2",      "S a w 10 7 1",
                                  "P a.f a w 11", "D a w 12 7", NULL };
    struct book *book = book_of(lines);
    struct book_sum sum;
    book_close(book, &no_limits, &sum);
    CU_ASSERT_EQUAL(sum.lost, 1);
    CU_ASSERT_STRING_EQUAL(sum.example, "lost a.f");
    book_dead(book, "a", "failed");
    book_close(book, &no_limits, &sum);
    CU_ASSERT_EQUAL(sum.lost, 0);
    book_free(book);
}

static void lines_that_say_nothing_are_counted(void)
{
    const char *const lines[] = { "X a 1", "A a w", "", "D a w 4 7", NULL };
    struct book *book = book_of(lines);
    CU_ASSERT_EQUAL(book_count(book, BOOK_BROKEN), 4);
    book_free(book);
}

static void write_text(int fd, const char *text)
{
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void a_file_is_read_as_it_grows(void)
{
    char path[] = "/tmp/warren-book.XXXXXX";
    int fd = mkstemp(path);
    struct book *book = book_new();
    CU_ASSERT_FATAL(fd >= 0);
    book_read(book, "/tmp/warren-book-that-is-not-there");
    write_text(fd, "A a w 1 0\nA b w 2");
    book_read(book, path);
    CU_ASSERT_EQUAL(book_count(book, BOOK_ATTEMPTED), 1);
    write_text(fd, " 0\n");
    book_read(book, path);
    book_read(book, path);
    CU_ASSERT_EQUAL(book_count(book, BOOK_ATTEMPTED), 2);
    CU_ASSERT_EQUAL(book_count(book, BOOK_BROKEN), 0);
    book_free(book);
    (void)close(fd);
    (void)unlink(path);
}

static void many_jobs_are_found_again(void)
{
    enum { JOBS = 30000 };
    char line[64];
    struct book *book = book_new();
    struct book_job job;
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(line, sizeof line, "A j-%d w 1 0", i);
        book_line(book, line);
        (void)snprintf(line, sizeof line, "C j-%d 2", i);
        book_line(book, line);
    }
    CU_ASSERT_EQUAL(book_count(book, BOOK_CONFIRMED), JOBS);
    CU_ASSERT_EQUAL(book_count(book, BOOK_OPEN), JOBS);
    CU_ASSERT(book_find(book, "j-29999", &job) && job.is_confirmed);
    CU_ASSERT_FALSE(book_find(book, "j-30000", &job));
    book_free(book);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("book", NULL, NULL);
    CU_ADD_TEST(suite, a_job_that_ends_once_is_fine);
    CU_ADD_TEST(suite, a_confirmed_job_without_an_end_is_lost);
    CU_ADD_TEST(suite, an_unconfirmed_job_is_not_lost);
    CU_ADD_TEST(suite, an_unknown_job_that_ends_is_recovered);
    CU_ADD_TEST(suite, a_job_that_nobody_published_is_unexpected);
    CU_ADD_TEST(suite, endings_too_many_are_duplicates);
    CU_ADD_TEST(suite, a_dead_letter_ends_a_job_and_counts_as_an_ending);
    CU_ADD_TEST(suite, overlaps_count_in_one_process_and_type);
    CU_ADD_TEST(suite, attempts_are_limited);
    CU_ADD_TEST(suite, runs_before_their_time_are_early);
    CU_ADD_TEST(suite, a_promised_job_must_end_unless_its_parent_died);
    CU_ADD_TEST(suite, lines_that_say_nothing_are_counted);
    CU_ADD_TEST(suite, a_file_is_read_as_it_grows);
    CU_ADD_TEST(suite, many_jobs_are_found_again);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
