// SPDX-License-Identifier: MIT
// Whose plugins are loaded: neither the file nor a folder on the way to it may be open to others'
// writing. A file that passes is no shared object here, and the linker says so.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/plugin.h"

static char root[PATH_MAX]; /* root/inner/p.so */
static char inner[PATH_MAX];
static char file[PATH_MAX];
static warren_error err;

static int make_files(void)
{
    char made[] = "/tmp/warren-plugin.XXXXXX";
    (void)umask(022);
    if (!mkdtemp(made) || !realpath(made, root)) {
        return 1;
    }
    (void)snprintf(inner, sizeof inner, "%.4000s/inner", root);
    (void)snprintf(file, sizeof file, "%.4000s/inner/p.so", root);
    FILE *plugin = mkdir(inner, 0755) ? NULL : fopen(file, "w");
    return !plugin || fputs("no shared object", plugin) < 0 || fclose(plugin);
}

static int remove_files(void)
{
    (void)unlink(file);
    (void)rmdir(inner);
    return rmdir(root);
}

/* Tries to load it, and whether the reason against it was this one. */
static bool fails_with(const char *why)
{
    struct wr_plugin plugin;
    err = (warren_error){ 0 };
    warren_status rc = wr_plugin_load(&plugin, file, &err);
    CU_ASSERT_EQUAL(rc, WARREN_INVALID);
    if (!strstr(err.text, why)) {
        fprintf(stderr, "want \"%s\" in \"%s\"\n", why, err.text);
    }
    return strstr(err.text, why) != NULL;
}

static bool is_trusted(void)
{
    return fails_with("plugin cannot be loaded");
}

static void set_modes(mode_t of_root, mode_t of_inner, mode_t of_file)
{
    CU_ASSERT_EQUAL(chmod(root, of_root), 0);
    CU_ASSERT_EQUAL(chmod(inner, of_inner), 0);
    CU_ASSERT_EQUAL(chmod(file, of_file), 0);
}

static void a_file_that_only_its_owner_may_write_is_trusted(void)
{
    set_modes(0755, 0755, 0644); /* in /tmp, where the sticky bit guards what is ours */
    CU_ASSERT(is_trusted());
}

static void a_file_that_others_may_write_is_refused(void)
{
    set_modes(0755, 0755, 0646);
    CU_ASSERT(fails_with("may be written by others"));
}

static void a_file_in_a_folder_that_others_may_write_is_refused(void)
{
    set_modes(0755, 0757, 0644);
    CU_ASSERT(fails_with("others may write to the folder"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/inner, and so replace it"));
}

static void so_is_one_further_up(void)
{
    set_modes(0777, 0755, 0644);
    CU_ASSERT(fails_with("others may write to the folder"));
    CU_ASSERT_PTR_NULL(strstr(err.text, "/inner, and so"));
}

static void a_sticky_folder_is_fine_for_what_is_ours(void)
{
    set_modes(01777, 01777, 0644);
    CU_ASSERT(is_trusted());
}

static void our_own_group_may_write(void)
{
    set_modes(0775, 0775, 0664);
    if (chown(file, (uid_t)-1, getegid()) || chown(inner, (uid_t)-1, getegid()) ||
        chown(root, (uid_t)-1, getegid())) {
        CU_FAIL("the group is ours to give");
    }
    CU_ASSERT(is_trusted());
}

/* Only root can give files away. */
static void others_things_in_a_sticky_folder_are_refused(void)
{
    enum { SOMEBODY = 4711 };
    set_modes(01777, 0755, 0644);
    if (chown(inner, SOMEBODY, (gid_t)-1) == 0) {
        CU_ASSERT(fails_with("others may write to the folder"));
        CU_ASSERT_EQUAL(chown(inner, geteuid(), (gid_t)-1), 0);
    }
    CU_ASSERT(is_trusted());
}

static void another_groups_writing_is_others(void)
{
    enum { THEIRS = 4712 };
    set_modes(0755, 0775, 0644);
    if (chown(inner, (uid_t)-1, THEIRS) == 0) {
        CU_ASSERT(fails_with("others may write to the folder"));
        CU_ASSERT_EQUAL(chown(inner, (uid_t)-1, getegid()), 0);
    }
    CU_ASSERT(is_trusted());
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("plugin", make_files, remove_files);
    CU_ADD_TEST(suite, a_file_that_only_its_owner_may_write_is_trusted);
    CU_ADD_TEST(suite, a_file_that_others_may_write_is_refused);
    CU_ADD_TEST(suite, a_file_in_a_folder_that_others_may_write_is_refused);
    CU_ADD_TEST(suite, so_is_one_further_up);
    CU_ADD_TEST(suite, a_sticky_folder_is_fine_for_what_is_ours);
    CU_ADD_TEST(suite, our_own_group_may_write);
    CU_ADD_TEST(suite, others_things_in_a_sticky_folder_are_refused);
    CU_ADD_TEST(suite, another_groups_writing_is_others);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
