// SPDX-License-Identifier: MIT
// DESIGN: warren-message(7): a job on the wire, for those who publish without this library. Properties,
// headers and reasons come from the tables that the parser and the writers of messages use.
#include <string.h>

#include "man.h"
#include "man_text.h"
#include "warren/config.h"
#include "warren/dead.h"
#include "warren/message.h"

enum part_choice { PROPERTIES, FOR_PRODUCERS, OWN };

static enum part_choice choice_of(const warren_message_part *part)
{
    return !part->is_header ? PROPERTIES : part->is_for_producers ? FOR_PRODUCERS : OWN;
}

static void put_parts(FILE *out, enum part_choice choice)
{
    warren_message_part part;
    for (size_t i = 0; warren_message_part_at(i, &part); i++) {
        if (choice_of(&part) == choice) {
            man_bold(out, part.name);
            fprintf(out, " (%s)\n\t", part.kind);
            man_paragraph(out, part.sentence);
        }
    }
}

static void put_reasons(FILE *out)
{
    const char *sentence = NULL;
    const char *reason;
    for (size_t i = 0; (reason = warren_dead_reason_at(i, &sentence)); i++) {
        man_item(out, reason, sentence);
    }
}

static void put_limit(void *user, const warren_config_option *option)
{
    FILE *out = user;
    man_bold(out, option->path);
    fprintf(out, " (%s)\n\t", option->fallback);
    man_paragraph(out, option->sentence);
}

static void put_description(FILE *out)
{
    fputs("# DESCRIPTION\n\n", out);
    man_paragraph(
        out,
        "A job is an AMQP 0-9-1 message. Its body is the payload, byte for byte; all that Warren "
        "knows about it beside\nstands in properties and headers. So any client can publish "
        "jobs: to the exchange `warren.jobs`\n(NAMESPACE.jobs), with the job type as routing "
        "key. Nothing else is needed.");
    man_paragraph(
        out, "The job type is the property `type`; without it the header `x-warren-type`; "
             "without that the routing\nkey, if the message came through the jobs exchange of "
             "its queue; else the queue's `default_type`. A message\nthat has none, or one that "
             "its queue doesn't have, goes to the dead queue.");
    man_paragraph(out,
                  "A producer that wants to know that its job is safe publishes it with confirms "
                  "and as `mandatory`. Without\n`mandatory` a broker drops, without a word, a "
                  "message that no queue takes.");
}

static void put_rest(FILE *out)
{
    fputs("# OTHER HEADERS\n\n", out);
    man_paragraph(
        out, "All others are carried along over retries, dead letters and replays, and handlers "
             "can read them. The W3C's\n`traceparent`, `tracestate` and `baggage` among them: "
             "see docs/tracing.md.");
    man_paragraph(
        out, "What would route or stop a message on its way is taken off when Warren passes it on: "
             "`x-death`,\n`x-first-death-*`, `x-last-death-*` and `x-delivery-count`, which are "
             "the broker's; `CC` and `BCC` are\nkept as `x-warren-cc` and `x-warren-bcc`.");
    fputs("# LIMITS\n\n", out);
    (void)warren_config_options("limits", put_limit, out, NULL);
    man_paragraph(out,
                  "Headers are nested at most 8 deep. JSON is strict: no NaN, no single quotes, no "
                  "name twice. A body over the\nlimit isn't read.");
    fputs("# DEAD LETTERS\n\n", out);
    man_paragraph(
        out,
        "What can't be understood, or fails for good, stands in QUEUE.dead with all it had, and "
        "with its reason in\n`x-warren-dead-reason`:");
    put_reasons(out);
    man_paragraph(
        out,
        "Words of the broker, such as rejected or expired, are the reasons of what the broker put "
        "there itself.\nwarren-dead(1) shows, mends and replays dead letters.");
}

static void put_example(FILE *out)
{
    fputs("# EXAMPLE\n\nWith Debian's amqp-tools:\n\n", out);
    man_literal(out, "amqp-publish -u \"$WARREN_AMQP_URL\" -e warren.jobs -r email.welcome -p \\\n"
                     "    -C application/json -b '{\"to\": \"ada@example.org\"}'\n");
    fputs("\n# SEE ALSO\n\n*warren*(1), *warren-publish*(1), *warren-dead*(1), *warren.cfg*(5), "
          "*warren*(3)\n",
          out);
}

void man_message(FILE *out)
{
    man_head(out, "warren-message", 7, "a job as a message of RabbitMQ");
    put_description(out);
    fputs("# PROPERTIES\n\n", out);
    put_parts(out, PROPERTIES);
    fputs("# HEADERS FOR PRODUCERS\n\n", out);
    man_paragraph(
        out,
        "A header that isn't of its kind makes a job dead as bad_message; it is never guessed at. "
        "A whole number may\nbe of any of AMQP's kinds, or a string of digits.");
    put_parts(out, FOR_PRODUCERS);
    fputs("# WARREN'S OWN HEADERS\n\n", out);
    man_paragraph(out, "Written by Warren when it passes a message on: to a retry, to a dead "
                       "queue, back from there. "
                       "Others may read\nthem, and had better not send them.");
    put_parts(out, OWN);
    put_rest(out);
    put_example(out);
}
