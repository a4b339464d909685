"""The downloads with options: the report, -v, --json, which codes are asked for, and by how many connections."""

import os
import resource
import socket
import unittest

from downloads import (ALL, EVERY, FLAGS2, POP20, TEAPOT, DownloadTest, Server, head_lines, host_of, images,
                       needs_isolation, run)
from harness import parse_json_lines, seeded_random

SEQUENTIAL, THREADPOOL, ASYNC = FLAGS2
SITES = {"REMOTE": "https://www.fluentpython.com/data/flags", "LOCAL": "http://localhost:8000/flags",
         "DELAY": "http://localhost:8001/flags", "ERROR": "http://localhost:8002/flags"}


class Flags2Test(DownloadTest):
    def setUp(self):
        self.server = self.enter(Server())

    def check(self, program, argv, codes, code=0, *, cwd=None, url=None, **expected):
        """Exit code, report, the first error on stderr, and the files of what was downloaded."""
        cwd = cwd or self.folder()
        url = url or self.server.url
        with self.subTest(program=program.name, argv=argv):
            result = self.download(program, *argv, url=url, cwd=cwd)
            self.assertEqual(result.code, code)
            self.check_first_error(program, result, 0 if expected.get("lines") else expected.get("errors", 0))
            return self.check_report(program, result, url, codes, **expected)

    def check_each(self, argv, codes, code=0, **expected):
        for program in FLAGS2:
            self.check(program, argv, codes, code, **expected)


class Report(Flags2Test):
    def test_twenty(self):
        for program in FLAGS2:
            cwd = self.folder()
            self.check(program, [], POP20, downloaded=20, cwd=cwd)
            self.check_files(cwd, POP20)
            self.assertEqual(os.listdir(cwd), ["downloaded"])

    def test_one(self):
        self.check_each(["br"], ["BR"], downloaded=1)
        self.check_each(["aa"], ["AA"], not_found=1)

    def test_ten_are_listed_and_eleven_not(self):
        self.check_each(["-l10"], POP20[:10], downloaded=10)
        self.check_each(["-l11"], POP20[:11], downloaded=11)

    def test_not_found(self):
        letter = [code for code in EVERY if code[0] == "B"]
        found = [code for code in ALL if code[0] == "B"]
        for program in FLAGS2:
            cwd = self.folder()
            self.check(program, ["B"], letter, downloaded=len(found), not_found=26 - len(found), cwd=cwd)
            self.check_files(cwd, found)

    def test_every(self):
        for program in FLAGS2:
            cwd = self.folder()
            self.check(program, ["-e", "-m676"], EVERY, wanted=676, downloaded=194, not_found=482, cwd=cwd)
            self.check_files(cwd, ALL)

    def test_errors(self):
        with Server("-e1") as server:
            for program in FLAGS2:
                cwd = self.folder()
                self.check(program, [], POP20, 1, url=server.url, errors=20, cwd=cwd)
                self.check(program, ["br"], ["BR"], 1, url=server.url, errors=1, cwd=cwd)
                self.check_files(cwd, [])

    def test_first_error(self):
        """Without -v its reason is told; with -v or --json each has a line of its own."""
        with Server("-e1") as server:
            for program in FLAGS2:
                with self.subTest(program=program.name):
                    for argv, code, errors in ((["br"], "BR", 1), ([], "BD" if program is SEQUENTIAL else "[A-Z]{2}", 20),
                                               (["-v"], None, 0), (["--json"], None, 0)):
                        result = self.download(program, *argv, url=server.url)
                        self.assertEqual(result.code, 1)
                        self.check_first_error(program, result, errors, f"{code}: {TEAPOT}")

    def test_already_there(self):
        for program in FLAGS2:
            cwd = self.folder()
            self.check(program, ["br"], ["BR"], downloaded=1, cwd=cwd)
            self.check(program, ["br", "--skip-existing"], ["BR"], existing=1, cwd=cwd)
            self.check(program, ["--skip-existing", "br", "cn", "xx", "-v"], ["BR", "CN", "XX"], cwd=cwd, downloaded=1,
                       existing=1, not_found=1, lines=["BR already there", "CN OK",
                                                       f"XX not found: {self.server.url}/xx/xx.gif"])
            self.check(program, ["--skip-existing", "br", "cn"], ["BR", "CN"], existing=2, cwd=cwd)

    def test_the_host_is_named_with_base_url(self):
        port = self.server.port
        for url in (f"http://localhost:{port}/flags", f"HTTP://127.0.0.1:{port}/flags/"):
            host = url.split("/")[2]
            for program in FLAGS2:
                with self.subTest(program=program.name, url=url):
                    result = self.download(program, "br", url=url)
                    self.assertEqual((result.lines()[0], result.err), (f"{host} site: {url.rstrip('/')}", ""))
                    summary = parse_json_lines(self.download(program, "--json", "br", url=url).out)[-1]["summary"]
                    self.assertEqual((summary["server"], summary["site"]), (host, url.rstrip("/")))

    def test_labels_with_base_url(self):
        for label in SITES:
            self.check_each(["-s", label, "br"], ["BR"], label=label, downloaded=1)
            self.check_each([f"--server={label.lower()}", "br"], ["BR"], label=label, downloaded=1)

    def test_final_slash_is_dropped(self):
        for program in FLAGS2:
            result = self.download(program, "br", url=self.server.url + "/")
            self.assertEqual(result.code, 0)
            self.check_report(program, result, self.server.url, ["BR"], downloaded=1)

    @needs_isolation
    def test_labels_without_base_url(self):
        with Server(port=8000), Server("-e1", port=8002):
            for program in FLAGS2:
                for argv, label, code, expected in (
                        ([], "LOCAL", 0, {"downloaded": 1}), (["-slocal"], "LOCAL", 0, {"downloaded": 1}),
                        (["-sError"], "ERROR", 1, {"errors": 1}), (["-sDELAY"], "DELAY", 1, {"errors": 1}),
                        (["-sREMOTE"], "REMOTE", 1, {"errors": 1})):
                    with self.subTest(program=program.name, argv=argv):
                        result = run(program.name, *argv, "BR", cwd=self.folder())
                        self.assertEqual(result.code, code)
                        self.check_first_error(program, result, expected.get("errors", 0), "BR: .+")
                        self.check_report(program, result, SITES[label], ["BR"], label=label, **expected)

    def test_seconds(self):
        def check(program, server, client):
            least = 0.9 if program is SEQUENTIAL else 0.3
            found = self.check_report(program, client.finish(), server.url, POP20[:3], wanted=3, downloaded=3)
            self.assertGreaterEqual(found, least)
            self.assertLess(found, least + 5)

        self.side_by_side(check, FLAGS2, "-l3", "-m3", delay=(0.3, 0.3))


