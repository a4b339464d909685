"""The command line that every bench of this folder has, and what becomes of it.

A bench is measured, or loaded from the JSON of an earlier run; its journal is saved, reported and
drawn. What was measured before something went wrong is saved and reported too.
"""

import argparse
import os
import pathlib
import random
import sys

from engine import BenchError, Journal, show_progress

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parser(name, description, quick, seed="a new one, which is printed"):
    """`quick`: what --quick does, `seed`: which one is taken without --seed; both for --help."""
    result = argparse.ArgumentParser(prog=name, description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = result.add_argument
    add("--quick", action="store_true", help=quick)
    add("--seed", type=at_least(0), metavar="N",
        help=f"of all that is random ({seed})")
    add("--bin", type=pathlib.Path, default=ROOT / "build" / "bench" / "bin", metavar="DIR",
        help="where the programs are (build/bench/bin)")
    add("--output", type=pathlib.Path, default=ROOT / "bench" / "results", metavar="DIR",
        help=f"where {name}.json and pictures go (bench/results)")
    add("--from", dest="journal", type=pathlib.Path, metavar="FILE",
        help="measure nothing: report and draw the JSON of an earlier run")
    return result


def add_parts(to, parts):
    to.add_argument("--only", action="append", choices=parts, metavar="PART",
                    help=f"only this part ({', '.join(parts)}); may be given again")


def parts_of(options, parts):
    return [part for part in parts if part in (options.only or parts)]


def amounts_of(options, defaults, quick):
    """How much of everything: what was asked for, else what `quick` or `defaults` say."""
    return {name: value if getattr(options, name) is None else getattr(options, name)
            for name, value in (quick if options.quick else defaults).items()}


def seed_of(options):
    return random.randrange(10**6) if options.seed is None else options.seed


def at_least(least):
    def count(text):
        value = int(text)
        if value < least:
            raise ValueError
        return value
    return count


def main(name, options, begin, measure, report, draw):
    """The whole of a bench, and its exit code.

    `begin` takes the options and returns a journal and whatever `measure` needs to fill it;
    `report` prints it, `draw` makes its pictures and returns their paths.
    """
    try:
        run(name, options, begin, measure, report, draw)
    except (BenchError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    return 0


def run(name, options, begin, measure, report, draw):
    problem = None
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / name
    if options.journal:
        journal = Journal.load(options.journal)
    else:
        journal, *means = begin(options)
        try:
            measure(journal, *means)
        except (BenchError, KeyboardInterrupt) as error:
            show_progress("")
            problem = error
        if journal.samples:
            journal.save(stem.with_suffix(".json"))
    report(journal)
    for path in draw(journal, stem):
        print(f"picture: {os.path.relpath(path)}", file=sys.stderr)
    if problem:
        raise problem
