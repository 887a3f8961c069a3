// SPDX-License-Identifier: MIT
// DESIGN: what is missing has a plain value, so that a reader needs no checks: the objects come from
// Warren itself, or are judged afterwards by what was found.
#include "member.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "when.h"

#define SIZE_MOST ((int64_t)1 << 50)

json_object *member_of(json_object *object, const char *key)
{
    json_object *member = NULL;
    if (json_object_is_type(object, json_type_object)) {
        (void)json_object_object_get_ex(object, key, &member);
    }
    return member;
}

const char *member_text(json_object *object, const char *key)
{
    json_object *member = member_of(object, key);
    return member ? json_object_get_string(member) : "";
}

int64_t member_number(json_object *object, const char *key)
{
    return json_object_get_int64(member_of(object, key));
}

int64_t member_duration(json_object *object, const char *key)
{
    int64_t ms = 0;
    return when_duration(member_text(object, key), &ms) ? ms : 0;
}

bool size_read(const char *text, int64_t *out_bytes)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = { { "B", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 } };
    char *unit;
    long long number = strtoll(text, &unit, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        bool is_one = unit != text && strcmp(unit, units[i].name) == 0;
        if (is_one && number >= 0 && number <= SIZE_MOST / units[i].bytes) {
            *out_bytes = number * units[i].bytes;
            return true;
        }
    }
    return false;
}

int64_t member_size(json_object *object, const char *key)
{
    int64_t bytes = 0;
    return size_read(member_text(object, key), &bytes) ? bytes : 0;
}

size_t member_count(json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}
