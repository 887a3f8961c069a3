#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads pages of Markdown, for test_docs.sh and test_docs_form.sh.

  page.py cut PAGE FOLDER        write each fenced block to FOLDER/NNN and its rule to FOLDER/NNN.rule,
                                 a line `word<TAB>value` each; comments that stand alone and are
                                 an order to the test (ALONE) are blocks without lines. What would
                                 go unseen is an error: a comment above a block that is no order, a
                                 fence of `~~~`, one in a quotation or behind the mark of a list,
                                 one without an end
  page.py match EXPECTED SEEN    is what was seen what the page shows? `…` stands for any text of a
                                 line, a line of nothing else for any lines. Prints the difference
  page.py holds EXPECTED SEEN    is each line of it somewhere in what was seen?
  page.py not-run PAGE...        print page and reason of each block that no test runs as it stands
  page.py links PAGE...          print each relative link, picture or anchor that leads nowhere
"""
import re
import sys
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

FENCE = re.compile(r"^( *)(`{3,})([^`]*)$")
UNSEEN = re.compile(r"^ *(~{3,}|((>|[-*+]|\d+\.) *)+(`{3,}|~{3,}))")
COMMENT = re.compile(r"^ *<!-- (.*) -->$")
# What a comment may tell the test. Others are comments for people.
WORDS = ("file", "save", "inside", "run", "background", "until", "again", "says", "exit", "output",
         "not run", "stage", "stop", "ends", "ports", "helper", "drawing")
ALONE = ("stage", "stop", "ends", "ports")


def orders(comment):
    """`save: a.c; run` is {"save": "a.c", "run": ""}; None when it is a comment for people."""
    if comment.startswith("not run: "):
        return {"not run": comment.partition(": ")[2]}
    found = {}
    for part in comment.split("; "):
        word, _, value = part.partition(": ")
        if word not in WORDS:
            return None
        found[word] = value
    return found


def is_indented_code(lines, index):
    """Four spaces after an empty line, and no list to belong to: a block without a rule."""
    if not lines[index].startswith("    ") or index == 0 or lines[index - 1].strip():
        return False
    for line in reversed(lines[:index]):
        if line.strip() and not line.startswith(" "):
            return not re.match(r"([-*]|\d+\.) ", line)
    return True


class Unread(Exception):
    """Something that a reader takes for a block or an order, and the test would not see."""


def blocks(lines):
    """Yields (number of the line, rule, text) for each block."""
    before, stray, index = {}, None, 0
    while index < len(lines):
        line = lines[index]
        fence, comment = FENCE.match(line), COMMENT.match(line)
        if fence:
            indent, ticks, language = fence.groups()
            if stray:
                raise Unread(f"{index}: no order to the test, and above a block: {stray}")
            end = index + 1
            while end < len(lines) and lines[end].strip() != ticks:
                end += 1
            if end == len(lines):
                raise Unread(f"{index + 1}: this block has no end")
            text = [part.removeprefix(indent) for part in lines[index + 1:end]]
            yield index + 1, {"language": language.strip(), **before}, text
            before, index = {}, end + 1
            continue
        if UNSEEN.match(line):
            raise Unread(f"{index + 1}: want a fence of ``` on a line of its own, in no quotation: {line}")
        if comment:
            told = orders(comment.group(1))
            if before:
                raise Unread(f"{index + 1}: a second comment above a block: join them by '; '")
            stray = None if told else line
            if told and next(iter(told)) in ALONE:
                yield index + 1, told, []
            elif told:
                before = told
        elif is_indented_code(lines, index):
            yield index + 1, {"language": "(indented)"}, [line]
            while index + 1 < len(lines) and lines[index + 1].startswith("    "):
                index += 1
        elif line.strip():
            before, stray = {}, None
        index += 1


def blocks_of(page):
    return blocks(Path(page).read_text(encoding="utf-8").split("\n"))


def not_run(page):
    for _, rule, _ in blocks_of(page):
        if "not run" in rule:
            yield f"{page}: {rule['not run']}"


def cut(page, folder):
    for number, (line, rule, text) in enumerate(blocks_of(page)):
        name = Path(folder) / f"{number:03}"
        name.write_text("".join(part + "\n" for part in text), encoding="utf-8")
        rule["line"] = str(line)
        name.with_suffix(".rule").write_text(
            "".join(f"{word}\t{value}\n" for word, value in rule.items()), encoding="utf-8")


# --- what is shown, and what was seen -----------------------------------------------------------


def squeezed(line):
    """Columns are as wide as what stands in them, so spaces in a row are one."""
    return re.sub(r"\s+", " ", line).rstrip()


def pattern(line):
    return re.compile(".*".join(re.escape(part) for part in squeezed(line).split("…")) + "$")


def fits(expected, seen):
    """Each line fits its pattern; a line of `…` any lines."""
    if not expected:
        return not seen
    if expected[0] == "…":
        return any(fits(expected[1:], seen[skip:]) for skip in range(len(seen) + 1))
    return bool(seen) and bool(pattern(expected[0]).match(seen[0])) and fits(expected[1:], seen[1:])


def text_of(path):
    text = Path(path).read_text(encoding="utf-8", errors="replace").rstrip("\n")
    return [squeezed(line) for line in text.split("\n")]


def match(expected, seen):
    want, got = text_of(expected), text_of(seen)
    if fits(want, got):
        return 0
    print("\n".join(got))
    return 1


def holds(expected, seen):
    got = text_of(seen)
    missing = [line for line in text_of(expected) if not any(map(pattern(line).match, got))]
    print("\n".join(missing))
    return 1 if missing else 0


# --- links --------------------------------------------------------------------------------------


def prose(path):
    """The page without its blocks, and without `code`."""
    inside, kept = False, []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(re.sub(r"`[^`]*`", "", line) if not line.startswith("#") else line)
    return kept


def anchors(path):
    """The names that GitHub and its kin give to headings."""
    found, counts = set(), {}
    for line in prose(path):
        heading = re.match(r"#+ (.*)", line)
        if not heading:
            continue
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1)).strip().lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        again = counts.get(name, 0)
        counts[name] = again + 1
        found.add(f"{name}-{again}" if again else name)
    return found


def is_picture(path):
    try:
        return ElementTree.parse(path).getroot().tag.endswith("}svg")
    except ElementTree.ParseError:
        return False


def links(page):
    text = "\n".join(prose(page))
    targets = re.findall(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", text)
    targets += re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", text)
    targets += re.findall(r"^\[[^\]]+\]: (\S+)", text, re.MULTILINE)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = unquote(target).partition("#")
        file = page.parent / place if place else page
        if not file.exists():
            yield f"{page}: {target}: no such file"
        elif file.suffix == ".svg" and not is_picture(file):
            yield f"{page}: {target}: no picture"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield f"{page}: {target}: no such heading"


def main():
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "cut":
        try:
            cut(*arguments)
        except Unread as wrong:
            print(f"{arguments[0]}:{wrong}", file=sys.stderr)
            return 1
    elif verb == "not-run":
        print("\n".join(line for page in arguments for line in not_run(page)))
    elif verb in ("match", "holds"):
        return globals()[verb](*arguments)
    elif verb == "links":
        wrong = [line for page in arguments for line in links(Path(page))]
        print("\n".join(wrong))
        return 1 if wrong else 0
    return 0


sys.exit(main())
