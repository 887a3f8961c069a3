// SPDX-License-Identifier: MIT
// DESIGN: a stream into memory.
#include "writer.h"

#include <inttypes.h>
#include <stdlib.h>

bool writer_open(struct writer *writer)
{
    *writer = (struct writer){ 0 };
    writer->out = open_memstream(&writer->text, &writer->size);
    return writer->out != NULL;
}

char *writer_take(struct writer *writer)
{
    if (fclose(writer->out)) {
        free(writer->text);
        return NULL;
    }
    return writer->text;
}

const char *duration_text(char out[DURATION_TEXT], int64_t ms)
{
    bool is_whole = ms % 1000 == 0;
    (void)snprintf(out, DURATION_TEXT, is_whole ? "%" PRId64 "s" : "%" PRId64 "ms",
                   is_whole ? ms / 1000 : ms);
    return out;
}
