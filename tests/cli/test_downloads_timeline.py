"""--trace and --report of the download programs: when each attempt began, when its first byte came, when it ended, and on
which worker or connection."""

import os
import signal
import time
import unittest

import hostile
import trace_file
from downloads import DOWNLOADERS, EACH, FLAGS, FLAGS2, FUTURES, POP20, TEAPOT, DownloadTest, Server
from hostile import GOOD, STALL, answer, gif, raw
from report_page import column, data_of_file

OUTPUTS = ("--trace=trace.json", "--report=report.html")
ORDERED = {"flags", "flags_threadpool", "flags_processpool", "flags2_sequential"}
WORKERS = {"sequential": "connection", "async": "connection", "threads": "thread", "processes": "process"}
OK, ERROR, LATE = 0, 1, 2  # as the report has endings
BUSY = answer("503 Service Unavailable", b"", ["Retry-After: 0"])
LATENESS = 1  # seconds that a busy machine may add


def nanoseconds(microseconds):
    return round(microseconds * 1000)


def span(event):
    return nanoseconds(event["ts"]), nanoseconds(event["ts"] + event["dur"])


class Timeline(DownloadTest):
    def argv(self, program):
        return [*OUTPUTS, *(["-l20"] if program is FUTURES else [])]

    def read(self, program, cwd, codes, wall, connections=None):
        """The runs of the trace by (code, attempt), and the report's data: both must say the same."""
        events = trace_file.read(os.path.join(cwd, "trace.json"))
        data = data_of_file(os.path.join(cwd, "report.html"))
        connections = connections or program.connections(len(codes))
        trace_file.check(self, events, connections, wall)
        runs = self.check_parts(events, codes)
        self.assertEqual((data["program"], data["worker"], data["workers"], data["ordered"]),
                         (program.name, WORKERS[program.style], connections, program.name in ORDERED))
        rows = data["runs"]
        reported = {(codes[item], attempt): (begun, first, ended, worker) for item, attempt, begun, first, ended, worker in
                    zip(*(column(rows, name) for name in ("item", "attempt", "begun", "firstByte", "ended", "worker")))}
        self.assertEqual(reported, {key: (span(one)[0], one["first"], span(one)[1], one["tid"] - 1)
                                    for key, one in runs.items()})
        self.assertEqual([event["args"]["label"] for event in trace_file.instants(events, "handed out")],
                         data["results"]["label"])
        self.assertLessEqual(sum(ended - begun for begun, _, ended, _ in reported.values()), data["wall"] * connections)
        return runs, data

    def check_parts(self, events, codes):
        """The runs by (code, attempt), each with `first`: its first byte, None if none came. They and the rest fill it."""
        parts = {}
        for event in events:
            if event.get("cat") == "part":
                parts.setdefault(event["tid"], {})[event["name"], span(event)] = event
        found = {}
        for one in trace_file.runs(events):
            begin, end = span(one)
            mine = [(name, times) for name, times in parts.get(one["tid"], {}) if begin <= times[0] and times[1] <= end]
            one["first"] = None
            if mine:
                (first, (first_begin, first_end)), (body, (body_begin, body_end)) = sorted(mine, key=lambda part: part[0] == "body")
                self.assertEqual((first, body), ("first byte", "body"))
                self.assertEqual((first_begin, body_begin, body_end), (begin, first_end, end))
                one["first"] = first_end
            self.assertEqual(one["name"], codes[one["args"]["task"]])
            found[one["name"], one["args"]["attempt"]] = one
        self.assertEqual(sum(map(len, parts.values())), 2 * sum(one["first"] is not None for one in found.values()))
        return found

    def timed(self, program, *args, url, code=0):
        """Downloads; the result, its folder, how long it took."""
        cwd = self.folder()
        start = time.monotonic()
        result = self.download(program, *self.argv(program), *args, url=url, cwd=cwd)
        self.assertEqual(result.code, code, result)
        return result, cwd, time.monotonic() - start


