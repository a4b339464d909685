"""The picture of `compare`, drawn with gnuplot: timelines of all contenders in a few words."""

import plot
from compare_findings import seconds, ticks, times
from compare_runs import C, COMPUTE, CPYTHON, SEQUENTIAL

# Pixels.
WIDTH = 1000
MARGIN = 24
GAP = 56           # between the two columns
HEAD = 62          # a work's title
LANGUAGE = 38      # a panel's title
LABEL = 29         # a contender's line
GAIN = 84          # its last column
ROW = 3.6          # a task
AFTER = 14         # below a contender
FOOT = 26          # a line below all
AXIS = 46          # below a panel

# Sizes in gnuplot's points, of which a picture of 1000 pixels that is shown on a phone has few.
LARGE, MIDDLE, SMALL = 21, 18, 15.5
INK, QUIET, LINE = "#1c2128", "#59636e", "#d5dae0"
WORKER_COLOURS = ("#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1")
WAITING = "#009E73"
LANGUAGE_COLOURS = {C: "#0072B2", CPYTHON: "#D55E00"}


class Canvas:
    """Bars, lines and words at pixels from the upper left corner, as gnuplot's commands."""

    def __init__(self):
        self.commands, self.bars = [], []

    def bar(self, left, top, right, bottom, colour):
        """At least a pixel wide."""
        self.bars.append(f"{left:.2f} {max(right, left + 1):.2f} {top:.2f} {bottom:.2f} 0x{colour[1:]}")

    def line(self, left, top, right, bottom, colour, width=1):
        self.commands.append(f"set arrow from {left:.2f},{top:.2f} to {right:.2f},{bottom:.2f} nohead "
                             f"back lc rgb '{colour}' lw {width}")

    def text(self, x, y, words, size, colour=INK, side="left"):
        self.label(x, y, words, size, f"noenhanced {side} tc rgb '{colour}'")

    def bold(self, x, y, words, size, colour=INK, side="left"):
        """Words of our own, in which gnuplot finds no marks: an SVG is bold only by marks."""
        self.label(x, y, f"{{/:Bold {words}}}", size, f"enhanced {side} tc rgb '{colour}'")

    def label(self, x, y, words, size, options):
        self.commands.append(f"set label {plot.quoted(words)} at {x:.2f},{y:.2f} font 'sans,{size}' {options}")

    def script(self, height):
        margins = [f"set {side}margin 0" for side in "lrtb"]
        return ["set termoption enhanced", "unset border", "unset tics", "unset key", *margins,
                f"set xrange [0:{WIDTH}]", f"set yrange [{height}:0]", "set style fill solid 1 noborder",
                *self.commands, "$bars << EOD", *self.bars, "EOD",
                "plot $bars using (($1+$2)/2):(($3+$4)/2):1:2:3:4:5 with boxxyerror lc rgb variable"]


def draw(journal, works, stem):
    canvas = Canvas()
    top = MARGIN
    for work in works:
        top = draw_work(canvas, work, top)
    draw_foot(canvas, journal, top)
    height = int(top + 3 * FOOT)
    return plot.write_bare(canvas.script(height), stem, WIDTH, height)


def draw_work(canvas, work, top):
    canvas.bold(MARGIN, top + 20, work.title, LARGE)
    bottoms = [draw_panel(canvas, work, panel, left, top + HEAD)
               for panel, left in zip(work.panels, (MARGIN, (WIDTH + GAP) / 2))]
    return max(bottoms)


def draw_panel(canvas, work, panel, left, top):
    right = left + (WIDTH - GAP) / 2 - MARGIN
    colour = LANGUAGE_COLOURS[panel.language]
    canvas.bold(left, top, f"{panel.language}, {panel.library}", MIDDLE, colour)
    canvas.line(left, top + 18, right, top + 18, colour, 3)
    top += LANGUAGE
    shown = [(one, one.case.title.replace(" requests", " at once"), gain_of(one)) for one in panel.contenders]
    first = work.contender(C, SEQUENTIAL)
    if work.name == COMPUTE and panel.language == CPYTHON and first:
        shown.append((first, "sequential in C", ""))
    for one, title, gain in shown:
        top = draw_run(canvas, one, title, gain, (left, right, top, panel.limit))
    for moment in ticks(panel.limit):
        side = "left" if moment == 0 else "right" if moment >= panel.limit else "center"
        canvas.text(left + moment / panel.limit * (right - left), top + 4,
                    f"{moment:g}{' s' if moment >= panel.limit else ''}", SMALL, QUIET, side)
    return top + AXIS


def gain_of(one):
    return f"{times(one.gain.median)} ×" if one.gain and one.case.way != SEQUENTIAL else ""


def draw_run(canvas, one, title, gain, place):
    left, right, top, limit = place
    canvas.text(left, top + 8, title, MIDDLE)
    canvas.bold(right, top + 8, gain, MIDDLE, side="right")
    canvas.text(right - GAIN, top + 8, seconds(one.wall.median), MIDDLE, QUIET, "right")
    top += LABEL
    scale = (right - left) / limit
    for moment in ticks(limit):
        canvas.line(left + moment * scale, top, left + moment * scale, top + len(one.tasks) * ROW, LINE)
    for number, task in enumerate(one.tasks):
        colour = WAITING if task.worker is None else WORKER_COLOURS[task.worker % len(WORKER_COLOURS)]
        canvas.bar(left + task.begin * scale, top + number * ROW, left + task.end * scale,
                   top + (number + 0.9) * ROW, colour)
    return top + len(one.tasks) * ROW + AFTER


def draw_foot(canvas, journal, top):
    machine, rounds = journal.document["machine"], journal.document["settings"]["rounds"]
    lines = ("Each row is a task; its colour tells the worker. Green: nothing tells whose.",
             f"×: times as fast as sequential. Medians of {rounds} round{'' if rounds == 1 else 's'}, "
             f"CPython {machine['python']},",
             f"{machine['cores']:g} cores of {machine['cpu']}.")
    for number, line in enumerate(lines):
        canvas.text(MARGIN, top + number * FOOT, line, SMALL, QUIET)
