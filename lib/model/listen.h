/* SPDX-License-Identifier: MIT */
/*
 * Where to listen: "none", "PORT" (on loopback), "ADDRESS:PORT", "[IPV6]:PORT" or "*:PORT" (all
 * addresses). Port 0 is any free one. Addresses are numeric, or localhost. Threads: pure functions.
 */
#ifndef WR_MODEL_LISTEN_H
#define WR_MODEL_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

struct wr_listen {
    bool is_off;
    bool is_v6;
    char address[64]; /* numeric, without brackets */
    uint16_t port;
};

/** Reads it; NULL, or what is wrong with it, as the rest of a sentence that begins with "want". */
const char *wr_listen_read(struct wr_listen *out, const char *text);

#endif
