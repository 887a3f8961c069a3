/* SPDX-License-Identifier: MIT */
/*
 * One value of one option: its text, its typed form, its place in the settings. Private to the
 * settings. Threads: pure functions.
 */
#ifndef WR_MODEL_SETTINGS_VALUE_H
#define WR_MODEL_SETTINGS_VALUE_H

#include "model/settings.h"

/** A value of any kind but the lists. */
struct wr_value {
    int64_t number;   /* BOOL, INT, DURATION (ms), SIZE (bytes), CHOICE (which of the words) */
    double real;      /* FLOAT */
    const char *text; /* STRING, SECRET, PATH: borrowed; NULL or "": unset. CHOICE: its word */
};

/** Reads a value as it is written in a file, without the quotes. False when it is none. */
bool wr_value_parse(const struct wr_option *option, const char *text, struct wr_value *out);

/** Whether the value lies within the option's least and most. */
bool wr_value_fits(const struct wr_option *option, const struct wr_value *value);

/** Writes the value into `base`, the struct that the option is kept in; strings are copied, an old
 * one is freed. False without memory. */
bool wr_value_store(const struct wr_option *option, void *base, const struct wr_value *value);

/** Reads the value back. Strings are borrowed. */
void wr_value_load(const struct wr_option *option, const void *base, struct wr_value *out);

/** Appends the value as it is written in a file, without quotes. */
void wr_value_write(const struct wr_option *option, const struct wr_value *value,
                    struct wr_text *out);

/** Appends what stands in `base`, the struct that the option is kept in, as it may be shown: a secret
 * is "***". Not for lists. */
void wr_value_show(const struct wr_option *option, const void *base, struct wr_text *out);

/** Whether the option is kept as a string that the settings own. */
bool wr_option_is_string(const struct wr_option *option);

/** Whether the written form stands in quotes. */
bool wr_value_is_quoted(const struct wr_option *option, const char *text);

/** Appends what the option wants: `a duration such as "90s" or "2m"`. */
void wr_option_want(const struct wr_option *option, struct wr_text *out);

/** Appends the range and the word, `, from 1 to 9, or "auto"`; nothing when there is none. */
void wr_option_range(const struct wr_option *option, struct wr_text *out);

/** Whether `text` is one of the words in "a|b|c"; `*out_index` says which. */
bool wr_choice_find(const char *choices, const char *text, int64_t *out_index);

/** Copies a queue with its types. False without memory: what is there must be freed nonetheless. */
bool wr_settings_copy_queue(struct wr_queue_settings *to, const struct wr_queue_settings *from);

/** Reads a size with its unit ("64KiB", "1MB", "512B") into bytes. */
bool wr_size_parse(struct wr_slice text, int64_t *out_bytes);

/** Appends a size in its shortest exact form. */
void wr_size_write(int64_t bytes, struct wr_text *out);

#endif
