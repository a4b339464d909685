"""What the tests of primecheck share: starting it on any input, and what it should say to an input, found in the
slow and obvious way."""

import fcntl
import functools
import json
import os
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from typing import NamedTuple

from harness import BIN, DEADLINE, HAS_OPENMP, SLOW, CliTest, Running, is_prime, marked, read_proc, state, wait_for

sys.set_int_max_str_digits(0)

POOLS = ("threads", "processes", *(["openmp"] if HAS_OPENMP else []))
EXECUTORS = (*POOLS, "serial")
BLANKS = " \t\n\v\f\r"
MAX_DIGITS = 10000  # unless --max-digits says otherwise

with open(os.path.join(BIN, "primecheck"), "rb") as _program:
    SANITIZED = b"__asan_init" in _program.read()

# By trial division a matter of seconds: still under way when a test has done what it wants to do meanwhile.
SLOW_NUMBER = str(SLOW[0])
KILLED = "killed by signal 9 (SIGKILL)"

PRIMES_BIG = [2**64 + 13, 2**89 - 1, 2**107 - 1, 2**127 - 1, 2**521 - 1]
# (6k + 1)(12k + 1)(18k + 1) with three primes: Chernick, 1939.
CARMICHAEL_BIG = [n for k in range(10**6, 10**6 + 30000)
                  if all(map(is_prime, (6 * k + 1, 12 * k + 1, 18 * k + 1)))
                  and (n := (6 * k + 1) * (12 * k + 1) * (18 * k + 1)) > 2**64][:5]
COMPOSITES_BIG = [2**64, 2**64 + 1, 2**64 + 2, 2**128, 10**100, (2**61 - 1) ** 2, (2**89 - 1) * (2**107 - 1),
                  *CARMICHAEL_BIG]


class Output(NamedTuple):
    code: int  # negative: the signal that ended it
    out: bytes
    err: bytes

    def lines(self):
        return self.out.decode().splitlines()

    def messages(self):
        return self.err.decode(errors="replace").splitlines()


def check(*args, data=b"", file=False, env=None, stdout=subprocess.PIPE):
    """primecheck on that standard input: from a pipe, or from a file."""
    with tempfile.TemporaryFile() as source:
        source.write(data if file else b"")
        source.seek(0)
        result = subprocess.run([os.path.join(BIN, "primecheck"), *map(str, args)], stdout=stdout,
                                stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, timeout=DEADLINE,
                                **({"stdin": source} if file else {"input": data}))
    if re.search(b"Sanitizer|runtime error", result.stderr):
        raise AssertionError(result.stderr.decode())
    return Output(result.returncode, result.stdout, result.stderr)


class Interactive(Running):
    """primecheck with standard input in the test's hands: a pipe, or whatever descriptor is given."""

    def __init__(self, *args, source=None, stderr=None, errors=None, **options):
        self._errors = errors  # a file to take stderr, whatever it says
        stderr = errors.fileno() if errors else stderr
        self._feeder = None
        self._writer = None
        reader = source if source is None or isinstance(source, int) else source.fileno()
        if source is None:
            reader, self._writer = os.pipe()

        def prepare():
            os.dup2(reader, 0)
            if stderr is not None:
                os.dup2(stderr, 2)

        try:
            super().__init__("primecheck", *map(str, args), prepare=prepare, **options)
        finally:
            if source is None:
                os.close(reader)

    def __exit__(self, *args):
        super().__exit__(*args)
        if self._feeder:
            self._feeder.join()
        self.close_input()

    def send(self, text):
        """Short enough for the pipe, or there is somebody who reads."""
        os.write(self._writer, text if isinstance(text, bytes) else text.encode())

    def close_input(self):
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def finish_in_bytes(self):
        """As finish, of a program that may say what is no UTF-8: its stderr is the `errors` given."""
        code, out, _ = self.finish()
        self._errors.seek(0)
        return Output(code, out.encode(), self._errors.read())

    def feed(self, data):
        """All of it, from a thread; then the end."""
        def write_all():
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._writer, view[:1 << 16]):]
            except BrokenPipeError:
                pass
            self.close_input()

        self._feeder = threading.Thread(target=write_all)
        self._feeder.start()


    def feed_in_pieces(self, data, generator):
        """The same in pieces, each when the one before has been read; then the end."""
        def write_all():
            try:
                at = 0
                while at < len(data):
                    size = generator.choice((1, 2, 3, 10, 100, 5000))
                    at += os.write(self._writer, data[at:at + size])
                    while self.unread() and self.process.poll() is None:
                        os.sched_yield()
            except BrokenPipeError:
                pass
            self.close_input()

        self._feeder = threading.Thread(target=write_all)
        self._feeder.start()

    def unread(self):
        """Bytes of the input that still are in the pipe."""
        return struct.unpack("i", fcntl.ioctl(self._writer, termios.FIONREAD, bytes(4)))[0]

    def wait_until_idle(self):
        """Until nothing of it has run or wants to for a while: all that could be done is done."""
        last, since = None, 0

        def settled():
            nonlocal last, since
            now = [read_proc(f"{pid}/schedstat") for pid in marked(self.mark)]
            if now != last or any(state(pid) == "R" for pid in marked(self.mark)):
                last, since = now, time.monotonic()
            return time.monotonic() - since > 0.2

        wait_for("idleness", settled)

    def check_silent(self, seconds):
        """Nothing comes on stdout meanwhile."""
        if select.select([self.process.stdout], [], [], seconds)[0]:
            raise AssertionError(f"there is {os.read(self.process.stdout.fileno(), 1000)!r}")


