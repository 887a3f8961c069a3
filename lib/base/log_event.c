// SPDX-License-Identifier: MIT
// DESIGN: one row an event, in the order of their names, so that a name is found by halving. A new
// line in the log needs a row here and one in docs/logs.md; tests/unit/test_log_event.c says so when
// one is missing.
#include "base/log_event.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off: a row reads as name, level, what it means, what to do. */
static const struct wr_log_event events[] = {
    { "broker.blocked", WR_WARN, "the broker takes no publishes now",
      "Free memory or disk at the broker, which raised an alarm; publishes and retries wait until "
      "then." },
    { "broker.unblocked", WR_WARN, "the broker takes publishes again", "Nothing." },
    { "channel.lost", WR_WARN, "the broker closed a channel; it is opened again",
      "Read `cause`: it names the argument, the right or the exchange that the broker objects "
      "to." },
    { "config.changed", WR_INFO, "an option has another value since a reload", "Nothing." },
    { "config.error", WR_ERROR,
      "a file of the configuration has an error; the one of before goes on",
      "Mend what `text` names and reload again; `warren config check` says the same." },
    { "config.kept", WR_ERROR, "a reload was not possible; the configuration of before goes on",
      "Read `error`, and the config.error lines above it." },
    { "config.refused", WR_WARN, "an option can only change with a restart, and keeps its value",
      "Restart the worker when it suits." },
    { "config.reloaded", WR_INFO, "the configuration was read again",
      "Nothing; with `refused` above 0, read the config.refused lines." },
    { "connect.failed", WR_WARN, "the broker did not answer at the start; the worker tries again",
      "Look whether the broker runs and `broker.url` is right; `broker.connect_wait` says how long "
      "it tries." },
    { "connection.failed", WR_WARN, "a connection could not be made; it is tried again",
      "Nothing while a broker restarts; else read `error`." },
    { "connection.lost", WR_WARN, "a connection broke; it is made again",
      "Nothing now and then; often: look at the network, and at the broker's log for the same "
      "second." },
    { "connection.open", WR_INFO, "a connection was made", "Nothing." },
    { "connection.stuck", WR_ERROR, "a call of the AMQP library hung; its connection was cut",
      "Look at the network: the broker takes no data and doesn't say so." },
    { "consumer.ready", WR_INFO, "every queue is consumed", "Nothing." },
    { "control.bad_order", WR_WARN,
      "what came through the control plane is no order; it is ignored",
      "Find out who may write to NS.control." },
    { "control.bad_state", WR_WARN,
      "what stands in the stream of the control plane is no pause; it is ignored",
      "Find out who may write to NS.control." },
    { "control.late", WR_WARN, "a worker starts without knowing what is paused",
      "Read the connection.failed lines of role=control: until it is there, paused queues are "
      "consumed." },
    { "control.order", WR_WARN, "an order came through the control plane",
      "Nothing: `who` gave it, and `why`." },
    { "control.pause", WR_WARN, "a queue, or a type of it, is paused on all workers",
      "`warren queue resume` takes it back." },
    { "control.resume", WR_WARN, "a pause was taken back", "Nothing." },
    { "control.unreadable", WR_ERROR,
      "the stream of the control plane can't be read to its end; what was paused before is not "
      "known",
      "Delete the stream NS.state, give the pauses again, and find out who may write to "
      "NS.control." },
    { "delivery.rejected", WR_WARN, "a message could not be read; it is in the dead queue",
      "Look at it with `warren dead list`; find its sender; raise `limits.body` if it may be so "
      "large." },
    { "drain.begin", WR_INFO, "the worker takes no more jobs and lets running ones end",
      "Nothing." },
    { "dump.consumer", WR_INFO, "asked for: the consuming connection", "Nothing." },
    { "dump.job", WR_INFO, "asked for: a job that runs, and for how long", "Nothing." },
    { "dump.queue", WR_INFO, "asked for: a queue as it is consumed", "Nothing." },
    { "dump.thread", WR_INFO, "asked for: a thread and its calls", "Nothing." },
    { "dump.type", WR_INFO, "asked for: a job type with running or waiting jobs", "Nothing." },
    { "dump.worker", WR_INFO, "asked for: what the worker is at", "Nothing." },
    { "forward.repeat", WR_WARN, "a retry or dead letter was not confirmed; it is published again",
      "Read `cause`. The job is safe at its queue meanwhile." },
    { "http.listen", WR_INFO, "probes and metrics are served at this address", "Nothing." },
    { "job.dead", WR_WARN, "a job failed for good; it is in the dead queue",
      "Read `reason` and `error`; `warren dead list`, and `warren dead replay` when its cause is "
      "mended." },
    { "job.discard", WR_WARN, "a job was thrown away by its handler",
      "Look whether its handler was right." },
    { "job.done", WR_DEBUG, "a job is done", "Nothing." },
    { "job.held", WR_DEBUG, "a job's type is paused; it waits in the delay ladder", "Nothing." },
    { "job.no_memory", WR_ERROR, "no memory for a job's way on; the broker has it again",
      "Give the process more memory, or lower `threads`, `prefetch` or `limits.body`." },
    { "job.overrun", WR_WARN, "a job runs longer than its timeout; it was told to stop",
      "Let its handler look at warren_job_cancelled, or raise the type's `timeout`." },
    { "job.publish_failed", WR_WARN,
      "a message that a job published was not confirmed; the job runs again",
      "Read `error`: mostly no queue takes that type." },
    { "job.retry", WR_INFO, "a job failed; it runs again after a wait",
      "Read `error` when it comes often." },
    { "job.snooze", WR_INFO, "a job asked for later; it runs again after a wait", "Nothing." },
    { "ladder.late", WR_WARN, "delayed jobs came home late", "Do what `hint` says at the broker." },
    { "lane.full", WR_INFO, "jobs wait at their type's limit while threads are idle",
      "Raise the type's `concurrency` if the machine has room." },
    { "log.left_out", WR_WARN, "lines of one event were left out, since there were too many",
      "Read the lines that are there (`of` is their event, whose level this line has); raise "
      "`log.rate` to see all." },
    { "pod.cost", WR_DEBUG, "Kubernetes was told what it would cost to delete this pod",
      "Nothing." },
    { "pod.failed", WR_WARN, "Kubernetes could not be told what it would cost to delete this pod",
      "Read `error`: 403 lacks the right to patch pods, 401 a token that is valid. Jobs are not "
      "held "
      "up by it." },
    { "pod.unusable", WR_WARN, "this is no pod, or it can't be said which; no cost is told",
      "Read `error`, or set kubernetes.deletion_cost = false. Jobs run all the same." },
    { "prefetch.changed", WR_INFO, "an automatic prefetch was changed", "Nothing." },
    { "run.crashed", WR_WARN, "a run of a job ended with its process",
      "Read `signal` and `trace`: the calls that led to it. After max_crashes the job is dead "
      "(crash_loop)." },
    { "run.interrupted", WR_INFO, "a run of a job was cut off by a drain or a neighbour's crash",
      "Nothing." },
    { "service.unreachable", WR_WARN,
      "the service manager can't be told how the worker is; it is tried again",
      "Read `error`; with systemd look at NotifyAccess= of the unit. Jobs are not held up by it." },
    { "service.unwell", WR_ERROR,
      "the worker isn't alive by the judgement of /livez; its service manager will restart it",
      "Read `checks`: mostly a job runs past its `hard_timeout`, and its type is named." },
    { "source.cancelled", WR_ERROR,
      "the broker ended a queue's consumer; it is declared and consumed again",
      "Find out who deleted the queue, or which node is gone." },
    { "source.consumer_timeout", WR_ERROR, "a job held its delivery longer than the broker allows",
      "Raise `consumer_timeout` in rabbitmq.conf, or lower the prefetch and the jobs' run time." },
    { "source.failed", WR_ERROR, "a queue can't be consumed; it is tried again",
      "Read `error`: a right is missing, or the queue stands there with other arguments (`warren "
      "topology plan`)." },
    { "source.hold", WR_INFO, "a paused queue is not consumed any more", "Nothing." },
    { "source.open", WR_DEBUG, "a queue is consumed", "Nothing." },
    { "source.release", WR_INFO, "a queue is consumed again after a pause", "Nothing." },
    { "source.silent", WR_ERROR,
      "a queue has messages, but the broker sends none; it is consumed anew",
      "Nothing; often: look at the broker's log for that queue." },
    { "state_dir.unusable", WR_WARN, "the folder for notes about running jobs can't be used",
      "Set `state_dir` to a folder that only this user may write, or to \"none\"." },
    { "threads.failed", WR_ERROR, "the system refused more threads after a reload",
      "Look at the limit of processes and at memory; the next change asks again." },
    { "topology.failed", WR_ERROR, "the topology could not be declared; it is tried again",
      "Read `error`, and `warren topology plan`." },
    { "topology.note", WR_INFO,
      "what stands at the broker differs from what would be declared, and is used as it is",
      "Read `text`." },
    { "trace.dropped", WR_WARN, "spans were dropped, since the collector did not take them in time",
      "Look whether the collector keeps up; lower `trace.sample`. Jobs are not held up by it." },
    { "trace.failed", WR_WARN, "spans could not be sent to the collector",
      "Read `error`; look whether `trace.endpoint` is right. Jobs are not held up by it." },
    { "worker.quiet", WR_INFO, "the worker takes no jobs until it resumes",
      "SIGCONT or `warren worker resume` ends that." },
    { "worker.resume", WR_INFO, "the worker takes jobs again", "Nothing." },
    { "worker.start", WR_INFO, "the worker takes jobs", "Nothing." },
    { "worker.stop", WR_INFO, "the worker has ended; its counts are in the line", "Nothing." },
};
/* clang-format on */

enum { EVENTS = sizeof events / sizeof events[0] };
_Static_assert((int)EVENTS <= (int)WR_LOG_EVENTS_MOST, "the log keeps a rate for each event");

const struct wr_log_event *wr_log_event_table(size_t *out_count)
{
    *out_count = EVENTS;
    return events;
}

static int compare(const void *name, const void *row)
{
    return strcmp(name, ((const struct wr_log_event *)row)->name);
}

const struct wr_log_event *wr_log_event_find(const char *name)
{
    return bsearch(name, events, EVENTS, sizeof events[0], compare);
}

const char *wr_level_name(enum wr_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    return names[level];
}

enum wr_level wr_level_find(const char *name)
{
    enum wr_level level = WR_ERROR;
    while (level < WR_DEBUG && strcmp(name, wr_level_name(level)) != 0) {
        level++;
    }
    return level;
}