class Verbose(Flags2Test):
    def test_lines(self):
        not_found = f"XX not found: {self.server.url}/xx/xx.gif"
        self.check_each(["-v", "xx", "br", "AD"], ["AD", "BR", "XX"], lines=["AD OK", "BR OK", not_found], downloaded=2,
                        not_found=1)

    def test_errors(self):
        """What the server says that it answered is what is printed and counted."""
        generator = seeded_random()
        for program in FLAGS2:
            with Server("-e0.4", f"--seed={generator.randrange(1000)}") as server:
                cwd = self.folder()
                with self.subTest(program=program.name):
                    result = self.download(program, "-v", "-a", "-l60", url=server.url, cwd=cwd)
                    status = {request.code: request.status for request in server.answered()}
                    self.assertEqual(sorted(status), ALL[:60])
                    saved = [code for code in status if status[code] == 200]
                    lines = [f"{code} OK" if status[code] == 200 else f"{code} error: {TEAPOT}" for code in ALL[:60]]
                    self.assertEqual((result.code, result.err), (1, ""))
                    self.check_report(program, result, server.url, ALL[:60], lines=lines, downloaded=len(saved),
                                      errors=60 - len(saved))
                    self.check_files(cwd, saved)

    def test_each_line_when_it_is_known(self):
        def check(program, _, client):
            lines = [client.readline() for _ in range(4)]
            self.assertIsNone(client.process.poll())
            self.assertRegex(lines[-1], r"\A[A-Z][A-Z] OK\Z")
            self.assertTrue(os.path.exists(os.path.join(client.cwd, "downloaded", f"{lines[-1][:2]}.gif")))

        self.side_by_side(check, FLAGS2, "-v")


