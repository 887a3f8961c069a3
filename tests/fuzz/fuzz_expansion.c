// SPDX-License-Identifier: MIT
// Expansion of "${env:…}", "${file:…}" and "$$": what comes out is within its limit, a text whose
// dollars are all doubled comes out as it was, and no problem ever tells what a secret is.
#include "fuzz.h"

#include <unistd.h>

#include "model/settings_read.h"

static const char secret[] = "s3cr3t-from-elsewhere";
static char folder[] = "/tmp/warren-fuzz.XXXXXX";
static char secret_file[sizeof folder + 8];

static void remove_folder(void)
{
    (void)unlink(secret_file);
    (void)rmdir(folder);
}

/* A variable with a secret, an empty one, and a file beside the configuration. */
static void set_up(void)
{
    static bool is_done;
    if (is_done) {
        return;
    }
    is_done = true;
    MUST(setenv("WF_A", secret, 1) == 0 && setenv("WF_B", "", 1) == 0);
    MUST(unsetenv("WF_C") == 0);
    MUST(mkdtemp(folder));
    (void)snprintf(secret_file, sizeof secret_file, "%s/s", folder);
    FILE *file = fopen(secret_file, "w");
    MUST(file && fprintf(file, "%s\r\n", secret) > 0 && fclose(file) == 0);
    MUST(atexit(remove_folder) == 0);
}

static void check_result(const char *text, const struct wr_expansion *got)
{
    const char *result = wr_text_string(&got->text);
    MUST(memchr(got->problem, '\0', sizeof got->problem));
    MUST(!got->text.failed && strlen(result) == got->text.size);
    if (got->problem[0]) {
        MUST(!strstr(got->problem, secret) || strstr(text, secret));
        return;
    }
    MUST(got->text.size <= WR_CONFIG_STRING_MOST);
    /* Without a 3 in the text no literal pieces of it can make the secret. */
    MUST(!strstr(result, secret) || got->secret || strchr(text, '3'));
    if (!strchr(text, '$')) {
        MUST(!got->any && strcmp(result, text) == 0);
    }
}

static void check_doubled(const char *text)
{
    struct wr_text doubled = { 0 };
    for (const char *at = text; *at; at++) {
        wr_text_add(&doubled, at, 1);
        wr_text_add(&doubled, at, *at == '$' ? 1 : 0);
    }
    struct wr_expansion got;
    wr_settings_expand(wr_text_string(&doubled), folder, &got);
    MUST(!got.any && !got.secret);
    MUST(got.problem[0] ? strlen(text) > WR_CONFIG_STRING_MOST
                        : strcmp(wr_text_string(&got.text), text) == 0);
    wr_expansion_done(&got);
    wr_text_done(&doubled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    char *text = fuzz_string((struct wr_slice){ (const char *)data, size });
    bool is_elsewhere = strstr(text, "file:/") || strstr(text, "..");
    if (!is_elsewhere) { /* other files of this machine are nobody's seed */
        struct wr_expansion got;
        wr_settings_expand(text, folder, &got);
        check_result(text, &got);
        wr_expansion_done(&got);
    }
    check_doubled(text);
    free(text);
    return is_elsewhere ? -1 : 0;
}
