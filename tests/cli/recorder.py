"""Which command lines of our programs a test has run, for options_used.py: if PRIMEPOOL_COMMANDS names a file, each
process that the test has started and waited for becomes a line there. A line is JSON: the program, its arguments,
its exit code."""

import json
import os
import subprocess

FILE = os.environ.get("PRIMEPOOL_COMMANDS")


def program_at(words, folder):
    """Where in the command line one of the folder's programs stands, which mpirun may start, say; or None."""
    return next((i for i, word in enumerate(words) if os.path.dirname(word) == folder), None)


def record_in(file, folder):
    """From now on; what an earlier run has recorded is gone."""
    os.makedirs(os.path.dirname(file), exist_ok=True)
    output = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC)

    class Popen(subprocess.Popen):
        """Its exit code is known when it is set, wherever that happens."""

        @property
        def returncode(self):
            return self._code

        @returncode.setter
        def returncode(self, code):
            self._code = code
            if code is not None:
                words = [os.fsdecode(word) for word in self.args] if isinstance(self.args, (list, tuple)) else []
                at = program_at(words, folder)
                if at is not None:
                    line = json.dumps([os.path.basename(words[at]), words[at + 1:], code])
                    os.write(output, f"{line}\n".encode())  # whole, whatever other threads write

    subprocess.Popen = Popen


def begin(folder):
    if FILE:
        record_in(FILE, folder)
