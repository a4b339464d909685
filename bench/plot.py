"""Draws panels of curves, or clusters of bars, with gnuplot, as PNG and as SVG."""

import dataclasses
import math
import subprocess

from engine import BenchError

# Okabe and Ito's palette: told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BAR_COLOURS = ("#999999", *COLOURS)
POINT_TYPES = range(4, 4 + len(COLOURS))
GREYS = ("#888888", "#000000", "#888888")

WIDTH, HEIGHT = 1400, 680
TERMINALS = {"png": "pngcairo", "svg": "svg"}


@dataclasses.dataclass(frozen=True)
class Curve:
    title: str
    points: list  # (x, y, lowest y, highest y)
    style: str = "measured"  # or "level": one measurement as a level line; or "bound": computed


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    x_label: str
    y_label: str
    curves: list
    x_names: tuple = ()  # of x = 1, 2, ..., in place of numbers
    y_most: str = "*"    # where the axis ends; "*": beyond the highest point


@dataclasses.dataclass(frozen=True)
class Bars:
    y_label: str
    clusters: list  # their names, from left to right
    series: dict    # title: a value for each cluster, None where there is none
    logarithmic: bool = True  # the axis: it shows what is small, but a bar's length tells nothing


def draw(title, panels, stem):
    """Writes stem.png and stem.svg; returns their paths."""
    return write(panels_script(title, panels), stem)


def draw_bars(title, bars, stem):
    """The same for bars. Clusters and series in which there is nothing are left out; no picture of
    nothing at all."""
    bars = without_empty(bars)
    return write(bars_script(title, bars), stem) if bars.series else []


def without_empty(bars):
    """
    >>> without_empty(Bars("y", ["a", "b"], {"one": [None, 3], "two": [None, None]}))
    Bars(y_label='y', clusters=['b'], series={'one': [3]}, logarithmic=True)
    """
    kept = [place for place in range(len(bars.clusters))
            if any(values[place] is not None for values in bars.series.values())]
    series = {title: [values[place] for place in kept] for title, values in bars.series.items()
              if any(value is not None for value in values)}
    return dataclasses.replace(bars, clusters=[bars.clusters[place] for place in kept],
                               series=series)


def write(body, stem):
    return write_bare(["set grid ytics lc rgb '#dddddd'", "set border 3", "set tics nomirror out",
                       "set key below Left reverse samplen 3", *body], stem)


def write_bare(body, stem, width=WIDTH, height=HEIGHT):
    """Without axes or a key but what `body` draws."""
    paths = []
    for ending, terminal in TERMINALS.items():
        path = stem.with_suffix("." + ending)
        run_gnuplot("\n".join([f'set terminal {terminal} noenhanced background "white" '
                               f'size {width},{height} font "sans,12"',
                               f"set output {quoted(path)}", *body, ""]))
        paths.append(path)
    return paths


def run_gnuplot(text):
    try:
        done = subprocess.run(["gnuplot"], input=text, text=True, capture_output=True, check=False)
    except OSError as error:
        raise BenchError(f"no picture: gnuplot cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        raise BenchError(f"no picture: gnuplot: {done.stderr.strip()}")


def panels_script(title, panels):
    lines = ["set offsets graph 0, 0, graph 0.05, 0", "set bmargin 8",
             f"set multiplot layout 1,{len(panels)} title {quoted(title)} font ',14'"]
    measured = {curve.title: None for panel in panels for curve in panel.curves
                if curve.style == "measured"}
    marks = {title: (colour, point_type)  # by title: the same in every panel
             for title, colour, point_type in zip(measured, COLOURS, POINT_TYPES)}
    for number, panel in enumerate(panels):
        lines += panel_script(panel, f"$panel{number}_", marks)
    return [*lines, "unset multiplot"]


def panel_script(panel, prefix, marks):
    last_x = max(point[0] for curve in panel.curves for point in curve.points)
    greys = iter(GREYS)
    lines, plots = [], []
    for number, curve in enumerate(panel.curves):
        block = f"{prefix}{number}"
        rows = [" ".join(f"{value:.6f}" for value in point) for point in curve.points]
        lines += [f"{block} << EOD", *rows, "EOD"]
        colour, point_type = marks.get(curve.title) or (next(greys), 0)
        if curve.style != "bound":
            plots.append(f"{block} using 1:3:4 with filledcurves fs transparent solid 0.2 "
                         f"fc rgb '{colour}' notitle")
        plots.append(f"{block} using 1:2 {line_style(curve, point_type)} lw 2 lc rgb '{colour}' "
                     f"title {quoted(curve.title)}")
    return [*lines, f"set title {quoted(panel.title)}", f"set xlabel {quoted(panel.x_label)}",
            f"set ylabel {quoted(panel.y_label)}", f"set xrange [0.5:{last_x + 0.5}]",
            f"set yrange [0:{panel.y_most}]",
            f"set xtics {x_tics(panel, last_x)}", "plot " + ", ".join(plots)]


def x_tics(panel, last_x):
    if panel.x_names:
        names = [f"{quoted(name)} {place}" for place, name in enumerate(panel.x_names, 1)]
        return f"({', '.join(names)})"
    return f"{1 + (last_x - 1) // 20}"


def line_style(curve, point_type):
    return {"measured": f"with linespoints pt {point_type} ps 0.8",
            "level": "with lines",
            "bound": "with lines dt 3"}[curve.style]


def bars_script(title, bars):
    width = 0.86 / len(bars.series)
    lines, plots = [], []
    for number, (name, values) in enumerate(bars.series.items()):
        left = (number - (len(bars.series) - 1) / 2) * width
        rows = [f"{cluster + left:.4f} {value:.6f} {three_digits(value)}"
                for cluster, value in enumerate(values) if value is not None]
        lines += [f"$bars{number} << EOD", *rows, "EOD"]
        plots += [f"$bars{number} using 1:2 with boxes fc rgb '{BAR_COLOURS[number]}' "
                  f"title {quoted(name)}",
                  f"$bars{number} using 1:2:3 with labels rotate left offset 0,0.4 font ',10' "
                  "notitle"]
    names = ", ".join(f"{quoted(name)} {place}" for place, name in enumerate(bars.clusters))
    return [*lines, f"set title {quoted(title)} font ',14'", f"set ylabel {quoted(bars.y_label)}",
            f"set boxwidth {width:.4f}", "set style fill solid 1 noborder",
            *(["set logscale y"] if bars.logarithmic else []),
            f"set yrange [{log_range(bars) if bars.logarithmic else linear_range(bars)}]",
            f"set xrange [-0.5:{len(bars.clusters) - 0.5}]",
            f"set xtics ({names}) font ',{12 if len(bars.clusters) <= 8 else 10}'",
            "plot " + ", ".join(plots)]


def log_range(bars):
    """From the power of ten below the least value, with room for a number above the greatest."""
    values = values_of(bars)
    return f"{10 ** math.floor(math.log10(min(values)))}:{max(values) * 3}"


def linear_range(bars):
    return f"0:{max(values_of(bars)) * 1.12}"


def values_of(bars):
    return [value for row in bars.series.values() for value in row if value is not None]


def three_digits(value):
    """
    >>> [three_digits(value) for value in (4162.6, 85.89, 3.864)]
    ['4163', '85.9', '3.86']
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"
