"""Signals to the download programs: SIGINT, SIGTERM and SIGHUP break off what runs, and are reported; the folder then
has what the report says."""

import fcntl
import os
import random
import signal
import time
import unittest

from downloads import ALL, EACH, FLAGS, FLAGS2, FUTURES, POP20, DownloadTest, Server, images
from harness import kill, marked, parse_json_lines, scaled, seeded_random, state, wait_for
from test_signals import AT_ONCE, ENDING, delivered

STUCK = (20, 20)
MANY = ALL[:60]  # for flags2


class SignalsTest(DownloadTest):
    def argv(self, program):
        return ["--timeout=60", *(["-al60"] if program in FLAGS2 else [])]

    def codes(self, program):
        return MANY if program in FLAGS2 else POP20

    def check_whole(self, client, dest="downloaded"):
        """Nothing but whole images; those."""
        found = self.files(client.cwd, dest)
        self.assertEqual([code for code in found if found[code] != images()[code]], [])
        return sorted(found)

    def check_report_with_left(self, program, server, result, found, lines=()):
        """What is in the folder is reported, and the rest is left."""
        left = len(self.codes(program)) - len(found)
        if program in FLAGS2:
            self.check_report(program, result, server.url, MANY, lines=lines, downloaded=len(found), left=left)
        else:
            self.check_flags(program, result.out, found, left)

    def check_stopped(self, program, server, client, number, lines=lambda found: ()):
        """Ended by that signal, at once; a report that is true, whole images and nothing else. How many."""
        result = client.finish(AT_ONCE)
        self.assertEqual((result.code, result.err), (-number, ""))
        found = self.check_whole(client)
        self.check_report_with_left(program, server, result, found, lines(found))
        return len(found)

    def check_completed(self, program, client):
        result = client.finish()
        self.assertEqual((result.code, result.err), (0, ""))
        self.check_files(client.cwd, self.codes(program))


class Once(SignalsTest):
    def test_in_the_middle(self):
        for number, to_group in zip((*ENDING, signal.SIGINT), (False, False, True, True)):
            def check(program, server, client):
                server.wait_answered(3)
                before = len(server.arrived())
                (client.signal_group if to_group else client.signal)(number)
                self.assertGreaterEqual(self.check_stopped(program, server, client, number), 1)
                # Each connection may have begun one more before it was told.
                self.assertLessEqual(len(server.arrived()) - before, program.connections(60))

            with self.subTest(signal=number.name, to_group=to_group):
                self.side_by_side(check, EACH)

    def test_before_the_first_answer(self):
        def check(program, server, client):
            wait_for("a request", server.arrived)
            client.signal(signal.SIGINT)
            self.assertEqual(self.check_stopped(program, server, client, signal.SIGINT), 0)

        self.side_by_side(check, EACH, delay=STUCK)

    def test_at_random_moments(self):
        """From start-up to the end: whole images and no others, and a report that is true, or none."""
        generator = seeded_random()
        seeds = {program: generator.random() for program in EACH}

        def check(program):
            rng = random.Random(seeds[program])
            with Server(delay=(0, 0.02)) as server:
                for _ in range(scaled(8)):
                    number, delay = rng.choice(ENDING), rng.uniform(0, rng.choice((0.02, 0.2)))
                    with self.start(program, *self.argv(program), "--dest=.", url=server.url) as client:
                        time.sleep(delay)
                        client.signal_group(number)
                        result = client.finish(AT_ONCE)
                    self.assertIn((result.code, result.err), ((-number, ""), (0, "")))
                    found = self.check_whole(client, ".")
                    if result.code == 0:
                        self.assertEqual(found, self.codes(program))
                    # Before there was anything to report, flags2 may have begun its own.
                    if result.code != 0 and len(result.lines()) in ((0, 3) if program in FLAGS2 else (0,)):
                        self.assertEqual(found, [])
                    else:
                        self.check_report_with_left(program, server, result, found)

        self.at_once(check, [(program,) for program in EACH])

    def test_futures(self):
        """The results so far, then the count as from flags."""
        with Server(delay=(0.1, 0.5)) as server, self.start(FUTURES, "-l20", url=server.url) as client:
            server.wait_answered(3)
            client.signal(signal.SIGINT)
            result = client.finish(AT_ONCE)
        self.assertEqual((result.code, result.err), (-signal.SIGINT, ""))
        found = self.check_whole(client)
        scheduled, results = result.lines()[:20], result.lines()[20:20 + len(found)]
        self.assertEqual([line[:17] for line in scheduled], [f"Scheduled for {code}:" for code in POP20])
        self.assertEqual(sorted(line[-4:] for line in results), [f"'{code}'" for code in found])
        self.check_last(result.out.partition("\n\n")[2], len(found), 20 - len(found))

    def test_verbose(self):
        def check(program, server, client):
            server.wait_answered(3)
            client.signal(signal.SIGINT)
            self.check_stopped(program, server, client, signal.SIGINT, lambda found: [f"{code} OK" for code in found])

        self.side_by_side(check, FLAGS2, "-v")

    def test_json(self):
        def check(program, server, client):
            server.wait_answered(3)
            client.signal(signal.SIGTERM)
            result = client.finish(AT_ONCE)
            self.assertEqual((result.code, result.err), (-signal.SIGTERM, ""))
            found = self.check_whole(client)
            *lines, last = parse_json_lines(result.out)
            self.assertEqual(len(lines), 60)
            self.assertEqual({line["cc"]: line["status"] for line in lines},
                             {code: "ok" if code in found else "left" for code in MANY})
            summary = last["summary"]
            self.assertEqual((summary["downloaded"], summary["left"]), (len(found), 60 - len(found)))

        self.side_by_side(check, FLAGS2, "--json")

    def test_between_retries(self):
        """While all of it waits before it tries again."""
        def check(program, server, client):
            wait_for("a second try", lambda: len(set(server.arrived())) < len(server.arrived()))
            client.signal(signal.SIGINT)
            self.assertEqual(self.check_stopped(program, server, client, signal.SIGINT), 0)

        self.side_by_side(check, FLAGS2, "--timeout=0.05", "--retries=100", delay=STUCK)


