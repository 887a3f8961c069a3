// SPDX-License-Identifier: MIT
// What a dead process left behind, or somebody else put there. With an odd first byte the rest is the
// file as it is; else it is filled into a ledger of the right form, so that more gets past its head:
//
//   flags, slots, modules, then for each module: size of its name, name, where it starts;
//   for each slot: state, signal, frames, an address, queue and id (each with its length)
//
// No more runs come out than there are slots; each has a key that is whole, and a trace only with a
// signal. What is said does not depend on where the bytes lie.
#include "fuzz.h"

#include <stddef.h>

#include "base/error.h"
#include "io/ledger.h"
#include "io/ledger_layout.h"

enum { SLOTS_MOST = 8, FILE_MOST = 1 << 20 };

struct seen {
    size_t runs;
    unsigned sum; /* of all that was told */
};

static void look(void *user, const struct wr_ledger_run *run)
{
    struct seen *seen = user;
    MUST(wr_job_key_is_whole(&run->key));
    MUST(memchr(run->trace, '\0', sizeof run->trace) && fuzz_is_printable(run->trace));
    MUST(!run->is_interrupt || run->signal == 0);
    MUST(run->signal ? run->trace[0] != '\0' : run->trace[0] == '\0');
    seen->runs++;
    seen->sum = seen->sum * 31 + (unsigned)run->signal + (unsigned)run->started_ms;
    for (const char *at = run->trace; *at; at++) {
        seen->sum = seen->sum * 31 + (unsigned char)*at;
    }
}

static warren_status read_at(const char *data, size_t size, struct seen *seen)
{
    warren_error err = { 0 };
    *seen = (struct seen){ 0, 0 };
    warren_status rc = wr_ledger_read(data, size, look, seen, &err);
    MUST(rc == WARREN_OK || (rc == WARREN_INVALID && err.text[0] && seen->runs == 0));
    MUST(seen->runs <= WR_LEDGER_SLOTS_MOST);
    MUST(seen->runs * WR_LEDGER_SLOT_SIZE + WR_LEDGER_HEADER_SIZE <= size || !seen->runs);
    return rc;
}

/* Read where it lies, and one byte further. */
static void check(struct wr_slice file)
{
    struct seen first;
    struct seen second;
    char *moved = malloc(file.size + 1);
    MUST(moved);
    memcpy(moved + 1, file.data, file.size);
    warren_status rc = read_at(file.data, file.size, &first);
    MUST(rc == read_at(moved + 1, file.size, &second));
    MUST(first.runs == second.runs && first.sum == second.sum);
    free(moved);
}

static void fill_text(char *out, size_t size, struct fuzz_input *input)
{
    struct wr_slice text = fuzz_slice(input);
    size_t kept = text.size < size ? text.size : size; /* a long one has no end */
    memcpy(out, text.data, kept);
}

static void fill_note(struct wr_crash_note *note, struct fuzz_input *input)
{
    atomic_store(&note->signal, (int32_t)(int8_t)fuzz_byte(input));
    uint8_t frames = fuzz_byte(input);
    atomic_store(&note->frame_count, frames == 255 ? UINT32_MAX : frames);
    note->address = fuzz_number(input);
    for (uint64_t i = 0; i < WR_CRASH_FRAMES; i++) {
        note->frames[i] = note->address + i * 0x1000;
    }
}

static void fill_header(struct wr_ledger_header *header, struct fuzz_input *input)
{
    unsigned flags = fuzz_byte(input);
    memcpy(header->magic, WR_LEDGER_MAGIC, sizeof header->magic);
    header->version = flags & 1 ? 77 : WR_LEDGER_VERSION;
    header->slot_count = fuzz_byte(input);
    header->module_count = fuzz_byte(input);
    atomic_store(&header->is_draining, flags >> 1 & 1);
    header->opened_wall_ms = flags & 4 ? INT64_MAX : 1700000000000;
    header->opened_mono_us = flags & 8 ? INT64_MIN : 5000000;
    fill_note(&header->note, input);
    for (uint32_t i = 0; i < header->module_count && i < WR_LEDGER_MODULES; i++) {
        struct wr_ledger_module *module = &header->modules[i];
        fill_text(module->name, sizeof module->name, input);
        module->start = fuzz_number(input);
        module->end = module->start + 0x4000;
        module->base = flags & 16 ? 0 : module->start;
    }
}

static void fill_slot(struct wr_ledger_slot *slot, struct fuzz_input *input)
{
    static const uint32_t states[] = { WR_SLOT_FREE, WR_SLOT_STARTED, WR_SLOT_INTERRUPTED, 9 };
    atomic_store(&slot->state, states[fuzz_byte(input) % 4]);
    slot->started_us = (int64_t)fuzz_number(input);
    fill_note(&slot->note, input);
    fill_text(slot->key.queue, sizeof slot->key.queue, input);
    fill_text(slot->key.id, sizeof slot->key.id, input);
}

static void check_made(struct fuzz_input *input)
{
    struct wr_ledger_header header = { .version = 0 };
    size_t size = WR_LEDGER_HEADER_SIZE + SLOTS_MOST * WR_LEDGER_SLOT_SIZE;
    char *file = calloc(1, size);
    MUST(file);
    fill_header(&header, input);
    memcpy(file, &header, sizeof header);
    for (int i = 0; i < SLOTS_MOST; i++) {
        struct wr_ledger_slot slot = { .unused = 0 };
        fill_slot(&slot, input);
        memcpy(file + WR_LEDGER_HEADER_SIZE + i * WR_LEDGER_SLOT_SIZE, &slot, sizeof slot);
    }
    size_t cut = fuzz_byte(input); /* a file that was cut short */
    check((struct wr_slice){ file, size - cut });
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    if (size > FILE_MOST) {
        return -1;
    }
    if (fuzz_byte(&input) & 1) {
        check(fuzz_take(&input, input.size));
    } else {
        check_made(&input);
    }
    return 0;
}
