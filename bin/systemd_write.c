// SPDX-License-Identifier: MIT
// DESIGN: without a configuration the times are those of the defaults, and the worker itself asks for
// more where its files say more (EXTEND_TIMEOUT_USEC). So one unit fits all instances of a template.
#include "systemd.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "member.h"
#include "say.h"
#include "warren/config.h"

#define MARGIN_MS 15000 /* lib/front/service.c asks for the same */
/* A round of a loop that is stuck in a call is cut after two heartbeats and a second, or after
 * rpc_timeout; the main thread, which gives the signs of life, waits for none of them. */
#define WATCHDOG_MARGIN_MS 30000

struct unit {
    FILE *out;
    const struct unit_wish *wish;
    json_object *root; /* the plan's, or the defaults */
    const char *name;
};

/* --- values --- */

/* As systemd takes a word of a command line: in quotes if need be, with what it would replace doubled. */
static void write_word(FILE *out, const char *word)
{
    bool is_plain = word[strcspn(word, " \t\n\"'\\;")] == '\0';
    fputs(is_plain ? "" : "\"", out);
    for (const char *at = word; *at; at++) {
        if (*at == '%' || *at == '$') {
            fputc(*at, out);
        } else if (*at == '"' || *at == '\\') {
            fputc('\\', out);
        }
        fprintf(out, *at == '\n' ? "\\n" : "%c", *at);
    }
    fputs(is_plain ? "" : "\"", out);
}

static void write_start(const struct unit *unit)
{
    fputs("/usr/bin/warren run --config ", unit->out);
    if (unit->wish->is_template) {
        fputs("/etc/warren/%i/warren.cfg", unit->out);
    } else {
        write_word(unit->out, unit->wish->config ? unit->wish->config : "/etc/warren/warren.cfg");
    }
}

static int64_t broker_ms(const struct unit *unit, const char *key)
{
    return member_duration(member_of(unit->root, "broker"), key);
}

static void write_seconds(const struct unit *unit, int64_t ms)
{
    fprintf(unit->out, "%" PRId64 "s", (ms + 999) / 1000);
}

static int64_t watchdog_ms(const struct unit *unit)
{
    int64_t cut_ms = 2 * broker_ms(unit, "heartbeat") + 1000;
    int64_t rpc_ms = broker_ms(unit, "rpc_timeout");
    return (cut_ms > rpc_ms ? cut_ms : rpc_ms) + WATCHDOG_MARGIN_MS;
}

/* The folder of state_dir, if it names one. */
static const char *state_dir(const struct unit *unit)
{
    const char *folder = member_text(unit->root, "state_dir");
    return folder[0] == '/' ? folder : NULL;
}

static bool is_at_home(const char *path)
{
    return path && (strncmp(path, "/home/", 6) == 0 || strncmp(path, "/root/", 6) == 0);
}

/* Whether something that the worker reads lies in somebody's home. */
static bool reads_a_home(const struct unit *unit)
{
    json_object *plugins = member_of(unit->root, "plugins");
    bool reads = is_at_home(unit->wish->config);
    for (size_t i = 0; i < member_count(plugins); i++) {
        reads = reads || is_at_home(json_object_get_string(json_object_array_get_idx(plugins, i)));
    }
    return reads;
}

static void write_fixed(const struct unit *unit, const char *text)
{
    const char *description =
        unit->wish->is_template ? "Warren worker of /etc/warren/%i" : "Warren worker";
    for (const char *at = text; *at; at++) {
        if (strncmp(at, "{unit}", 6) == 0) {
            fputs(unit->name, unit->out);
            at += 5;
        } else if (strncmp(at, "{description}", 13) == 0) {
            fputs(description, unit->out);
            at += 12;
        } else {
            fputc(*at, unit->out);
        }
    }
}

static void write_value(const struct unit *unit, const struct unit_line *line)
{
    switch (line->source) {
    case FIXED:
        write_fixed(unit, line->value);
        return;
    case EXEC_START:
        write_start(unit);
        return;
    case START_MOST:
        write_seconds(unit, broker_ms(unit, "connect_wait") + broker_ms(unit, "connect_timeout") +
                                MARGIN_MS);
        return;
    case STOP_MOST:
        write_seconds(unit, member_duration(unit->root, "drain_timeout") + MARGIN_MS);
        return;
    case WATCHDOG:
        write_seconds(unit, watchdog_ms(unit));
        return;
    case MEMORY:
        fprintf(unit->out, "%" PRId64 "M", unit->wish->memory_mib);
        return;
    case WRITE_PATHS:
        write_word(unit->out, state_dir(unit));
        return;
    case HOME:
        fputs(reads_a_home(unit) ? "read-only" : "yes", unit->out);
        return;
    }
}

/* --- lines --- */

static void write_comment(FILE *out, const char *text)
{
    fputs("\n# ", out);
    for (; *text; text++) {
        fputs(*text == '\n' ? "\n# " : (char[]){ *text, '\0' }, out);
    }
    fputc('\n', out);
}

static bool has_line(const struct unit *unit, const struct unit_line *line)
{
    switch (line->source) {
    case MEMORY:
        return unit->wish->memory_mib > 0;
    case WRITE_PATHS:
        return state_dir(unit) != NULL;
    default:
        return true;
    }
}

static void write_line(const struct unit *unit, const struct unit_line *line)
{
    if (line->name[0] == '[') {
        fprintf(unit->out, "\n%s\n", line->name);
        return;
    }
    if (line->about) {
        write_comment(unit->out, line->about);
    }
    fprintf(unit->out, "%s=", line->name);
    write_value(unit, line);
    fputc('\n', unit->out);
}

/* What is in effect without a file. */
static json_object *read_defaults(void)
{
    warren_config *config = NULL;
    warren_error err;
    char *text = NULL;
    json_object *root = NULL;
    if (!warren_config_open(&config, NULL, &err) &&
        !warren_config_write(config, true, &text, &err)) {
        root = json_tokener_parse(text);
    }
    warren_config_close(config);
    free(text);
    return root;
}

bool systemd_write(FILE *out, const struct plan *plan, const struct unit_wish *wish)
{
    size_t count = 0;
    const struct unit_line *lines = unit_lines(&count);
    json_object *defaults = plan->root ? NULL : read_defaults();
    struct unit unit = { .out = out,
                         .wish = wish,
                         .root = plan->root ? plan->root : defaults,
                         .name = wish->is_template ? "warren@%i" : "warren" };
    if (!unit.root) {
        say("out of memory");
        return false;
    }
    fprintf(out,
            "# SPDX-License-Identifier: MIT\n"
            "# Written by `warren generate systemd%s`: change it by a drop-in, "
            "`systemctl edit %s`.\n",
            wish->is_template ? " --template" : "", wish->is_template ? "warren@" : "warren");
    for (size_t i = 0; i < count; i++) {
        if (has_line(&unit, &lines[i])) {
            write_line(&unit, &lines[i]);
        }
    }
    (void)json_object_put(defaults);
    return ferror(out) == 0;
}
