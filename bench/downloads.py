"""How long do the download programs take, beside curl and CPython, from servers on this machine?

Five parts, each a question (README.md beside this file says more):

    local   194 images without any delay: what is a program's own share?
    tls     the same by TLS 1.3, with the system's certificates
    delay   answers that let wait: is a request under way whenever one could be?
    error   every fourth request fails: do all programs count the same?
    styles  one after the other, threads, processes, an event loop: what does each bring?

Nothing leaves this machine. Every figure is a median; every ratio is taken round by round, then its
median. A goal that is not met is said and is no failure; a program that fails or does not fetch
what it should is.
"""

import math
import os
import pathlib
import shutil
import signal
import sys

import certificates
import command_line
import download_programs
import plot
import servers
from command_line import ROOT, at_least
from download_programs import (ALL, ARIA2, CPYTHON, EVERY, FLAGS, NGINX, POP, SLOW, TLS, Case,
                               DownloadPrograms)
from engine import Journal, alternating, machine_facts, measure_plans, spread
from report import print_machine, print_ratios, print_table, ratio_row
from schedule import makespan

AT_ONCE = 30  # as flags2_threadpool has it
CURL = "curl -Z"
IMMEDIATE = "curl -Z --parallel-immediate"
CONCURRENT = ("flags2_threadpool", CURL, "flags2_async")
SERVERS = (NGINX, SLOW)
MEMORY = pathlib.Path("/dev/shm")
ROOM = 32 * 2**20  # bytes; a fifth of it is needed

DELAYS = (0.05, 0.5)       # seconds, at least and at most
SLOW_DELAYS = (0.5, 5.0)   # as slow_server has them by itself
ERROR_DELAYS = (0.001, 0.01)
ERROR_RATE = 0.25

GOAL_CURL = 1.0    # times curl's time
GOAL_GREEDY = 1.03  # times what the delays allow


# ---- what is measured --------------------------------------------------------------------------


def now_and_then(cases, rounds, seldom, few):
    """Each round there and back again; in the first `few` of them what takes long comes too.

    >>> list(now_and_then("ab", 3, "C", 2))
    [(0, 'a'), (0, 'b'), (0, 'C'), (1, 'C'), (1, 'b'), (1, 'a'), (2, 'a'), (2, 'b')]
    """
    for number in range(rounds):
        now = [*cases, *(seldom if number < few else ())]
        yield from ((number, case) for case in (now if number % 2 == 0 else reversed(now)))


def local_case(program, server=NGINX):
    """curl -Z stands between the two programs that are compared with it."""
    concurrent = program not in ("curl", "flags2_sequential", "cpython_sequential")
    return Case(program, ALL, AT_ONCE if concurrent else 0, server)


def local_cases(server):
    return [local_case(program, server) for program in
            ("flags2_sequential", "curl", *CONCURRENT, IMMEDIATE, ARIA2)]


def found(settings, cases):
    return [case for case in cases if settings["aria2"] or case.program != ARIA2]


def flags_cases(server):
    return [Case(program, POP, server=server) for program in FLAGS]


def cpython_cases(settings, codes, **case):
    """As many threads and processes as ours has, and as many requests in the event loop."""
    threads, requests = (AT_ONCE, AT_ONCE) if codes == ALL else (settings["threads"], codes)
    most = {"cpython_sequential": 0, "cpython_threads": threads,
            "cpython_processes": settings["cpus"], "cpython_asyncio": requests}
    return [Case(program, codes, most[program], **case) for program in settings["cpython"]]


def local_plan(settings):
    cases = [case for server in SERVERS
             for case in [*found(settings, local_cases(server)), *flags_cases(server)]]
    seldom = [case for codes in (ALL, POP)
              for case in cpython_cases(settings, codes, server="nginx")]
    return now_and_then(cases, settings["rounds"], seldom, settings["cpython_rounds"])


def tls_plan(settings):
    """None where nobody can make a certificate that the system trusts."""
    cases = [] if settings["tls_lacks"] else found(settings, local_cases(TLS))
    return alternating(cases, settings["rounds"])


def delayed(program, codes, at_once, delays):
    return Case(program, codes, at_once, min_delay=delays[0], max_delay=delays[1])


def delay_cases(codes_and_at_once, delays):
    return [delayed(program, codes, at_once, delays) for codes, at_once in codes_and_at_once
            for program in CONCURRENT]


def short_delay_cases(settings):
    return [delayed("flags2_sequential", POP, 0, DELAYS),
            *delay_cases(settings["short"], DELAYS)]


def long_delay_cases(settings):
    return delay_cases(settings["long"], SLOW_DELAYS)


def delay_plan(settings):
    yield from alternating(short_delay_cases(settings), settings["delay_rounds"])
    yield from alternating(long_delay_cases(settings), settings["long_rounds"])


