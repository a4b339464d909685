"""Pages of reports, one for each kind of table of ../unit/run_tables.c, and what they hold."""

import html.parser
import json
import os
import subprocess
import tempfile

MAKE_REPORTS = os.environ["PRIMEPOOL_MAKE_REPORTS"]
KINDS = ["primes", "one", "empty", "zeros", "failures", "flags_ordered", "flags_completed", "blocks", "wide", "many",
         "hostile", "left_out", "open"]
VOID = {"meta", "link", "br", "img", "input"}

FOLDER = tempfile.TemporaryDirectory(prefix="reports-")
subprocess.run([MAKE_REPORTS, FOLDER.name], check=True)


def path(kind):
    return os.path.join(FOLDER.name, f"{kind}.html")


def read(kind):
    with open(path(kind), encoding="utf-8") as file:
        return file.read()


class Page(html.parser.HTMLParser):
    """The elements of a page, and what its scripts hold. Fails if they are not properly nested."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self._open = [], [], []
        self.feed(text)
        self.close()
        if self._open:
            raise AssertionError(f"{self._open} are not closed")

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            raise AssertionError(f"</{tag}> at {self.getpos()} closes nothing")

    def handle_data(self, text):
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += text


def data_of_file(file):
    with open(file, encoding="utf-8") as page:
        return json.loads(Page(page.read()).scripts[0])


def data(kind):
    return data_of_file(path(kind))


def column(table, name):
    values = table[name]
    return values if isinstance(values, list) else [values] * table["count"]
