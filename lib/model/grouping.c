// SPDX-License-Identifier: MIT
// DESIGN: a hash table whose key is the group's id, which is a hash already. What a group says about
// its letters is taken once, when it is made; only the sample follows the newest letter. Texts are
// cut, so that a thousand groups are a megabyte at most.
#include "model/grouping.h"

#include <stdlib.h>
#include <string.h>

#include "model/fingerprint.h"

enum { FIRST_CAPACITY = 64, SAMPLE_MOST = 200, NAME_MOST = 255 };

struct wr_group {
    warren_dead_group data; /* data.id NULL: a free slot */
    char *texts;            /* id, type, reason and shape, each with its NUL */
    char *sample;           /* the newest one's id and error */
};

static const char *copy_cut(char **at, const char *text, size_t most)
{
    size_t size = strnlen(text, most);
    while (size && text[size] && ((unsigned char)text[size] & 0xC0) == 0x80) {
        size--; /* not within a character */
    }
    char *copy = *at;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *at += size + 1;
    return copy;
}

static struct wr_group *find_slot(struct wr_group *slots, size_t capacity, const char *id)
{
    size_t at = (size_t)strtoull(id, NULL, 16);
    for (;; at++) {
        struct wr_group *group = &slots[at & (capacity - 1)];
        if (!group->data.id || strcmp(group->data.id, id) == 0) {
            return group;
        }
    }
}

static bool grow(struct wr_grouping *grouping)
{
    size_t capacity = grouping->capacity ? 2 * grouping->capacity : FIRST_CAPACITY;
    struct wr_group *slots = calloc(capacity, sizeof *slots);
    if (!slots) {
        return false;
    }
    for (size_t i = 0; i < grouping->capacity; i++) {
        if (grouping->slots[i].data.id) {
            *find_slot(slots, capacity, grouping->slots[i].data.id) = grouping->slots[i];
        }
    }
    free(grouping->slots);
    grouping->slots = slots;
    grouping->capacity = capacity;
    return true;
}

static bool begin_group(struct wr_group *group, const warren_dead_letter *letter)
{
    char *at = malloc(WR_GROUP_ID_SIZE + 2 * (NAME_MOST + 1) + WR_SHAPE_SIZE);
    group->sample = malloc(NAME_MOST + 1 + SAMPLE_MOST + 1);
    if (!at || !group->sample) {
        free(at);
        free(group->sample);
        return false;
    }
    group->texts = at;
    group->data = (warren_dead_group){ .id = copy_cut(&at, letter->group, WR_GROUP_ID_SIZE - 1),
                                       .type = copy_cut(&at, letter->type, NAME_MOST),
                                       .reason = copy_cut(&at, letter->reason, NAME_MOST),
                                       .shape = copy_cut(&at, letter->shape, WR_SHAPE_SIZE - 1),
                                       .first_ms = letter->died_ms,
                                       .attempts_least = letter->attempts,
                                       .attempts_most = letter->attempts };
    return true;
}

static void count_letter(struct wr_group *group, const warren_dead_letter *letter)
{
    warren_dead_group *data = &group->data;
    bool is_newest = letter->died_ms >= data->last_ms;
    data->count++;
    data->body_bytes += letter->body_size;
    if (letter->died_ms && (!data->first_ms || letter->died_ms < data->first_ms)) {
        data->first_ms = letter->died_ms;
    }
    if (letter->attempts < data->attempts_least) {
        data->attempts_least = letter->attempts;
    }
    if (letter->attempts > data->attempts_most) {
        data->attempts_most = letter->attempts;
    }
    if (is_newest) {
        char *at = group->sample;
        data->last_ms = letter->died_ms;
        data->sample_id = copy_cut(&at, letter->id, NAME_MOST);
        data->sample_error = copy_cut(&at, letter->error, SAMPLE_MOST);
    }
}

warren_status wr_grouping_add(struct wr_grouping *grouping, const warren_dead_letter *letter)
{
    if (2 * (grouping->length + 1) > grouping->capacity && !grow(grouping)) {
        return WARREN_NO_MEMORY;
    }
    struct wr_group *group = find_slot(grouping->slots, grouping->capacity, letter->group);
    if (!group->data.id) {
        if (grouping->length >= grouping->most) {
            grouping->beyond++;
            return WARREN_OK;
        }
        if (!begin_group(group, letter)) {
            return WARREN_NO_MEMORY;
        }
        grouping->length++;
    }
    count_letter(group, letter);
    return WARREN_OK;
}

/* The largest first; of equal ones that which died last. */
static int compare(const void *left, const void *right)
{
    const warren_dead_group *a = *(const warren_dead_group *const *)left;
    const warren_dead_group *b = *(const warren_dead_group *const *)right;
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    if (a->last_ms != b->last_ms) {
        return a->last_ms < b->last_ms ? 1 : -1;
    }
    return strcmp(a->id, b->id);
}

warren_status wr_grouping_each(struct wr_grouping *grouping, const char *queue,
                               warren_dead_group_visitor *visit, void *user)
{
    const warren_dead_group **sorted = calloc(grouping->length + 1, sizeof *sorted);
    size_t count = 0;
    if (!sorted) {
        return WARREN_NO_MEMORY;
    }
    for (size_t i = 0; i < grouping->capacity; i++) {
        if (grouping->slots[i].data.id) {
            grouping->slots[i].data.queue = queue;
            sorted[count++] = &grouping->slots[i].data;
        }
    }
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count && visit(sorted[i], user); i++) {
    }
    free(sorted);
    return WARREN_OK;
}

void wr_grouping_done(struct wr_grouping *grouping)
{
    for (size_t i = 0; i < grouping->capacity; i++) {
        free(grouping->slots[i].texts);
        free(grouping->slots[i].sample);
    }
    free(grouping->slots);
    *grouping = (struct wr_grouping){ 0 };
}
