// SPDX-License-Identifier: MIT
// The chaos proxy does what its calls say, and nothing of it when none was made. Both ends of each
// connection are sockets of this test, so every byte is seen.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy.h"

enum { MOST_MS = 10000, SHORT_MS = 60, MANY = 300000 };

/* A connection through the proxy: what the client has, and what the broker has. */
struct ends {
    int client, broker;
};

static struct proxy *proxy;
static int target;

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons((uint16_t)port) };
}

static int set_up(void)
{
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof address;
    target = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(target, (struct sockaddr *)&address, size) || listen(target, 16) ||
        getsockname(target, (struct sockaddr *)&address, &size))
        return 1;
    proxy = proxy_open(ntohs(address.sin_port));
    return 0;
}

static int tear_down(void)
{
    proxy_close(proxy);
    return close(target);
}

static bool is_ready(int fd, short events, int most_ms)
{
    struct pollfd polled = { .fd = fd, .events = events };
    return poll(&polled, 1, most_ms) == 1;
}

/* The client's socket, or -1. */
static int dial(void)
{
    struct sockaddr_in address = address_of(proxy_port(proxy));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static struct ends pick_up(void)
{
    struct ends ends = { .client = dial(), .broker = -1 };
    CU_ASSERT_FATAL(ends.client >= 0 && is_ready(target, POLLIN, MOST_MS));
    ends.broker = accept(target, NULL, NULL);
    return ends;
}

static void hang_up(struct ends ends)
{
    (void)close(ends.client);
    (void)close(ends.broker);
}

static void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Takes what comes until it is as long as `want`, and compares. */
static void hear(int fd, const char *want)
{
    char got[64] = "";
    size_t length = 0;
    while (length < strlen(want) && is_ready(fd, POLLIN, MOST_MS)) {
        ssize_t more = recv(fd, got + length, strlen(want) - length, 0);
        if (more <= 0)
            break;
        length += (size_t)more;
    }
    CU_ASSERT_STRING_EQUAL(got, want);
}

/* The next read: 0 for a FIN, -errno for an error, else how many bytes. */
static int next_read(int fd)
{
    char got[64];
    if (!is_ready(fd, POLLIN, MOST_MS))
        return -ETIMEDOUT;
    ssize_t length = recv(fd, got, sizeof got, 0);
    return length < 0 ? -errno : (int)length;
}

static void bytes_pass_both_ways_and_are_counted(void)
{
    struct proxy_counts before = proxy_counts(proxy);
    struct ends ends = pick_up();
    say(ends.client, "question");
    hear(ends.broker, "question");
    say(ends.broker, "answer");
    hear(ends.client, "answer");
    struct proxy_counts after = proxy_counts(proxy);
    CU_ASSERT_EQUAL(after.accepted, before.accepted + 1);
    CU_ASSERT_EQUAL(after.open, before.open + 1);
    CU_ASSERT_EQUAL(after.read[PROXY_TO_BROKER] - before.read[PROXY_TO_BROKER], 8);
    CU_ASSERT_EQUAL(after.written[PROXY_TO_CLIENT] - before.written[PROXY_TO_CLIENT], 6);
    CU_ASSERT_EQUAL(proxy_read(proxy, (int)before.accepted, PROXY_TO_CLIENT), 6);
    CU_ASSERT_EQUAL(proxy_read(proxy, 9999, PROXY_TO_CLIENT), 0);
    hang_up(ends);
}

static void the_end_of_one_side_is_the_end_of_the_other(void)
{
    struct ends ends = pick_up();
    say(ends.client, "last");
    (void)shutdown(ends.client, SHUT_WR);
    hear(ends.broker, "last");
    CU_ASSERT_EQUAL(next_read(ends.broker), 0);
    say(ends.broker, "still heard");
    hear(ends.client, "still heard");
    (void)close(ends.broker);
    CU_ASSERT_EQUAL(next_read(ends.client), 0);
    (void)close(ends.client);
}

static void much_more_than_it_holds_passes_unchanged(void)
{
    static unsigned char sent[MANY], got[MANY];
    struct ends ends = pick_up();
    size_t out = 0, in = 0;
    for (size_t i = 0; i < MANY; i++)
        sent[i] = (unsigned char)(i * 7 + i / 256);
    while (in < MANY) {
        ssize_t more = send(ends.client, sent + out, MANY - out, MSG_DONTWAIT | MSG_NOSIGNAL);
        out += more > 0 ? (size_t)more : 0;
        CU_ASSERT_FATAL(is_ready(ends.broker, POLLIN, MOST_MS));
        more = recv(ends.broker, got + in, MANY - in, 0);
        CU_ASSERT_FATAL(more > 0);
        in += (size_t)more;
    }
    CU_ASSERT_EQUAL(memcmp(sent, got, MANY), 0);
    hang_up(ends);
}

static void a_delay_holds_each_byte_so_long(void)
{
    struct ends ends = pick_up();
    proxy_delay(proxy, 120);
    int64_t start_ms = now_ms();
    say(ends.client, "late");
    hear(ends.broker, "late");
    CU_ASSERT(now_ms() - start_ms >= 120);
    say(ends.broker, "late too");
    hear(ends.client, "late too");
    CU_ASSERT(now_ms() - start_ms >= 240);
    proxy_pass(proxy);
    hang_up(ends);
}

static void a_rate_lets_so_many_bytes_through_in_a_second(void)
{
    enum { BYTES = 4000, RATE = 8000 };
    static char bytes[BYTES];
    struct ends ends = pick_up();
    proxy_rate(proxy, RATE);
    int64_t start_ms = now_ms();
    size_t got = 0;
    CU_ASSERT_EQUAL(send(ends.client, bytes, BYTES, 0), BYTES);
    while (got < BYTES && is_ready(ends.broker, POLLIN, MOST_MS))
        got += (size_t)recv(ends.broker, bytes, BYTES, 0);
    /* The last portion of 1/20 s is not waited for. */
    CU_ASSERT(now_ms() - start_ms >= 1000 * BYTES / RATE - 60);
    CU_ASSERT(now_ms() - start_ms < 3000 * BYTES / RATE);
    proxy_pass(proxy);
    hang_up(ends);
}

static void a_frozen_one_is_silent_but_its_kernel_is_not(void)
{
    struct ends ends = pick_up();
    proxy_freeze(proxy);
    say(ends.client, "kept");
    CU_ASSERT_FALSE(is_ready(ends.broker, POLLIN, SHORT_MS));
    int waiting = dial();
    CU_ASSERT(waiting >= 0);
    CU_ASSERT_FALSE(is_ready(target, POLLIN, SHORT_MS));
    proxy_thaw(proxy);
    hear(ends.broker, "kept");
    CU_ASSERT(is_ready(target, POLLIN, MOST_MS));
    (void)close(accept(target, NULL, NULL));
    (void)close(waiting);
    hang_up(ends);
}

/* Bytes that were sent and that the peer's kernel has not acknowledged. */
static int unacknowledged(int fd)
{
    int bytes = 0;
    CU_ASSERT_EQUAL(ioctl(fd, SIOCOUTQ, &bytes), 0);
    return bytes;
}

static void what_is_lost_is_not_acknowledged_until_the_cable_is_whole(void)
{
    struct ends ends = pick_up();
    say(ends.client, "a");
    hear(ends.broker, "a");
    proxy_lose(proxy, true);
    say(ends.client, "lost");
    CU_ASSERT_FALSE(is_ready(ends.broker, POLLIN, SHORT_MS));
    CU_ASSERT_EQUAL(unacknowledged(ends.client), 4);
    proxy_lose(proxy, false);
    hear(ends.broker, "lost"); /* sent again by the client's kernel */
    CU_ASSERT_EQUAL(unacknowledged(ends.client), 0);
    hang_up(ends);
}

static void what_is_dropped_never_arrives(void)
{
    struct ends ends = pick_up();
    uint64_t before = proxy_counts(proxy).dropped[PROXY_TO_BROKER];
    proxy_drop(proxy, PROXY_TO_BROKER, true);
    say(ends.client, "lost");
    CU_ASSERT_FALSE(is_ready(ends.broker, POLLIN, SHORT_MS));
    say(ends.broker, "other way");
    hear(ends.client, "other way");
    CU_ASSERT_EQUAL(proxy_counts(proxy).dropped[PROXY_TO_BROKER] - before, 4);
    proxy_drop(proxy, PROXY_TO_BROKER, false);
    say(ends.client, "seen");
    hear(ends.broker, "seen");
    hang_up(ends);
}

static void a_reset_is_felt_by_both_as_a_reset(void)
{
    struct ends first = pick_up(), second = pick_up();
    int number = (int)proxy_counts(proxy).accepted - 2;
    CU_ASSERT_EQUAL(proxy_reset(proxy, number), 1);
    CU_ASSERT_EQUAL(next_read(first.client), -ECONNRESET);
    CU_ASSERT_EQUAL(next_read(first.broker), -ECONNRESET);
    say(second.client, "unharmed");
    hear(second.broker, "unharmed");
    CU_ASSERT_EQUAL(proxy_reset(proxy, number), 0);
    CU_ASSERT_EQUAL(proxy_reset(proxy, PROXY_ALL), 1);
    CU_ASSERT_EQUAL(next_read(second.client), -ECONNRESET);
    CU_ASSERT_EQUAL(proxy_counts(proxy).open, 0);
    hang_up(first);
    hang_up(second);
}

static void a_half_close_leaves_the_other_way_open(void)
{
    struct ends ends = pick_up();
    CU_ASSERT_EQUAL(proxy_half_close(proxy, PROXY_ALL), 1);
    CU_ASSERT_EQUAL(next_read(ends.client), 0);
    say(ends.client, "to the broker");
    hear(ends.broker, "to the broker");
    say(ends.broker, "to nobody");
    (void)close(ends.client);
    CU_ASSERT_EQUAL(next_read(ends.broker), 0);
    (void)close(ends.broker);
}

static void a_cut_comes_after_exactly_so_many_bytes(void)
{
    proxy_cut(proxy, (struct proxy_point){ PROXY_EACH_NEW, PROXY_TO_BROKER, 3 });
    struct ends ends = pick_up();
    say(ends.client, "ab");
    hear(ends.broker, "ab");
    say(ends.client, "cdefg");
    hear(ends.broker, "c");
    CU_ASSERT_EQUAL(next_read(ends.broker), 0);
    CU_ASSERT(next_read(ends.client) <= 0);
    CU_ASSERT_EQUAL(proxy_counts(proxy).cuts, 1);
    proxy_pass(proxy);
    hang_up(ends);
}

static void a_cut_of_an_open_one_counts_from_now(void)
{
    struct ends cut = pick_up(), other = pick_up();
    int number = (int)proxy_counts(proxy).accepted - 2;
    say(cut.broker, "before");
    hear(cut.client, "before");
    proxy_cut(proxy, (struct proxy_point){ number, PROXY_TO_CLIENT, 0 });
    say(other.broker, "whole");
    hear(other.client, "whole");
    say(cut.broker, "x");
    CU_ASSERT_EQUAL(next_read(cut.client), 0);
    proxy_pass(proxy);
    hang_up(cut);
    hang_up(other);
}

static void one_byte_is_corrupted_and_no_other(void)
{
    proxy_corrupt(proxy, (struct proxy_point){ PROXY_EACH_NEW, PROXY_TO_CLIENT, 2 }, 'c' ^ 'X');
    struct ends ends = pick_up();
    say(ends.broker, "abcabc");
    hear(ends.client, "abXabc");
    say(ends.client, "abcabc");
    hear(ends.broker, "abcabc");
    CU_ASSERT_EQUAL(proxy_counts(proxy).corrupted, 1);
    proxy_pass(proxy);
    hang_up(ends);
}

static void who_is_refused_gets_no_connection_and_the_port_stays(void)
{
    int port = proxy_port(proxy);
    proxy_refuse(proxy, true);
    CU_ASSERT_EQUAL(dial(), -1);
    CU_ASSERT_EQUAL(errno, ECONNREFUSED);
    proxy_refuse(proxy, false);
    CU_ASSERT_EQUAL(proxy_port(proxy), port);
    hang_up(pick_up());
}

static void nobody_at_the_target_is_a_reset(void)
{
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof address;
    int unheard = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(bind(unheard, (struct sockaddr *)&address, size), 0);
    CU_ASSERT_EQUAL(getsockname(unheard, (struct sockaddr *)&address, &size), 0);
    struct proxy *lonely = proxy_open(ntohs(address.sin_port));
    address = address_of(proxy_port(lonely));
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL(next_read(fd), -ECONNRESET);
    (void)close(fd);
    (void)close(unheard);
    proxy_close(lonely);
}

static void a_url_gets_the_port_of_the_proxy(void)
{
    char want[64];
    char *url = proxy_url(proxy, "amqp://u:p@127.0.0.1:5672/v");
    (void)snprintf(want, sizeof want, "amqp://u:p@127.0.0.1:%d/v", proxy_port(proxy));
    CU_ASSERT_STRING_EQUAL(url, want);
    CU_ASSERT_EQUAL(proxy_port_of("amqp://u:p@127.0.0.1:5672/v"), 5672);
    free(url);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("proxy", set_up, tear_down);
    CU_ADD_TEST(suite, bytes_pass_both_ways_and_are_counted);
    CU_ADD_TEST(suite, the_end_of_one_side_is_the_end_of_the_other);
    CU_ADD_TEST(suite, much_more_than_it_holds_passes_unchanged);
    CU_ADD_TEST(suite, a_delay_holds_each_byte_so_long);
    CU_ADD_TEST(suite, a_rate_lets_so_many_bytes_through_in_a_second);
    CU_ADD_TEST(suite, a_frozen_one_is_silent_but_its_kernel_is_not);
    CU_ADD_TEST(suite, what_is_lost_is_not_acknowledged_until_the_cable_is_whole);
    CU_ADD_TEST(suite, what_is_dropped_never_arrives);
    CU_ADD_TEST(suite, a_reset_is_felt_by_both_as_a_reset);
    CU_ADD_TEST(suite, a_half_close_leaves_the_other_way_open);
    CU_ADD_TEST(suite, a_cut_comes_after_exactly_so_many_bytes);
    CU_ADD_TEST(suite, a_cut_of_an_open_one_counts_from_now);
    CU_ADD_TEST(suite, one_byte_is_corrupted_and_no_other);
    CU_ADD_TEST(suite, who_is_refused_gets_no_connection_and_the_port_stays);
    CU_ADD_TEST(suite, nobody_at_the_target_is_a_reset);
    CU_ADD_TEST(suite, a_url_gets_the_port_of_the_proxy);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