class Twice(SignalsTest):
    def full_pipe(self):
        """One that nobody reads, so that a report cannot be written."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writer, bytes(size))
        return writer

    def check_twice(self, client, number):
        client.signal(number)
        delivered(client, number)
        client.signal(number)
        self.assertEqual(client.finish(AT_ONCE).code, -number)

    def test_the_second_ends_at_once(self):
        """flags2 is stuck before its first request, flags after its first image."""
        for number in ENDING:
            def check(program, server, client):
                if program in FLAGS2:
                    wait_for("sleep", lambda: state(client.pid) == "S")
                else:
                    server.wait_answered(1)
                self.check_twice(client, number)

            with self.subTest(signal=number.name):
                self.side_by_side(check, EACH, stdout=self.full_pipe())

    def test_also_when_results_are_stuck(self):
        def check(program, server, client):
            server.wait_answered(1)
            self.check_twice(client, signal.SIGINT)

        self.side_by_side(check, FLAGS2, "--json", stdout=self.full_pipe())


class Inherited(SignalsTest):
    """What is ignored from the start (nohup, a background job of a shell script) stays ignored."""

    def test_ignored_signals(self):
        for number in (signal.SIGINT, signal.SIGHUP):
            def check(program, server, client):
                server.wait_answered(1)
                client.signal_group(number)
                self.check_completed(program, client)

            def ignore():
                signal.signal(number, signal.SIG_IGN)

            with self.subTest(signal=number.name):
                self.side_by_side(check, EACH, delay=(0, 0.05), prepare=ignore)

    def test_another_still_ends_it(self):
        def check(program, server, client):
            server.wait_answered(1)
            client.signal(signal.SIGINT)
            client.signal(signal.SIGTERM)
            self.check_stopped(program, server, client, signal.SIGTERM)

        def ignore():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

        self.side_by_side(check, EACH, prepare=ignore)

    def test_blocked_or_children_reaped_by_the_kernel(self):
        def prepare():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

        def check(program, server, client):
            self.check_completed(program, client)

        self.side_by_side(check, EACH, delay=(0, 0), prepare=prepare)


class Harmless(SignalsTest):
    def test_a_storm(self):
        """Signals that are ignored by default disturb nothing."""
        no_leak_check = {"ASAN_OPTIONS": "detect_leaks=0"}  # which a signal can stop for ever
        def check(program, server, client):
            while client.process.poll() is None:
                for number in (signal.SIGWINCH, signal.SIGCHLD, signal.SIGURG, signal.SIGCONT):
                    client.signal_group(number)
                time.sleep(0.001)
            self.check_completed(program, client)

        self.side_by_side(check, EACH, delay=(0, 0.05), env=no_leak_check)

    def test_stopped_and_continued(self):
        """Meanwhile the server answers. The pool's nursery goes on, and passes SIGTSTP on."""
        def check(program, server, client):
            wait_for("a request", server.arrived)
            nursery = client.nursery() if program.style == "processes" else None
            client.signal(signal.SIGSTOP)
            if nursery:
                kill(nursery, signal.SIGTSTP)
            wait_for("all to stop", lambda: {state(pid) for pid in marked(client.mark) if pid != nursery} == {"T"})
            server.wait_answered(1)
            client.signal_group(signal.SIGCONT)
            self.check_completed(program, client)

        delay = {"sequential": (0.1, 0.1), "processes": (0.3, 0.3), "threads": (0.5, 0.5), "async": (1, 1)}
        self.side_by_side(check, [*FLAGS, FLAGS2[1]], "--deadline=60", delay=delay)


if __name__ == "__main__":
    unittest.main()
