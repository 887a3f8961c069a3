// SPDX-License-Identifier: MIT
// What a process was running is found in its file after its death, and nothing else is.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "io/ledger_layout.h"
#include "state_folder.h"

enum { FILE_MOST = WR_LEDGER_HEADER_SIZE + 8 * WR_LEDGER_SLOT_SIZE };

static struct wr_ledger_run runs[8];
static size_t run_count;
static _Alignas(4096) char bytes[FILE_MOST];

static void note(void *user, const struct wr_ledger_run *run)
{
    (void)user;
    runs[run_count++] = *run;
}

static warren_status read_bytes(size_t size)
{
    run_count = 0;
    return wr_ledger_read(bytes, size, note, NULL, NULL);
}

/* What stands in the file now. */
static size_t load(void)
{
    int fd = open(state_file(".ledger"), O_RDONLY);
    ssize_t size = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    return size > 0 ? (size_t)size : 0;
}

static warren_status read_file(void)
{
    return read_bytes(load());
}

static struct wr_ledger_slot *slot(int index)
{
    return (struct wr_ledger_slot *)(void *)(bytes + WR_LEDGER_HEADER_SIZE +
                                             (size_t)index * WR_LEDGER_SLOT_SIZE);
}

static struct wr_ledger_header *header(void)
{
    return (struct wr_ledger_header *)(void *)bytes;
}

/* --- writing --- */

static void a_run_stands_in_the_file_until_its_handler_returns(void)
{
    state_make();
    struct wr_ledger *ledger = state_ledger(3);
    struct warren_job one = state_job("one");
    struct warren_job two = state_job("two");
    wr_ledger_begin(ledger, 0, &one);
    wr_ledger_begin(ledger, 2, &two);
    CU_ASSERT_EQUAL(read_file(), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(run_count, 2);
    CU_ASSERT_STRING_EQUAL(runs[0].key.id, "one");
    CU_ASSERT_STRING_EQUAL(runs[1].key.id, "two");
    CU_ASSERT_STRING_EQUAL(runs[1].key.queue, "q");
    CU_ASSERT(!runs[0].is_interrupt && runs[0].signal == 0 && !runs[0].trace[0]);
    int64_t ago_ms = wr_clock_wall_ms(NULL) - runs[0].started_ms;
    CU_ASSERT(ago_ms >= -1000 && ago_ms < 60000);
    wr_ledger_end(ledger, 0);
    CU_ASSERT_EQUAL(read_file(), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(run_count, 1);
    CU_ASSERT_STRING_EQUAL(runs[0].key.id, "two");
    wr_ledger_end(ledger, 2);
    wr_ledger_close(ledger);
    CU_ASSERT_STRING_EQUAL(state_file(".ledger"), "");
    state_remove();
}

static void the_file_is_its_owners_alone_and_locked(void)
{
    struct stat facts;
    state_make();
    struct wr_ledger *ledger = state_ledger(2);
    CU_ASSERT_EQUAL_FATAL(stat(state_file(".ledger"), &facts), 0);
    CU_ASSERT_EQUAL(facts.st_mode & 07777, 0600);
    CU_ASSERT_EQUAL(facts.st_size, WR_LEDGER_HEADER_SIZE + 2 * WR_LEDGER_SLOT_SIZE);
    CU_ASSERT(facts.st_blocks * 512 >= facts.st_size); /* a full disk can't fault a store */
    int fd = open(state_file(".ledger"), O_RDONLY);
    CU_ASSERT_EQUAL(flock(fd, LOCK_EX | LOCK_NB), -1);
    CU_ASSERT_STRING_EQUAL(state_file(".new"), "");
    wr_ledger_cut(ledger);
    CU_ASSERT_EQUAL(flock(fd, LOCK_EX | LOCK_NB), 0);
    (void)close(fd);
    wr_ledger_close(ledger);
    state_remove();
}

static void a_killed_process_leaves_its_runs(void)
{
    state_make();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct warren_job job = state_job("cut off");
        wr_ledger_begin(state_ledger(1), 0, &job);
        (void)raise(SIGKILL);
    }
    CU_ASSERT_EQUAL(state_wait(pid), 1000 + SIGKILL);
    CU_ASSERT_EQUAL(read_file(), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(run_count, 1);
    CU_ASSERT_STRING_EQUAL(runs[0].key.id, "cut off");
    CU_ASSERT_FALSE(runs[0].is_interrupt);
    int fd = open(state_file(".ledger"), O_RDONLY);
    CU_ASSERT_EQUAL(flock(fd, LOCK_EX | LOCK_NB), 0);
    (void)close(fd);
    state_remove();
}

/* A worker whose one socket, opened before or after its ledger, is closed by its death. */
static pid_t start_killable(int other_end, int kept_end, int ready)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(other_end);
        (void)state_ledger(1);
        (void)!dup(kept_end); /* a connection that was made anew */
        (void)!write(ready, "r", 1);
        (void)pause();
    }
    return pid;
}

