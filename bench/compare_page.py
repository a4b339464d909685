"""The page of `compare`: compare_page.html, filled in. It needs nothing else, no network and no script."""

import html
import pathlib
import string

from compare_findings import finding, reason, seconds, ticks, times
from compare_runs import C, COMPUTE, CPYTHON, SEQUENTIAL
from engine import DISTURBED, disturbed_rounds
from report import NOISY

TEMPLATE = pathlib.Path(__file__).with_name("compare_page.html")
ACROSS = 1000       # units of a timeline's width
DOWN = 10           # units of a task's row,
THICK = 8.5         # and of its bar,
THIN = 1            # which is at least so wide
WORKER_COLOURS = 8  # that the page has


def write(journal, works, path):
    settings = journal.document["settings"]
    page = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        machine=machine(journal), warnings=warnings(journal), worker_rules=worker_rules(),
        works="\n".join(section(work) for work in works),
        table="\n".join(row(work, one) for work in works for one in work.all),
        delays="{:g} to {:g} s".format(*settings["delays"]), downloader=downloader(settings))
    path.write_text(page, encoding="utf-8")
    return path


# ---- the head ------------------------------------------------------------------------------------


def machine(journal):
    facts, settings = journal.document["machine"], journal.document["settings"]
    return html.escape(f"{facts['cpu']}, {facts['cores']:g} usable cores, {facts['system']}, "
                       f"{facts['compiler']}, CPython {facts['python']}; medians of "
                       f"{counted(settings['rounds'], 'round')}, measured {journal.document['started'][:10]}")


def warnings(journal):
    facts = journal.document["machine"]
    disturbed, rounds = disturbed_rounds(journal.document.get("calibrations", {}))
    others = facts.get("others_share", 0) + facts.get("stolen_share", 0)
    said = []
    if disturbed:
        said.append(f"{disturbed} of {counted(rounds, 'round')} were disturbed: before or after them the same "
                    f"work took {DISTURBED:g} times as long as at best.")
    if others > NOISY:
        said.append(f"Other programs and the hypervisor took {others:.0%} of the machine: do not judge by "
                    "these figures.")
    if not journal.document["complete"]:
        said.append("The run did not end: these are the figures until then.")
    return "\n".join(f'  <p class="quiet warning">{line}</p>' for line in said)


def worker_rules():
    return "\n".join(f"  .{name} {{ fill: var(--{name}); stroke: var(--{name}); background: var(--{name}); }}"
                     for name in [*(f"w{number}" for number in range(WORKER_COLOURS)), "wait"])


# ---- one work ------------------------------------------------------------------------------------


def section(work):
    return "\n".join([
        "<section>", f"  <h2>{html.escape(work.title)}</h2>", f"  <p>{html.escape(finding(work))}</p>",
        f"  <p>{html.escape(reason(work))}</p>", legend(work), chart(work), '  <div class="panels">',
        *[panel(work, one) for one in work.panels], "  </div>", "</section>"])


def legend(work):
    """What a bar is; which worker has which colour."""
    keys = ['<li>Each row is a task, in the order in which the tasks began.</li>']
    tasks = [task for one in work.all for task in one.tasks]
    most = max((task.worker for task in tasks if task.worker is not None), default=-1) + 1
    if work.name != COMPUTE:
        keys.append('<li>In it a request waits for its answer. Before the first, the program starts.</li>')
    keys += [f'<li><i class="w{number}"></i>worker {number + 1}</li>'
             for number in range(min(most, WORKER_COLOURS))]
    if most > WORKER_COLOURS:
        keys.append(f"<li>worker {WORKER_COLOURS + 1} has the first colour again, and so on</li>")
    if any(task.worker is None for task in tasks):
        keys.append('<li><i class="wait"></i>nothing tells whose</li>')
    return f'  <ul class="legend">{"".join(keys)}</ul>'


def chart(work):
    """How many times as fast as sequential in the same language: a bar, its quartiles, a line at 1."""
    shown = [one for one in work.all if one.gain]
    if not shown:
        return ""
    most = 1.05 * max(one.gain.third_quartile for one in shown)
    cells = []
    for one in shown:
        def percent(value):
            return f"{100 * value / most:.2f}%"

        spread = f"{percent(one.gain.third_quartile - one.gain.first_quartile)}"
        cells.append(
            f"    <span>{one.case.language}</span><span>{html.escape(one.case.title)}</span><div class=\"bar\">"
            f'<i class="{one.case.language}" style="width: {percent(one.gain.median)}"></i>'
            f'<u style="left: {percent(one.gain.first_quartile)}; width: {spread}"></u>'
            f'<s style="left: {percent(1)}"></s></div>'
            f"<span><b>{times(one.gain.median)} &times;</b> {seconds(one.wall.median)}</span>")
    return "\n".join(['  <p class="quiet">Times as fast as sequential in the same language: medians, with '
                      'the middle half of the rounds; then the median time.</p>',
                      '  <div class="chart">', *cells, "  </div>"])


