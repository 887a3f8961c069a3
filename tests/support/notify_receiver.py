# SPDX-License-Identifier: MIT
"""A service manager's end of sd_notify(3): notify_receiver.py ADDRESS FILE

Binds ADDRESS (a path, or @ and a name) and writes each datagram as a line to FILE: seconds of the
monotonic clock, then its lines with a tab between them. Ends with its parent's end of the pipe (stdin).
"""
import select
import socket
import sys
import time

address, path = sys.argv[1:3]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("\0" + address[1:] if address.startswith("@") else address)
with open(path, "w", encoding="utf-8", buffering=1) as out:
    out.write("0.000\tBOUND\n")
    while True:
        readable, _, _ = select.select([manager, sys.stdin], [], [])
        if manager in readable:
            word = manager.recv(65536).decode("utf-8", "replace")
            lines = word.rstrip("\n").replace("\n", "\t")
            out.write(f"{time.monotonic():.3f}\t{lines}\n")
        elif not sys.stdin.read(1):
            break