static void the_lock_is_free_before_a_socket_tells_of_the_death(void)
{
    enum { DEATHS = 50 };
    int held = 0;
    state_make();
    for (int i = 0; i < DEATHS; i++) {
        int ends[2] = { -1, -1 };
        int ready[2] = { -1, -1 };
        char byte;
        CU_ASSERT_FATAL(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends) && !pipe(ready));
        pid_t pid = start_killable(ends[0], ends[1], ready[1]);
        (void)close(ends[1]);
        CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
        int fd = open(state_file(".ledger"), O_RDONLY);
        (void)kill(pid, SIGKILL);
        CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0); /* what the broker sees */
        held += flock(fd, LOCK_EX | LOCK_NB) != 0;
        CU_ASSERT_EQUAL(state_wait(pid), 1000 + SIGKILL);
        (void)unlink(state_file(".ledger"));
        (void)close(fd);
        (void)close(ends[0]);
        (void)close(ready[0]);
        (void)close(ready[1]);
    }
    CU_ASSERT_EQUAL(held, 0);
    state_remove();
}

static void what_a_drain_cuts_off_is_an_interrupt(void)
{
    state_make();
    struct wr_ledger *ledger = state_ledger(2);
    struct warren_job job = state_job("a");
    wr_ledger_begin(ledger, 0, &job);
    wr_ledger_drain(ledger);
    CU_ASSERT_EQUAL(read_file(), WARREN_OK);
    CU_ASSERT(run_count == 1 && runs[0].is_interrupt);
    atomic_store(&header()->is_draining, 0);
    (void)read_bytes(sizeof bytes);
    CU_ASSERT_FALSE(runs[0].is_interrupt);
    wr_ledger_cut(ledger);
    (void)load();
    atomic_store(&header()->is_draining, 0); /* the slot itself says it, too */
    (void)read_bytes(sizeof bytes);
    CU_ASSERT(run_count == 1 && runs[0].is_interrupt);
    wr_ledger_end(ledger, 0); /* a handler that was left running ends after all */
    CU_ASSERT_EQUAL(read_file(), WARREN_OK);
    CU_ASSERT_EQUAL(run_count, 0);
    wr_ledger_close(ledger);
    state_remove();
}

static void without_a_ledger_nothing_is_noted(void)
{
    struct warren_job job = state_job("a");
    wr_ledger_begin(NULL, 0, &job);
    wr_ledger_end(NULL, 0);
    wr_ledger_drain(NULL);
    wr_ledger_cut(NULL);
    wr_ledger_close(NULL);
    CU_ASSERT_PTR_NULL(wr_ledger_note(NULL, 0));
}

/* --- keys --- */

static struct wr_job_key key_of(const struct warren_job *job)
{
    struct wr_job_key key;
    wr_job_key_make(&key, job);
    CU_ASSERT(wr_job_key_is_whole(&key));
    return key;
}

static void a_message_without_an_id_is_known_by_its_type_and_body(void)
{
    struct wr_message message = { .body = wr_slice_of("the very same poison") };
    struct warren_job first = state_job("made for this delivery");
    first.message = &message;
    (void)strcpy(first.made_id, "made for this delivery");
    first.type = wr_slice_of("t");
    struct warren_job again = first;
    (void)strcpy(again.made_id, "made for the next one");
    again.id = wr_slice_of(again.made_id);
    struct wr_job_key a = key_of(&first);
    struct wr_job_key b = key_of(&again);
    CU_ASSERT(wr_job_key_equals(&a, &b));
    CU_ASSERT_EQUAL(strncmp(a.id, "body:", 5), 0);
    CU_ASSERT_EQUAL(strlen(a.id), 21);
    message.body = wr_slice_of("the very same poisom");
    b = key_of(&again);
    CU_ASSERT_FALSE(wr_job_key_equals(&a, &b));
    message.body = wr_slice_of("the very same poison");
    again.type = wr_slice_of("u");
    b = key_of(&again);
    CU_ASSERT_FALSE(wr_job_key_equals(&a, &b));
}