def panel(work, one):
    blocks = [run(contender, one.limit) for contender in one.contenders]
    first = work.contender(C, SEQUENTIAL)
    if work.name == COMPUTE and one.language == CPYTHON and first:
        blocks.append(run(first, one.limit, reference=True))
    return "\n".join([
        f'    <div class="panel {one.language}">',
        f"      <h3>{one.language}, with {one.library} <small>0 to {one.limit:g} s</small></h3>", *blocks,
        axis(one.limit), "    </div>"])


def run(one, limit, reference=False):
    """A contender: its figures, and the timeline of its median run."""
    case = f"{one.case.work} {one.case.language} {one.case.way}"
    name, program = one.case.title, f"<code>{html.escape(one.case.program)}</code>"
    gain = f' <b>{times(one.gain.median)} &times;</b>' if one.gain and not reference else ""
    if reference:
        name, program = f"{one.case.language}, {name}, on this scale", ""
    return "\n".join([
        f'      <figure class="{"reference" if reference else "run"}" data-case="{case}">',
        f"        <figcaption><b>{html.escape(name)}</b> {program}"
        f"<span>{seconds(one.wall.median)}{gain}</span></figcaption>",
        timeline(one, limit, "mark" if reference else "task"), "      </figure>"])


def timeline(one, limit, kind):
    tall = DOWN * len(one.tasks)
    scale = ACROSS / limit
    lines = [f'<line x1="{moment * scale:.1f}" x2="{moment * scale:.1f}" y1="0" y2="{tall}"/>'
             for moment in ticks(limit)]
    lines.append(f'<line class="end" x1="{one.shown * scale:.1f}" x2="{one.shown * scale:.1f}" y1="0" '
                 f'y2="{tall}"/>')
    label = f"{one.case}: {counted(len(one.tasks), 'task')} in {seconds(one.shown)}"
    return "\n".join([
        f'        <svg class="timeline" role="img" aria-label="{html.escape(label)}" '
        f'viewBox="0 0 {ACROSS} {tall}" preserveAspectRatio="none">', *lines,
        *[bar(task, place, scale, kind) for place, task in enumerate(one.tasks)], "        </svg>"])


def bar(task, place, scale, kind):
    """The shortest task is seen too."""
    whose = "wait" if task.worker is None else f"w{task.worker % WORKER_COLOURS}"
    by = "" if task.worker is None else f", worker {task.worker + 1}"
    title = f"{task.name}: {task.note}{by}, {task.begin:.4f} to {task.end:.4f} s"
    return (f'<rect class="{kind} {whose}" x="{task.begin * scale:.2f}" y="{place * DOWN:g}" '
            f'width="{max((task.end - task.begin) * scale, THIN):.2f}" height="{THICK}">'
            f"<title>{html.escape(title)}</title></rect>")


def axis(limit):
    moments = ticks(limit)
    labels = [f'<b{" class=last" if moment >= limit else ""} style="left: {100 * moment / limit:.2f}%">'
              f"{moment:g}{' s' if moment == moments[-1] else ''}</b>" for moment in moments]
    return f'      <div class="axis">{"".join(labels)}</div>'


# ---- the foot ------------------------------------------------------------------------------------


def row(work, one):
    gain = ["", ""]
    if one.gain:
        gain = [f"{one.gain.median:.2f}", f"{one.gain.first_quartile:.2f} to {one.gain.third_quartile:.2f}"]
    cells = [work.name, f"{one.case.language}, {one.case.title}",
             f"<code>{html.escape(one.case.program)}</code>", one.wall.count, f"{one.wall.median:.3f}",
             f"{one.wall.first_quartile:.3f} to {one.wall.third_quartile:.3f}", *gain, f"{one.cpu:.3f}"]
    return "      <tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def downloader(settings):
    if not settings["httpx"]:
        return "CPython's downloads are missing, because httpx is not on this machine."
    return f"CPython downloads with {html.escape(settings['httpx'])}."


def counted(count, noun):
    return f"{count} {noun}{'' if count == 1 else 's'}"
