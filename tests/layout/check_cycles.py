#!/usr/bin/env python3
"""Checks that the modules of the core (src/cfutures) use each other one way only, without a cycle.

    check_cycles.py build/release             after a build, in any preset
    check_cycles.py --floors build/release    prints the modules too: each floor uses those below it

A module is x.c with the x.h in the same folder. It uses another module if

  - one of its files includes a header of the other, or
  - its object file needs a function or an object that the object file of the other defines.

A call through a pointer is not a use: the callee is chosen by somebody above. What a compiler or a
sanitizer adds to an object file is defined by no module and so is no use either.

Exit code 0: no cycle; 1: at least one, and each is printed; 2: the check could not be made.
"""
import argparse
import re
import subprocess
import sys
import textwrap
from pathlib import Path

CORE = "src/cfutures"
OBJECTS = "src/CMakeFiles/cfutures.dir/cfutures"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


class CannotCheck(Exception):
    """The sources, the object files or nm are not as they must be."""


# ---- the graph: {module: {module that it uses: [how it does so]}} ---------------------------------


def add_use(graph, user, used, how):
    if user != used:
        graph[user].setdefault(used, []).append(how)


def module_of(file, core):
    return file.relative_to(core).with_suffix("").as_posix()


def add_includes(graph, core, files):
    for file in files:
        for name in INCLUDE.findall(file.read_text(encoding="utf-8")):
            beside, below_src = file.parent / name, core.parent / name
            header = beside if "/" not in name else below_src
            if header in files:
                add_use(graph, module_of(file, core), module_of(header, core),
                        f"{file.relative_to(core)} includes {name}")


def object_of(source, core, objects):
    """Found by the path: objects of the same name lie in several folders, and in an archive the
    folder is lost."""
    path = objects / f"{source.relative_to(core)}.o"
    if not path.exists():
        raise CannotCheck(f"no object file, build first: {path}")
    if path.stat().st_mtime < source.stat().st_mtime:
        raise CannotCheck(f"older than its source, build first: {path}")
    return path


def symbols(path, nm):
    """The global names that an object file defines, and those that it needs."""
    try:
        listed = subprocess.run([nm, "-g", "-P", path], check=True, text=True, capture_output=True)
    except OSError as error:
        raise CannotCheck(f"cannot be run: {nm}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise CannotCheck(f"{nm} failed: {error.stderr.strip()}") from error
    defined, needed = set(), set()
    for line in listed.stdout.splitlines():
        name, kind = line.split()[:2]
        (needed if kind in "Uwv" else defined).add(name)
    return defined, needed


def add_symbols(graph, core, sources, objects, nm):
    tables = {source: symbols(object_of(source, core, objects), nm) for source in sources}
    definers = {}
    for source, (defined, _) in tables.items():
        for name in defined:
            definers.setdefault(name, []).append(source)
    for user, (_, needed) in tables.items():
        for name in sorted(needed):
            for source in definers.get(name, []):
                add_use(graph, module_of(user, core), module_of(source, core),
                        f"{user.relative_to(core)} uses {name}")


def read_graph(root, build, nm):
    core = root / CORE
    files = {file for pattern in ("*.c", "*.h") for file in core.rglob(pattern)}
    sources = sorted(file for file in files if file.suffix == ".c")
    if not sources:
        raise CannotCheck(f"no sources: {core}")
    graph = {module_of(file, core): {} for file in files}
    add_includes(graph, core, files)
    add_symbols(graph, core, sources, build / OBJECTS, nm)
    return graph


# ---- what is asked of it ---------------------------------------------------------------------------


def reachable(graph, start):
    """By one step or more, so that `start` is among them only if it is on a cycle."""
    found, left = set(), [start]
    while left:
        for module in graph[left.pop()]:
            if module not in found:
                found.add(module)
                left.append(module)
    return found


def cyclic_groups(graph):
    """The sets of modules that all use each other, directly or not; empty if there is no cycle."""
    reach = {module: reachable(graph, module) for module in graph}
    groups = {frozenset(other for other in reach[module] if module in reach[other])
              for module in graph if module in reach[module]}
    return sorted(groups, key=sorted)


def shortest_cycle(graph, group):
    """[a, b, ..., a]: each uses the next."""
    shortest = None
    for start in sorted(group):
        ways, seen = [[start]], set()
        while ways:
            way = ways.pop(0)
            if len(way) > 1 and way[-1] == start:
                shortest = way if shortest is None or len(way) < len(shortest) else shortest
                break
            for module in sorted(set(graph[way[-1]]) & group - seen):
                seen.add(module)
                ways.append(way + [module])
    return shortest


def floors(graph):
    """[[group of modules, ...], ...], the lowest first: each group uses only itself and groups of lower
    floors, one of the floor just below among them. A group is one module, or those of a cycle."""
    cyclic = cyclic_groups(graph)
    left = set(cyclic) | {frozenset([module]) for module in graph
                          if not any(module in group for group in cyclic)}
    below, result = set(), []
    while left:
        floor = [group for group in left
                 if all(set(graph[module]) <= below | group for module in group)]
        left.difference_update(floor)
        below = below.union(*floor)
        result.append(sorted(floor, key=sorted))
    return result


# ---- what is printed -------------------------------------------------------------------------------


def print_floors(graph):
    for number, floor in enumerate(floors(graph), start=1):
        names = [" + ".join(sorted(group)) for group in floor]
        print(textwrap.fill("  ".join(names), width=100, initial_indent=f"{number:3}  ",
                            subsequent_indent=" " * 5, break_on_hyphens=False))


def first_of_each_kind(uses):
    """A use by an include is gone only when the calls are, so one of each is shown."""
    kinds = {}
    for use in uses:
        kinds.setdefault(use.split()[1], use)
    return ", ".join(kinds.values())


def print_cycle(graph, group):
    print(f"cycle of {len(group)} modules: {' '.join(sorted(group))}")
    cycle = shortest_cycle(graph, group)
    for user, used in zip(cycle, cycle[1:]):
        print(f"    {user} -> {used}: {first_of_each_kind(graph[user][used])}")


def main():
    parser = argparse.ArgumentParser(
        description="Checks that the modules of the core use each other without a cycle.")
    parser.add_argument("build", type=Path, help="folder of a build, such as build/release")
    parser.add_argument("--floors", action="store_true",
                        help="print all modules, those that use no other first")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2],
                        help="the checkout that was built (default: that of this program)")
    parser.add_argument("--nm", default="nm", help="lists the symbols of an object file (default: nm)")
    options = parser.parse_args()
    try:
        graph = read_graph(options.root.resolve(), options.build, options.nm)
    except CannotCheck as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    if options.floors:
        print_floors(graph)
    groups = cyclic_groups(graph)
    for group in groups:
        print_cycle(graph, group)
    edges = sum(len(uses) for uses in graph.values())
    print(f"{len(graph)} modules, {edges} edges, {len(groups) or 'no'} cycle{'s' * (len(groups) > 1)}")
    return 1 if groups else 0


if __name__ == "__main__":
    sys.exit(main())
