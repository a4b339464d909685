"""The page of a report (src/programs/timeline/report.h), and the data in it."""

import html.parser
import json

VOID = {"meta", "link", "br", "img", "input"}


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


def column(table, name):
    values = table[name]
    return values if isinstance(values, list) else [values] * table["count"]
