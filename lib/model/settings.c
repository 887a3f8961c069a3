// SPDX-License-Identifier: MIT
// DESIGN: the order in which a configuration is read. First every default, from the table; then
// warren.cfg over it; then the queues, in warren.cfg or in the files of the queues' folder, sorted
// by name; at last what only the whole can tell. Problems are collected all the way, and one error
// means that nothing comes back: a worker never starts on half a configuration.
#include "model/settings.h"

#include <dirent.h>
#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "model/settings_name.h"
#include "model/settings_read.h"

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return wr_slice_copy(wr_slice_of("."));
    }
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    return wr_slice_copy((struct wr_slice){ path, length });
}

/* The queues' folder as messages show it: "config/queues" beside "config/warren.cfg". */
static char *queues_folder(const struct wr_settings *settings)
{
    struct wr_text path = { 0 };
    const char *slash = strrchr(settings->file, '/');
    if (slash && settings->queues_folder[0] != '/') {
        wr_text_add(&path, settings->file, (size_t)(slash - settings->file) + 1);
    }
    wr_text_add_string(&path, settings->queues_folder);
    return wr_text_take(&path);
}

/* --- queue files --- */

static int is_queue_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".cfg") == 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

static void check_queue_file(struct wr_reader *reader, config_setting_t *root)
{
    int length = config_setting_length(root);
    if (length == 0) {
        struct wr_place whole = { reader->file, 0, NULL };
        wr_problem_note(reader->problems, &whole,
                        "no queue in it; a queue file holds queue: { … };");
    }
    for (int i = 0; i < length; i++) {
        config_setting_t *node = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(node);
        struct wr_place place = wr_reader_place(reader, node, NULL, name);
        if (wr_settings_option(wr_slice_of(name)) && strcmp(name, "queues") != 0) {
            wr_problem_error(reader->problems, &place,
                             "belongs into warren.cfg; a queue file holds queue: { … };");
        } else if (strcmp(name, "queues") == 0 && !config_setting_is_list(node)) {
            wr_problem_error(reader->problems, &place, "want a list of groups: queues: ( { … } );");
        } else if (strcmp(name, "queue") != 0 && strcmp(name, "queues") != 0) {
            wr_problem_error(reader->problems, &place,
                             "unknown key, a queue file holds queue: { … };");
        }
    }
}

static void read_queue_file(struct wr_reader *main_reader, const char *path)
{
    struct wr_reader reader = *main_reader;
    config_t config;
    reader.file = path;
    reader.folder = folder_of(path);
    bool is_parsed = reader.folder && wr_reader_parse(&reader, &config);
    if (is_parsed) {
        config_setting_t *root = config_root_setting(&config);
        check_queue_file(&reader, root);
        wr_settings_read_queues(&reader, root);
    }
    main_reader->no_memory |= reader.no_memory || !reader.folder;
    if (reader.folder) {
        config_destroy(&config);
    }
    free(reader.folder);
}

static void report_folder(struct wr_reader *reader, config_setting_t *said, const char *folder,
                          const char *why)
{
    struct wr_place place = wr_reader_place(reader, said, NULL, "queues");
    wr_problem_error(reader->problems, &place, "%s: %s", folder, why);
}

/* `root` NULL: the main file could not be read, so the folder is the default one. */
static void read_queue_files(struct wr_reader *reader, config_setting_t *root)
{
    struct dirent **entries = NULL;
    config_setting_t *said = root ? config_setting_get_member(root, "queues") : NULL;
    char *folder = queues_folder(reader->settings);
    int count = folder ? scandir(folder, &entries, is_queue_file, compare_names) : 0;
    reader->no_memory |= !folder;
    if (count < 0 && (said || errno != ENOENT)) {
        report_folder(reader, said, folder, strerror(errno));
    } else if (count > WR_QUEUES_MOST) {
        report_folder(reader, said, folder, "more than 1000 queue files");
    }
    for (int i = 0; i < count; i++) {
        struct wr_text path = { 0 };
        wr_text_add_format(&path, "%s/%s", folder, entries[i]->d_name);
        reader->no_memory |= path.failed;
        if (count <= WR_QUEUES_MOST && !reader->no_memory) {
            read_queue_file(reader, path.data);
        }
        wr_text_done(&path);
        free(entries[i]);
    }
    free(entries);
    free(folder);
}

/* --- the whole --- */

static void read_main(struct wr_reader *reader, config_setting_t *root)
{
    struct wr_settings *settings = reader->settings;
    wr_settings_read_group(reader, &(struct wr_group){ root, "", "", settings });
    config_setting_t *threads = config_setting_get_member(root, "threads");
    reader->threads_line = threads ? (int)config_setting_source_line(threads) : 0;
    wr_settings_check_main(reader, root);
    wr_settings_read_queues(reader, root);
    config_setting_t *queues = config_setting_get_member(root, "queues");
    bool is_inline = queues && config_setting_is_list(queues);
    if (!is_inline && settings->queues_folder && settings->file) {
        read_queue_files(reader, root);
    }
    if (settings->queue_count == 0 && reader->problems->errors == 0) {
        struct wr_place place = { reader->file, 0, NULL };
        wr_problem_note(reader->problems, &place,
                        "no queue: a publisher can work with it, a worker has nothing to do");
    }
}

