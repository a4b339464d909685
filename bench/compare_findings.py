"""What the samples of `compare` say: for its report, its page and its picture."""

import dataclasses
import math

from compare_runs import C, COMPUTE, CPYTHON, SEQUENTIAL, THREADS, WAIT, Case, Task
from engine import Spread, spread

LIBRARIES = {COMPUTE: {C: "cfutures", CPYTHON: "concurrent.futures"},
             WAIT: {C: "cfutures", CPYTHON: "httpx"}}
ALIKE = 2  # times as long, and still well seen on the scale of the other


@dataclasses.dataclass(frozen=True)
class Contender:
    case: Case
    wall: Spread    # seconds
    cpu: float      # seconds of processor time, median
    gains: list     # times as fast as sequential in the same language, round by round
    shown: float    # seconds that the run took whose tasks are shown: the median one
    tasks: list     # of that run, in the order in which they began

    @property
    def gain(self):
        return spread(self.gains) if self.gains else None


@dataclasses.dataclass(frozen=True)
class Panel:
    """One language: its contenders share a time scale. C computes tens of times as fast as CPython, so
    there each language has its own."""

    language: str
    library: str
    contenders: list
    limit: float  # seconds: where the scale ends


@dataclasses.dataclass(frozen=True)
class Work:
    name: str
    title: str
    panels: list
    has_gil: bool  # CPython's

    @property
    def all(self):
        return [one for panel in self.panels for one in panel.contenders]

    def contender(self, language, way):
        return next((one for one in self.all if one.case.language == language and
                     one.case.way == way), None)


def works_of(journal, cases):
    """Those of which anything was measured; `cases` by work."""
    found = []
    for name, contenders in cases.items():
        panels = []
        for language in (C, CPYTHON):
            measured = [contender(journal, case) for case in contenders if case.language == language
                        and journal.of(name, case)]
            if measured:
                limit, _ = scale_of(max(one.shown for one in measured))
                panels.append(Panel(language, LIBRARIES[name][language], measured, limit))
        if panels:
            panels = on_one_scale(panels)
            count = len(panels[0].contenders[0].tasks)
            gil = all(sample.get("gil", True) for sample in journal.samples)
            found.append(Work(name, title_of(name, count, journal.document["settings"]), panels, gil))
    return found


def on_one_scale(panels):
    """Where one scale shows all of them well."""
    limits = [panel.limit for panel in panels]
    if max(limits) > ALIKE * min(limits):
        return panels
    return [dataclasses.replace(panel, limit=max(limits)) for panel in panels]


def title_of(name, count, settings):
    if name == COMPUTE:
        return f"Computing: {count} prime checks"
    least, most = settings["delays"]
    return f"Waiting: {count} downloads, each answered after {least:g} to {most:g} s"


def contender(journal, case):
    samples = list(journal.of(case.work, case).values())
    wall = spread([sample["wall"] for sample in samples])
    shown = min(samples, key=lambda sample: abs(sample["wall"] - wall.median))
    first = dataclasses.replace(case, way=SEQUENTIAL, workers=1)
    return Contender(case, wall, spread([sample["cpu"] for sample in samples]).median,
                     [one["wall"] / other["wall"]
                      for one, other in journal.pairs(case.work, first, case)],
                     shown["wall"], [Task(*row) for row in shown["tasks"]])


# Where a scale may end, with its ticks' distance; both times a power of ten.
SCALES = ((1, 0.2), (1.2, 0.3), (1.5, 0.5), (2, 0.5), (2.5, 0.5), (3, 1), (4, 1), (5, 1), (6, 2), (8, 2),
          (10, 2))


def scale_of(value):
    """Where a scale for `value` ends, and its ticks' distance.

    >>> [scale_of(value) for value in (0.72, 0.4, 10.5, 5.3)]
    [(0.8, 0.2), (0.4, 0.1), (12.0, 3.0), (6.0, 2.0)]
    """
    unit = 10 ** math.floor(math.log10(value))
    return next((float(f"{limit * unit:.3g}"), float(f"{step * unit:.3g}")) for limit, step in SCALES
                if limit * unit >= value)


def ticks(limit):
    """
    >>> ticks(0.8), ticks(12.0)
    ([0.0, 0.2, 0.4, 0.6, 0.8], [0.0, 3.0, 6.0, 9.0, 12.0])
    """
    _, step = scale_of(limit * (1 - 1e-9))
    return [float(f"{number * step:.3g}") for number in range(round(limit / step) + 1)]


def seconds(value):
    """
    >>> [seconds(value) for value in (10.52, 0.7218, 0.0123)]
    ['10.5 s', '0.72 s', '0.012 s']
    """
    return f"{value:.1f} s" if value >= 9.95 else f"{value:.2f} s" if value >= 0.0995 else f"{value:.3f} s"


def times(value):
    """
    >>> [times(value) for value in (0.996, 1.94, 9.71, 12.3)]
    ['1.0', '1.9', '9.7', '12']
    """
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def finding(work):
    """What the figures of one work say, as sentences."""
    sentences = []
    for panel in work.panels:
        gains = [(one.case.phrase, times(one.gain.median)) for one in panel.contenders
                 if one.case.way != SEQUENTIAL and one.gain]
        first = work.contender(panel.language, SEQUENTIAL)
        if gains and first:
            (phrase, gain), *others = gains
            verb = "is" if phrase.startswith(("1 ", "an ")) else "are"
            said = [f"{phrase} {verb} {gain} times as fast",
                    *[f"{phrase} {gain} times" for phrase, gain in others]]
            sentences.append(f"In {panel.language}, the sequential program takes "
                             f"{seconds(first.wall.median)}; {listed(said)}.")
    return " ".join(sentences)


def listed(words):
    """
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def reason(work):
    """Why: what holds on any machine."""
    if work.name == WAIT:
        return ("While a request waits, nobody computes. So only the number of requests that wait at "
                "the same time matters.")
    if work.has_gil and work.contender(CPYTHON, THREADS):
        return ("C has no global interpreter lock: threads compute at the same time, as processes do. "
                "CPython's lock lets one thread compute at a time: its threads take turns, so "
                "each check takes longer and nothing is gained.")
    return "Threads compute at the same time, as processes do."
