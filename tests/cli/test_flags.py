"""The downloads without options: what they print and save, and that the first error ends them."""

import os
import re
import resource
import socketserver
import threading
import unittest

from downloads import (BY_POPULATION, DOWNLOADERS, FLAGS, FUTURES, POP20, TEAPOT, DownloadTest, Server,
                       needs_isolation, run, served_without)

FUTURE = r"<Future at (0x[0-9a-f]+) state="


class Golden(DownloadTest):
    def test_codes_count_and_files(self):
        with Server() as server:
            for program in FLAGS:
                with self.subTest(program=program.name):
                    cwd = self.folder()
                    result = self.download(program, url=server.url, cwd=cwd)
                    self.assertEqual((result.code, result.err), (0, ""))
                    self.check_flags(program, result.out, POP20)
                    self.check_files(cwd, POP20)
                    self.assertEqual(os.listdir(cwd), ["downloaded"])

    def test_each_code_once_and_as_wide_as_it_may(self):
        def check(program, delay):
            with Server(delay=(delay, delay)) as server:
                result = self.download(program, url=server.url)
                seconds = self.check_flags(program, result.out, POP20)
                self.assertGreaterEqual(seconds, delay * len(POP20) / program.most - 0.01)
                self.assertEqual(sorted(request.code for request in server.answered()), POP20)
                self.assertLessEqual(server.most_at_once(), program.most)
                if program.style in ("sequential", "async"):
                    self.assertEqual(server.most_at_once(), program.most)
                elif program.most > 1:
                    self.assertGreater(server.most_at_once(), 1)

        self.at_once(check, [(program, 0.1 if program.style == "sequential" else 0.25) for program in FLAGS])

    def test_a_code_is_printed_when_its_file_is_there(self):
        def check(program, _, client):
            client.read_until(r"\A[A-Z]{2} ")
            self.assertIsNone(client.process.poll())
            seen = client.read_ahead().split()
            self.assertLess(len(seen), len(POP20))
            saved = [name[:2] for name in os.listdir(os.path.join(client.cwd, "downloaded")) if name[0] != "."]
            self.assertLessEqual(set(seen), set(saved))

        self.side_by_side(check, FLAGS)

    def test_dest_and_base_url(self):
        with Server() as server:
            for program in DOWNLOADERS:
                with self.subTest(program=program.name):
                    cwd = self.folder()
                    result = self.download(program, "--dest=some/new/folder/", url=server.url + "/", cwd=cwd)
                    self.assertEqual((result.code, result.err), (0, ""))
                    codes = self.files(cwd, "some/new/folder")
                    self.check_files(cwd, codes, "some/new/folder")
                    self.assertEqual(len(codes), 5 if program is FUTURES else 20)
                    self.assertEqual(os.listdir(cwd), ["some"])

    @needs_isolation
    def test_the_server_is_remote_without_base_url(self):
        """There is no way to it, and the message of the first code says so."""
        for program in [*FLAGS, FUTURES]:
            with self.subTest(program=program.name):
                result = run(program.name, cwd=self.folder())
                self.assertEqual((result.code, [line for line in result.lines() if "Future" not in line]), (1, []))
                self.assertRegex(result.err, rf"\A{program.name}: [A-Z][A-Z]: .*www\.fluentpython\.com.*\n\Z")


class Futures(DownloadTest):
    """The codes with the most people, in alphabetical order."""

    def check_futures(self, result, codes):
        self.assertEqual((result.code, result.err), (0, ""))
        said, text = self.take_codes(result.out)
        self.assertEqual(sorted(said), codes)
        lines = text.splitlines()
        self.assertEqual(len(lines), 2 * len(codes) + 2, lines)
        addresses = {}
        for line, code in zip(lines, codes):
            match = re.fullmatch(rf"Scheduled for {code}: {FUTURE}(running|pending|finished returned str)>", line)
            self.assertTrue(match, line)
            addresses[match[1]] = code
        self.assertEqual(len(addresses), len(codes))
        for line in lines[len(codes):-2]:
            match = re.fullmatch(rf"{FUTURE}finished returned str> result: '([A-Z]{{2}})'", line)
            self.assertTrue(match, line)
            self.assertEqual(addresses.pop(match[1]), match[2])
        self.assertEqual(lines[-2], "")
        self.check_last(f"{lines[-1]}\n", len(codes))

    def take_codes(self, out):
        """The codes that workers have printed, each before its result's line; and the text without them."""
        said, lines = [], []
        for line in out.splitlines(keepends=True):
            codes, rest = re.fullmatch(r"((?:[A-Z]{2} )*)(.*)", line, re.S).groups()
            said += codes.split()
            if match := re.search(r" result: '(..)'", rest):
                self.assertIn(match[1], said)
            lines.append(rest)
        return said, "".join(lines)

    def test_golden(self):
        with Server() as server:
            for argv, count in (([], 5), (["-l20"], 20), (["--limit=1"], 1), (["-l", "7", "2"], 7),
                                (["1024", "-l100"], 20)):
                with self.subTest(argv=argv):
                    cwd = self.folder()
                    codes = sorted(BY_POPULATION[:count])
                    self.check_futures(self.download(FUTURES, *argv, url=server.url, cwd=cwd), codes)
                    self.check_files(cwd, codes)

    def test_workers(self):
        def check(workers, argv):
            with Server(delay=(0.3, 0.3)) as server:
                self.check_futures(self.download(FUTURES, "-l9", *argv, url=server.url), sorted(BY_POPULATION[:9]))
                self.assertEqual(server.most_at_once(), workers)

        self.at_once(check, [(3, []), (1, ["1"]), (2, ["2"]), (9, ["9"]), (9, ["1024"])])

    def test_lines_come_as_they_are_known(self):
        with Server("--seed=1", delay=(0.2, 0.6)) as server, self.start(FUTURES, url=server.url) as client:
            lines = [client.readline() for _ in range(6)]
            self.assertIsNone(client.process.poll())
            self.assertIn("state=running", lines[0])
            self.assertIn("state=pending", lines[4])
            self.assertRegex(lines[5], r"\A([A-Z]{2}) <.* result: '\1'\Z")

    def test_workers_print_codes(self):
        """When three images come at the same time, some codes may stand together before a result's line."""
        with Server(delay=(0.3, 0.3)) as server, self.start(FUTURES, "-l3", url=server.url) as client:
            for _ in range(3):
                self.assertIn("Scheduled for", client.readline())
            client.read_until(r"[A-Z]{2} ")
            self.check_futures(client.finish(), sorted(BY_POPULATION[:3]))
            self.check_files(client.cwd, BY_POPULATION[:3])


