# SPDX-License-Identifier: MIT
"""Holds a bill of materials against the folder that it is of: check_bom.py FOLDER BOM

Each file of the folder stands in it once with its SHA-256 (but for the bill itself), and nothing else does;
each package has a version, a purl of Debian's kind, its copyright and its row for scanners in the folder.
Prints what is wrong, or how much there is of what.
"""
import hashlib
import json
import os
import re
import sys

folder, path = sys.argv[1:3]
with open(path, encoding="utf-8") as file:
    bom = json.load(file)
faults = []
listed = {}
packages = [part for part in bom["components"] if part["type"] == "library"]


def note_files(parts):
    """Notes all files among parts."""
    for part in parts:
        if part["type"] == "file":
            if part["name"] in listed:
                faults.append(f"{part['name']} stands there twice")
            listed[part["name"]] = part["hashes"][0]["content"]


note_files(bom["components"])
for package in packages:
    name = package["name"]
    note_files(package["components"])
    if not re.fullmatch(r"pkg:deb/(debian|warren)/[a-z0-9.%+-]+@[^@?]+\?arch=[a-z0-9]+&distro=[a-z]+", package["purl"]):
        faults.append(f"{name}: the purl {package['purl']}")
    for paper in (f"usr/share/doc/{name}/copyright", f"var/lib/dpkg/status.d/{name}"):
        if not os.path.isfile(os.path.join(folder, paper)):
            faults.append(f"{name}: no {paper}")

there = set()
for base, _, names in os.walk(folder):
    for name in names:
        full = os.path.join(base, name)
        if not os.path.islink(full) and not full.endswith("/bom.cdx.json"):
            inside = "/" + os.path.relpath(full, folder)
            there.add(inside)
            with open(full, "rb") as file:
                if listed.get(inside) != hashlib.sha256(file.read()).hexdigest():
                    faults.append(f"{inside}: the bill has {listed.get(inside)}")
faults += [f"{name} is not in the folder" for name in listed if name not in there]
with_licence = sum(1 for package in packages if package.get("licenses"))
print("\n".join(faults) or f"{len(packages)} packages, {with_licence} with licences, {len(there)} files")
sys.exit(bool(faults))
