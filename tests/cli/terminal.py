"""A terminal of a test's own, and what a user would see on it."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading

CLEAR = "\x1b[K"


class Screen:
    """What a terminal shows after these characters; it goes on to the next line when one is more than full."""

    def __init__(self, width):
        self.lines, self.column, self.width = [""], 0, width

    def show(self, text):
        for token in re.findall(r"\x1b\[K|[^\x1b]", text):
            if token == CLEAR:
                self.lines[-1] = self.lines[-1][:self.column]
            elif token == "\r":
                self.column = 0
            elif token == "\n":
                self.lines.append("")
                self.column = 0
            else:
                if self.column == self.width:
                    self.lines.append("")
                    self.column = 0
                line = self.lines[-1].ljust(self.column)
                self.lines[-1] = line[:self.column] + token + line[self.column + 1:]
                self.column += 1
        return self


class Terminal:
    """A terminal of that size, and all that is ever written to it."""

    def __init__(self, columns):
        self._ours, self.theirs = pty.openpty()
        self.resize(columns)
        self._seen = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        try:
            while data := os.read(self._ours, 65536):
                self._seen += data
        except OSError:  # nobody has it open any more
            pass

    def resize(self, columns):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))

    def type(self, key):
        os.write(self._ours, key)

    def so_far(self):
        return self._seen.decode(errors="ignore").replace("\r\n", "\n")

    def close(self):
        """All that was written."""
        if self.theirs is not None:
            os.close(self.theirs)
            self.theirs = None
            self._reader.join()
            os.close(self._ours)
        return self.so_far()