static void each_byte_of_a_body_counts(void)
{
    enum { MOST = 100 };
    char body[MOST];
    struct wr_message message = { .body = { body, 0 } };
    struct warren_job job = state_job("");
    job.message = &message;
    (void)strcpy(job.made_id, "made");
    memset(body, 'x', sizeof body);
    for (size_t size = 1; size <= MOST; size++) {
        message.body.size = size;
        struct wr_job_key whole = key_of(&job);
        for (size_t at = 0; at < size; at++) {
            body[at] = 'y';
            struct wr_job_key other = key_of(&job);
            body[at] = 'x';
            CU_ASSERT_FALSE(wr_job_key_equals(&whole, &other));
        }
        message.body.size = size - 1;
        struct wr_job_key shorter = key_of(&job);
        CU_ASSERT_FALSE(wr_job_key_equals(&whole, &shorter));
    }
}

static void long_and_odd_ids_are_cut_and_told_apart(void)
{
    char id[256];
    memset(id, 'x', sizeof id);
    id[255] = '\0';
    struct warren_job job = state_job(id);
    struct wr_job_key a = key_of(&job);
    CU_ASSERT_EQUAL(strlen(a.id), WR_KEY_ID_SIZE - 1);
    id[254] = 'y';
    struct wr_job_key b = key_of(&job);
    CU_ASSERT_FALSE(wr_job_key_equals(&a, &b));
    CU_ASSERT_NOT_EQUAL(wr_job_key_hash(&a), wr_job_key_hash(&b));
    job.id = (struct wr_slice){ "a\0b", 3 };
    a = key_of(&job);
    job.id = (struct wr_slice){ "a\0c", 3 };
    b = key_of(&job);
    CU_ASSERT_FALSE(wr_job_key_equals(&a, &b));
    job.id = (struct wr_slice){ id, 127 };
    a = key_of(&job);
    CU_ASSERT_EQUAL(memcmp(a.id, id, 127), 0); /* just fits */
}

/* --- reading anything --- */

/* A file of one ledger with two started slots, in `bytes`. */
static size_t make_bytes(void)
{
    state_make();
    struct wr_ledger *ledger = state_ledger(2);
    struct warren_job a = state_job("a");
    struct warren_job b = state_job("b");
    wr_ledger_begin(ledger, 0, &a);
    wr_ledger_begin(ledger, 1, &b);
    size_t size = load();
    wr_ledger_close(ledger);
    state_remove();
    return size;
}

static void a_torn_slot_is_passed_over(void)
{
    size_t size = make_bytes();
    memset(slot(0)->key.id, 'x', sizeof slot(0)->key.id); /* never ends */
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    CU_ASSERT(run_count == 1 && strcmp(runs[0].key.id, "b") == 0);
    slot(1)->key.queue[0] = '\0';
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    CU_ASSERT_EQUAL(run_count, 0);
    size = make_bytes();
    atomic_store(&slot(0)->state, 7);
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    CU_ASSERT(run_count == 1 && strcmp(runs[0].key.id, "b") == 0);
}

static void what_is_no_ledger_is_refused(void)
{
    size_t size = make_bytes();
    CU_ASSERT_EQUAL(read_bytes(0), WARREN_INVALID);
    CU_ASSERT_EQUAL(read_bytes(WR_LEDGER_HEADER_SIZE - 1), WARREN_INVALID);
    CU_ASSERT_EQUAL(read_bytes(size - 1), WARREN_INVALID); /* two slots don't fit */
    header()->version = 2;
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_INVALID);
    header()->version = 1;
    header()->module_count = WR_LEDGER_MODULES + 1;
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_INVALID);
    header()->module_count = 0;
    header()->slot_count = UINT32_MAX;
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_INVALID);
    header()->magic[0] = 'w';
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_INVALID);
    CU_ASSERT_EQUAL(run_count, 0);
}