def error_cases():
    return [Case(program, EVERY, at_once, min_delay=ERROR_DELAYS[0], max_delay=ERROR_DELAYS[1],
                 error_rate=ERROR_RATE)
            for program, at_once in (("flags2_sequential", 0), ("flags2_threadpool", AT_ONCE),
                                     ("flags2_async", AT_ONCE))]


def error_plan(settings):
    return alternating(error_cases(), settings["error_rounds"])


def style_cases(settings):
    """By what runs at once: our case and CPython's, either may be missing."""
    cpus, threads = settings["cpus"], settings["threads"]

    def ours(program, at_once=0):
        return delayed(program, POP, at_once, DELAYS)

    def cpython(program, at_once):
        return delayed(program, POP, at_once, DELAYS) if program in settings["cpython"] else None

    return {"one after the other": (ours("flags"), cpython("cpython_sequential", 0)),
            f"{cpus} processes": (ours("flags_processpool"), cpython("cpython_processes", cpus)),
            f"{cpus} threads": (ours("flags2_threadpool", cpus), cpython("cpython_threads", cpus)),
            f"{threads} processes": (None, cpython("cpython_processes", threads)),
            f"{threads} threads": (ours("flags_threadpool"), cpython("cpython_threads", threads)),
            "event loop": (ours("flags_async"), cpython("cpython_asyncio", POP))}


def styles_plan(settings):
    return alternating([case for cases in style_cases(settings).values() for case in cases if case],
                       settings["style_rounds"])


PLANS = {"local": local_plan, "tls": tls_plan, "delay": delay_plan, "error": error_plan, "styles": styles_plan}


def measure(journal, programs):
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) == signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: servers are stopped
    with programs:
        measure_plans(journal, PLANS, programs.run)


# ---- what is reported --------------------------------------------------------------------------


def report(journal):
    settings = journal.document["settings"]
    print_machine(journal)
    print(", ".join(settings["peers"]))
    print(f"images go to {'memory' if settings['in_memory'] else 'a folder that is not in memory'}")
    if not settings["cpython"]:
        print("not on this machine, hence left out: CPython with httpx (Debian's python3-httpx)")
    if not settings.get("aria2"):
        print("not on this machine, hence left out: aria2c (Debian's aria2)")
    report_local(journal)
    report_tls(journal)
    report_delay(journal)
    report_error(journal)
    report_styles(journal)


def report_local(journal):
    settings = journal.document["settings"]
    for codes in (ALL, POP):
        rows = [row for server in SERVERS
                for case in [*(local_cases(server) if codes == ALL else flags_cases(server)),
                             *cpython_cases(settings, codes, server=server)]
                for row in time_row(journal, "local", case, f"{case.title}, {server}")]
        if rows:
            print_table(f"{codes} images, no delay: whole processes, medians", TIMES, rows)
    print_ratios(local_ratios(journal))


def report_tls(journal):
    if lacks := journal.document["settings"].get("tls_lacks"):
        print(f"not on this machine, hence no TLS: {lacks}")
    rows = [row for case in local_cases(TLS) for row in time_row(journal, "tls", case, case.title)]
    if rows:
        print_table(f"{ALL} images by TLS 1.3, no delay, the system's certificates: medians", TIMES,
                    rows)
    print_ratios(row for one, other in (("flags2_threadpool", CURL), ("flags2_async", CURL),
                                        ("flags2_sequential", "curl"))
                 for row in local_ratio(journal, one, other, TLS, part="tls"))


TIMES = ["what", "rounds", "ms", "quartiles", "processor ms", "us an image", "MiB"]


def time_row(journal, part, case, what):
    samples = list(journal.of(part, case).values())
    if samples:
        wall = spread([1000 * sample["wall"] for sample in samples])
        cpu = spread([1000 * sample["cpu"] for sample in samples])
        memory = [sample["memory"] / 2**20 for sample in samples if "memory" in sample]
        yield [what, str(wall.count), f"{wall.median:.1f}",
               f"{wall.first_quartile:.1f} .. {wall.third_quartile:.1f}", f"{cpu.median:.1f}",
               f"{1000 * cpu.median / case.codes:.0f}",
               f"{spread(memory).median:.1f}" if memory else ""]


def local_ratios(journal):
    for server in SERVERS:
        for program in ("flags2_threadpool", "flags2_async"):
            yield from local_ratio(journal, program, CURL, server, GOAL_CURL)
        for program in ("flags2_threadpool", "flags2_async"):
            yield from local_ratio(journal, program, IMMEDIATE, server)
        yield from local_ratio(journal, "flags2_sequential", "curl", server)
    yield from local_ratio(journal, "cpython_asyncio", "flags2_async", "nginx")
    yield from local_ratio(journal, "cpython_threads", "flags2_threadpool", "nginx")


