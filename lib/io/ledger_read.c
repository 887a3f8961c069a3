// SPDX-License-Identifier: MIT
// DESIGN: reading what a dead process left. Nothing in it is believed: counts are bounded by the
// bytes that are there, texts must end where they have to, and what doesn't make sense is passed
// over. Everything is copied out before it is looked at, so alignment doesn't matter.
//
// Who is charged: when a worker's thread has noted a fault, its job and no other; those that ran
// beside it were interrupted. Without such a note (kill -9, exit, out of memory, a fault in another
// thread) nobody knows, and each job that was running is charged, unless the process was on its way
// to a stop.
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "io/ledger.h"
#include "io/ledger_layout.h"

struct reading {
    const char *data;
    struct wr_ledger_header header;
    bool has_culprit; /* a worker's fault was noted */
};

static bool is_started(uint32_t state)
{
    return state == WR_SLOT_STARTED || state == WR_SLOT_INTERRUPTED;
}

static void copy_slot(const struct reading *reading, uint32_t index, struct wr_ledger_slot *out)
{
    memcpy(out, reading->data + WR_LEDGER_HEADER_SIZE + (size_t)index * WR_LEDGER_SLOT_SIZE,
           sizeof *out);
}

static warren_status read_header(struct reading *reading, size_t size, warren_error *err)
{
    struct wr_ledger_header *header = &reading->header;
    if (size < WR_LEDGER_HEADER_SIZE) {
        return wr_fail(err, WARREN_INVALID, "%zu bytes are too few for a ledger", size);
    }
    memcpy(header, reading->data, sizeof *header);
    if (memcmp(header->magic, WR_LEDGER_MAGIC, sizeof header->magic) != 0) {
        return wr_fail(err, WARREN_INVALID, "it doesn't begin as a ledger does");
    }
    if (header->version != WR_LEDGER_VERSION) {
        return wr_fail(err, WARREN_INVALID, "its version is %u, want %d", header->version,
                       WR_LEDGER_VERSION);
    }
    size_t room = (size - WR_LEDGER_HEADER_SIZE) / WR_LEDGER_SLOT_SIZE;
    uint32_t fits = (uint32_t)(room < WR_LEDGER_SLOTS_MOST ? room : WR_LEDGER_SLOTS_MOST);
    if (header->slot_count > fits || header->module_count > WR_LEDGER_MODULES) {
        return wr_fail(err, WARREN_INVALID, "it says %u slots and %u modules, at most %u and %d",
                       header->slot_count, header->module_count, fits, WR_LEDGER_MODULES);
    }
    return WARREN_OK;
}

/* --- the trace --- */

static const struct wr_ledger_module *find_module(const struct wr_ledger_header *header,
                                                  uint64_t address)
{
    for (uint32_t i = 0; i < header->module_count; i++) {
        const struct wr_ledger_module *module = &header->modules[i];
        if (address >= module->start && address < module->end) {
            return module;
        }
    }
    return NULL;
}

/* "libfoo.so+0x1234"; a name's bytes that aren't plain become '?'. */
static void write_frame(char out[128], const struct wr_ledger_header *header, uint64_t address)
{
    const struct wr_ledger_module *module = find_module(header, address);
    if (!module) {
        (void)snprintf(out, 128, "0x%llx", (unsigned long long)address);
        return;
    }
    size_t length = strnlen(module->name, sizeof module->name);
    for (size_t i = 0; i < length; i++) {
        out[i] = module->name[i] > ' ' && module->name[i] < 0x7F ? module->name[i] : '?';
    }
    (void)snprintf(out + length, 128 - length, "+0x%llx",
                   (unsigned long long)(address - module->base));
}

/* As many whole frames as fit. */
static void write_trace(char out[WR_TRACE_SIZE], const struct wr_ledger_header *header,
                        const struct wr_crash_note *note)
{
    uint32_t count = atomic_load(&note->frame_count);
    uint64_t only[1] = { note->address };
    const uint64_t *frames = count ? note->frames : only;
    count = count && count < WR_CRASH_FRAMES ? count : count ? WR_CRASH_FRAMES : 1;
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        char frame[128];
        write_frame(frame, header, frames[i]);
        size_t length = strlen(frame) + (i ? 3 : 0);
        if (used + length >= WR_TRACE_SIZE) {
            return;
        }
        (void)snprintf(out + used, WR_TRACE_SIZE - used, "%s%s", i ? " < " : "", frame);
        used += length;
    }
}

/* --- the runs --- */

static int64_t started_ms(const struct wr_ledger_header *header, const struct wr_ledger_slot *slot)
{
    int64_t ran_us;
    int64_t out_ms;
    if (__builtin_sub_overflow(slot->started_us, header->opened_mono_us, &ran_us) ||
        __builtin_add_overflow(header->opened_wall_ms, ran_us / 1000, &out_ms)) {
        return 0;
    }
    return out_ms;
}

static void fill_run(struct wr_ledger_run *run, const struct reading *reading,
                     const struct wr_ledger_slot *slot)
{
    const struct wr_ledger_header *header = &reading->header;
    bool is_culprit =
        atomic_load(&slot->note.signal) != 0 && atomic_load(&slot->state) == WR_SLOT_STARTED;
    const struct wr_crash_note *note = is_culprit ? &slot->note : &header->note;
    *run = (struct wr_ledger_run){ .key = slot->key, .started_ms = started_ms(header, slot) };
    bool is_stopping =
        atomic_load(&header->is_draining) || atomic_load(&slot->state) == WR_SLOT_INTERRUPTED;
    run->is_interrupt = !is_culprit && (reading->has_culprit || is_stopping);
    run->signal = run->is_interrupt ? 0 : atomic_load(&note->signal);
    if (run->signal) {
        write_trace(run->trace, header, note);
    }
}

static void look_for_culprit(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->header.slot_count; i++) {
        struct wr_ledger_slot slot;
        copy_slot(reading, i, &slot);
        reading->has_culprit |=
            atomic_load(&slot.state) == WR_SLOT_STARTED && atomic_load(&slot.note.signal) != 0;
    }
}

warren_status wr_ledger_read(const void *data, size_t size, wr_ledger_visit *visit, void *user,
                             warren_error *err)
{
    struct reading reading = { .data = data };
    warren_status rc = read_header(&reading, size, err);
    if (rc) {
        return rc;
    }
    look_for_culprit(&reading);
    for (uint32_t i = 0; i < reading.header.slot_count; i++) {
        struct wr_ledger_slot slot;
        struct wr_ledger_run run;
        copy_slot(&reading, i, &slot);
        if (is_started(atomic_load(&slot.state)) && wr_job_key_is_whole(&slot.key)) {
            fill_run(&run, &reading, &slot);
            visit(user, &run);
        }
    }
    return WARREN_OK;
}
