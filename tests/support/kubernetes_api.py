#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Kubernetes API server for tests, of which there is one pod and one verb.

    kubernetes_api.py FILE CERTIFICATE KEY TOKEN_FILE [--fail N STATUS] [--hang]

Listens by TLS on a free port of 127.0.0.1 and prints it. A merge patch of the pod ns-1/pod-1 that a real
server would take, with the token that stands in TOKEN_FILE at that moment, becomes a line of FILE: the cost
that it says. What isn't one is answered as a real server would (401, 404, 415, 422) and written as a line that
begins with "BAD". --fail: answers the first N requests with STATUS, and writes the status. --hang: takes a
request and never answers. Ends with its standard input.
"""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/api/v1/namespaces/ns-1/pods/pod-1"
ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"


def cost_of(body):
    """What replicaset controllers read: an int32 as they write it, and nothing else may be patched."""
    patch = json.loads(body.decode("utf-8", "strict"))
    if set(patch) != {"metadata"} or set(patch["metadata"]) != {"annotations"}:
        raise ValueError("it patches more than annotations")
    (key, value), = patch["metadata"]["annotations"].items()
    if key != ANNOTATION or not isinstance(value, str):
        raise ValueError("another annotation, or no string")
    if str(int(value)) != value or not -2**31 <= int(value) < 2**31:
        raise ValueError("no int32: %s" % value)
    return value


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    file = None
    token_file = None
    failures = 0
    status = 503
    hangs = False

    def answer(self, status, line):
        with Api.lock:
            Api.file.write(line + "\n")
            Api.file.flush()
        body = json.dumps({"kind": "Pod" if status == 200 else "Status", "code": status}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def judge(self, body):
        with open(Api.token_file, encoding="utf-8") as file:
            wanted = "Bearer " + file.read().strip()
        if self.headers.get("Authorization") != wanted:
            return 401, "BAD token"
        if self.path != PATH:
            return 404, "BAD path %s" % self.path
        if self.headers.get("Content-Type") != "application/merge-patch+json":
            return 415, "BAD content type %s" % self.headers.get("Content-Type")
        try:
            return 200, cost_of(body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return 422, "BAD body %r" % error

    def do_PATCH(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if Api.hangs:
            threading.Event().wait()
        with Api.lock:
            fails = Api.failures > 0
            Api.failures -= 1 if fails else 0
        status, line = (Api.status, "status %d" % Api.status) if fails else self.judge(body)
        self.answer(status, line)

    def do_GET(self):
        self.answer(403, "BAD GET")

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *args):
        pass


def main(words):
    Api.file = open(words[0], "a", encoding="utf-8")
    Api.token_file = words[3]
    if "--fail" in words:
        at = words.index("--fail")
        Api.failures, Api.status = int(words[at + 1]), int(words[at + 2])
    Api.hangs = "--hang" in words
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(words[1], words[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    server.handle_error = lambda request, address: None  # who doesn't trust it hangs up
    # The handshake belongs to the thread of its connection, or one that stalls would stop all.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