def local_ratio(journal, one, other, server, most=None, part="local"):
    cases = [local_case(program, server) for program in (one, other)]
    goal = () if most is None else (f"<= {most:g}", lambda value: value <= most)
    yield from ratio_row(f"{cases[0].title} / {cases[1].title}, {server}, time",
                         walls_ratio(journal, part, *cases), *goal)


def walls_ratio(journal, part, one, other):
    return [ours["wall"] / theirs["wall"] for ours, theirs in journal.pairs(part, one, other)]


def allowed(case, sample):
    """Seconds that the delays allow, in the order in which the requests came."""
    return makespan(sample["delays"], case.at_once or sample["at_once"])


def report_delay(journal):
    settings = journal.document["settings"]
    cases = [*short_delay_cases(settings), *long_delay_cases(settings)]
    rows = [row for case in cases for row in greedy_row(journal, case)]
    if rows:
        print_table("Delayed answers: time against what the delays allow, medians",
                    ["what", "rounds", "seconds", "allowed", "ratio", "quartiles", "goal", ""],
                    rows)


def greedy_row(journal, case):
    samples = list(journal.of("delay", case).values())
    if not samples:
        return
    ratio = spread([sample["wall"] / allowed(case, sample) for sample in samples])
    verdict = "met" if ratio.median <= GOAL_GREEDY else "not met"
    goal = ("", "") if case.program == CURL else (f"<= {GOAL_GREEDY:g}", verdict)
    yield [f"{case.title}, {case.codes} images, {case.min_delay:g} to {case.max_delay:g} s",
           *seconds(case, samples), f"{ratio.median:.4f}",
           f"{ratio.first_quartile:.4f} .. {ratio.third_quartile:.4f}", *goal]


def seconds(case, samples):
    """Their number, how long they took and how long they had to take."""
    return [str(len(samples)), f"{spread([sample['wall'] for sample in samples]).median:.3f}",
            f"{spread([allowed(case, sample) for sample in samples]).median:.3f}"]


def report_error(journal):
    rows = [[case.title, str(len(samples)), str(samples[0]["downloaded"]),
             str(samples[0]["not_found"]), str(samples[0]["errors"]), *seconds(case, samples)[1:]]
            for case in error_cases() if (samples := list(journal.of("error", case).values()))]
    if rows:
        print_table(f"All {EVERY} codes, {ERROR_RATE:.0%} errors: counted as the server's log does",
                    ["what", "rounds", "downloaded", "not found", "errors", "seconds", "allowed"],
                    rows)


def report_styles(journal):
    styles = style_cases(journal.document["settings"])
    first = styles["one after the other"]
    rows = [row for name, pair in styles.items() for place, case in enumerate(pair) if case
            for row in style_row(journal, name, case, first[place])]
    if rows:
        print_table(f"{POP} images, each delayed by {DELAYS[0]:g} to {DELAYS[1]:g} s: what a style "
                    "brings, medians", ["what", "at once", "rounds", "seconds", "allowed",
                                        "times as fast", "processor ms"], rows)
    print_ratios(style_ratios(journal, styles))


def style_row(journal, name, case, first):
    samples = list(journal.of("styles", case).values())
    if samples:
        gain = walls_ratio(journal, "styles", first, case)
        yield [f"{case.title}: {name}" if case.program not in CPYTHON else f"CPython: {name}",
               str(max(sample["at_once"] for sample in samples)), *seconds(case, samples),
               f"{spread(gain).median:.2f}" if gain else "",
               f"{spread([1000 * sample['cpu'] for sample in samples]).median:.0f}"]


def style_ratios(journal, styles):
    """At the same number at once: are processes of any use here?"""
    settings = journal.document["settings"]
    for number in dict.fromkeys((settings["cpus"], settings["threads"])):
        pairs = zip(styles[f"{number} processes"], styles[f"{number} threads"], ("ours", "CPython"))
        for processes, threads, whose in pairs:
            if processes and threads:
                yield from ratio_row(f"{number} processes / {number} threads, {whose}, time",
                                     walls_ratio(journal, "styles", processes, threads))


# ---- the pictures ------------------------------------------------------------------------------


def draw(journal, stem):
    return [*draw_styles(journal, stem),
            *draw_local(journal, stem.with_name(stem.name + "_local"))]


def draw_styles(journal, stem):
    styles = style_cases(journal.document["settings"])
    series = {title: [median_of(journal, "styles", pair[place], lambda case, sample: sample["wall"])
                      for pair in styles.values()]
              for title, place in (("CPython with httpx", 1), ("ours", 0))}
    series["no less is possible with these delays"] = [
        next(filter(None, [median_of(journal, "styles", case, allowed) for case in pair]), None)
        for pair in styles.values()]
    return plot.draw_bars(f"{POP} images, each answer delayed by {DELAYS[0]:g} to {DELAYS[1]:g} s "
                          f"({journal.document['machine']['cpu']})",
                          plot.Bars("seconds", list(styles), series, logarithmic=False), stem)


