// SPDX-License-Identifier: MIT
// DESIGN: every option of Warren is one row of this table, and nothing else knows their names: the
// reader finds the row of a key and stores its value at the row's offset, the checks of kind and
// range are the row's, and `config explain`, the shipped config/warren.cfg, the man page and the
// text of effective settings are printed from it. To add an option, add a row and a field.
//
// Rows below "queue." are kept in wr_queue_settings, rows below "queue.jobs." in wr_job_settings,
// all others in wr_settings. The order is the order of the shipped files; the options of one group
// stand together. A LIVE row can be changed in a running worker; before another becomes one, each of
// its readers has to look at the newest settings (see wr_settings_copy).
#include "model/settings.h"

#define AT(type, field) (uint16_t) offsetof(type, field), (uint16_t)sizeof(((type *)0)->field)
#define IN_SETTINGS(field) AT(struct wr_settings, field), false
#define IN_QUEUE(field) AT(struct wr_queue_settings, field), false
#define IN_JOB(field) AT(struct wr_job_settings, field), false
/* A running worker takes a change of it. */
#define LIVE_IN_SETTINGS(field) AT(struct wr_settings, field), true
#define LIVE_IN_QUEUE(field) AT(struct wr_queue_settings, field), true
#define LIVE_IN_JOB(field) AT(struct wr_job_settings, field), true

