/* SPDX-License-Identifier: MIT */
/*
 * Warren: a job framework for RabbitMQ. This header is all that a service needs; the others are its
 * chapters: worker.h (run handlers), job.h (inside a handler), publisher.h and message.h (put jobs
 * in), error.h. Tools use config.h, topology.h, queue.h and dead.h too; handlers in a shared object
 * plugin.h; tests testing.h.
 */
#ifndef WARREN_WARREN_H
#define WARREN_WARREN_H

#include "warren/error.h"
#include "warren/job.h"
#include "warren/message.h"
#include "warren/publisher.h"
#include "warren/worker.h"

#endif
