// SPDX-License-Identifier: MIT
// DESIGN: the one table. A new command is a row here and a function in the file of its noun.
// Options that several commands share stand in groups.
#include "command.h"

#define END                                                                                        \
    {                                                                                              \
        NULL, 0, NULL, NULL                                                                        \
    }

static const struct option_row common[] = {
    { "config", 'c', "FILE",
      "the configuration, or its folder; default: see `warren help config`" },
    { "help", 'h', NULL, "show this help" },
    END
};

static const struct option_row only_help[] = { { "help", 'h', NULL, "show this help" }, END };

static const struct option_row output[] = {
    { "output", 'o', "table|json|jsonl", "jsonl: one object a line; default: table" }, END
};

static const struct option_row with_care[] = {
    { "dry-run", 'n', NULL, "show what would be done, and change nothing" },
    { "yes", 'y', NULL, "do it without asking; needed where nobody can be asked" },
    END
};

static const struct option_row settle[] = {
    { "settle", 0, "DURATION",
      "delete a queue once it was still for so long, 3s at least; default: drain_timeout" },
    END
};

static const struct option_row letters[] = {
    { "id", 0, "ID", "only the dead letter of this id" },
    { "type", 0, "TYPE", "only this job type" },
    { "reason", 0, "REASON", "only this reason: failed, dead, bad_message, unknown_type, …" },
    { "group", 0, "GROUP", "only this group: 12 hex digits, as `warren dead groups` shows them" },
    { "error", 0, "TEXT", "only those whose last error has this text in it" },
    { "since", 0, "TIME", "only those that died then or later: 2h (ago), 2030-01-31T08:00:00Z" },
    { "until", 0, "TIME", "only those that died before" },
    { "limit", 0, "N", "at most so many, the oldest first" },
    END
};

static const struct option_row most_groups[] = {
    { "most", 0, "N", "keep at most so many groups a queue; default: 1000" }, END
};

static const struct option_row pace[] = {
    { "rate", 0, "N",
      "at most so many a second, such as 50 or 0.5; default: as they are confirmed" },
    END
};

static const struct option_row canaries[] = {
    { "canary", 0, "N",
      "replay so many first, and stop (exit 5) if one dies again or may not have run" },
    { "canary-wait", 0, "DURATION",
      "how long to watch them; default: as waits and runs can take, and 10s" },
    END
};

static const struct option_row because[] = {
    { "because", 0, "TEXT", "why: it stands in the file of --keep" }, END
};

static const struct option_row keep[] = {
    { "keep", 0, "FILE", "write each one to this file before; `warren dead import` reads it" }, END
};

static const struct option_row from_line[] = {
    { "from", 0, "LINE", "begin with this line of the file; default: 1" }, END
};

static const struct option_row edit_options[] = {
    { "replay", 0, NULL, "send it home; without it stays dead, as the newest in its queue" },
    { "file", 0, "FILE", "take the edited letter from here instead of from an editor" },
    { "because", 0, "TEXT", "why: it stands in a header of the edited letter" },
    { "keep", 0, "FILE",
      "where before and after are kept; default: edits.jsonl in the state folder" },
    END
};

static const struct option_row run_options[] = {
    { "plugin", 'p', "FILE", "load handlers from this shared object; may be repeated" },
    { "probe", 0, "live|ready|startup", "ask a running worker instead; exit 1 if it isn't" },
    { "until-idle", 0, "DURATION", "drain when there was no job for so long; default: stay" },
    { "log-level", 0, "error|warn|info|debug", "instead of the configuration's" },
    { "log-format", 0, "text|json", "default: text on a terminal, else json" },
    END
};

static const struct option_row dry_run[] = {
    { "dry-run", 'n', NULL, "show what would be done, and change nothing" }, END
};

static const struct option_row all_rows[] = {
    { "all", 'a', NULL, "also what stands there as it should" }, END
};

static const struct option_row prune[] = {
    { "prune", 0, NULL, "also remove bindings that the configuration doesn't ask for" }, END
};

