#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Arrows point down: the floors table of docs/architecture.md, held against every #include line.
#   - base < model < io < engine < web < front < warren.c; a file includes its own floor or lower ones
#   - public headers include only each other and the C library, and nobody includes a .c
#   - each foreign library only in the files that may know it (the table below)
#   - bin/ includes <warren/...> and its own headers, nothing private: the proof that the API is whole
#   - no loop: neither between headers nor between modules (a module is a .c with its .h)
# check_layers.sh [ROOT]; exit 1 with a line for each fault.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

# Prints `file line include` of each include: <x> keeps its brackets, "x" loses its quotes.
includes()
{
    find lib bin -name '*.[ch]' -print0 2>/dev/null | sort -z |
        xargs -0r grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]' |
        sed -E 's/^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]+([<"])([^>"]+)[>"].*/\1 \2 \3\4/; s/ "/ /'
}

# shellcheck disable=SC2016
rules='
BEGIN {
    split("base model io engine web front", names, " ")
    for (i in names) floor[names[i]] = i + 0
    # What a foreign header begins with, and the files that may include it.
    may["amqp"] = may["rabbitmq-c/"] = "^lib/io/broker_amqp[a-z_]*[.][ch]$"
    may["json-c/"] = may["json.h"] = "^(lib/model/(job|json|order|record)[a-z_]*[.]c|bin/.*)$"
    may["libconfig.h"] = "^lib/model/settings[a-z_]*[.]c$"
    may["microhttpd.h"] = "^lib/web/http[.]c$"
    may["openssl/"] = "^(lib/io/[a-z_]+[.][ch]|bin/examples/.*)$"
    may["curses.h"] = "^bin/top_screen[.]c$"
    may["curl/"] = "^(lib/io/post[.]c|bin/(examples/.*|management[.]c|probe[.]c))$"; may["zlib.h"] = "^bin/examples/.*$"
    may["sqlite3.h"] = may["libpq-fe.h"] = may["CUnit/"] = "^$"
}
function fault(text) { print FILE ":" LINE ": " text; faults++ }
function rank(path,   parts) {
    split(path, parts, "/")
    return parts[2] == "include" ? 0 : parts[3] == "" ? 99 : parts[2] in floor ? floor[parts[2]] : -1
}
function exists(path,   line, there) { there = (getline line < path) >= 0; close(path); return there }
# broker_amqp belongs to broker: behind one header, the two may know each other.
function family(a, b) { return index(a "_", b "_") == 1 || index(b "_", a "_") == 1 }
function module(path) { sub(/[.][ch]$/, "", path); return path }
function foreign(header,   start) {
    for (start in may)
        if (index(header, start) == 1) {
            if (FILE !~ may[start]) fault("<" header "> is not for this file")
            return
        }
    if (header ~ /[\/]/ && header !~ /^(sys|net|netinet|arpa|linux|asm)\// )
        fault("<" header "> is a foreign library that no floor knows: name it in check_layers.sh")
}
function resolve(name,   own) {
    own = FILE; sub(/[^\/]*$/, "", own)
    if (name ~ /^warren\//) return "lib/include/" name
    if (FILE ~ /^lib\// && exists("lib/" name)) return "lib/" name
    return exists(own name) ? own name : ""
}
function in_lib(target,   from, to) {
    from = rank(FILE); to = rank(target)
    if (from < 0) fault("is on no floor that check_layers.sh knows")
    else if (from == 0 && to != 0) fault("a public header includes the private " target)
    else if (to == 99 && from != 99) fault("nobody includes what stands above all floors: " target)
    else if (to > from) fault("an arrow upwards: " target)
}
{
    FILE = $1; LINE = $2; name = $3; seen[FILE]
    if (sub(/^</, "", name) && name !~ /^warren\//) { foreign(name); next }
    if (name ~ /[.][.]\//) { fault("climbs out of its folder: " name); next }
    if (name ~ /[.]c$/) { fault("includes a .c: " name); next }
    target = resolve(name)
    if (target == "") { fault("no such header of ours: " name); next }
    if (FILE ~ /^bin\// && target !~ /^bin\// && target !~ /^lib\/include\//)
        fault("bin/ includes the private " target)
    if (FILE ~ /^lib\//) in_lib(target)
    if (FILE ~ /[.]h$/) headers[FILE] = headers[FILE] " " target
    if (module(FILE) != module(target) && !family(module(FILE), module(target)))
        modules[module(FILE)] = modules[module(FILE)] " " module(target)
}
# Depth first; `open` holds the way from the start, so that a loop can be named.
function walk(graph, at, way,   next_ones, i, n) {
    if (state[at] == "done") return
    if (state[at] == "open") { print "a loop: " substr(way, index(way, at)) " -> " at; faults++; return }
    state[at] = "open"
    n = split(graph[at], next_ones, " ")
    for (i = 1; i <= n; i++) walk(graph, next_ones[i], way " -> " at)
    state[at] = "done"
}
END {
    for (file in headers) walk(headers, file, "")
    split("", state)
    for (file in modules) walk(modules, file, "")
    for (file in seen) files++
    if (!faults) printf "layers: %d files, every arrow points down\n", files
    if (!files) { print "layers: no file to look at"; exit 1 }
    exit faults > 0
}'

includes | awk "$rules"
