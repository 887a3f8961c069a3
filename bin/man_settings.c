// SPDX-License-Identifier: MIT
// DESIGN: warren.cfg(5), from the table of settings, by the words of `warren config explain`.
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "man.h"
#include "man_text.h"
#include "warren/config.h"

struct page {
    FILE *out;
    char group[64]; /* the last one */
};

/* A heading where another group begins. */
static void put_group(struct page *page, const char *path)
{
    char group[sizeof page->group];
    const char *dot = strrchr(path, '.');
    (void)snprintf(group, sizeof group, "%.*s", dot ? (int)(dot - path) : 0, path);
    if (strcmp(group, page->group) == 0) {
        return;
    }
    const char *sentence = warren_config_group(group);
    fprintf(page->out, "## %s\n\n", group);
    man_paragraph(page->out, sentence ? sentence : "");
    memcpy(page->group, group, sizeof group);
}

static void put_option(void *user, const warren_config_option *option)
{
    struct page *page = user;
    put_group(page, option->path);
    man_bold(page->out, option->path);
    fputs("\n\t", page->out);
    man_paragraph(page->out, option->sentence);
    fputs("\tTakes ", page->out);
    man_text(page->out, option->takes);
    fputs(". ", page->out);
    man_paragraph(page->out, option->change);
    fputc('\t', page->out);
    man_paragraph(page->out, option->example);
}

static void put_description(FILE *out)
{
    fputs("# DESCRIPTION\n\n", out);
    man_paragraph(
        out,
        "One file for a service, and one for each queue, in the folder that `queues` names, read "
        "in "
        "the order of\ntheir names. Both are read by libconfig: `name = value;`, groups in braces, "
        "lists in parentheses,\ncomments behind #. Options whose path begins with `queue.` stand "
        "in "
        "a queue file, all others in\nwarren.cfg. What isn't there has its default; an unknown "
        "option "
        "is an error. `warren config init`\nwrites files to start from, `warren config check` says "
        "what is wrong in them, all at once, and nothing\nstarts while something is.");
    man_paragraph(out, "Durations and sizes are texts with a unit: 500ms, 90s, 10m, 36h, 7d; 512B, "
                       "64KiB, 1MiB, 1MB.");
    fputs("# SECRETS AND THE ENVIRONMENT\n\n", out);
    man_paragraph(out,
                  "In every text these stand for what they name, and are replaced after the file "
                  "was parsed, so a value\ncan't add options:");
    man_item(out, "${env:NAME}", "an environment variable; without it the file is wrong");
    man_item(out, "${env:NAME:-default}", "the same with a default, also for an empty one");
    man_item(out, "${file:PATH}",
             "what a file holds, without its last newline; relative to the folder of the file it "
             "stands in");
    man_item(out, "$$", "a plain $");
    man_paragraph(out,
                  "`broker.password_file` and `broker.user_file` are read again at each connect, "
                  "so a password can change\nwithout a restart. Secrets and passwords in URLs "
                  "are shown as *** by everything that shows settings.");
    fputs("# RELOAD\n\n", out);
    man_paragraph(out,
                  "A worker reads its files again at SIGHUP, or when `warren worker reload` says "
                  "so. What of it takes effect\nat once stands with each option below; the rest "
                  "is named in the log and waits for a restart. Files with\nerrors change "
                  "nothing. `warren config diff` shows beforehand what would change.");
}

warren_status man_settings(FILE *out, warren_error *err)
{
    struct page page = { .out = out };
    char *example = NULL;
    warren_status rc = warren_config_template(WARREN_CONFIG_FILE_QUEUE, &example, err);
    if (!rc) {
        man_head(out, "warren.cfg", 5, "the configuration of Warren, and its queue files");
        put_description(out);
        fputs("# FILES\n\n", out);
        man_literal(out, help_config);
        fputs("\n# OPTIONS\n\n## at the top\n\n", out);
        rc = warren_config_options(NULL, put_option, &page, err);
        fputs("# EXAMPLE\n\nA queue file:\n\n", out);
        man_literal(out, example);
        fputs("\n# SEE ALSO\n\n*warren*(1), *warren-config*(1), *warren-message*(7)\n", out);
    }
    free(example);
    return rc;
}