static const struct option_row publish_options[] = {
    { "file", 'f', "FILE", "the body is this file; - is standard input" },
    { "lines", 'l', NULL, "each line of --file (default: standard input) is a body of its own" },
    { "delay", 0, "DURATION", "run not before this long from now: 90s, 5m, 1h30m" },
    { "at", 0, "TIME", "run not before this time: 2030-01-31T08:00:00Z, or @SECONDS since 1970" },
    { "expires", 0, "DURATION", "dead with reason expired if not started within this time" },
    { "id", 0, "ID", "the job's id; default: a fresh one" },
    { "content-type", 0, "MEDIA-TYPE", "default: application/json if the body begins with { or [" },
    { "correlation-id", 0, "ID", "for whoever matches answers to questions" },
    { "header", 'H', "NAME=VALUE", "a header of the message; may be repeated" },
    { "max-attempts", 0, "N", "runs in all, instead of what its type's policy says" },
    { "backoff", 0, "POLICY", "waits between them: \"exponential 1s 2.0 10m\", \"list 5s 1m\"" },
    { "priority", 0, "N", "0 to 255, for queues with priorities" },
    END
};

static const struct option_row doctor_options[] = {
    { "read-only", 0, NULL, "publish and declare nothing: skips the checks unroutable and ladder" },
    { "timeout", 0, "SECONDS", "of the whole run; what comes later is unknown; default: 30" },
    END
};

static const struct option_row bench_options[] = {
    { "jobs", 0, "N", "at most so many jobs a measure; default: 100000" },
    { "seconds", 0, "N", "at most so long a measure; default: 3" },
    { "threads", 0, "N", "of the worker that drains; default: one a core" },
    { "body", 0, "SIZE", "of each job, 1B to 16MiB; default: 256" },
    { "type", 0, "quorum|classic", "of the queues; default: quorum, with a look at classic" },
    { "remove", 0, "NAMESPACE", "only remove what a bench that was killed has left" },
    END
};

static const struct option_row pause_options[] = {
    { "type", 0, "TYPE", "only this job type of the queue" },
    { "because", 0, "TEXT", "the reason, for the workers' logs" },
    END
};

static const struct option_row wait_options[] = {
    { "wait", 0, "MS", "how long to wait for answers; default: 1000" }, END
};

static const struct option_row order_options[] = {
    { "all", 'a', NULL, "all workers of this namespace" },
    { "because", 0, "TEXT", "the reason, for their logs" },
    END
};

static const struct option_row once_options[] = {
    { "once", 0, NULL, "print the queues once, and end" }, END
};

static const struct option_row only_yes[] = {
    { "yes", 'y', NULL, "do it without asking; needed where nobody can be asked" }, END
};

static const struct option_row set_options[] = {
    { "queue", 0, "QUEUE", "whose option" },
    { "type", 0, "TYPE", "whose --concurrency" },
    { "concurrency", 0, "N", "how many jobs of the type may run at once" },
    { "prefetch", 0, "N", "jobs of the queue to take ahead, or auto" },
    { "log-level", 0, "error|warn|info|debug", "how much it logs" },
    END
};

static const struct option_row unit_options[] = {
    { "template", 0, NULL, "for instances: warren@NAME runs /etc/warren/NAME/warren.cfg" },
    { "job-memory", 0, "SIZE", "what a handler takes, beside its job's body; default: 4MiB" },
    END
};

static const struct option_row alert_options[] = {
    { "rabbitmq", 0, NULL, "those on RabbitMQ's own metrics, which need its plugin" },
    { "runbooks", 0, "URL", "what stands before a page's name; default: docs/runbooks/" },
    END
};

static const struct option_row kubernetes_options[] = {
    { "output", 'o', "FOLDER", "write them there; default: kubernetes" },
    { "name", 0, "NAME", "of the worker and all that belongs to it; default: warren" },
    { "namespace", 0, "NAME", "of Kubernetes; default: warren, and warren-dev for dev" },
    { "image", 0, "IMAGE", "that has `warren` and the plugins in it; default: warren:VERSION" },
    { "replicas", 0, "N", "how many pods; default: 2" },
    { "max-replicas", 0, "N", "how many KEDA may make of it; default: 10" },
    { "target", 0, "DURATION", "within which what waits should be done; default: 60s" },
    { "mean", 0, "QUEUE=DURATION",
      "what a job of it takes, by measure; default: a guess by its timeout; may be repeated" },
    { "job-memory", 0, "SIZE", "what a handler takes, beside its job's body; default: 4MiB" },
    { "runbooks", 0, "URL", "what stands before a page's name; default: docs/runbooks/" },
    { "deletion-cost", 0, NULL, "a role and a token, as with kubernetes.deletion_cost = true" },
    { "force", 0, NULL, "write also where others' files are: they stay, if they have other names" },
    END
};

