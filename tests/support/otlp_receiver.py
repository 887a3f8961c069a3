#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A collector for tests: takes OTLP/HTTP JSON as real ones do and writes each request down.

    otlp_receiver.py FILE [--fail N STATUS] [--hang]

Listens on a free port of 127.0.0.1 and prints it. Each request that is what the specification asks for
(POST /v1/traces, application/json, an ExportTraceServiceRequest with ids in hex and times as strings)
becomes one line of FILE; what isn't is answered with 400 and written as a line that begins with "BAD".
--fail: answers the first N requests with STATUS. --hang: takes a request and never answers. Ends with
its standard input.
"""

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SPAN_MEMBERS = {
    "traceId", "spanId", "parentSpanId", "traceState", "flags", "name", "kind", "startTimeUnixNano",
    "endTimeUnixNano", "attributes", "links", "status",
}


def must(claim, text):
    if not claim:
        raise ValueError(text)


def is_id(value, size):
    return re.fullmatch("[0-9a-f]{%d}" % size, value) is not None and set(value) != {"0"}


def check_attributes(attributes):
    keys = [entry["key"] for entry in attributes]
    must(len(keys) == len(set(keys)), "a key twice: %s" % keys)
    for entry in attributes:
        (kind, value), = entry["value"].items()
        must(kind in ("stringValue", "intValue"), "a value of kind %s" % kind)
        must(isinstance(value, str), "%s is no string" % entry["key"])


def check_span(span):
    must(set(span) <= SPAN_MEMBERS, "unknown members: %s" % (set(span) - SPAN_MEMBERS))
    must(is_id(span["traceId"], 32) and is_id(span["spanId"], 16), "bad ids")
    must("parentSpanId" not in span or is_id(span["parentSpanId"], 16), "bad parent")
    must(span["kind"] in (1, 2, 3, 4, 5) and span["name"], "no kind or name")
    must(0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), "bad times")
    must(isinstance(span["startTimeUnixNano"], str), "a time that is no string")
    must(span["status"].get("code", 0) in (0, 1, 2), "bad status")
    check_attributes(span["attributes"])
    for link in span.get("links", []):
        must(is_id(link["traceId"], 32) and is_id(link["spanId"], 16), "bad link")


def check_request(body):
    request = json.loads(body.decode("utf-8", "strict"))
    must(set(request) == {"resourceSpans"}, "no resourceSpans")
    for resource in request["resourceSpans"]:
        check_attributes(resource["resource"]["attributes"])
        for scope in resource["scopeSpans"]:
            must(scope["scope"]["name"], "no scope")
            for span in scope["spans"]:
                check_span(span)
    return json.dumps(request)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    file = None
    failures = 0
    status = 503
    hangs = False

    def answer(self, status):
        body = b"{}"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def take(self, body):
        try:
            must(self.path == "/v1/traces", "path %s" % self.path)
            kind = self.headers.get("Content-Type", "")
            must(kind == "application/json", "content type %s" % kind)
            line = check_request(body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            line = "BAD %r" % error
        with Receiver.lock:
            Receiver.file.write(line + "\n")
            Receiver.file.flush()
        return 400 if line.startswith("BAD") else 200

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if Receiver.hangs:
            threading.Event().wait()
        with Receiver.lock:
            fails = Receiver.failures > 0
            Receiver.failures -= 1 if fails else 0
        self.answer(Receiver.status if fails else self.take(body))

    def log_message(self, *args):
        pass


def main(words):
    Receiver.file = open(words[0], "a", encoding="utf-8")
    if "--fail" in words:
        at = words.index("--fail")
        Receiver.failures, Receiver.status = int(words[at + 1]), int(words[at + 2])
    Receiver.hangs = "--hang" in words
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