class OpenFiles(DownloadTest):
    def test_as_many_as_may_be_open(self):
        """`ulimit -n 12`, and other limits under which there is no room for all connections."""
        def check(program, limit, host):
            with Server(delay=(0.01, 0.01)) as server:
                result = self.download(program, *(["20", "-l20"] if program is FUTURES else []),
                                       url=server.url.replace("127.0.0.1", host), cwd=(cwd := self.folder()),
                                       prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
                self.assertEqual(result.code, 0, (limit, result))
                few = rf"{program.name}: the limit on open files has room for (\d+) of \d+ connections\n"
                self.assertRegex(result.err, rf"\A({few})?\Z")
                if found := re.search(few, result.err):
                    self.assertLessEqual(server.most_at_once(), int(found[1]))
                else:
                    self.assertIn(program.style, ("sequential", "processes"))
                self.check_files(cwd, POP20)

        self.at_once(check, [(program, limit, host) for program in [*FLAGS, FUTURES]
                             for limit, host in ((12, "localhost"), (40, "127.0.0.1"))])


class FirstError(DownloadTest):
    def check_ended(self, program, result, message, cwd):
        """Exit 1 and one message; what was saved so far is named, and nothing else; no last line."""
        self.assertEqual(result.code, 1)
        self.assertRegex(result.err, rf"\A{program.name}: {message}\n\Z")
        if program is FUTURES:
            self.assertNotIn("downloaded in", result.out)
            return
        codes = result.out.split()
        self.assertEqual(result.out, "".join(f"{code} " for code in codes) + "\n" * bool(codes))
        self.check_files(cwd, codes)

    def test_one_missing(self):
        for program in [*FLAGS, FUTURES]:
            missing = "ID" if program is FUTURES else "EG"
            with self.subTest(program=program.name), served_without(missing) as server:
                cwd = self.folder()
                result = self.download(program, url=server.url, cwd=cwd)
                self.check_ended(program, result, f"{missing}: HTTP error 404 - Not Found", cwd)
                if program.style == "sequential":
                    self.assertEqual([request.code for request in server.answered()], POP20[:6])

    def test_every_one_is_an_error(self):
        def check(program, server, client):
            self.check_ended(program, client.finish(), f"[A-Z]{{2}}: {TEAPOT}", client.cwd)
            # One request for each worker, and one more that it may have begun before it was told.
            self.assertLessEqual(len(server.arrived()), 2 * program.default)

        self.side_by_side(check, [*FLAGS, FUTURES], server=("-e1",), delay=(0.05, 0.05))

    def test_what_runs_is_broken_off(self):
        """The server answers the second request, and no other."""
        for program in FLAGS[1:]:
            with self.subTest(program=program.name), SilentServer() as server:
                cwd = self.folder()
                result = self.enter(self.start(program, "--timeout=60", url=server.url, cwd=cwd)).finish(5)
                self.check_ended(program, result, "[A-Z]{2}: HTTP error 404 - Not Found", cwd)
                self.assertEqual(result.out, "")
                self.assertLessEqual(server.requests, 20)


class SilentServer(socketserver.ThreadingTCPServer):
    """Takes requests, and answers the second one alone: not found."""

    daemon_threads = True
    request_queue_size = 100

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while line := self.rfile.readline():
                if line == b"\r\n":
                    self.server.requests += 1
                    if self.server.requests == 2:
                        self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.requests = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


if __name__ == "__main__":
    unittest.main()