static void any_bytes_behind_the_head_are_survived(void)
{
    size_t size = make_bytes();
    uint64_t state = 88172645463325252u;
    for (int round = 0; round < 2000; round++) {
        size_t from = round % 2 ? 16 : WR_LEDGER_HEADER_SIZE;
        for (size_t i = from; i < size; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes[i] = (char)state;
        }
        header()->module_count %= WR_LEDGER_MODULES + 1;
        header()->slot_count = 2;
        atomic_store(&slot(0)->state, WR_SLOT_STARTED);
        CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
        CU_ASSERT(run_count <= 2);
        for (size_t i = 0; i < run_count; i++) {
            CU_ASSERT_PTR_NOT_NULL(memchr(runs[i].trace, '\0', sizeof runs[i].trace));
        }
    }
}

/* --- who is charged, and the trace --- */

static void put_note(struct wr_crash_note *at, int number, uint64_t address)
{
    at->address = address;
    at->frames[0] = address;
    at->frames[1] = address + 0x10;
    at->frames[2] = 5;
    atomic_store(&at->frame_count, 3);
    atomic_store(&at->signal, number);
}

static void put_module(const char *name, uint64_t start, uint64_t end, uint64_t base)
{
    header()->module_count = 1;
    header()->modules[0] = (struct wr_ledger_module){ .start = start, .end = end, .base = base };
    (void)snprintf(header()->modules[0].name, sizeof header()->modules[0].name, "%s", name);
}

static void a_noted_fault_charges_its_thread_and_interrupts_the_others(void)
{
    size_t size = make_bytes();
    put_module("lib\nfoo.so", 0x7000, 0x7100, 0x6000);
    put_note(&slot(1)->note, SIGSEGV, 0x7010);
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(run_count, 2);
    CU_ASSERT(runs[0].is_interrupt && runs[0].signal == 0);
    CU_ASSERT(!runs[1].is_interrupt && runs[1].signal == SIGSEGV);
    CU_ASSERT_STRING_EQUAL(runs[1].trace, "lib?foo.so+0x1010 < lib?foo.so+0x1020 < 0x5");
    atomic_store(&header()->is_draining, 1); /* a fault is a fault, also in a drain */
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    CU_ASSERT(!runs[1].is_interrupt && runs[0].is_interrupt);
    atomic_store(&slot(1)->state, WR_SLOT_FREE); /* noted, but no job's: then nobody knows */
    atomic_store(&header()->is_draining, 0);
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    CU_ASSERT(run_count == 1 && !runs[0].is_interrupt);
}

static void a_fault_of_another_thread_charges_all_that_ran(void)
{
    size_t size = make_bytes();
    put_module("libbar.so", 0x7000, 0x7100, 0x6000);
    put_note(&header()->note, SIGABRT, 0x7010);
    atomic_store(&header()->note.frame_count, 0); /* the unwinder faulted */
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(run_count, 2);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT(!runs[i].is_interrupt && runs[i].signal == SIGABRT);
        CU_ASSERT_STRING_EQUAL(runs[i].trace, "libbar.so+0x1010");
    }
}

static void a_long_trace_ends_with_a_whole_frame(void)
{
    size_t size = make_bytes();
    char name[104];
    memset(name, 'm', sizeof name);
    name[103] = '\0';
    put_module(name, 0, UINT64_MAX, 0);
    put_note(&slot(0)->note, SIGBUS, 0xABCDEF);
    atomic_store(&slot(0)->note.frame_count, UINT32_MAX); /* whatever it says */
    CU_ASSERT_EQUAL(read_bytes(size), WARREN_OK);
    size_t length = strlen(runs[0].trace);
    CU_ASSERT(length > 200 && length < WR_TRACE_SIZE);
    CU_ASSERT_STRING_EQUAL(runs[0].trace + length - 4, "+0x5");
}

static void a_mended_fault_is_no_longer_the_next_runs(void)
{
    state_make();
    struct wr_ledger *ledger = state_ledger(1);
    struct warren_job job = state_job("a");
    put_note(wr_ledger_note(ledger, 0), SIGSEGV, 1);
    wr_ledger_begin(ledger, 0, &job);
    CU_ASSERT_EQUAL(read_file(), WARREN_OK);
    CU_ASSERT(run_count == 1 && runs[0].signal == 0);
    wr_ledger_close(ledger);
    state_remove();
}

