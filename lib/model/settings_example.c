// SPDX-License-Identifier: MIT
// DESIGN: an example of each option, as a person would write it. Where the default tells nothing (an
// option that isn't set, a name that must be chosen) a row of this table has a value.
#include "model/settings_value.h"

/* Lists are written whole. */
static const struct example_row {
    const char *path;
    const char *value;
} examples[] = {
    { "state_dir", "/var/lib/warren" },
    { "plugins", "[\"emails.so\", \"reports.so\"]" },
    { "broker.url", "amqps://mq1.example.org,mq2.example.org/shop" },
    { "broker.user", "emails" },
    { "broker.user_file", "/run/secrets/amqp-user" },
    { "broker.password", "${env:AMQP_PASSWORD}" },
    { "broker.password_file", "/run/secrets/amqp-password" },
    { "broker.management_url", "http://localhost:15672" },
    { "broker.connection_name", "emails@${env:HOSTNAME:-here}" },
    { "broker.tls.ca_file", "/etc/warren/ca.pem" },
    { "broker.tls.cert_file", "/etc/warren/client.pem" },
    { "broker.tls.key_file", "/etc/warren/client.key" },
    { "broker.tls.server_name", "mq.example.org" },
    { "http.listen", "0.0.0.0:9400" },
    { "control.enabled", "true" },
    { "kubernetes.deletion_cost", "true" },
    { "kubernetes.api", "https://10.0.0.1:6443" },
    { "trace.endpoint", "http://localhost:4318" },
    { "trace.sample", "0.1" },
    { "queue.name", "reports" },
    { "queue.exchange", "shop.events" },
    { "queue.default_type", "report.monthly" },
    { "queue.retry.delays", "[\"5s\", \"1m\", \"10m\"]" },
    { "queue.jobs", "( { type = \"report.monthly\"; } )" },
    { "queue.jobs.type", "report.monthly" },
    { "queue.jobs.concurrency", "8" },
    { "queue.jobs.timeout", "30s" },
    { "queue.jobs.hard_timeout", "5m" },
    { "queue.jobs.isolate", "true" },
    { "queue.jobs.retry.attempts", "5" },
    { "queue.jobs.retry.backoff", "exponential" },
    { "queue.jobs.retry.first", "5s" },
    { "queue.jobs.retry.factor", "2.0" },
    { "queue.jobs.retry.max", "10m" },
    { "queue.jobs.retry.jitter", "0.2" },
    { "queue.jobs.retry.delays", "[\"5s\", \"1m\", \"10m\"]" },
};

const char *wr_option_example(const struct wr_option *option)
{
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        if (strcmp(examples[i].path, option->path) == 0) {
            return examples[i].value;
        }
    }
    return option->fallback;
}

/* Writes the groups from `path` on, which is the end of the option's, around its line. */
static void add_line(const struct wr_option *option, const char *path, struct wr_text *out)
{
    struct wr_slice name = { path, strcspn(path, ".") };
    bool is_jobs = wr_slice_is(name, "jobs");
    if (path[name.size]) {
        wr_text_add_format(out, "%.*s: %s ", WR_SLICE(name), is_jobs ? "( {" : "{");
        add_line(option, path + name.size + 1, out);
        wr_text_add_string(out, is_jobs ? " } );" : " };");
        return;
    }
    const char *value = wr_option_example(option);
    const char *quote = !wr_option_is_list(option) && wr_value_is_quoted(option, value) ? "\"" : "";
    wr_text_add_format(out, "%s = %s%s%s;", path, quote, value, quote);
}

void wr_option_example_line(const struct wr_option *option, struct wr_text *out)
{
    add_line(option, option->path, out);
}