/* False when the main file can't be read as a whole. What is wrong in the queue files beside it is
 * told all the same, but for what depends on the main file's limits. */
static bool read_file(struct wr_reader *reader, const char *path)
{
    config_t config;
    reader->file = path;
    reader->settings->file = wr_slice_copy(wr_slice_of(path));
    reader->no_memory |= !reader->settings->file;
    bool is_read = wr_reader_parse(reader, &config);
    if (is_read) {
        read_main(reader, config_root_setting(&config));
    } else if (access(path, F_OK) == 0 && !reader->no_memory) {
        read_queue_files(reader, NULL);
    }
    config_destroy(&config);
    return is_read;
}

static void make_default_queue(struct wr_reader *reader)
{
    struct wr_settings *settings = reader->settings;
    settings->takes_all = true;
    settings->queues = calloc(1, sizeof *settings->queues);
    if (!settings->queues) {
        reader->no_memory = true;
        return;
    }
    struct wr_queue_settings *queue = &settings->queues[settings->queue_count++];
    wr_settings_read_defaults(reader, "queue", queue);
    queue->name = wr_slice_copy(wr_slice_of("default"));
    queue->file = wr_slice_copy(wr_slice_of(""));
    reader->no_memory |= !queue->name || !queue->file;
}

static void read_all(struct wr_reader *reader, const char *path)
{
    bool is_read = true;
    wr_settings_read_defaults(reader, "", reader->settings);
    if (path) {
        is_read = read_file(reader, path);
    } else {
        make_default_queue(reader);
        wr_settings_check_main(reader, NULL);
    }
    if (is_read && !reader->no_memory) {
        wr_settings_check_queues(reader);
    }
}

static warren_status load(struct wr_settings **out, const char *path, struct wr_problems *problems,
                          warren_error *err)
{
    size_t type_count = 0;
    struct wr_reader reader = { .problems = problems, .type_count = &type_count };
    reader.settings = calloc(1, sizeof *reader.settings);
    reader.folder = folder_of(path ? path : "");
    warren_status status = WARREN_OK;
    if (reader.settings && reader.folder) {
        read_all(&reader, path);
    } else {
        reader.no_memory = true;
    }
    if (reader.no_memory || problems->failed) {
        status = wr_no_memory(err);
    } else if (problems->errors) {
        status = wr_problems_fail(problems, err);
    }
    free(reader.folder);
    if (status) {
        wr_settings_free(reader.settings);
    } else {
        *out = reader.settings;
    }
    return status;
}

warren_status wr_settings_load(struct wr_settings **out, const char *path,
                               struct wr_problems *problems, warren_error *err)
{
    struct wr_problems own = { 0 };
    if (problems) {
        *problems = own;
        return load(out, path, problems, err);
    }
    warren_status status = load(out, path, &own, err);
    wr_problems_done(&own);
    return status;
}

static bool has_type(const struct wr_queue_settings *queue, const char *type)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        if (strcmp(queue->jobs[i].type, type) == 0) {
            return true;
        }
    }
    return false;
}

warren_status wr_settings_add_type(struct wr_settings *settings, const char *type,
                                   warren_error *err)
{
    if (!settings->takes_all) {
        return wr_fail(err, WARREN_STATE, "%s says which job types there are; add '%s' there",
                       settings->file, type ? type : "");
    }
    struct wr_queue_settings *queue = &settings->queues[0];
    const char *problem = wr_type_problem(type);
    if (problem) {
        return wr_fail(err, WARREN_INVALID, "the job type '%s' %s", type ? type : "", problem);
    }
    if (has_type(queue, type)) {
        return WARREN_OK;
    }
    if (queue->job_count >= WR_TYPES_MOST) {
        return wr_fail(err, WARREN_INVALID, "more than %d job types", WR_TYPES_MOST);
    }
    struct wr_job_settings *jobs = realloc(queue->jobs, (queue->job_count + 1) * sizeof *jobs);
    if (!jobs) {
        return wr_no_memory(err);
    }
    queue->jobs = jobs;
    struct wr_job_settings job = { .type = wr_slice_copy(wr_slice_of(type)),
                                   .file = wr_slice_copy(wr_slice_of("")),
                                   .concurrency = 1,
                                   .retry = queue->retry };
    if (!job.type || !job.file) {
        free(job.type);
        free(job.file);
        return wr_no_memory(err);
    }
    jobs[queue->job_count++] = job;
    return WARREN_OK;
}

const struct wr_queue_settings *wr_settings_queue(const struct wr_settings *settings,
                                                  const char *name)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        if (strcmp(settings->queues[i].name, name) == 0) {
            return &settings->queues[i];
        }
    }
    return NULL;
}