/* --- the folder --- */

static void a_folder_that_others_may_write_is_refused(void)
{
    int fd = -1;
    warren_error err;
    state_make();
    (void)chmod(state_path, 0777);
    CU_ASSERT_EQUAL(wr_state_dir_open(state_path, &fd, &err), WARREN_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "can be written by others (mode 0777, want 0700)"));
    (void)chmod(state_path, 0700);
    char deep[128];
    struct stat facts;
    (void)snprintf(deep, sizeof deep, "%s/a/b", state_path);
    CU_ASSERT_EQUAL_FATAL(wr_state_dir_open(deep, &fd, &err), WARREN_OK);
    CU_ASSERT(fstat(fd, &facts) == 0 && (facts.st_mode & 07777) == 0700);
    (void)close(fd);
    (void)snprintf(deep, sizeof deep, "%s/file/b", state_path);
    (void)close(openat(state_fd, "file", O_CREAT | O_WRONLY, 0600));
    CU_ASSERT_EQUAL(wr_state_dir_open(deep, &fd, &err), WARREN_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, deep));
    state_remove();
}

static void the_environment_names_the_folder(void)
{
    char path[WR_STATE_PATH_SIZE];
    (void)setenv("HOME", "/h", 1);
    (void)unsetenv("STATE_DIRECTORY");
    (void)unsetenv("XDG_STATE_HOME");
    CU_ASSERT_EQUAL(wr_state_dir_find("auto", path, NULL), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(path, "/h/.local/state/warren");
    (void)setenv("XDG_STATE_HOME", "/x", 1);
    CU_ASSERT_EQUAL(wr_state_dir_find("auto", path, NULL), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(path, "/x/warren");
    (void)setenv("STATE_DIRECTORY", "/s:/t", 1);
    CU_ASSERT_EQUAL(wr_state_dir_find("auto", path, NULL), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(path, "/s");
    CU_ASSERT_EQUAL(wr_state_dir_find("/mine", path, NULL), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(path, "/mine");
    CU_ASSERT_EQUAL(wr_state_dir_find("none", path, NULL), WARREN_NOT_FOUND);
    (void)unsetenv("HOME");
    (void)unsetenv("XDG_STATE_HOME");
    (void)setenv("STATE_DIRECTORY", "relative", 1);
    CU_ASSERT_EQUAL(wr_state_dir_find("auto", path, NULL), WARREN_FAILED);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("ledger", NULL, NULL);
    CU_ADD_TEST(suite, a_run_stands_in_the_file_until_its_handler_returns);
    CU_ADD_TEST(suite, the_file_is_its_owners_alone_and_locked);
    CU_ADD_TEST(suite, a_killed_process_leaves_its_runs);
    CU_ADD_TEST(suite, the_lock_is_free_before_a_socket_tells_of_the_death);
    CU_ADD_TEST(suite, what_a_drain_cuts_off_is_an_interrupt);
    CU_ADD_TEST(suite, without_a_ledger_nothing_is_noted);
    CU_ADD_TEST(suite, a_message_without_an_id_is_known_by_its_type_and_body);
    CU_ADD_TEST(suite, each_byte_of_a_body_counts);
    CU_ADD_TEST(suite, long_and_odd_ids_are_cut_and_told_apart);
    CU_ADD_TEST(suite, a_torn_slot_is_passed_over);
    CU_ADD_TEST(suite, what_is_no_ledger_is_refused);
    CU_ADD_TEST(suite, any_bytes_behind_the_head_are_survived);
    CU_ADD_TEST(suite, a_noted_fault_charges_its_thread_and_interrupts_the_others);
    CU_ADD_TEST(suite, a_fault_of_another_thread_charges_all_that_ran);
    CU_ADD_TEST(suite, a_long_trace_ends_with_a_whole_frame);
    CU_ADD_TEST(suite, a_mended_fault_is_no_longer_the_next_runs);
    CU_ADD_TEST(suite, a_folder_that_others_may_write_is_refused);
    CU_ADD_TEST(suite, the_environment_names_the_folder);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
