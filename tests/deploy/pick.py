#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints a value of a manifest: pick.py FILE KIND NAME PATH. NAME "-" is the first of the kind; PATH has dots
between keys and numbers ("~" stands for a dot in a key); what is no text is printed as JSON."""
import json
import sys

import yaml


def main():
    path, kind, name, where = sys.argv[1:5]
    with open(path, encoding="utf-8", newline="") as file:
        objects = [one for one in yaml.safe_load_all(file) if one and one.get("kind") == kind]
    value = next(one for one in objects if name in ("-", one["metadata"]["name"]))
    for key in where.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key.replace("~", ".")]
    sys.stdout.write(value if isinstance(value, str) else json.dumps(value))


main()
