// SPDX-License-Identifier: MIT
// Log lines as JSON: whatever is in the fields and the event, a line is one strict JSON object on one
// line, valid UTF-8, and within the size that sinks are told.
#include "fuzz.h"

#include <json-c/json.h>

#include "base/log_json.h"
#include "warren/worker.h"

static void must_parse(const char *text, size_t size)
{
    struct json_tokener *tokener = json_tokener_new();
    MUST(tokener);
    /* The strict mode of json-c 0.18 takes bytes above 0x7f in strings for control bytes. */
    int strict = JSON_C_VERSION_NUM < (18 << 8) ? JSON_TOKENER_STRICT : 0;
    json_tokener_set_flags(tokener, strict | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(tokener, text, (int)size + 1);
    MUST(json_tokener_get_error(tokener) == json_tokener_success);
    MUST(json_object_is_type(object, json_type_object));
    MUST(json_object_is_type(json_object_object_get(object, "level"), json_type_string));
    (void)json_object_put(object);
    json_tokener_free(tokener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { FIELDS_MOST = 2047 }; /* as base/log cuts them */
    struct fuzz_input input = { data, size < FIELDS_MOST ? size : FIELDS_MOST };
    char *event = fuzz_string(fuzz_slice(&input));
    char *fields = fuzz_string(fuzz_take(&input, input.size));
    struct wr_text line = { 0 };
    wr_log_json(&line, 1, (int)size, event, fields);
    MUST(!line.failed && line.size < WARREN_LOG_JSON_SIZE);
    MUST(wr_text_is_utf8((struct wr_slice){ line.data, line.size }));
    MUST(line.data[line.size - 1] == '\n' &&
         memchr(line.data, '\n', line.size) == line.data + line.size - 1);
    must_parse(line.data, line.size);
    wr_text_done(&line);
    free(event);
    free(fields);
    return 0;
}