class Selection(Flags2Test):
    def check_selects(self, argv, codes):
        found = len(set(codes) & set(ALL))
        self.check_each(argv, codes, downloaded=found, not_found=len(codes) - found)

    def test_codes(self):
        self.check_selects(["us", "BR", "Us", "br"], ["BR", "US"])
        self.check_selects(["--", "zw"], ["ZW"])
        self.check_selects(["bR"], ["BR"])

    def test_letters(self):
        self.check_selects(["z", "ZW", "y"], [code for code in EVERY if code[0] in "YZ"])
        self.check_selects(["b", "a", "-l28"], [code for code in EVERY if code[0] in "AB"][:28])

    def test_limits(self):
        self.check_selects(["-l3"], POP20[:3])
        self.check_selects(["-l", "4294967295"], POP20)
        self.check_selects(["--limit=2", "vn", "us", "br"], ["BR", "US"])
        self.check_selects(["--limi=3"], POP20[:3])
        self.check_selects(["-l3", "-l", "1", "--limit=2"], POP20[:2])

    def test_every_before_all_before_codes(self):
        self.check_selects(["-a", "-l4"], ALL[:4])
        self.check_selects(["-al5", "us"], ALL[:5])
        self.check_selects(["-e", "-l3"], EVERY[:3])
        self.check_selects(["-ael2"], EVERY[:2])
        self.check_selects(["--all", "--every", "--limit=2", "us"], EVERY[:2])
        self.check_selects(["-a"], ALL)

    def test_codes_are_not_looked_at_then(self):
        self.check_selects(["-al1", "1"], ALL[:1])
        self.check_selects(["-el1", "ABC", "--", "-5"], EVERY[:1])

    def test_clusters_and_prefixes(self):
        self.check_each(["-avl2"], ALL[:2], lines=["AD OK", "AE OK"], downloaded=2)
        self.check_each(["--verb", "br"], ["BR"], lines=["BR OK"], downloaded=1)
        self.check_each(["--serv=delay", "br"], ["BR"], label="DELAY", downloaded=1)
        self.check_each(["-sdelay", "-s", "error", "br"], ["BR"], label="ERROR", downloaded=1)