def draw_local(journal, stem):
    """From nginx. curl -Z is one thread too."""
    settings = journal.document["settings"]
    clusters = {"one after the other": ("cpython_sequential", "flags2_sequential", "curl"),
                f"{AT_ONCE} at once, threads": ("cpython_threads", "flags2_threadpool", None),
                f"{AT_ONCE} at once, one thread": ("cpython_asyncio", "flags2_async", CURL)}
    series = {title: [median_of(journal, "local", programs[place] and local_case(programs[place]),
                                lambda case, sample: 1000 * sample["wall"])
                      for programs in clusters.values()]
              for place, title in enumerate(("CPython with httpx", "ours", settings["peers"][0]))}
    return plot.draw_bars(f"{ALL} images from nginx without any delay, medians "
                          f"({journal.document['machine']['cpu']})",
                          plot.Bars("milliseconds", list(clusters), series, logarithmic=False),
                          stem)


def median_of(journal, part, case, figure):
    values = [figure(case, sample) for sample in journal.of(part, case).values()] if case else []
    return spread(values).median if values else None


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 31, "cpython_rounds": 5, "delay_rounds": 5, "long_rounds": 3,
            "error_rounds": 3, "style_rounds": 5}
QUICK = {"rounds": 3, "cpython_rounds": 1, "delay_rounds": 1, "long_rounds": 0, "error_rounds": 1,
         "style_rounds": 1}

# How many images, how many at once.
SHORT, SHORT_QUICK = ((ALL, AT_ONCE), (ALL, 5)), ((ALL, AT_ONCE), (POP, 5))
LONG = ((ALL, AT_ONCE), (POP, 5))


def parse_arguments(arguments):
    parser = command_line.parser("downloads", __doc__, "less of everything: a minute")
    command_line.add_parts(parser, PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="of local and tls (31; quick: 3)")
    add("--cpython-rounds", type=at_least(0), metavar="N",
        help="in how many of these CPython takes part (5; 1)")
    add("--delay-rounds", type=at_least(1), metavar="N", help="of delay (5; 1)")
    add("--long-rounds", type=at_least(0), metavar="N",
        help="of its delays of 0.5 to 5 s, 90 s each (3; 0)")
    add("--error-rounds", type=at_least(1), metavar="N", help="of error (3; 1)")
    add("--style-rounds", type=at_least(1), metavar="N", help="of styles (5; 1)")
    add("--scratch", type=pathlib.Path, default=scratch_in_memory() or ROOT / "build" / "bench",
        metavar="DIR", help="where a folder for images is made, and removed at the end (in memory, "
        "if there is room; else build/bench)")
    return parser.parse_args(arguments)


def scratch_in_memory():
    """Disks' file systems take long to make a file where many have just been removed."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        return MEMORY
    return None


def settings_of(options, machine):
    settings = command_line.amounts_of(options, DEFAULTS, QUICK)
    settings["seed"] = command_line.seed_of(options)
    settings["parts"] = command_line.parts_of(options, PLANS)
    settings["short"] = SHORT_QUICK if options.quick else SHORT
    settings["long"] = LONG
    settings["in_memory"] = options.scratch == MEMORY
    settings["cpus"] = math.ceil(machine["cores"])  # so many processes and
    settings["threads"] = min(32, settings["cpus"] + 4)  # so many threads our programs have
    python = download_programs.peer_python()
    settings["cpython"] = list(CPYTHON) if python else []
    curl = download_programs.said_by(["curl", "--version"]) or "curl, which is not there"
    nginx = download_programs.said_by([servers.nginx_path(), "-v"]) or "nginx"
    settings["peers"] = [" ".join(curl.split()[:2]),
                         f"{nginx.split()[-1]} with {servers.NGINX_WORKERS} worker process"]
    settings["peers"] += [download_programs.versions_of(python)] if python else []
    aria2 = download_programs.said_by([ARIA2, "--version"])
    settings["aria2"] = aria2 is not None
    settings["peers"] += [aria2] if aria2 else []
    settings["tls_lacks"] = certificates.lacking()
    return settings


def begin(options):
    machine = machine_facts(options.bin / "flags2_async")
    settings = settings_of(options, machine)
    programs = DownloadPrograms(options.bin, options.scratch, settings["seed"])
    return Journal.begin("downloads", settings, machine), programs


if __name__ == "__main__":
    sys.exit(command_line.main("downloads", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
