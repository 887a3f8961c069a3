/* SPDX-License-Identifier: MIT */
/*
 * Reading members of JSON objects that are known to have them, such as what warren_config_write gives.
 * Texts and objects are borrowed from the object; NULL is read as an object without members.
 */
#ifndef MEMBER_H
#define MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/** A member; NULL where there is none. */
struct json_object *member_of(struct json_object *object, const char *key);

/** A text; "" for none. */
const char *member_text(struct json_object *object, const char *key);

/** A whole number; 0 for none. */
int64_t member_number(struct json_object *object, const char *key);

/** A duration in ms ("90s"); 0 for none. */
int64_t member_duration(struct json_object *object, const char *key);

/** A size in bytes ("64KiB"); 0 for none. */
int64_t member_size(struct json_object *object, const char *key);

/** The same of a text. False: it is no size. */
bool size_read(const char *text, int64_t *out_bytes);

/** How many elements a list has; 0 for what is none. */
size_t member_count(struct json_object *list);

#endif