/* clang-format off: a row reads as path, kind, fallback, least, most, choices, sentence. */
static const struct wr_option options[] = {
    { "namespace", WR_OPTION_STRING, "warren", NULL, NULL, NULL,
      "The first part of the name of everything that Warren declares in the broker. Letters, "
      "digits, "
      "'.', '_' and '-', at most 60. Services that share queues must share it.",
      false, IN_SETTINGS(ns) },
    { "topology", WR_OPTION_CHOICE, "apply", NULL, NULL, "apply|check",
      "At the start of a worker: apply declares the exchanges and queues that are missing; check "
      "only "
      "looks whether they are there, for a broker user who may not configure anything.",
      false, IN_SETTINGS(topology_check) },
    { "threads", WR_OPTION_INT, "auto", "1", "1024", "auto",
      "How many jobs run at once in this process. auto: the sum of the concurrency of all types, "
      "at "
      "most 256. When set lower, the limits of isolated types stay reserved.",
      false, LIVE_IN_SETTINGS(threads) },
    { "drain_timeout", WR_OPTION_DURATION, "25s", "0s", "1d", NULL,
      "How long a stop waits for running jobs; then they are left to the broker, which gives them "
      "to "
      "another worker. Keep it below what your service manager allows (Kubernetes: 30s).",
      false, LIVE_IN_SETTINGS(drain_timeout_ms) },
    { "state_dir", WR_OPTION_PATH, "auto", NULL, NULL, "auto|none",
      "The folder in which workers note which jobs are running, so that a job that crashes them "
      "again and again is recognised. auto: $STATE_DIRECTORY (systemd), else "
      "$XDG_STATE_HOME/warren, else $HOME/.local/state/warren. none: no notes.",
      false, IN_SETTINGS(state_dir) },
    { "plugins", WR_OPTION_PATHS, "", NULL, NULL, NULL,
      "Shared objects with handlers, which `warren run` loads. Relative paths start at this file's "
      "folder.",
      false, IN_SETTINGS(plugins) },
    { "queues", WR_OPTION_STRING, "queues", NULL, NULL, NULL,
      "The folder of the queue files, relative to this file's folder; every *.cfg in it is read, "
      "in "
      "the order of their names. A list of groups here instead of a folder is fine, too.",
      false, LIVE_IN_SETTINGS(queues_folder) },

    { "broker.url", WR_OPTION_STRING, "${env:WARREN_AMQP_URL:-amqp://localhost}", NULL, NULL, NULL,
      "Where RabbitMQ is: amqp://user:password@host:port/vhost, or amqps:// for TLS. Several hosts "
      "are separated by commas. memory: is a broker inside this process, for tests.",
      false, IN_SETTINGS(broker.url) },
    { "broker.user", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "The user; empty: the one of the URL, else guest.", false, IN_SETTINGS(broker.user) },
    { "broker.user_file", WR_OPTION_PATH, "", NULL, NULL, NULL,
      "A file that holds the user instead. Read again at each connect.", false,
      IN_SETTINGS(broker.user_file) },
    { "broker.password", WR_OPTION_SECRET, "", NULL, NULL, NULL,
      "The password; empty: the one of the URL, else guest. Better kept in password_file or in "
      "${env:NAME}.",
      false, IN_SETTINGS(broker.password) },
    { "broker.password_file", WR_OPTION_PATH, "", NULL, NULL, NULL,
      "A file that holds the password instead. Read again at each connect, so that it can be "
      "changed "
      "without a restart.",
      false, IN_SETTINGS(broker.password_file) },
    { "broker.login", WR_OPTION_CHOICE, "plain", NULL, NULL, "plain|external",
      "How to log in: plain is user and password; external is the certificate of tls.cert_file, "
      "which "
      "names the user. The broker needs the plugin rabbitmq_auth_mechanism_ssl for it.",
      false, IN_SETTINGS(broker.login_external) },
    { "broker.management_url", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "The management API, such as http://localhost:15672; empty: none. `topology` and `doctor` "
      "ask "
      "it for bindings, policies and what else AMQP doesn't tell.",
      false, LIVE_IN_SETTINGS(broker.management_url) },
    { "broker.connection_name", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "What the broker shows for our connections; empty: the program and its host.", false,
      IN_SETTINGS(broker.connection_name) },
    { "broker.heartbeat", WR_OPTION_DURATION, "15s", "5s", "1h", NULL,
      "After how long a silent connection counts as dead. Whole seconds.", false,
      IN_SETTINGS(broker.heartbeat_ms) },
    { "broker.connect_timeout", WR_OPTION_DURATION, "10s", "10ms", "10m", NULL,
      "How long one attempt to connect and log in may take.", false,
      IN_SETTINGS(broker.connect_timeout_ms) },
    { "broker.connect_wait", WR_OPTION_DURATION, "5m", "0s", "7d", NULL,
      "How long a worker goes on trying at its start while no broker answers; 0s: one attempt "
      "only. "
      "A wrong password, vhost or certificate ends it at once.",
      false, IN_SETTINGS(broker.connect_wait_ms) },
    { "broker.rpc_timeout", WR_OPTION_DURATION, "10s", "10ms", "10m", NULL,
      "How long the broker may take to answer a declaration or a similar question.", false,
      IN_SETTINGS(broker.rpc_timeout_ms) },
    { "broker.allow_plaintext", WR_OPTION_BOOL, "false", NULL, NULL, NULL,
      "Whether a password may go without TLS to a host that isn't this machine.", false,
      IN_SETTINGS(broker.allow_plaintext) },

    { "broker.tls.ca_file", WR_OPTION_PATH, "", NULL, NULL, NULL,
      "The certificates that are trusted, in PEM; empty: the system's.", false,
      IN_SETTINGS(broker.tls.ca_file) },
    { "broker.tls.cert_file", WR_OPTION_PATH, "", NULL, NULL, NULL,
      "Our own certificate, in PEM, when the broker asks for one; then key_file is needed, too.",
      false, IN_SETTINGS(broker.tls.cert_file) },
    { "broker.tls.key_file", WR_OPTION_PATH, "", NULL, NULL, NULL,
      "The private key of cert_file, in PEM.", false, IN_SETTINGS(broker.tls.key_file) },
    { "broker.tls.server_name", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "The name that the broker's certificate must hold; empty: the host of the URL.", false,
      IN_SETTINGS(broker.tls.server_name) },
    { "broker.tls.verify", WR_OPTION_BOOL, "true", NULL, NULL, NULL,
      "Whether the broker's certificate is checked. false lets anyone in between read the "
      "password.",
      false, IN_SETTINGS(broker.tls.verify) },

    { "delay.max", WR_OPTION_DURATION, "36h", "125ms", "388d", NULL,
      "The longest delay that a job can have. It decides how many delay queues stand in the "
      "broker: "
      "20 for 36h, 28 for a year.",
      false, IN_SETTINGS(delay_max_ms) },

    { "limits.body", WR_OPTION_SIZE, "1MiB", "1B", "16MiB", NULL,
      "The largest body of a job. A larger one goes to the dead queue unread.", false,
      IN_SETTINGS(body_most) },
    { "limits.headers", WR_OPTION_INT, "64", "0", "1000", NULL,
      "How many headers of others a job may carry.", false, LIVE_IN_SETTINGS(headers_most) },
    { "limits.header_bytes", WR_OPTION_SIZE, "16KiB", "0B", "64KiB", NULL,
      "How large these headers may be together.", false, LIVE_IN_SETTINGS(headers_bytes) },
    { "limits.json_depth", WR_OPTION_INT, "32", "1", "512", NULL,
      "How deep a JSON body may be nested.", false, LIVE_IN_SETTINGS(json_depth) },

    { "publish.window", WR_OPTION_INT, "256", "1", "65535", NULL,
      "How many published messages may wait for the broker's confirm at once.", false,
      IN_SETTINGS(publish_window) },
    { "publish.timeout", WR_OPTION_DURATION, "30s", "10ms", "1d", NULL,
      "How long a publish waits for its confirm.", false, IN_SETTINGS(publish_timeout_ms) },

    { "http.listen", WR_OPTION_STRING, "none", NULL, NULL, NULL,
      "Where a worker answers probes (/livez, /readyz, /startupz) and shows its metrics "
      "(/metrics): a "
      "port, then on loopback; or a numeric address and a port, such as \"0.0.0.0:9400\". none: "
      "nowhere. There is no login, and no job's contents are shown.",
      false, IN_SETTINGS(http_listen) },
    { "http.connections", WR_OPTION_INT, "32", "1", "1024", NULL,
      "How many connections may be open at once; more are closed.", false,
      IN_SETTINGS(http_connections) },
    { "http.types", WR_OPTION_INT, "200", "0", "10000", NULL,
      "How many job types have metrics of their own, in the order of the configuration; the others "
      "are counted together, as \"(other)\".",
      false, LIVE_IN_SETTINGS(http_types) },
    { "http.timeout", WR_OPTION_DURATION, "5s", "1s", "5m", NULL,
      "How long a connection may be silent. A whole request may take twice as long.", false,
      IN_SETTINGS(http_timeout_ms) },

    { "control.enabled", WR_OPTION_BOOL, "false", NULL, NULL, NULL,
      "true: workers tell through the exchange NS.control what they do (warren top, warren worker "
      "list) and take orders through it (warren worker, warren queue pause). Who may write to that "
      "exchange may give orders.",
      false, IN_SETTINGS(has_control) },
    { "control.heartbeat", WR_OPTION_DURATION, "5s", "1s", "5m", NULL,
      "How often a worker tells it.", false, IN_SETTINGS(control_heartbeat_ms) },

    { "kubernetes.deletion_cost", WR_OPTION_BOOL, "false", NULL, NULL, NULL,
      "true: a worker in a pod says in the annotation controller.kubernetes.io/pod-deletion-cost "
      "how many jobs it runs, so that a scale-down takes idle pods first. Needs POD_NAME and "
      "POD_NAMESPACE in the environment, and a service account that may patch pods.",
      false, IN_SETTINGS(has_deletion_cost) },
    { "kubernetes.interval", WR_OPTION_DURATION, "10s", "1s", "1h", NULL,
      "How often that is written at most: each time costs the API server something.", false,
      IN_SETTINGS(kubernetes_interval_ms) },
    { "kubernetes.api", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "The API server, https://host:port. Empty: what KUBERNETES_SERVICE_HOST and "
      "KUBERNETES_SERVICE_PORT say.",
      false, IN_SETTINGS(kubernetes_api) },
    { "kubernetes.account", WR_OPTION_PATH, "/var/run/secrets/kubernetes.io/serviceaccount", NULL,
      NULL, NULL,
      "The folder with the files token and ca.crt of the service account, which are read again "
      "when they are needed, since they rotate.",
      false, IN_SETTINGS(kubernetes_account) },

    { "log.level", WR_OPTION_CHOICE, "info", NULL, NULL, "error|warn|info|debug",
      "The least important lines that are written.", false, LIVE_IN_SETTINGS(log_level) },
    { "log.format", WR_OPTION_CHOICE, "auto", NULL, NULL, "auto|text|json",
      "How they are written. auto: text on a terminal, else JSON.", false,
      IN_SETTINGS(log_format) },
    { "log.rate", WR_OPTION_INT, "50", "0", "1000000", NULL,
      "How many lines of one event are written a second, in the whole process; then one line says "
      "how "
      "many were left out. 0: all.",
      false, IN_SETTINGS(log_rate) },

    { "trace.endpoint", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "The collector that spans are sent to, as OTLP/HTTP JSON: http://localhost:4318 (/v1/traces "
      "is "
      "added). Empty: nothing is traced, but the trace that a message is in is carried on.",
      false, IN_SETTINGS(trace_endpoint) },
    { "trace.sample", WR_OPTION_FLOAT, "1.0", "0.0", "1.0", NULL,
      "Which part of the traces that begin here is recorded. One that began elsewhere is recorded "
      "if "
      "it was there.",
      false, IN_SETTINGS(trace_sample) },
    { "trace.parent", WR_OPTION_CHOICE, "link", NULL, NULL, "link|child",
      "How the processing of a job belongs to its publish: link begins a trace of its own that "
      "links to "
      "it; child goes on in the same trace.",
      false, IN_SETTINGS(trace_as_child) },
    { "trace.service", WR_OPTION_STRING, "warren", NULL, NULL, NULL,
      "The service.name of the spans.", false, IN_SETTINGS(trace_service) },

    { "queue.name", WR_OPTION_STRING, NULL, NULL, NULL, NULL,
      "The queue's name in the broker, at most 235 bytes; its dead letters go to <name>.dead.",
      true, IN_QUEUE(name) },
    { "queue.type", WR_OPTION_CHOICE, "quorum", NULL, NULL, "quorum|classic",
      "quorum: on several nodes, survives the loss of one; classic: on one node. A queue that "
      "exists "
      "can't change its type.",
      false, IN_QUEUE(type) },
    { "queue.exchange", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "The topic exchange on which the job types are bound; empty: <namespace>.jobs.", false,
      IN_QUEUE(exchange) },
    { "queue.default_type", WR_OPTION_STRING, "", NULL, NULL, NULL,
      "The job type of messages that name none; one of the types below. Empty: they go to the dead "
      "queue.",
      false, IN_QUEUE(default_type) },
    { "queue.json", WR_OPTION_CHOICE, "strict", NULL, NULL, "strict|raw",
      "strict: a body that calls itself JSON and is none goes to the dead queue before a handler "
      "sees "
      "it; raw: bodies are not looked at.",
      false, LIVE_IN_QUEUE(json_raw) },
    { "queue.prefetch", WR_OPTION_INT, "auto", "1", "65535", "auto",
      "How many jobs the broker hands over ahead. auto: as many as take some 20 ms, none of long "
      "ones.",
      false, LIVE_IN_QUEUE(prefetch) },
    { "queue.max_crashes", WR_OPTION_INT, "5", "1", "1000", NULL,
      "A job whose runs have ended this often with their process goes to the dead queue "
      "(crash_loop). Needs state_dir.",
      false, LIVE_IN_QUEUE(max_crashes) },

    { "queue.retry.attempts", WR_OPTION_INT, "5", "1", "1000", NULL,
      "How often a job runs at most; 5 attempts make 4 waits. Then it goes to the dead queue.",
      false, LIVE_IN_QUEUE(retry.attempts) },
    { "queue.retry.backoff", WR_OPTION_CHOICE, "exponential", NULL, NULL, "exponential|fixed|list",
      "How the waits grow: exponential (first, factor, max), fixed (always first), or the list of "
      "delays.",
      false, LIVE_IN_QUEUE(retry.backoff) },
    { "queue.retry.first", WR_OPTION_DURATION, "1s", "1ms", "388d", NULL,
      "The first wait; with fixed, every wait.", false, LIVE_IN_QUEUE(retry.first_ms) },
    { "queue.retry.factor", WR_OPTION_FLOAT, "2.0", "1.0", "100.0", NULL,
      "Each wait is this times the one before.", false, LIVE_IN_QUEUE(retry.factor) },
    { "queue.retry.max", WR_OPTION_DURATION, "10m", "1ms", "388d", NULL,
      "No wait is longer, jitter included.", false, LIVE_IN_QUEUE(retry.max_ms) },
    { "queue.retry.jitter", WR_OPTION_FLOAT, "0.2", "0.0", "1.0", NULL,
      "Up to this part of the wait is added at random, so that jobs that failed together don't all "
      "come back together.",
      false, LIVE_IN_QUEUE(retry.jitter) },
    { "queue.retry.delays", WR_OPTION_DURATIONS, "", "1ms", "388d", NULL,
      "The waits one by one, at most 32; the last one repeats. When there are any, backoff is "
      "\"list\".",
      false, LIVE_IN_QUEUE(retry) },

    { "queue.jobs", WR_OPTION_GROUPS, NULL, NULL, NULL, NULL,
      "The job types of this queue, one group each.", true, IN_QUEUE(jobs) },
    { "queue.jobs.type", WR_OPTION_STRING, NULL, NULL, NULL, NULL,
      "The job type, such as email.welcome: what messages say and handlers are registered for. At "
      "most "
      "236 bytes.",
      true, IN_JOB(type) },
    { "queue.jobs.concurrency", WR_OPTION_INT, "1", "1", "1024", NULL,
      "How many jobs of this type run at once in this process.", false, LIVE_IN_JOB(concurrency) },
    { "queue.jobs.timeout", WR_OPTION_DURATION, "none", "0s", "388d", "none",
      "After this long a running job is told to stop (warren_job_cancelled); a thread is never "
      "killed.",
      false, LIVE_IN_JOB(timeout_ms) },
    { "queue.jobs.hard_timeout", WR_OPTION_DURATION, "none", "0s", "388d", "none",
      "When a job runs longer than this, its thread counts as stuck and /livez fails, so that who "
      "watches the process restarts it.",
      false, LIVE_IN_JOB(hard_timeout_ms) },
    { "queue.jobs.isolate", WR_OPTION_BOOL, "false", NULL, NULL, NULL,
      "true: jobs of this type wait in a queue of their own, <queue>.<type>, and never behind "
      "others.",
      false, IN_JOB(isolate) },

    { "queue.jobs.retry.attempts", WR_OPTION_INT, NULL, "1", "1000", NULL,
      "As queue.retry.attempts, for this type.", false, LIVE_IN_JOB(retry.attempts) },
    { "queue.jobs.retry.backoff", WR_OPTION_CHOICE, NULL, NULL, NULL, "exponential|fixed|list",
      "As queue.retry.backoff, for this type.", false, LIVE_IN_JOB(retry.backoff) },
    { "queue.jobs.retry.first", WR_OPTION_DURATION, NULL, "1ms", "388d", NULL,
      "As queue.retry.first, for this type.", false, LIVE_IN_JOB(retry.first_ms) },
    { "queue.jobs.retry.factor", WR_OPTION_FLOAT, NULL, "1.0", "100.0", NULL,
      "As queue.retry.factor, for this type.", false, LIVE_IN_JOB(retry.factor) },
    { "queue.jobs.retry.max", WR_OPTION_DURATION, NULL, "1ms", "388d", NULL,
      "As queue.retry.max, for this type.", false, LIVE_IN_JOB(retry.max_ms) },
    { "queue.jobs.retry.jitter", WR_OPTION_FLOAT, NULL, "0.0", "1.0", NULL,
      "As queue.retry.jitter, for this type.", false, LIVE_IN_JOB(retry.jitter) },
    { "queue.jobs.retry.delays", WR_OPTION_DURATIONS, NULL, "1ms", "388d", NULL,
      "As queue.retry.delays, for this type.", false, LIVE_IN_JOB(retry) },
};
/* clang-format on */

