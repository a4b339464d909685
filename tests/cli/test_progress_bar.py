"""The progress bar of flags2: tqdm's, on a terminal and nowhere else."""

import fcntl
import os
import re
import signal
import termios
import unittest

from downloads import ALL, FLAGS2, POP20, SECONDS, DownloadTest, Server, count_lines, head_lines
from terminal import CLEAR, Screen, Terminal

EIGHTHS = " ▏▎▍▌▋▊▉█"
TENTHS = " 123456789#"
CLOCK = r"\d\d:\d\d|\d+:\d\d:\d\d"
RATE = r"( *\d+\.\d\d)(?:it/s|s/it)|\?it/s"
TIMES = rf" \[(?:{CLOCK})<(?:{CLOCK}|\?)(, (?:{RATE}))?\]"
BAR = re.compile(rf"( *\d+)%\|([{EIGHTHS}]+|[{TENTHS}]+)\| (\d+)/(\d+)({TIMES})?")


class BarTest(DownloadTest):
    def on_terminal(self, program, *args, url, columns=80, both=False, language="C.UTF-8", terminal_name="xterm",
                    **options):
        """The program with stderr, or stdout too, on a terminal of its own; it and that."""
        terminal = Terminal(columns)
        self.addCleanup(terminal.close)

        def prepare():
            fcntl.ioctl(terminal.theirs, termios.TIOCSCTTY, 0)
            os.dup2(terminal.theirs, 2)

        if both:
            options["stdout"] = terminal.theirs
        client = self.enter(self.start(program, *args, url=url, prepare=prepare,
                                       env={"LC_ALL": language, "TERM": terminal_name}, **options))
        return client, terminal

    def draw(self, program, *args, url, **options):
        """(result, all that was drawn)"""
        client, terminal = self.on_terminal(program, *args, url=url, **options)
        result = client.finish()
        self.assertEqual(result.code, 0)
        return result, terminal.close()

    def drawings(self, text):
        """Each state of the line, in order."""
        return [line.rstrip(" ") for line in re.split(r"[\r\n]+", text.replace(CLEAR, "")) if line.strip(" ")]

    def check_bar(self, line, total, columns=80, symbols=EIGHTHS):
        """The line is what tqdm would draw, without rate and times where there is no room; how many are done."""
        match = BAR.fullmatch(line)
        self.assertTrue(match, line)
        percent, cells, done, of = match[1], match[2], int(match[3]), int(match[4])
        self.assertEqual(of, total)
        self.assertEqual(percent, f"{100 * done / total:3.0f}")
        self.assertLessEqual(len(line), columns)
        filled = sum(symbols.index(cell) for cell in cells)
        self.assertEqual(filled, done * len(cells) * (len(symbols) - 1) // total, line)
        self.assertRegex(cells, rf"\A{symbols[-1]}*[{symbols}]? *\Z")
        self.assertGreaterEqual(len(cells), 10)
        if columns >= 60:
            self.assertTrue(match[6], line)
        if match[7]:
            self.assertEqual(match[7], f"{float(match[7]):5.2f}")
        return done


class Format(BarTest):
    def test_from_nothing_to_all(self):
        def check(program, columns):
            with Server(delay=(0.01, 0.05)) as server:
                result, text = self.draw(program, "-al60", url=server.url, columns=columns)
                self.check_report(program, result, server.url, ALL[:60], downloaded=60)
                drawn = self.drawings(text)
                done = [self.check_bar(line, 60, columns) for line in drawn]
                self.assertEqual(done, sorted(done))
                self.assertEqual(done[-1], 60)
                self.assertRegex(drawn[0], r"\A  0%\| +\| 0/60 \[00:00<\?, \?it/s\]\Z")
                self.assertRegex(drawn[-1], r"\A100%\|█+\| 60/60 \[00:0\d<00:00, [ \d]\d+\.\d\dit/s\]\Z")
                self.assertTrue(text.endswith("\n"))
                self.assertEqual(text.count("\n"), 1)
                self.assertGreaterEqual(len(max(drawn, key=len)), columns - 1)  # it takes the room that there is

        self.at_once(check, [(program, columns) for program in FLAGS2 for columns in (80, 60)])

    def test_slower_than_one_a_second(self):
        program = FLAGS2[0]
        with Server(delay=(1.2, 1.2)) as server:
            _, text = self.draw(program, "br", "us", url=server.url)
            drawn = self.drawings(text)
            self.assertEqual([self.check_bar(line, 2) for line in drawn][-1], 2)
            self.assertRegex(drawn[-1], r"100%\|█+\| 2/2 \[00:02<00:00,  1\.[23]\ds/it\]")

    def test_narrow(self):
        server = self.enter(Server(delay=(0.01, 0.03)))

        def check(program, columns):
            _, text = self.draw(program, url=server.url, columns=columns)
            drawn = self.drawings(text)
            self.assertLessEqual(max(map(len, drawn)), columns)
            self.assertEqual(len(Screen(columns).show(text).lines), 2)  # the bar, and where the cursor is then
            if columns >= 30:
                self.assertEqual(self.check_bar(drawn[-1], 20, columns), 20)
                self.assertEqual("[" in drawn[-1], columns == 40)
            elif columns >= 10:
                self.assertTrue(drawn[-1].startswith("100%"), drawn[-1])

        self.at_once(check, [(program, columns) for program in FLAGS2 for columns in (40, 30, 20, 10, 2, 1)])

    def test_ascii(self):
        """Where the locale has no UTF-8, or the terminal nothing but letters. A dumb one gets no escape sequence."""
        server = self.enter(Server(delay=(0.01, 0.05)))

        def check(program, language, terminal_name, symbols):
            with self.subTest(program=program.name, language=language, terminal=terminal_name):
                _, text = self.draw(program, "-al60", url=server.url, language=language, terminal_name=terminal_name)
                done = [self.check_bar(line, 60, symbols=symbols) for line in self.drawings(text)]
                self.assertEqual((done[0], done[-1]), (0, 60))
                self.assertEqual("\x1b" in text, terminal_name != "dumb")
                self.assertEqual(text.isascii(), symbols is TENTHS)
                self.assertEqual(self.check_bar(Screen(80).show(text).lines[-2].rstrip(), 60, symbols=symbols), 60)

        self.at_once(check, [(program, *case) for program in FLAGS2 for case in (
            ("C", "xterm", TENTHS), ("POSIX", "xterm", TENTHS), ("C.UTF-8", "dumb", TENTHS),
            ("no_SUCH.UTF-8", "xterm", TENTHS), ("C.UTF-8", "xterm", EIGHTHS))])

    def test_unknown_width(self):
        with Server() as server:
            for program in FLAGS2:
                with self.subTest(program=program.name):
                    _, text = self.draw(program, url=server.url, columns=0)
                    self.assertEqual(self.check_bar(self.drawings(text)[-1], 20), 20)

    def test_resized(self):
        def check(program):
            with Server(delay=(0.1, 0.1)) as server:
                client, terminal = self.on_terminal(program, "-al15", "-m1", url=server.url)
                server.wait_answered(3)
                terminal.resize(50)
                server.wait_answered(6)
                before = len(terminal.so_far())
                self.assertEqual(client.finish().code, 0)
                drawn = self.drawings(terminal.close()[before:].partition("\r")[2])
                self.assertEqual([self.check_bar(line, 15, 50) for line in drawn][-1], 15)

        self.at_once(check, [(program,) for program in FLAGS2])

    def test_not_often(self):
        def check(program):
            with Server(delay=(0, 0.02)) as server:
                result, text = self.draw(program, "-a", url=server.url)
                seconds = float(re.search(SECONDS, result.lines()[-1])[1])
                self.assertLessEqual(len(self.drawings(text)), 10 * seconds + 3)

        self.at_once(check, [(program,) for program in FLAGS2])


class Nothing(BarTest):
    def test_where_it_is_not_wanted(self):
        with Server() as server:
            for program in FLAGS2:
                for argv in (["-v"], ["--json"], ["-v", "--json"]):
                    with self.subTest(program=program.name, argv=argv):
                        self.assertEqual(self.draw(program, *argv, url=server.url)[1], "")

    def test_where_no_terminal_is(self):
        """Even if stdout is one."""
        with Server() as server:
            for program in FLAGS2:
                with self.subTest(program=program.name):
                    result = self.download(program, url=server.url)
                    self.assertEqual((result.code, result.err), (0, ""))
                    terminal = Terminal(80)
                    try:
                        result = self.download(program, url=server.url, stdout=terminal.theirs)
                    finally:
                        text = terminal.close()
                    self.assertEqual((result.code, result.err), (0, ""))
                    self.assertNotIn("\r", text)
                    self.assertNotIn("%", text)


class AmongLines(BarTest):
    """Report and bar on the same terminal."""

    def test_the_screen_in_the_end(self):
        server = self.enter(Server(delay=(0.01, 0.05)))
        for program in FLAGS2:
            with self.subTest(program=program.name):
                client, terminal = self.on_terminal(program, url=server.url, both=True)
                self.assertEqual(client.finish().code, 0)
                *lines, last, empty = Screen(80).show(terminal.close()).lines
                bar = lines.pop(3).rstrip(" ")
                self.assertEqual(self.check_bar(bar, 20), 20)
                self.assertEqual(lines, [*head_lines(server.url, POP20, program.connections(20)),
                                         *count_lines({"downloaded": 20})])
                self.assertRegex(last, rf"\AElapsed time: {SECONDS}\Z")
                self.assertEqual(empty, "")

    def test_interrupted_from_the_keyboard(self):
        """The terminal itself shows ^C where the cursor was."""
        for program in FLAGS2:
            with self.subTest(program=program.name), Server(delay=(0.05, 0.2)) as server:
                client, terminal = self.on_terminal(program, url=server.url, both=True)
                server.wait_answered(3)
                terminal.type(b"\x03")
                self.assertEqual(client.finish().code, -signal.SIGINT)
                lines = [line.rstrip(" ") for line in Screen(80).show(terminal.close()).lines]
                found = len(self.files(client.cwd))
                at = lines.index("-" * 20)
                self.assertEqual(lines[:3], head_lines(server.url, POP20, program.connections(20)))
                self.assertEqual(lines[at:-2], count_lines({"downloaded": found, "left": 20 - found}))
                self.assertRegex(lines[-2], rf"\AElapsed time: {SECONDS}\Z")
                self.assertIn(at, (3, 4, 5))  # the bar may stay, and what it left of ^C

    def test_interrupted_with_the_report_elsewhere(self):
        for program in FLAGS2:
            with self.subTest(program=program.name), Server(delay=(0.05, 0.2)) as server:
                client, terminal = self.on_terminal(program, url=server.url)
                server.wait_answered(3)
                client.signal(signal.SIGTERM)
                self.assertEqual(client.finish().code, -signal.SIGTERM)
                text = terminal.close()
                self.assertEqual(Screen(80).show(text).lines[-1], "", text[-200:])


if __name__ == "__main__":
    unittest.main()
