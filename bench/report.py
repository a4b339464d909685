"""What every bench of this folder reports alike: the machine, tables, goals and their verdicts."""

from engine import DISTURBED, disturbed_rounds, spread

NOISY = 0.03  # of the machine's time taken by others: more than the goals' margins

processor = ""  # of the journal that is reported: every table names it, since tables are quoted alone


def print_machine(journal):
    global processor
    machine, settings = journal.document["machine"], journal.document["settings"]
    processor = machine["cpu"]
    print(f"{machine['cpu']}, {machine['cores']:g} usable cores, kernel {machine['kernel']}, "
          f"{machine['system']}")
    print(f"compiler {machine['compiler']}, CPython {machine['python']}, seed {settings['seed']}")
    stolen, others = machine.get("stolen_share", 0), machine.get("others_share", 0)
    print(f"load at the start {machine['load_at_start']}; meanwhile other programs used "
          f"{others:.1%} of this machine, its hypervisor took {stolen:.1%}")
    disturbed, rounds = disturbed_rounds(journal.document.get("calibrations", {}))
    if rounds:
        print(f"{disturbed} of {rounds} rounds were disturbed: before or after them the same work took "
              f"{DISTURBED:g} times as long as at best")
    if stolen + others > NOISY:
        print("That is too much: do not judge by these figures.")
    if not journal.document["complete"]:
        print("The run did not end: these are the figures until then.")


def print_ratios(rows):
    print_spreads("Ratios, round by round", rows)


def ratio_row(what, ratios, goal="", is_met=None, form="{:.3f}"):
    """The row for print_ratios, or none where nothing was measured."""
    if not ratios:
        return
    figures = spread(ratios)
    verdict = "" if is_met is None else "met" if is_met(figures.median) else "not met"
    quartiles = f"{form.format(figures.first_quartile)} .. {form.format(figures.third_quartile)}"
    yield [what, str(figures.count), form.format(figures.median), quartiles, goal, verdict]


def print_figures(title, rows):
    print_spreads(f"{title} (medians)", rows)


def print_spreads(title, rows):
    rows = list(rows)
    if rows:
        print_table(title, ["what", "rounds", "median", "quartiles", "goal", ""], rows)


def figure_row(what, values, most=None, form="{:.1f}"):
    """The same for figures, which are the better the smaller; `most` is the goal."""
    goal = () if most is None else (f"<= {most:g}", lambda value: value <= most)
    yield from ratio_row(what, list(values), *goal, form=form)


def print_table(title, header, rows):
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    print(f"\n{title} ({processor})")
    for row in [header, *rows]:
        first, *others = [(cell, width) for cell, width in zip(row, widths)]
        cells = [first[0].ljust(first[1])] + [cell.rjust(width) for cell, width in others]
        print("  " + "  ".join(cells).rstrip())
