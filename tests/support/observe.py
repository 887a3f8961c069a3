#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads what monitoring is made of. Debian's python3-prometheus-client and python3-yaml.

  observe.py names openmetrics|text SCRAPE   parse a scrape; print the names of its series
  observe.py expressions FILE...             print each expression of rules (YAML) and dashboards
                                             (JSON), one a line, with a dashboard's variables filled
  observe.py used FILE...                    print the metric names in these expressions
  observe.py rules FILE...                   print them as recording rules, for promtool
  observe.py firing <ANSWER                  print the names of the alerts that fire, from Prometheus'
                                             /api/v1/alerts; an error if a text could not be filled in
"""
import json
import re
import sys

import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

# What Grafana puts in the place of its variables.
FILLED = (("$__rate_interval", "5m"), ("$__range", "1h"), ("$__interval", "1m"))


def names(form, path):
    with open(path, encoding="utf-8") as file:
        families = {"openmetrics": openmetrics, "text": prometheus}[form](file.read())
    return sorted({sample.name for family in families for sample in family.samples})


def of_rules(document):
    for group in document["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def of_dashboard(document):
    """Any `expr`, and the queries of variables and annotations."""
    if isinstance(document, list):
        for part in document:
            yield from of_dashboard(part)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key == "expr":
                yield fill(value)
            elif key == "query" and isinstance(value, str) and value.startswith("label_values("):
                yield fill(value[len("label_values("):value.rindex(",")])
            else:
                yield from of_dashboard(value)


def fill(expression):
    for variable, value in FILLED:
        expression = expression.replace(variable, value)
    expression = re.sub(r"\$(\w+|\{\w+\})", ".*", expression)
    return expression


def expressions(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            document = json.load(file) if path.endswith(".json") else yaml.safe_load(file)
        found = list(of_dashboard(document) if path.endswith(".json") else of_rules(document))
        if not found:
            sys.exit(f"{path}: no expression")
        yield from (" ".join(expression.split()) for expression in found)


def used(paths):
    found = set()
    for expression in expressions(paths):
        bare = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
        found.update(re.findall(r"\b(?:warren|rabbitmq)_\w+", bare))
    return sorted(found)


def as_rules(paths):
    rules = [{"record": f"check:{i}", "expr": expression}
             for i, expression in enumerate(expressions(paths))]
    return yaml.safe_dump({"groups": [{"name": "check", "rules": rules}]}, width=1000).rstrip()


def firing():
    alerts = json.load(sys.stdin)["data"]["alerts"]
    for alert in alerts:
        for text in alert["annotations"].values():
            if "error expanding" in text or "no value" in text:
                sys.exit(f"{alert['labels']['alertname']}: {text}")
    return sorted({alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"})


def main(verb, *rest):
    if verb == "firing":
        lines = firing()
    elif verb == "names":
        lines = names(*rest)
    elif verb == "expressions":
        lines = expressions(rest)
    elif verb == "used":
        lines = used(rest)
    elif verb == "rules":
        lines = [as_rules(rest)]
    else:
        sys.exit(__doc__)
    print("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
