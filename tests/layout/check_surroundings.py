#!/usr/bin/env python3
"""Checks that tests/process/README.md is true: each test that it names exists, and its first table has
the sentences of the section "Surroundings" of cfutures.h, word for word.

    check_surroundings.py [ROOT]      ROOT is a checkout; without it, the one of this file

A test is named in the last column of a table, between backticks:

    suite/name             Test(suite, name) in a file test_suite.c somewhere in tests/
    folder/file.c: text    the file tests/folder/file.c, and this text in it; ": text" may be missing
    explorer: scenario     a scenario of tests/explorer

A row without a test says why: its last column begins with "not tested" or "a rule".

Exit code 0: so it is; 1: it is not, and each difference is printed; 2: the check could not be made.
"""
import re
import sys
from pathlib import Path

HEADER = "src/include/cfutures.h"
PAGE = "tests/process/README.md"
FIRST_COLUMN = len(" *   ")
TEXT_COLUMN = len(" *   Subject    ")

ROW = re.compile(r"^\| (.*) \|$")
NAME = re.compile(r"`([^`]+)`")
TEST = re.compile(r"^Test\((\w+), (\w+)", re.MULTILINE)
EXCUSES = ("not tested", "a rule")


class CannotCheck(Exception):
    """A file is not as it must be."""


# ---- the header: {subject: text} ------------------------------------------------------------------


def section_lines(header):
    lines = header.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith(" * Surroundings: ")]
    if len(starts) != 1:
        raise CannotCheck(f"{HEADER} has {len(starts)} sections Surroundings")
    for line in lines[starts[0] + 1:]:
        if re.match(r" \* \S| \*/", line):
            return
        if line.strip() != "*":
            yield line


def header_texts(header):
    texts = {}
    subject = None
    for line in section_lines(header):
        if line[FIRST_COLUMN] != " ":
            subject = line[FIRST_COLUMN:TEXT_COLUMN].strip()
            texts[subject] = []
        if subject is None:
            raise CannotCheck(f"{HEADER}: a line before the first subject: {line}")
        texts[subject].append(line[TEXT_COLUMN:].strip())
    if not texts:
        raise CannotCheck(f"{HEADER}: the section Surroundings is empty")
    return {subject: " ".join(lines) for subject, lines in texts.items()}


# ---- the page -------------------------------------------------------------------------------------


def page_rows(page):
    """Each row of each table, without the heads: (line number, its columns)."""
    body = False
    for number, line in enumerate(page.splitlines(), 1):
        row = ROW.match(line)
        if row is None:
            body = False
        elif body:
            yield number, row[1].split(" | ")
        else:
            body = set(line) <= set("| -")


def first_section(page):
    parts = page.split("\n## ")
    if len(parts) < 3:
        raise CannotCheck(f"{PAGE} has no two sections")
    return parts[1]


def page_texts(page):
    texts = {}
    for _, columns in page_rows(first_section(page)):
        if len(columns) == 3:
            subject, sentence, _ = columns
            texts.setdefault(subject, []).append(sentence.replace("\\*", "*"))
    return {subject: " ".join(sentences) for subject, sentences in texts.items()}


# ---- what is wrong --------------------------------------------------------------------------------


def compare_texts(header, page):
    for subject in header.keys() | page.keys():
        promised, listed = header.get(subject, ""), page.get(subject, "")
        if promised != listed:
            yield f"{subject}:\n  the header says  {promised}\n  the page says    {listed}"


def known_tests(tests):
    known = set()
    for file in tests.glob("*/test_*.c"):
        for suite, name in TEST.findall(file.read_text(encoding="utf-8")):
            known.add(f"{suite}/{name}")
    return known


def exists(name, root, known):
    tests = root / "tests"
    place, _, text = name.partition(": ")
    if place == "explorer":
        scenarios = (tests / "explorer/scenarios.h").read_text(encoding="utf-8")
        return re.search(rf"\b{re.escape(text)}\b", scenarios) is not None
    if "." not in place:
        return name in known
    file = tests / place
    return file.is_file() and text in file.read_text(encoding="utf-8")


def missing_tests(root, page):
    known = known_tests(root / "tests")
    for number, columns in page_rows(page):
        names = [n for n in NAME.findall(columns[-1]) if not n.startswith(("tests/run", ".ci/"))]
        for name in names:
            if not exists(name, root, known):
                yield f"{PAGE}:{number}: no such test: {name}"
        if not names and not columns[-1].startswith(EXCUSES):
            yield f"{PAGE}:{number}: neither a test nor a reason: {columns[-1]}"


def check(root):
    header = (root / HEADER).read_text(encoding="utf-8")
    page = (root / PAGE).read_text(encoding="utf-8")
    faults = list(compare_texts(header_texts(header), page_texts(page)))
    _, _, tables = page.partition("\n## ")
    return faults + list(missing_tests(root, tables))


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    try:
        faults = check(root)
    except (CannotCheck, OSError) as error:
        print(f"check_surroundings.py: {error}", file=sys.stderr)
        return 2
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
