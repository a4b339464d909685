"""The download programs, for programs.py: each asks a slow_server of ours, and may leave nothing but whole images
in its folder, which its report must tell of."""

import os
import re
import subprocess
import threading

from programs_cases import Case, check_code, has, require

from downloads import ALL, FLAGS2, DOWNLOADERS, POP20, Server, count_lines, images, parse_counts
from harness import BIN

RUNS_OF_A_SERVER = 300  # its log grows
MANY = ALL[:40]


class Site:
    """A server with small random delays. After some runs another takes its place; the one before stays a while, as
    there may be runs that still ask it."""

    def __init__(self):
        self.servers, self.runs, self.lock = [], 0, threading.Lock()

    def url(self):
        with self.lock:
            if self.runs % RUNS_OF_A_SERVER == 0:
                self.servers.append(Server(delay=(0, 0.03)))
                if len(self.servers) > 2:
                    self.servers.pop(0).__exit__(None, None, None)
            self.runs += 1
            return self.servers[-1].url

    def close(self):
        for server in self.servers:
            server.__exit__(None, None, None)


class Flags(Case):
    def __init__(self, rng, site):
        program = rng.choice([program for program in DOWNLOADERS + [DOWNLOADERS[2]] * 4 if has(program.name)])
        self.name = program.name
        self.has_processes = program.style == "processes"
        self.reports = program in FLAGS2
        self.codes = MANY if self.reports else POP20
        self.args = [f"--base-url={site.url()}", "--dest=images",
                     *(["-al40"] if self.reports else ["-l20"] if "futures" in self.name else [])]

    def check(self, end):
        complete = check_code(self.name, end, goes_on=False)
        found = self.found(end)
        if self.reports:
            self.check_report(end, found)
        else:
            self.check_codes(end, found)
        if complete:
            require(end.code == 0, f"{self.name} ended with {end.code} and did not say why")
            require(sorted(found) == sorted(self.codes), f"{self.name} ended with 0 and {len(found)} images")
        return len(found)

    def found(self, end):
        """The codes whose images are there, whole. What a killed program has not renamed may be there too."""
        path = os.path.join(end.folder, "images")
        found = set()
        for name in os.listdir(path) if os.path.isdir(path) else []:
            if re.fullmatch(r"\.[A-Z]{2}\.gif\.[0-9a-f]+", name):
                require(end.code < 0, f"{self.name} left {name}", "leaked")
                continue
            require(re.fullmatch(r"[A-Z]{2}\.gif", name) and name[:2] in self.codes, f"{self.name} made {name}")
            with open(os.path.join(path, name), "rb") as file:
                require(file.read() == images()[name[:2]], f"{self.name}: {name} is not whole")
            found.add(name[:2])
        return found

    def check_codes(self, end, found):
        """A code is printed when its image is there."""
        if "futures" in self.name:
            told = re.findall(r"result: '([A-Z]{2})'", end.out)
        else:
            told = re.findall(r"([A-Z]{2}) ", end.out.partition("\n")[0])
        require(len(told) == len(set(told)), f"{self.name} told of a code twice: {end.out!r}", "duplicated")
        require(set(told) <= found, f"{self.name} told of {set(told) - found}, which are not there")
        if match := re.search(r"^(\d+) flags? downloaded in", end.out, re.M):
            require(int(match[1]) == len(found), f"{self.name} counts {match[1]} of {len(found)} images")

    def check_report(self, end, found):
        lines = end.out.splitlines()
        if "-" * 20 in lines and lines[-1].startswith("Elapsed time: "):
            counts = parse_counts(lines)
            require(count_lines(counts)[1:] == lines[lines.index("-" * 20) + 1:-1], f"{self.name}: {lines}")
            require(counts.get("downloaded", 0) == len(found), f"{self.name}: {counts}, {len(found)} images")
            require(sum(counts.values()) == len(self.codes), f"{self.name}: {counts} of {len(self.codes)}")

    def tidy(self, folder):
        """The next run removes what a killed one has left."""
        require(set(os.listdir(folder)) <= {"images"}, f"{self.name} left {os.listdir(folder)}", "leaked")
        path = os.path.join(folder, "images")
        if os.path.isdir(path) and any(name.startswith(".") for name in os.listdir(path)):
            subprocess.run([os.path.join(BIN, "flags2_sequential"), self.args[0], "--dest=images", "br"], cwd=folder,
                           stdout=subprocess.DEVNULL, check=True, timeout=20)
            left = [name for name in os.listdir(path) if name.startswith(".")]
            require(not left, f"{left} are left by the next run too", "leaked")