class Each(Timeline):
    def test_twenty(self):
        """The server's delays are what passes until the first byte."""
        began = time.monotonic()

        def check(program, server, client):
            result = client.finish()
            self.assertEqual((result.code, result.err), (0, ""))
            runs, data = self.read(program, client.cwd, POP20, time.monotonic() - began)
            self.assertEqual(sorted(runs), [(code, 1) for code in POP20])
            self.assertEqual(column(data["runs"], "ending"), [OK] * 20)
            labels = data["results"]["label"]
            self.assertEqual(labels if data["ordered"] else sorted(labels), POP20)
            for request in server.answered():
                begin, first = span(runs[request.code, 1])[0] / 1e9, runs[request.code, 1]["first"] / 1e9
                self.assertGreater(first - begin, request.delay - 0.001)
                self.assertLess(first - begin, request.delay + LATENESS)
            if program.style == "async" and program.default == 20:
                self.assertEqual(sorted(one["tid"] for one in runs.values()), list(range(1, 21)))
            for track in {one["tid"] for one in runs.values()}:
                self.check_order([code for (code, _), one in sorted(runs.items(), key=lambda item: item[1]["ts"])
                                  if one["tid"] == track])

        self.side_by_side(check, DOWNLOADERS, delay={"sequential": (0.02, 0.08), "processes": (0.02, 0.08),
                                                     "threads": (0.05, 0.3), "async": (0.05, 0.3)})

    def check_order(self, codes):
        """On one worker they are asked for in their order."""
        self.assertEqual(codes, sorted(codes))

    def test_told_to_end(self):
        """What is known by then is written; what was broken off says so."""
        began = time.monotonic()

        def check(program, server, client):
            server.wait_answered(3)
            server.wait_unanswered()  # or the signal may come between two transfers
            client.signal(signal.SIGINT)
            result = client.finish()
            self.assertEqual((result.code, result.err), (-signal.SIGINT, ""))
            runs, data = self.read(program, client.cwd, POP20, time.monotonic() - began)
            saved = self.files(client.cwd)
            self.assertEqual(sorted(code for (code, _), one in runs.items() if one["args"]["ending"] == "ok"), sorted(saved))
            self.assertEqual(sorted(data["results"]["label"]), sorted(saved))
            broken_off = [one for one in runs.values() if one["args"]["ending"] != "ok"]
            self.assertEqual({one["args"]["reason"] for one in broken_off}, {"told to stop"})
            self.assertEqual(len(data["runs"]["reasons"]), len(broken_off))
            self.assertGreater(len(saved), 0)

        self.side_by_side(check, EACH, delay={"sequential": (0.4, 0.6), "processes": (0.4, 0.6),
                                              "threads": (0.1, 2), "async": (0.1, 2)})