const struct wr_option *wr_settings_table(size_t *out_count)
{
    *out_count = sizeof options / sizeof options[0];
    return options;
}

const struct wr_option *wr_settings_option(struct wr_slice path)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (wr_slice_is(path, options[i].path)) {
            return &options[i];
        }
    }
    return NULL;
}

/* What a group is about; that of "queue.jobs" stands in the row of its list. */
static const struct group_row {
    const char *path;
    const char *sentence;
} groups[] = {
    { "broker", "The way to RabbitMQ: where it is, who logs in, how long to wait for it." },
    { "broker.tls", "TLS to the broker; used when its URL begins with amqps://." },
    { "delay", "Jobs that wait: retries, snoozes, delayed publishes." },
    { "limits", "What a message may bring along; one that brings more goes to the dead queue." },
    { "publish", "Publishing, of workers and of publishers." },
    { "http", "Probes and metrics of a worker." },
    { "control", "Workers that are seen and steered through the broker." },
    { "kubernetes", "What a pod tells its cluster; nothing unless it is asked for." },
    { "log", "Lines of the log." },
    { "trace", "Spans for OpenTelemetry." },
    { "queue", "A queue and the job types that are taken from it. Stands in a queue file." },
    { "queue.retry", "When failed jobs of a queue run again. A type may say otherwise." },
    { "queue.jobs.retry",
      "When failed jobs of a type run again. What isn't said here is as the queue says it." },
};

const char *wr_settings_group(struct wr_slice path)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (wr_slice_is(path, groups[i].path)) {
            return groups[i].sentence;
        }
    }
    const struct wr_option *list = wr_settings_option(path);
    return list && list->kind == WR_OPTION_GROUPS ? list->sentence : NULL;
}

enum wr_option_home wr_option_home(const struct wr_option *option)
{
    if (strncmp(option->path, "queue.jobs.", 11) == 0) {
        return WR_IN_JOB;
    }
    return strncmp(option->path, "queue.", 6) == 0 ? WR_IN_QUEUE : WR_IN_SETTINGS;
}