static const struct option_row manifests[] = {
    { "kubernetes", 0, "FILE|FOLDER",
      "also compare it with these manifests; -: standard input, from `kubectl kustomize`" },
    END
};

static const struct option_row to_file[] = {
    { "output", 'o', "FILE", "write it there; default: to standard output" }, END
};

static const struct option_row man_options[] = {
    { "source", 0, "FOLDER", "Warren's source tree, for warren(3), the page of the C interface" },
    END
};

static const struct option_row init_options[] = {
    { "minimal", 0, NULL, "warren.cfg with the options that most services change" },
    { "full", 0, NULL, "the queue file, too, with every option explained" },
    { "force", 0, NULL, "overwrite files that are there" },
    END
};

#define OPTIONS(...)                                                                               \
    (const struct option_row *const[])                                                             \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

const struct command commands[] = {
    { "run", NULL, "", 0, 0, "Run a worker until SIGTERM or Ctrl-C, then drain.",
      OPTIONS(run_options, common),
      "Handlers come from the configuration's plugins and from --plugin. The first signal drains:\n"
      "no more jobs are taken, running ones may end within drain_timeout. A second one ends at\n"
      "once with 128 + its number. SIGHUP reads the configuration again, SIGTSTP makes the worker\n"
      "quiet and SIGCONT ends that, SIGUSR1 shows what it is at. Log lines go to standard error.\n"
      "--probe asks the worker that runs with this configuration, at its http.listen, and prints\n"
      "what it answers: for health checks where there is no curl. With --until-idle it ends by "
      "itself,\n"
      "where something else starts a worker when there is work.",
      "warren run\nwarren run --config config/warren.cfg --plugin ./hello.so\n"
      "warren run --probe ready",
      cmd_run },
    { "config", "check", "", 0, 0, "Check the configuration and all queue files.",
      OPTIONS(manifests, output, common),
      "With --kubernetes also whether manifests agree with it: grace period, probes, the mounted\n"
      "files, Secrets, memory, scalers. A folder is read with all below it.",
      "warren config check --config config/warren.cfg\nwarren config check -o json\n"
      "warren config check --kubernetes deploy/kubernetes\nwarren config check --kubernetes - "
      "<rendered.yaml",
      cmd_config_check },
    { "config", "show", "", 0, 0, "Show the configuration as it takes effect, without secrets.",
      OPTIONS(output, common), NULL, "warren config show\nwarren config show -o json",
      cmd_config_show },
    { "config", "diff", "FILE|FOLDER", 1, 1,
      "Show what a reload would change if the files said what those say.", OPTIONS(output, common),
      "What is live takes effect in running workers at a SIGHUP; the rest waits for a restart.\n"
      "FOLDER is one with a warren.cfg in it.",
      "warren config diff --config /etc/warren/warren.cfg ./config\n"
      "warren config diff next.cfg -o jsonl",
      cmd_config_diff },
    { "config", "explain", "[OPTION]", 0, 1, "Explain an option, a group, or all of them.",
      OPTIONS(output, only_help),
      "What it does, what it takes, its default and limits, whether a running worker takes a\n"
      "change, and an example. OPTION may be written as in a message of `warren config check`.",
      "warren config explain broker.heartbeat\nwarren config explain queue.retry\n"
      "warren config explain queue -o jsonl",
      cmd_config_explain },
    { "config", "schema", "", 0, 0, "Write a JSON Schema of what `config show -o json` prints.",
      OPTIONS(only_help),
      "For editors and programs that make or read configurations as JSON: names, types, limits,\n"
      "defaults and explanations of all options. Draft 07.",
      "warren config schema >warren.schema.json", cmd_config_schema },
    { "config", "init", "[FOLDER]", 0, 1, "Write a commented configuration to start from.",
      OPTIONS(init_options, only_help),
      "FOLDER is config unless it is given. It gets a warren.cfg with every option explained, at\n"
      "its default, and a small queue file. If one of them is there, nothing is written.",
      "warren config init\nwarren config init --minimal /etc/warren\n"
      "warren config init --full ./everything",
      cmd_config_init },
    { "topology", "plan", "", 0, 0, "Show how the broker differs from the configuration.",
      OPTIONS(all_rows, output, common),
      "Changes nothing. Where broker.management_url is set, bindings are compared, too, and\n"
      "policies in effect on the queues and queues of the namespace that the configuration\n"
      "doesn't have are shown. Exit 7 when something stands there with other arguments.",
      "warren topology plan\nwarren topology plan --all -o json", cmd_topology_plan },
    { "topology", "apply", "", 0, 0, "Declare exchanges, queues and bindings at the broker.",
      OPTIONS(prune, dry_run, output, common),
      "Doing it again changes nothing; no queue is ever deleted or changed by force.",
      "warren topology apply\nwarren topology apply --prune --dry-run", cmd_topology_apply },
    { "topology", "migrate", "QUEUE", 1, 1,
      "Give a queue the arguments of the configuration, and keep its messages.",
      OPTIONS(settle, with_care, output, common),
      "Such as classic to quorum. The messages go by way of a temporary queue, and new ones are\n"
      "routed to one of the two at any time. Stop the queue's workers first, and start those with\n"
      "the new configuration afterwards. Interrupted or killed at any moment (exit 3), the same\n"
      "command goes on. What a queue holds back (jobs in a worker's hand, dead letters that are\n"
      "not confirmed) is seen with broker.management_url only. See docs/migrating.md.",
      "warren topology migrate emails --dry-run\nwarren topology migrate emails --yes",
      cmd_topology_migrate },
    { "topology", "export", "", 0, 0, "Write the topology down; needs no broker.",
      OPTIONS(output, common), NULL, "warren topology export -o json >topology.json",
      cmd_topology_export },
    { "publish", NULL, "TYPE [BODY]", 1, 2, "Publish a job, or a job a line.",
      OPTIONS(publish_options, output, common),
      "Waits until the broker has confirmed, then prints the job's id.",
      "warren publish email.welcome '{\"to\": \"ada@example.org\"}'\n"
      "warren publish report --file report.json --delay 10m\n"
      "warren publish import.row --lines <rows.jsonl",
      cmd_publish },
    { "queue", "list", "", 0, 0, "List the configured queues and what waits in them.",
      OPTIONS(output, common), NULL, "warren queue list\nwarren queue list -o json",
      cmd_queue_list },
    { "queue", "show", "QUEUE", 1, 1, "Show one queue and what belongs to it.",
      OPTIONS(output, common), NULL, "warren queue show emails", cmd_queue_show },
    { "queue", "purge", "QUEUE", 1, 1, "Throw away all ready messages of a queue.",
      OPTIONS(with_care, output, common), NULL,
      "warren queue purge emails --dry-run\nwarren queue purge emails.dead --yes",
      cmd_queue_purge },
    { "queue", "pause", "QUEUE", 1, 1, "Have no worker take jobs of a queue, or of one type of it.",
      OPTIONS(pause_options, common),
      "Holds on all workers, also on those that start later, until it is taken back. Running jobs\n"
      "end. Jobs of a paused type whose queue goes on wait in the delay ladder.",
      "warren queue pause emails --because \"the mail server is down\"\n"
      "warren queue pause emails --type email.digest",
      cmd_queue_pause },
    { "queue", "resume", "QUEUE", 1, 1, "Take a pause back.", OPTIONS(pause_options, common), NULL,
      "warren queue resume emails", cmd_queue_resume },
    { "worker", "list", "", 0, 0, "List the workers that are there.",
      OPTIONS(wait_options, output, common),
      "Asks them through the control plane (control.enabled) and shows who answers.",
      "warren worker list\nwarren worker list -o json", cmd_worker_list },
    { "worker", "show", "WORKER", 1, 1, "Show what a worker does, by job type.",
      OPTIONS(output, common), NULL, "warren worker show pod-7-1", cmd_worker_show },
    { "worker", "quiet", "[WORKER]", 0, 1, "Have a worker take no more jobs, and stay there.",
      OPTIONS(order_options, output, common), "What has not started goes to other workers.",
      "warren worker quiet pod-7-1 --because \"looking at it\"", cmd_worker_quiet },
    { "worker", "resume", "[WORKER]", 0, 1, "Have a quiet worker take jobs again.",
      OPTIONS(order_options, output, common), NULL, "warren worker resume --all",
      cmd_worker_resume },
    { "worker", "drain", "[WORKER]", 0, 1, "Have a worker end as at SIGTERM.",
      OPTIONS(order_options, only_yes, output, common),
      "Running jobs may end within drain_timeout.", "warren worker drain pod-7-1 --yes",
      cmd_worker_drain },
    { "worker", "reload", "[WORKER]", 0, 1, "Have a worker read its configuration again.",
      OPTIONS(order_options, output, common), NULL, "warren worker reload --all",
      cmd_worker_reload },
    { "worker", "dump", "[WORKER]", 0, 1, "Have a worker write state and stacks to its log.",
      OPTIONS(order_options, output, common), NULL, "warren worker dump pod-7-1", cmd_worker_dump },
    { "worker", "set", "[WORKER]", 0, 1, "Give an option of a worker another value, until it ends.",
      OPTIONS(set_options, order_options, output, common),
      "Its configuration stays as it is, and holds again after a restart or a reload.",
      "warren worker set --all --queue emails --type email.digest --concurrency 2\n"
      "warren worker set pod-7-1 --log-level debug",
      cmd_worker_set },
    { "dead", "list", "[QUEUE]", 0, 1, "List dead letters, of one queue or of all.",
      OPTIONS(letters, output, common),
      "QUEUE is a configured queue, or unrouted: what could not be brought home. Looking loses\n"
      "nothing and keeps the order.",
      "warren dead list emails\nwarren dead list --reason bad_message -o jsonl", cmd_dead_list },
    { "dead", "show", "QUEUE ID", 2, 2, "Show a dead letter: history, headers and body.",
      OPTIONS(output, common), NULL, "warren dead show emails 0190d8a2-7c1e-7b3a-9f00-2b1d6c9e4f11",
      cmd_dead_show },
    { "dead", "groups", "[QUEUE]", 0, 1, "Count dead letters by what they died of.",
      OPTIONS(letters, most_groups, output, common),
      "A group is what has the same type, reason and error, numbers, ids, quoted texts and paths\n"
      "aside. Looking loses nothing and keeps the order.",
      "warren dead groups\nwarren dead groups emails --since 2h -o json", cmd_dead_groups },
    { "dead", "replay", "QUEUE", 1, 1, "Send dead letters back to the queue they came from.",
      OPTIONS(letters, pace, canaries, dry_run, output, common),
      "Each is published, confirmed, and only then taken out of the dead queue, so it may be\n"
      "interrupted at any time: Ctrl-C stops between two of them (exit 3), and the same command\n"
      "goes on. Their attempts start again.",
      "warren dead replay emails --dry-run\nwarren dead replay emails --type email.digest\n"
      "warren dead replay emails --id 0190d8a2-7c1e-7b3a-9f00-2b1d6c9e4f11\n"
      "warren dead replay emails --group ff9feec1c462 --canary 5 --rate 50",
      cmd_dead_replay },
    { "dead", "move", "QUEUE TARGET", 2, 2, "Move dead letters to another queue.",
      OPTIONS(letters, pace, dry_run, output, common),
      "TARGET is a configured queue, where they are replayed if it takes their type, or its dead\n"
      "queue (letters.dead), where they stay dead.",
      "warren dead move emails letters.dead --type letter.print\n"
      "warren dead move unrouted emails --dry-run",
      cmd_dead_move },
    { "dead", "edit", "QUEUE ID", 2, 2, "Edit a dead letter in $VISUAL or $EDITOR.",
      OPTIONS(edit_options, common),
      "The edited letter is published and confirmed before the old one goes. It keeps its id; who\n"
      "edited it, when and why stands in its headers, and both forms are kept in a file.",
      "warren dead edit emails 0190d8a2-7c1e-7b3a-9f00-2b1d6c9e4f11 --replay\n"
      "warren dead edit emails 42 --file fixed.json --because \"no umlauts\"",
      cmd_dead_edit },
    { "dead", "drop", "QUEUE", 1, 1, "Throw dead letters away.",
      OPTIONS(letters, keep, because, with_care, output, common), NULL,
      "warren dead drop emails --reason bad_message --dry-run\n"
      "warren dead drop emails --id 42 --yes\n"
      "warren dead drop emails --group ff9feec1c462 --keep dropped.jsonl --because \"tests\"",
      cmd_dead_drop },
    { "dead", "export", "[QUEUE]", 0, 1, "Write dead letters down, a line of JSON each.",
      OPTIONS(letters, common),
      "A line holds all of a letter: properties, headers with their types, body. They stay where\n"
      "they are.",
      "warren dead export emails >emails.jsonl", cmd_dead_export },
    { "dead", "import", "QUEUE [FILE]", 1, 2, "Put exported dead letters into a dead queue.",
      OPTIONS(from_line, common),
      "FILE is - or left out for standard input. Each is confirmed; after an error or Ctrl-C the\n"
      "line to go on from is told.",
      "warren dead import emails emails.jsonl\nwarren dead import emails emails.jsonl --from 101",
      cmd_dead_import },
    { "top", NULL, "", 0, 0, "Watch queues, job types and workers on the terminal.",
      OPTIONS(once_options, output, common),
      "Listens to what workers tell through the control plane (control.enabled). Keys: ? shows "
      "them.\n"
      "NO_COLOR is respected. --once asks all workers twice within two seconds, for the rates.",
      "warren top\nwarren top --once -o json", cmd_top },
    { "doctor", NULL, "", 0, 0, "Check the way to the broker, the broker, and what stands there.",
      OPTIONS(doctor_options, output, common),
      "A line a check: ok, warn, fail or unknown, what was found, and what to do next. Without\n"
      "broker.management_url policies, stuck dead letters, alarms, clock and bindings are "
      "unknown.\n"
      "Exit 0 when nothing failed, 1 when a check did, 6 when the broker could not be reached, 7\n"
      "when the configuration has errors.",
      "warren doctor\nwarren doctor --read-only -o json", cmd_doctor },
    { "bench", NULL, "", 0, 0, "Measure the broker from here, and say what limits it.",
      OPTIONS(bench_options, output, common),
      "Measures connecting, latency, the delay ladder, publishing and draining, in a namespace of\n"
      "its own (<namespace>.bench-<random>) that it removes again, also after Ctrl-C. Your queues\n"
      "aren't touched, but your broker is busy for some 20 s.",
      "warren bench\nwarren bench --seconds 10 --body 4KiB --type quorum -o json", cmd_bench },
    { "generate", "alerts", "", 0, 0, "Write alerting rules for Prometheus.",
      OPTIONS(alert_options, to_file, common),
      "Their limits follow from the queue files: how long a job may run from its timeout, how "
      "many\n"
      "may fail from its attempts, how many may wait from its concurrency. Without a "
      "configuration\n"
      "they are those of deploy/prometheus, for any queue.",
      "warren generate alerts -o warren.rules.yml\n"
      "warren generate alerts --rabbitmq --runbooks https://wiki.example.org/warren/",
      cmd_generate_alerts },
    { "generate", "dashboard", "", 0, 0, "Write a dashboard for Grafana.", OPTIONS(to_file, common),
      "Queues and types to choose from are those of the queue files. Without a configuration it "
      "is\n"
      "deploy/grafana/warren.json, which finds them by itself.",
      "warren generate dashboard -o warren.json", cmd_generate_dashboard },
    { "generate", "kubernetes", "", 0, 0,
      "Write manifests for Kubernetes, as kustomize reads them.",
      OPTIONS(kubernetes_options, common),
      "Probes, ports, grace period, memory, scalers, alerts and rights follow from the queue "
      "files\n"
      "by the formulas of docs/kubernetes.md. The folder has base and monitoring, the overlays "
      "dev,\n"
      "prod and keda, samples, and a broker. It is written as a whole or not at all, and can be\n"
      "written again: files with its first line are replaced, others refused (exit 5).",
      "warren generate kubernetes --config config/warren.cfg -o deploy\n"
      "warren generate kubernetes --image registry.example.org/mailer:1.4 --mean emails=250ms",
      cmd_generate_kubernetes },
    { "generate", "systemd", "", 0, 0, "Write a unit for systemd.",
      OPTIONS(unit_options, to_file, common),
      "Its times follow from drain_timeout, connect_wait and the heartbeat, its memory from "
      "prefetch,\n"
      "limits.body and threads. Without a configuration it is deploy/systemd/warren.service.",
      "warren generate systemd --config /etc/warren/warren.cfg -o "
      "/etc/systemd/system/warren.service\n"
      "warren generate systemd --template",
      cmd_generate_systemd },
    { "generate", "man", "[FOLDER]", 0, 1, "Write the manual pages, as sources for scdoc.",
      OPTIONS(man_options, only_help),
      "FOLDER is man unless it is given; it is made if it isn't there. The build does this, and\n"
      "installs what scdoc makes of them.",
      "warren generate man\nwarren generate man build/man --source .", cmd_generate_man },
    { "completion", "bash", "", 0, 0, "Write what makes bash complete Warren's words.",
      OPTIONS(only_help),
      "It is installed with Warren, and works at once where bash-completion does.",
      "source <(warren completion bash)\nwarren completion bash >~/.local/share/bash-completion/"
      "completions/warren",
      cmd_completion_bash },
    { "completion", "zsh", "", 0, 0, "Write what makes zsh complete Warren's words.",
      OPTIONS(only_help),
      "It is installed with Warren. As a file it is called _warren, in a folder of $fpath.",
      "source <(warren completion zsh)", cmd_completion_zsh },
    { "completion", "fish", "", 0, 0, "Write what makes fish complete Warren's words.",
      OPTIONS(only_help), "It is installed with Warren.",
      "warren completion fish | source\n"
      "warren completion fish >~/.config/fish/completions/warren.fish",
      cmd_completion_fish },
    { "completion", "words", "-- WORD...", 1, 4096,
      "List what may stand where the last word stands: what the shells ask.", OPTIONS(only_help),
      "A line a word, with a tab and a sentence behind those that have one; `:files` says that a\n"
      "file's name is wanted. Names of queues and types are those of the configuration; no broker\n"
      "is asked.",
      "warren completion words -- dead re\nwarren completion words -- publish email.",
      cmd_completion_words },
    { "help", NULL, "[TOPIC]...", 0, 2,
      "Show help: for a command, `exit`, `config` or `environment`.", OPTIONS(only_help), NULL,
      "warren help\nwarren help dead replay\nwarren help exit", cmd_help },
};

