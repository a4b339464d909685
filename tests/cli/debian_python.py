"""Modules of Debian's Python, for tests that another Python runs: one that stands before it on PATH, say."""

import functools
import json
import subprocess
import sys

INTERPRETERS = (sys.executable, "/usr/bin/python3")


@functools.cache
def python_with(module):
    """An interpreter that has the module, or None."""
    for python in INTERPRETERS:
        try:
            if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
                return python
        except OSError:
            pass
    return None


def ask(module, code, value):
    """What the code makes of the value: both are JSON. It has `value`, and sets `answer`."""
    program = f"import json, sys, {module}\nvalue = json.load(sys.stdin)\n{code}\njson.dump(answer, sys.stdout)"
    result = subprocess.run([python_with(module), "-c", program], input=json.dumps(value), capture_output=True,
                            text=True)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return json.loads(result.stdout)