class Connections(Flags2Test):
    def test_as_many_as_codes_or_as_wanted(self):
        for option in (["-m3"], ["-m", "3"], ["--max_req=3"], ["--max-req=3"], ["--max_req", "3"], ["--max=3"],
                       ["-m9", "-m3"]):
            self.check_each([*option, "-l4"], POP20[:4], wanted=3, downloaded=4)
        self.check_each(["-m1", "-l4"], POP20[:4], wanted=1, downloaded=4)
        self.check_each(["-m4294967295", "-l4"], POP20[:4], wanted=2**32 - 1, downloaded=4)

    def test_by_default(self):
        self.check_each(["-a"], ALL, downloaded=194)  # 1, 30 and 5

    def test_no_more_at_once_than_that(self):
        def check(program, wanted, argv):
            # Long enough for all to be there on a busy machine; the fewer at once, the more often it passes.
            most = program.connections(16, wanted)
            delay = 0.05 if most == 1 else 0.4 if most <= 5 else 1
            with Server(delay=(delay, delay)) as server:
                result = self.download(program, *argv, "-al16", url=server.url)
                self.check_report(program, result, server.url, ALL[:16], wanted=wanted, downloaded=16)
                self.assertEqual(server.most_at_once(), most)

        self.at_once(check, [(program, wanted, argv) for program in FLAGS2
                             for wanted, argv in ((None, []), (2, ["-m2"]), (13, ["-m13"]), (1000, ["-m1000"]))])

    def test_hundreds(self):
        for program in (THREADPOOL, ASYNC):
            with self.subTest(program=program.name), Server(delay=(1, 1)) as server:
                result = self.download(program, "-em2000", url=server.url)
                self.check_report(program, result, server.url, EVERY, wanted=1000, downloaded=194, not_found=482)
                self.assertEqual(len(server.answered()), 676)
                self.assertGreater(server.most_at_once(), 200)

    def test_as_many_as_files_may_be_open(self):
        for program in (THREADPOOL, ASYNC):
            with self.subTest(program=program.name), Server(delay=(0.01, 0.01)) as server:
                result = self.download(program, "-am150", url=server.url,
                                       prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
                self.assertEqual(result.code, 0, result)
                self.assertRegex(result.err, rf"\A{program.name}: .*\n\Z")
                count = int(result.lines()[2].split()[0])
                self.assertIn(count, range(2, 64))
                self.check_report(program, result, server.url, ALL, wanted=count, downloaded=194)
                self.assertLessEqual(server.most_at_once(), count)


class Json(Flags2Test):
    def check_json(self, program, result, url, codes, connections, label=None, **counts):
        """The lines of the codes, whose status are counted in the summary; {code: line}."""
        *lines, last = parse_json_lines(result.out)
        expected = {"program": program.name, "server": label or host_of(url), "site": url, "codes": len(codes),
                    "connections": connections, "downloaded": 0, "existing": 0, "not_found": 0, "errors": 0,
                    "left": 0, **counts}
        elapsed = last["summary"].pop("elapsed")
        self.assertGreaterEqual(elapsed, 0)
        self.assertEqual(last, {"summary": expected})
        found = [line["cc"] for line in lines]
        self.assertEqual(found if program is SEQUENTIAL else sorted(found), codes)
        for status, key in (("ok", "downloaded"), ("existing", "existing"), ("not_found", "not_found"),
                            ("error", "errors"), ("left", "left")):
            self.assertEqual(sum(line["status"] == status for line in lines), expected[key], status)
        for line in lines:
            self.assertEqual("error" in line, line["status"] == "error")
            if "elapsed" in line:
                self.assertGreaterEqual(line["elapsed"], 0)
                self.assertLessEqual(line["elapsed"], elapsed + 0.001)
        return {line["cc"]: line for line in lines}

    def test_downloaded(self):
        for program in FLAGS2:
            for dest, options in (("downloaded", []), ("some/where", ["--dest=some/where", "-sERROR"])):
                with self.subTest(program=program.name, dest=dest):
                    cwd = self.folder()
                    result = self.download(program, "--json", *options, url=self.server.url, cwd=cwd)
                    self.assertEqual((result.code, result.err), (0, ""))
                    lines = self.check_json(program, result, self.server.url, POP20, program.connections(20),
                                            label="ERROR" if options else None, downloaded=20)
                    self.check_files(cwd, POP20, dest)
                    for code, line in lines.items():
                        del line["elapsed"]
                        self.assertEqual(line, {"cc": code, "status": "ok", "http": 200, "bytes": len(images()[code]),
                                                "attempts": 1, "file": f"{dest}/{code}.gif"})

    def test_all_kinds(self):
        """With seed 1 some are teapots."""
        for program in FLAGS2:
            with self.subTest(program=program.name), Server("-e0.5", "--seed=1") as server:
                cwd = self.folder()
                first = self.download(program, "-v", "-al30", url=server.url, cwd=cwd)
                there = {line[:2] for line in first.lines() if line.endswith(" OK")}
                result = self.download(program, "--json", "--skip-existing", "a", "b", url=server.url, cwd=cwd)
                status = {request.code: request.status for request in server.answered()}
                codes = [code for code in EVERY if code[0] in "AB"]
                answers = {200: "ok", 404: "not_found", 418: "error"}
                kinds = {code: "existing" if code in there else answers[status[code]] for code in codes}
                count = list(kinds.values()).count
                self.assertEqual((result.code, result.err), (1, ""))
                lines = self.check_json(program, result, server.url, codes, program.connections(52),
                                        downloaded=count("ok"), existing=count("existing"),
                                        not_found=count("not_found"), errors=count("error"))
                for code, line in lines.items():
                    self.assertEqual(line["status"], kinds[code], code)
                    if kinds[code] == "existing":
                        self.assertNotIn("http", line)
                    else:
                        self.assertEqual((line["http"], line["attempts"]), (status[code], 1))
                    if kinds[code] == "error":
                        self.assertEqual(line["error"], TEAPOT)

    def test_no_answer(self):
        nobody = self.enter(socket.socket())
        nobody.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:{}".format(nobody.getsockname()[1])
        for program in FLAGS2:
            with self.subTest(program=program.name):
                result = self.download(program, "--json", "us", "br", url=url)
                self.assertEqual((result.code, result.err), (1, ""))
                lines = self.check_json(program, result, url, ["BR", "US"], program.connections(2), errors=2)
                for line in lines.values():
                    self.assertNotIn("http", line)
                    self.assertRegex(line["error"], "onnect")

    def test_each_line_when_it_is_known(self):
        def check(program, _, client):
            line = client.readline()
            self.assertIsNone(client.process.poll())
            self.assertEqual(parse_json_lines(line)[0]["status"], "ok")

        self.side_by_side(check, FLAGS2, "--json")


class Head(Flags2Test):
    def test_before_the_first_answer(self):
        def check(program, server, client):
            lines = [client.readline() for _ in range(3)]
            self.assertEqual(server.answered(), [])
            self.assertEqual(lines, head_lines(server.url, POP20, program.connections(20)))

        self.side_by_side(check, FLAGS2, delay=(5, 5))


if __name__ == "__main__":
    unittest.main()
