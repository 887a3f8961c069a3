// SPDX-License-Identifier: MIT
// DESIGN: libFuzzer's main for compilers without it: runs a target over all files of the folders
// that it is given, in the order of their names, and says which one it is at, so that a crash has a
// name. No file at all is a failure: a corpus that is not found must not look like one that passes.
#include <dirent.h>

#include "fuzz.h"

enum { FILE_MOST = 4 << 20 };

static int is_plain(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Reads the file into a block of its exact size, so that a sanitizer sees what reads further. */
static void run_file(const char *path)
{
    static uint8_t content[FILE_MOST];
    FILE *file = fopen(path, "rb");
    MUST(file);
    size_t size = fread(content, 1, sizeof content, file);
    MUST(fclose(file) == 0 && size < sizeof content);
    uint8_t *data = malloc(size ? size : 1);
    MUST(data);
    memcpy(data, content, size);
    fprintf(stderr, "%s, %zu bytes\n", path, size);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static int run_folder(const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_plain, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];
        int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        MUST(length > 0 && length < (int)sizeof path);
        run_file(path);
        free(entries[i]);
    }
    free(entries);
    return count > 0 ? count : 0;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        files += run_folder(argv[i]);
    }
    printf("%d files of the corpus hold\n", files);
    return files ? 0 : 1;
}
