/* SPDX-License-Identifier: MIT */
/*
 * Status and error: how every call of Warren says what went wrong.
 *
 * A call returns WARREN_OK (0) or a negative status, meant for decisions. The text for people goes
 * into an error that the caller owns: it is written on failure only, may be NULL, and is never
 * thread-local, so it can be handed to another thread.
 */
#ifndef WARREN_ERROR_H
#define WARREN_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is exported from the shared library. */
#define WARREN_API __attribute__((visibility("default")))

/** The outcome of a call. The numbers are part of the ABI. */
typedef enum warren_status {
    WARREN_OK = 0,           /**< done */
    WARREN_FAILED = -1,      /**< anything that has no status of its own; the text says what */
    WARREN_INVALID = -2,     /**< an argument that the caller must change */
    WARREN_NO_MEMORY = -3,   /**< an allocation failed; nothing was changed */
    WARREN_NOT_FOUND = -4,   /**< the queue, job, file or key named does not exist */
    WARREN_TIMEOUT = -5,     /**< the caller's deadline passed first */
    WARREN_CLOSED = -6,      /**< the connection or object is closed */
    WARREN_AGAIN = -7,       /**< nothing there now; try again later */
    WARREN_UNREACHABLE = -8, /**< no broker answers: refused, DNS, timeout. Trying again may help */
    WARREN_REFUSED = -9,     /**< the broker refuses: password, vhost, permission, certificate */
    WARREN_UNROUTABLE = -10, /**< published, but no queue takes it; the broker returned it */
    WARREN_NACKED = -11,     /**< the broker said that it could not take the message */
    WARREN_UNKNOWN = -12,    /**< the connection broke before the confirm: it may be there or not */
    WARREN_MISMATCH = -13,   /**< the broker has an object of this name with other arguments */
    WARREN_CONFIG = -14,     /**< the configuration has errors */
    WARREN_STATE = -15       /**< not allowed now: not started, started already, not confirmed */
} warren_status;

/** A status with its text. Owned by the caller; the library writes it on failure only. */
typedef struct warren_error {
    warren_status status; /**< of the call that failed */
    char text[2048];      /**< UTF-8, ends with NUL; several lines when several things are wrong */
} warren_error;

/** The name of a status, such as "unroutable". Never NULL; static memory. */
WARREN_API const char *warren_status_name(warren_status status);

/**
 * The exit code of a program that ends with this status: 0 ok, 1 failed, 2 usage, 4 not found, 5
 * refused by state, 6 broker unreachable, gone or refusing, 7 configuration invalid or unlike the broker,
 * 8 timeout.
 */
WARREN_API int warren_exit_code(warren_status status);

#ifdef __cplusplus
}
#endif
#endif