# ---- what it should say ----------------------------------------------------------------------------


@functools.lru_cache(None)
def verdict(n, prove=False):
    if not is_prime(n):
        return "composite"
    return "prime" if n < 2**64 or prove else "probable-prime"


def value(token, max_digits=MAX_DIGITS):
    """The number that the token is, or None."""
    match = re.fullmatch(rb"\+?(?:0[xX]([0-9a-fA-F]+)|([0-9]+))", token)
    if not match or len(match[1] or match[2]) > max_digits:
        return None
    return int(match[1], 16) if match[1] else int(match[2])


def tokens(data):
    """Each token and its line."""
    return [(token, number) for number, line in enumerate(data.split(b"\n"), 1)
            for token in re.findall(rb"[^ \t\n\v\f\r]+", line)]


def expected_lines(data, max_digits=MAX_DIGITS, prove=False):
    return [f"{token.decode()} {verdict(n, prove)}" for token, _ in tokens(data)
            if (n := value(token, max_digits)) is not None]


def bad_tokens(data, max_digits=MAX_DIGITS):
    return [(token, line) for token, line in tokens(data) if value(token, max_digits) is None]


def joined(lines):
    return "".join(f"{line}\n" for line in lines).encode()


def random_token(generator):
    g = generator
    number = g.choice((
        lambda: g.randrange(200), lambda: g.randrange(10**6), lambda: g.randrange(2**32), lambda: g.randrange(2**64),
        lambda: g.getrandbits(g.randrange(1, 65)), lambda: 2**64 + g.randrange(-60, 60),
        lambda: g.choice(PRIMES_BIG + COMPOSITES_BIG), lambda: g.getrandbits(g.choice((65, 70, 128, 300))) | 1,
    ))()
    return g.choice((
        *[lambda: str(number)] * 12, lambda: f"+{number}", lambda: f"{number:#x}", lambda: f"{number:#X}",
        lambda: "0" * g.randrange(1, 30) + str(number), lambda: f"+0x{number:x}",
        lambda: g.choice(("x", "-5", "0x", "+", "++7", "1.5", "7,", "1e3", "0xfg", "7-", "12a4", "0b1", "12345678a")),
        lambda: str(number) + g.choice("abxyz:;/.-+'\""),
    ))().encode()


def mixed_input(generator, count):
    """Some thousand tokens of all kinds, blanks of all kinds between, and no newline at the end."""
    pieces = []
    odd = [b"\0", b"7\0", b"\xff\xfe", b"caf\xc3\xa9", b"1" * 41, b"z" * 41, b"9" * (MAX_DIGITS + 1), b"0" * MAX_DIGITS,
           b"0x" + b"f" * (MAX_DIGITS - 1) + b"0", b"12" * (MAX_DIGITS // 2), b"0" * (MAX_DIGITS + 1) + b"7",
           b"5" * 30000]
    for place in range(count):
        pieces.append(odd.pop() if odd and place % (count // 12) == 0 else random_token(generator))
        pieces.append(generator.choice((b"\n", b"\n", b"\n", b" ", b"\t", b"\r\n", b"\n\n\n", b" \f ", b"\v",
                                        b"\n" * 80)))
    return b"".join(pieces[:-1])


class PrimecheckTest(CliTest):
    def check_answers(self, result, data, max_digits=MAX_DIGITS, name="-", prove=False, sort=False):
        """All numbers answered, all else reported with its line."""
        expected = expected_lines(data, max_digits, prove)
        found = result.out.decode().splitlines()
        if sort:
            expected, found = sorted(expected), sorted(found)
        if found != expected:
            at = next((i for i, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]),
                      min(len(found), len(expected)))
            self.fail(f"{len(found)} lines for {len(expected)}; line {at + 1} is {found[at:at + 1]!r:.200}, "
                      f"not {expected[at:at + 1]!r:.200}")
        self.assertTrue(result.out == b"" or result.out.endswith(b"\n"))
        bad = bad_tokens(data, max_digits)
        self.check_messages(result, bad, name, sort)
        self.assertEqual(result.code, 1 if bad else 0)

    def check_messages(self, result, bad, name="-", sort=False):
        found = result.messages()
        if sort:  # each line's by themselves, in the order of what is shown
            found.sort(key=lambda message: (int(message.split(":")[2]), message))
            bad = sorted(bad, key=lambda pair: (pair[1], re.sub(rb"[^ -~]", b"?", pair[0][:40]) + b"' "))
        self.assertEqual(len(found), len(bad), found[:5])
        for message, (token, line) in zip(found, bad):
            place = f"primecheck: {name}:{line}: '" if name else "primecheck: '"
            self.assertTrue(message.startswith(place), f"{message!r} for {token[:50]!r} on line {line}")
            self.assertRegex(message, r"' (is not a non-negative integer|has more than \d+ digits?)\Z")
            shown = message[len(place):message.rindex("' ")]
            if re.fullmatch(rb"[!-~]+", token):
                self.assertEqual(shown, token[:40].decode())
            self.assertLessEqual(len(shown), 40)

    def json_lines(self, result):
        """The lines of numbers, and the summary."""
        *lines, last = [json.loads(line) for line in result.lines()]
        self.assertEqual(set(last), {"summary"})
        return lines, last["summary"]
