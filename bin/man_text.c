// SPDX-License-Identifier: MIT
// DESIGN: all that writes scdoc's markup but headings. scdoc has markup at the beginning of a line, too.
#include "man_text.h"

#include <stdbool.h>
#include <string.h>

#include "warren/worker.h"

void man_text(FILE *out, const char *text)
{
    bool is_start = true;
    for (const char *at = text; *at; at++) {
        if (*at == '`') {
            fputc('*', out);
        } else if (strchr("\\*_+<>[]~", *at) || (is_start && strchr("#-.|;'", *at))) {
            fprintf(out, "\\%c", *at);
        } else {
            fputc(*at, out);
        }
        is_start = *at == '\n';
    }
}

void man_bold(FILE *out, const char *text)
{
    fputc('*', out);
    man_text(out, text);
    fputc('*', out);
}

void man_paragraph(FILE *out, const char *text)
{
    man_text(out, text);
    fputs("\n\n", out);
}

void man_literal(FILE *out, const char *text)
{
    size_t size = strlen(text);
    fputs("```\n", out);
    for (const char *at = text; *at; at++) {
        if (*at == '\\') {
            fputc(*at, out);
        }
        fputc(*at, out);
    }
    fprintf(out, "%s```\n", size && text[size - 1] == '\n' ? "" : "\n");
}

void man_item(FILE *out, const char *word, const char *text)
{
    man_bold(out, word);
    fputs("\n\t", out);
    man_paragraph(out, text);
}

void man_head(FILE *out, const char *name, int section, const char *sentence)
{
    fprintf(out, "%s(%d) \"Warren %s\" \"Warren\"\n\n# NAME\n\n%s - ", name, section,
            warren_version(), name);
    man_paragraph(out, sentence);
}