class Attempts(Timeline):
    def test_first_byte_and_body(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(gif("BR"))

        def check(program):
            with hostile.Server({"BR": [raw(0.15, head, 0.3, gif)]}) as server:
                _, cwd, wall = self.timed(program, "br", url=server.url)
            runs, _ = self.read(program, cwd, ["BR"], wall)
            begin, end = span(runs["BR", 1])
            first = runs["BR", 1]["first"]
            self.assertTrue(0.149 < (first - begin) / 1e9 < 0.15 + LATENESS)
            self.assertTrue(0.15 < (end - first) / 1e9 < 0.3 + LATENESS)

        self.at_once(check, [(program,) for program in FLAGS2])

    def test_retries_are_attempts(self):
        def check(program):
            with hostile.Server({"BR": [BUSY, BUSY, GOOD], "CN": [GOOD], "DE": [STALL]}) as server:
                _, cwd, wall = self.timed(program, "--retries=2", "--timeout=0.1", "br", "cn", "de", url=server.url, code=1)
            runs, data = self.read(program, cwd, ["BR", "CN", "DE"], wall)
            self.assertEqual(sorted(runs), [("BR", 1), ("BR", 2), ("BR", 3), ("CN", 1), ("DE", 1), ("DE", 2), ("DE", 3)])
            endings = {key: (one["args"]["ending"], one["args"].get("reason")) for key, one in runs.items()}
            for attempt in (1, 2):
                self.assertEqual(endings["BR", attempt], ("error", "HTTP error 503 - Service Unavailable"))
                self.assertLessEqual(span(runs["BR", attempt])[1], span(runs["BR", attempt + 1])[0])
                self.assertEqual(endings["DE", attempt], ("timed out", "Timeout was reached"))
                self.assertGreater(span(runs["DE", attempt])[1] - span(runs["DE", attempt])[0], 99e6)
            self.assertEqual(endings["DE", 3], ("timed out", "nothing received for 0.1 seconds"))
            self.assertEqual((endings["BR", 3], endings["CN", 1]), (("ok", None), ("ok", None)))
            self.assertEqual([runs["DE", attempt]["first"] for attempt in (1, 2, 3)], [None] * 3)
            reasons = [reason for _, reason in data["runs"]["reasons"]]
            self.assertEqual(sorted(reasons), sorted(why for _, why in endings.values() if why is not None))

        self.at_once(check, [(program,) for program in FLAGS2])

    def test_more_attempts_than_are_kept(self):
        """The first 15 and the last."""
        with hostile.Server({"BR": [BUSY] * 19 + [GOOD]}) as server:
            _, cwd, wall = self.timed(FLAGS2[2], "--retries=30", "br", url=server.url)
            runs, _ = self.read(FLAGS2[2], cwd, ["BR"], wall)
        self.assertEqual(sorted(attempt for _, attempt in runs), [*range(1, 16), 20])
        self.assertEqual(runs["BR", 20]["args"]["ending"], "ok")

    def test_errors_and_what_is_not_asked_for(self):
        with Server() as server, Server("-e1") as faulty:
            def check(program):
                _, cwd, wall = self.timed(program, "br", "xx", url=server.url)
                runs, data = self.read(program, cwd, ["BR", "XX"], wall)
                self.assertEqual({one["args"]["ending"] for one in runs.values()}, {"ok"})
                result = self.download(program, *OUTPUTS, "--skip-existing", "br", url=server.url, cwd=cwd)
                self.assertEqual(result.code, 0)
                runs, data = self.read(program, cwd, ["BR"], wall)
                self.assertEqual((runs, data["results"]["label"]), ({}, ["BR"]))
                _, cwd, wall = self.timed(program, "br", url=faulty.url, code=1)
                runs, data = self.read(program, cwd, ["BR"], wall)
                self.assertEqual(runs["BR", 1]["args"]["reason"], TEAPOT)
                self.assertEqual((column(data["runs"], "ending"), data["runs"]["reasons"]), ([ERROR], [[0, TEAPOT]]))

            self.at_once(check, [(program,) for program in FLAGS2])

    def test_connections(self):
        """Those of an event loop have the lowest numbers that are free."""
        with Server(delay=(0.02, 0.05)) as server:
            _, cwd, wall = self.timed(FLAGS2[2], "-m3", url=server.url)
            runs, _ = self.read(FLAGS2[2], cwd, POP20, wall, connections=3)
        taken = {}
        for one in sorted(runs.values(), key=lambda one: one["ts"]):
            begin, end = span(one)
            free = [track for track in (1, 2, 3) if taken.get(track, 0) <= begin]
            self.assertEqual(one["tid"], free[0])
            taken[one["tid"]] = end


class Files(Timeline):
    def test_a_trace_that_cannot_be_opened(self):
        with Server() as server:
            def check(program):
                cwd = self.folder()
                result = self.download(program, "--trace=nowhere/trace", url=server.url, cwd=cwd)
                self.assertEqual((result.code, result.out), (3, ""))
                self.assertEqual(result.err, f"{program.name}: nowhere/trace: No such file or directory\n")
                self.assertEqual(os.listdir(cwd), [])

            self.at_once(check, [(program,) for program in DOWNLOADERS])
            self.assertEqual(server.answered(), [])

    def test_files_that_cannot_be_written(self):
        """The work is done before that is told."""
        with Server() as server:
            def check(program):
                cwd = self.folder()
                codes = POP20 if program is not FUTURES else ["BR", "CN", "ID", "IN", "US"]
                result = self.download(program, "--trace=/dev/full", "--report=nowhere/report", url=server.url, cwd=cwd)
                self.assertEqual(result.code, 3)
                self.assertEqual(result.err.splitlines(), [f"{program.name}: /dev/full: No space left on device",
                                                           f"{program.name}: nowhere/report: No such file or directory"])
                self.assertRegex(result.out, rf"{len(codes)} flags downloaded")
                self.check_files(cwd, codes)

            self.at_once(check, [(program,) for program in DOWNLOADERS])

    def test_output_that_fails(self):
        """What was done by then is written."""
        with Server() as server, open("/dev/full", "w") as full:
            for program in FLAGS:
                with self.subTest(program=program.name):
                    cwd = self.folder()
                    result = self.download(program, *OUTPUTS, url=server.url, cwd=cwd, stdout=full)
                    self.assertEqual(result.code, 3)
                    data = data_of_file(os.path.join(cwd, "report.html"))
                    events = trace_file.read(os.path.join(cwd, "trace.json"))
                    self.assertEqual(data["runs"]["count"], len(trace_file.runs(events)))
                    self.assertGreater(data["runs"]["count"], 0)

    def test_no_password(self):
        with Server("-e1") as server:
            url = server.url.replace("http://", "http://me:secret@")
            _, cwd, _ = self.timed(FLAGS2[0], "br", url=url, code=1)
            for name in ("trace.json", "report.html"):
                with open(os.path.join(cwd, name), encoding="utf-8") as file:
                    self.assertNotIn("secret", file.read())


if __name__ == "__main__":
    unittest.main()
