// SPDX-License-Identifier: MIT
// DESIGN: a configuration names plugins that will run as code and brokers that will get a password,
// so a file that others may write is refused. The file is read by us, not by libconfig: so it is
// limited, it is a regular file, the lexer sees exactly the bytes that are parsed, and libconfig
// opens nothing.
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "model/settings_read.h"

static bool refuse(struct wr_reader *reader, const char *text)
{
    struct wr_place place = { reader->file, 0, NULL };
    wr_problem_error(reader->problems, &place, "%s", text);
    return false;
}

static bool check_rights(struct wr_reader *reader, int fd, struct stat *info)
{
    if (fstat(fd, info) < 0 || !S_ISREG(info->st_mode)) {
        return refuse(reader, "not a regular file");
    }
    if (wr_file_is_writable_by_others(info)) {
        return refuse(reader, "others may write this file, so it can't be trusted; chmod go-w it");
    }
    if (info->st_size > (off_t)WR_CONFIG_FILE_MOST) {
        return refuse(reader, "larger than 1 MiB");
    }
    reader->open_to_all = (info->st_mode & S_IROTH) != 0;
    return true;
}

static bool read_all(struct wr_reader *reader, int fd, struct wr_text *out)
{
    char block[16384];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) > 0 && out->size <= WR_CONFIG_FILE_MOST) {
        wr_text_add(out, block, (size_t)got);
    }
    bool is_ended = out->size && out->data[out->size - 1] == '\n';
    wr_text_add_string(out, is_ended ? "" : "\n"); /* never NULL; and the last line ends */
    if (got < 0) {
        return refuse(reader, strerror(errno));
    }
    if (out->size > WR_CONFIG_FILE_MOST + 1) {
        return refuse(reader, "larger than 1 MiB");
    }
    reader->no_memory |= out->failed;
    return !out->failed;
}

static bool load_text(struct wr_reader *reader, struct wr_text *out)
{
    int fd = open(reader->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        const char *why =
            errno == ENOENT ? "no such file; `warren config init` writes one" : strerror(errno);
        return refuse(reader, why);
    }
    struct stat info;
    bool ok = check_rights(reader, fd, &info) && read_all(reader, fd, out);
    (void)close(fd);
    return ok;
}

/* libconfig tells the line; which setting it was about is clear where one stands alone in it. */
static void report_parser(struct wr_reader *reader, config_t *config, struct wr_slice text)
{
    char path[WR_CONFIG_PATH_SIZE];
    int line = config_error_line(config);
    bool is_twice = strcmp(config_error_text(config), "duplicate setting name") == 0;
    bool is_named = is_twice && wr_settings_name_in_line(text, line, path);
    struct wr_place place = { reader->file, line, is_named ? path : NULL };
    wr_problem_error(reader->problems, &place, "%s",
                     is_twice ? "the same name stands twice in its group"
                              : config_error_text(config));
}

bool wr_reader_parse(struct wr_reader *reader, config_t *out)
{
    config_init(out);
    struct wr_text text = { 0 };
    bool ok =
        load_text(reader, &text) &&
        wr_settings_lex(reader->problems, reader->file, (struct wr_slice){ text.data, text.size });
    if (ok && !config_read_string(out, text.data)) {
        report_parser(reader, out, (struct wr_slice){ text.data, text.size });
        ok = false;
    }
    wr_text_done(&text);
    return ok;
}

struct wr_place wr_reader_place(const struct wr_reader *reader, config_setting_t *node,
                                const char *name, const char *path)
{
    config_setting_t *member = NULL;
    if (node && name && config_setting_type(node) == CONFIG_TYPE_GROUP) {
        member = config_setting_get_member(node, name);
    }
    config_setting_t *found = member ? member : node;
    int line = found ? (int)config_setting_source_line(found) : 0;
    return (struct wr_place){ reader->file, line, path };
}