const size_t command_count = sizeof commands / sizeof commands[0];

const struct option_row *command_option(const struct command *command, size_t *cursor)
{
    size_t left = *cursor;
    for (const struct option_row *const *group = command->options; *group; group++) {
        for (const struct option_row *row = *group; row->name; row++) {
            if (left-- == 0) {
                (*cursor)++;
                return row;
            }
        }
    }
    return NULL;
}

const struct noun_row nouns[] = {
    { "config", "Check, show, compare and explain the configuration." },
    { "topology", "Declare what has to stand in the broker, and compare and change it." },
    { "queue", "Look at queues, purge, pause and resume them." },
    { "worker", "Look at running workers, and tell them what to do." },
    { "dead", "Look at dead letters; replay, move, edit, keep or drop them." },
    { "generate",
      "Write files for other programs: alerts, a dashboard, manifests, a unit, manual pages." },
    { "completion", "Complete Warren's words in a shell." },
    { NULL, NULL },
};

const struct exit_row exit_rows[] = {
    { "0", "done" },
    { "1", "failed; the message says why" },
    { "2", "the command line is wrong" },
    { "3", "partly done: interrupted or failed on the way; the message says how to go on" },
    { "4", "not found: the queue, dead letter or option named" },
    { "5", "refused: not confirmed, or not allowed in this state" },
    { "6",
      "no broker answers, or it went away, or refuses password, vhost, rights or certificate" },
    { "7", "the configuration is invalid, or unlike what stands at the broker" },
    { "8", "timeout" },
    { "128+n", "ended by signal n" },
    { NULL, NULL },
};
