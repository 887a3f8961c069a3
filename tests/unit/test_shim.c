// SPDX-License-Identifier: MIT
// The shim fails exactly the call that it is told to, and counts. This program is its own victim:
// started again under the shim, it makes the calls that its argument names and prints which failed.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS = 6 };

static char path[] = "/proc/self/exe";
static char folder[] = "/tmp/warren-shim-XXXXXX";
static char counts_path[64], marker_path[64];

/* --- the victim --- */

static bool try_memory(int i)
{
    void *kept = i % 3 == 0 ? malloc(10) : i % 3 == 1 ? calloc(1, 10) : realloc(NULL, 10);
    bool is_made = kept;
    free(kept);
    return is_made || errno != ENOMEM;
}

static bool try_call(const char *what, int i, int ends[2])
{
    if (strcmp(what, "malloc") == 0)
        return try_memory(i);
    if (strcmp(what, "write") == 0)
        return write(ends[0], "x", 1) == 1 || errno != ECONNRESET;
    if (strcmp(what, "send") == 0)
        return send(ends[0], "x", 1, 0) == 1 || errno != ECONNRESET;
    return fsync(ends[1]) == 0 || errno != EIO;
}

/* A letter a call: '.' it worked, 'x' it failed as the shim fails. */
static int be_victim(const char *what)
{
    static char seen[CALLS + 1];
    int ends[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || file < 0)
        return 1;
    ends[1] = strcmp(what, "fsync") == 0 ? file : ends[1];
    for (int i = 0; i < CALLS; i++) {
        seen[i] = try_call(what, i, ends) ? '.' : 'x';
        if (i == 2 && getenv("WARREN_SHIM_AFTER"))
            (void)close(open(getenv("WARREN_SHIM_AFTER"), O_CREAT | O_WRONLY, 0600));
    }
    return dprintf(STDOUT_FILENO, "%s", seen) < 0;
}

/* --- the test --- */

static int prepare(void)
{
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(counts_path, sizeof counts_path, "%s/counts", folder);
    (void)snprintf(marker_path, sizeof marker_path, "%s/marker", folder);
    return 0;
}

static int clean(void)
{
    (void)unlink(counts_path);
    (void)unlink(marker_path);
    return rmdir(folder);
}

static void become(const char *what, const char *wish, const char *after)
{
    char self[256] = "";
    (void)!readlink(path, self, sizeof self - 1);
    (void)setenv("LD_PRELOAD", SHIM, 1);
    (void)setenv("WARREN_SHIM", wish, 1);
    (void)setenv("WARREN_SHIM_COUNTS", counts_path, 1);
    if (after)
        (void)setenv("WARREN_SHIM_AFTER", after, 1);
    (void)execl(self, self, what, (char *)NULL);
    _exit(127);
}

/* What the victim prints under the shim. */
static void expect(const char *what, const char *wish, const char *after, const char *want)
{
    char got[64] = "";
    int ends[2], status = 0;
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    (void)unlink(marker_path);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        become(what, wish, after);
    }
    (void)close(ends[1]);
    (void)!read(ends[0], got, sizeof got - 1);
    (void)close(ends[0]);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_STRING_EQUAL(got, want);
}

/* A number of the line that the last victim left. */
static long counted(const char *name)
{
    char line[256] = "", last[256] = "";
    FILE *file = fopen(counts_path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file))
        memcpy(last, line, sizeof last);
    (void)fclose(file);
    const char *found = strstr(last, name);
    return found ? strtol(found + strlen(name), NULL, 10) : -1;
}

static void the_nth_call_fails_and_no_other(void)
{
    expect("malloc", "malloc:1", NULL, "x.....");
    expect("malloc", "malloc:2", NULL, ".x....");
    expect("malloc", "malloc:3", NULL, "..x...");
    expect("write", "write:4", NULL, "...x..");
    expect("send", "send:6", NULL, ".....x");
    expect("malloc", "malloc:7", NULL, "......");
}

static void every_nth_call_fails_and_kinds_are_apart(void)
{
    expect("write", "write:%2,send:1", NULL, ".x.x.x");
    CU_ASSERT_EQUAL(counted(" failed="), 3);
    CU_ASSERT_EQUAL(counted(" send="), 0);
}

static void an_fsync_fails(void)
{
    expect("fsync", "fsync:2", NULL, ".x....");
    CU_ASSERT_EQUAL(counted(" fsync="), CALLS);
    CU_ASSERT_EQUAL(counted(" failed="), 1);
}

static void before_the_marker_nothing_counts(void)
{
    expect("send", "send:2", marker_path, "....x.");
    CU_ASSERT_EQUAL(counted(" send="), CALLS - 3);
}

static void a_wish_that_is_none_is_refused(void)
{
    expect("send", "sned:2", NULL, "");
    expect("send", "send:0", NULL, "");
}

int main(int count, char **words)
{
    if (count > 1)
        return be_victim(words[1]);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("shim", prepare, clean);
    CU_ADD_TEST(suite, the_nth_call_fails_and_no_other);
    CU_ADD_TEST(suite, every_nth_call_fails_and_kinds_are_apart);
    CU_ADD_TEST(suite, an_fsync_fails);
    CU_ADD_TEST(suite, before_the_marker_nothing_counts);
    CU_ADD_TEST(suite, a_wish_that_is_none_is_refused);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
