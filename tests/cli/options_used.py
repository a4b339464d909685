"""options_used.py BIN RECORDS TEST...: which options of the programs in BIN does no test use? Exit code 1 if there are any.

The tests record what they run (recorder.py), each in a file of its own in RECORDS, so nothing is guessed from their
sources. An option is a line of --help, by any of its names. It counts as used by a program if a test has run that
program with it and the exit code was not that of a usage error.

Exit code 77, which ctest takes for "skipped": a test has not run since it was changed, with a filter say."""

import json
import os
import re
import subprocess
import sys
from typing import NamedTuple

SKIPPED = 77
SAME = {"flags_asyncio": "flags_async", "flags2_asyncio": "flags2_async"}  # programs of two names
USAGE_ERROR = 2
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Option(NamedTuple):
    names: tuple  # "--numbers", "-n"
    takes_value: bool


def options_of(help_text):
    """
    >>> for option in options_of('''Usage: p [OPTION...]
    ...   -j, --json                 Print one JSON object a line, see --only
    ...   -m, --max_req=CONCURRENT, --max-req=CONCURRENT
    ...                              Most requests --at once
    ...       --only=primes|composites   Print only those
    ...   -h                         The same as --help
    ... '''): print(option)
    Option(names=('-j', '--json'), takes_value=False)
    Option(names=('-m', '--max_req', '--max-req'), takes_value=True)
    Option(names=('--only',), takes_value=True)
    Option(names=('-h',), takes_value=False)
    """
    found = []
    for line in help_text.splitlines():
        if match := re.match(r" {2,6}(-[^\s,]+(?:, -[^\s,]+)*)", line):
            words = match[1].split(", ")
            found.append(Option(tuple(word.split("=")[0] for word in words), any("=" in word for word in words)))
    return found


def meaning_of(name, options):
    """The option that a long name is, or is short for; None if there is none."""
    every = [(known, option) for option in options for known in option.names if known.startswith("--")]
    exact = [option for known, option in every if known == name]
    near = [option for known, option in every if known.startswith(name)]
    return next(iter(exact or near), None)


def used(words, options):
    """What of the options is in the command line.

    >>> options = [Option(("-n", "--numbers"), True), Option(("-s", "--split"), False), Option(("--json",), False)]
    >>> [option.names[-1] for option in used(["-sn", "--json", "7", "--numb=x", "--", "--json"], options)]
    ['--split', '--numbers', '--numbers']
    >>> [option.names[-1] for option in used(["-5", "--js", "-n-s", "-n", "-s"], options)]
    ['--json', '--numbers', '--numbers']
    """
    found = []
    words = iter(words)
    for word in words:
        if word == "--":
            break
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            option = meaning_of(name, options)
            found += [option] if option else []
            if option and option.takes_value and not equals:
                next(words, None)
        elif word.startswith("-") and not word[1:2].isdigit():
            for place, letter in enumerate(word[1:], 1):
                option = next((option for option in options if f"-{letter}" in option.names), None)
                if option is None:
                    break
                found.append(option)
                if option.takes_value:
                    if place == len(word) - 1:
                        next(words, None)
                    break
    return found


def help_of(path):
    return subprocess.run([path, "--help"], capture_output=True, text=True, timeout=60).stdout


def is_current(record, test):
    """Whether the test has run as it is now."""
    suite, _, subject = test.partition(".")
    source = os.path.join(TESTS, suite, f"test_{subject}.py")
    return os.path.exists(record) and os.path.getmtime(record) >= os.path.getmtime(source)


def main(folder, records, *tests):
    missing = [test for test in tests if not is_current(os.path.join(records, test), test)]
    if missing:
        print(f"skipped: these have not run as they are now: {' '.join(missing)}")
        return SKIPPED
    options = {name: options_of(help_of(os.path.join(folder, name))) for name in sorted(os.listdir(folder))
               if name not in SAME}
    unused = {name: set(rows) for name, rows in options.items()}
    for test in tests:
        with open(os.path.join(records, test)) as file:
            for name, words, code in map(json.loads, file):
                name = SAME.get(name, name)
                if code != USAGE_ERROR and name in unused:
                    unused[name] -= set(used(words, options[name]))
    left = [f"{name} {'|'.join(option.names)}" for name, rows in unused.items() for option in options[name]
            if option in rows]
    print("\n".join(left) or f"{sum(map(len, options.values()))} options of {len(options)} programs: all are used")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
