"""Pages of reports, one for each kind of table of ../unit/run_tables.c, and what they hold."""

import os
import subprocess
import tempfile

from report_page import data_of_file

MAKE_REPORTS = os.environ["PRIMEPOOL_MAKE_REPORTS"]
KINDS = ["primes", "one", "empty", "zeros", "failures", "flags_ordered", "flags_completed", "blocks", "wide", "many",
         "hostile", "left_out", "open"]

FOLDER = tempfile.TemporaryDirectory(prefix="reports-")
subprocess.run([MAKE_REPORTS, FOLDER.name], check=True)


def path(kind):
    return os.path.join(FOLDER.name, f"{kind}.html")


def read(kind):
    with open(path(kind), encoding="utf-8") as file:
        return file.read()


def data(kind):
    return data_of_file(path(kind))
