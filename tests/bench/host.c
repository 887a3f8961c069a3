// SPDX-License-Identifier: MIT
// DESIGN: the first line of /proc/stat adds up all processors: user, nice, system, idle, iowait, irq,
// softirq, steal, in ticks. What can't be read counts as nothing taken.
#include "host.h"

#include <stdio.h>

struct host_mark host_mark(void)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, KINDS };
    long long ticks[KINDS] = { 0 };
    struct host_mark mark = { 0 };
    FILE *file = fopen("/proc/stat", "r");
    if (!file) {
        return mark;
    }
    if (fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &ticks[USER], &ticks[NICE],
               &ticks[SYSTEM], &ticks[IDLE], &ticks[IOWAIT], &ticks[IRQ], &ticks[SOFTIRQ],
               &ticks[STEAL]) == KINDS) {
        mark.taken = ticks[STEAL];
        mark.wanted =
            ticks[USER] + ticks[NICE] + ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ] + ticks[STEAL];
    }
    (void)fclose(file);
    return mark;
}

double host_took(const struct host_mark *since)
{
    struct host_mark now = host_mark();
    long long taken = now.taken - since->taken;
    long long wanted = now.wanted - since->wanted;
    return taken > 1 ? 100.0 * (double)taken / (double)wanted : 0;
}
