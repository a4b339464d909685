"""What the download programs say of themselves, and every usage error: exit 2, nothing on stdout, on stderr
`PROGRAM: ` and what is wrong, and nothing made on disk."""

import os
import re
import socket
import unittest

from downloads import DOWNLOADERS, FLAGS, FLAGS2, FUTURES, DownloadTest, run

COMMON = ["base-url", "dest", "timeout", "deadline", "cacert", "allow-downgrade", "trace", "report", "help", "usage", "version"]
ONLY_FLAGS2 = ["all", "every", "limit", "max_req", "server", "verbose", "json", "retries", "fsync", "skip-existing", "joblog", "resume",
               "size-limit"]
BAD_NUMBERS = ["0", "-1", "x", "", "1.5", " 1", "1 ", "+1", "0x1", "1x", "4294967296", "99999999999999999999"]
BAD_SECONDS = ["0", "0.0", "-1", "x", "", ".", "1.5.2", " 1", "+1", "1e3", "inf", "nan", "1" * 400]
NUMBER = "is not a number from 1 to"


class About(DownloadTest):
    def ask(self, program, option):
        cwd = self.folder()
        result = run(program.name, option, cwd=cwd)
        self.assertEqual((result.code, result.err, os.listdir(cwd)), (0, "", []))
        return result.out

    def options(self, program):
        return COMMON + {FUTURES.name: ["limit"]}.get(program.name, ONLY_FLAGS2 if program in FLAGS2 else [])

    def test_help_lists_every_option(self):
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                for asked in ("--help", "-?", *(["-h"] if program in FLAGS2 else [])):
                    text = self.ask(program, asked)
                    self.assertTrue(text.startswith(f"Usage: {program.name} [OPTION...]"), text)
                    for option in self.options(program):
                        self.assertRegex(text, rf"(?m)^ .*--{option}\b")
                    self.assertFalse(program in FLAGS and "limit" in text)

    def test_help_names_the_servers_and_defaults(self):
        for program in FLAGS2:
            with self.subTest(program=program.name):
                text = " ".join(self.ask(program, "--help").split())
                for word in ("DELAY", "ERROR", "LOCAL", "REMOTE", "CC", "6.1", "30", str(program.default)):
                    self.assertRegex(text, rf"\b{word}\b")

    def test_help_has_the_default_beside_its_option(self):
        for program in FLAGS2:
            with self.subTest(program=program.name):
                text = " ".join(self.ask(program, "--help").split())
                self.assertRegex(text, rf"--max_req=CONCURRENT [^-]* {program.most} [^-]*\({program.default}\) -")
                self.assertNotRegex(text, r"\b1 requests")

    def test_the_other_names(self):
        """flags_asyncio and flags2_asyncio are what the documents call them, and what they call themselves."""
        for program in (FLAGS[3], FLAGS2[2]):
            name = program.name + "io"
            other = program._replace(name=name)
            with self.subTest(program=name):
                for option in ("--help", "--usage", "--version"):
                    # the lines may be broken elsewhere
                    self.assertEqual(self.ask(other, option).split(),
                                     self.ask(program, option).replace(program.name, name).split())
                self.check_failure(other, run(name, "--timeout=x"), 2, "--timeout: 'x'")
                result = run(name, "--base-url=http://127.0.0.1:1", *(["--json", "br"] if program in FLAGS2 else []),
                             cwd=self.folder())
                self.assertEqual(result.code, 1)
                self.assertRegex(result.out + result.err,
                                 rf'"summary":{{"program":"{name}"' if program in FLAGS2 else rf"\A{name}: [A-Z]{{2}}: ")

    def test_usage_lists_every_option(self):
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                text = self.ask(program, "--usage")
                for option in self.options(program):
                    self.assertIn(f"--{option}", text)

    def test_version(self):
        version = run("proc_pool", "--version").out.replace("proc_pool", "{}")
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                self.assertEqual(self.ask(program, "--version"), version.format(program.name))


class UsageErrors(DownloadTest):
    def setUp(self):
        """A server that takes connections, so that one that is asked would be noticed."""
        self.listening = self.enter(socket.create_server(("127.0.0.1", 0)))
        self.listening.setblocking(False)
        self.url = "http://127.0.0.1:{}".format(self.listening.getsockname()[1])

    def check(self, program, argv, message):
        with self.subTest(program=program.name, argv=argv):
            cwd = self.folder()
            result = run(program.name, f"--base-url={self.url}", *argv, cwd=cwd)
            self.check_failure(program, result, 2, message)
            self.assertIn(f"Try `{program.name} --help'", " ".join(result.err.split()))
            self.assertEqual(os.listdir(cwd), [])
            self.assertRaises(BlockingIOError, self.listening.accept)

    def check_each(self, programs, argv, message):
        for program in programs:
            self.check(program, argv, message)

    def test_unknown_options(self):
        for option in ("--nonsense", "-Z", "--verbos=1", "--fsync=1", "--json=x"):
            self.check_each(DOWNLOADERS, [option], ".*" + re.escape(option.partition("=")[0].lstrip("-")))
        for option in ("-v", "--json", "-a", "-e", "-m3", "--server=LOCAL", "--skip-existing"):
            self.check_each([*FLAGS, FUTURES], [option], ".*" + re.escape(option.strip("-")[:1]))

    def test_missing_values(self):
        for option in ("--base-url", "--dest", "--timeout", "--deadline"):
            self.check_each(DOWNLOADERS, [option], f".*{option.lstrip('-')}")
        for option in ("-l", "-m", "-s", "--limit", "--max_req", "--max-req", "--server", "--retries", "--size-limit"):
            self.check_each(FLAGS2, [option], f".*{option.lstrip('-')}")

    def test_seconds(self):
        for option in ("--timeout", "--deadline"):
            for value in BAD_SECONDS:
                self.check_each(DOWNLOADERS[::3], [f"{option}={value}"], rf"{option}.*{re.escape(value)}.*seconds")
            self.check_each(DOWNLOADERS, [option, "x"], rf"{option}.*'x'.*seconds")

    def test_base_url(self):
        for value in ("", "ftp://127.0.0.1/", "file:///etc", "127.0.0.1:8000", "localhost", "http:/x", "http", "//x",
                      " http://x", "x/http://x", "http://", "https:///", "http://x/?y", "http://x#y"):
            self.check_each(DOWNLOADERS[::3], [f"--base-url={value}"], rf".*base-url.*'{re.escape(value)}'")

    def test_arguments_where_none_are_taken(self):
        for argv in (["BR"], ["4"], [""], ["--", "-1"]):
            self.check_each(FLAGS, argv, ".")

    def test_workers(self):
        for value in ("0", "-1", "1025", "x", "", "1.5", " 4", "4x", "99999999999999999999"):
            self.check(FUTURES, ["--", value], rf".*WORKERS.*'{value}'.*\b1\b.*\b1024\b")
        self.check(FUTURES, ["-5"], ".*WORKERS.*-5")
        self.check(FUTURES, ["2", "3"], ".*WORKERS")

    def test_limit_and_connections(self):
        for option, most in (("limit", 4294967295), ("max-req", 1000)):
            for value in BAD_NUMBERS:
                self.check(FLAGS2[2], [f"--{option}={value}"], rf"--{option}: '{re.escape(value)}' {NUMBER} {most}\Z")
        self.check_each(FLAGS2, ["-l0"], f"--limit: '0' {NUMBER} 4294967295\\Z")
        for program in FLAGS2:
            for argv in (["-m", "-5"], ["--max_req=-5"], ["--max-req", "-5"]):
                self.check(program, argv, rf"--max-req: '-5' {NUMBER} {program.most}\Z")
        for value in BAD_NUMBERS:
            self.check(FUTURES, [f"--limit={value}"], rf"--limit: '{re.escape(value)}' {NUMBER} 20\Z")

    def test_retries_and_size(self):
        for value in ("-1", "101", "x", "", "1.5"):
            self.check(FLAGS2[0], [f"--retries={value}"], rf"--retries: '{value}' is not a number from 0 to 100\Z")
        for value in ("0", "-1", "x", "", "1.5", "1k", "99999999999999999999"):
            self.check(FLAGS2[1], [f"--size-limit={value}"],
                       rf"--size-limit: '{value}' is not a number from 1 to \d+\Z")

    def test_server(self):
        for value in ("X", "", "LOC", "LOCAL2", "LOCAL ", "http://x"):
            self.check_each(FLAGS2, ["-s", value],
                            rf"--server: '{re.escape(value)}' is none of DELAY, ERROR, LOCAL, REMOTE\Z")

    def test_codes(self):
        for value in ("X1", "ABC", "", "1", "br ", "ß", "É", "ÄÖ", "-", "B-", "[A", "@@", "`a"):
            for program, argv in zip(FLAGS2, ([value], ["US", value, "BR"], ["-v", "-l1", value])):
                self.check(program, argv, rf"'{re.escape(value)}' is not a country code from A to Z or AA to ZZ\Z")
        self.check_each(FLAGS2, ["--", "-a"], "'-a' is not a country code")

    def test_before_anything_else_is_looked_at(self):
        self.check_each(DOWNLOADERS, ["--dest=/dev/null/x", "--timeout=x"], "--timeout")


class Certificates(DownloadTest):
    """A bad --cacert is one message and exit 3: nothing is made, and nothing asked for."""

    def test_bad_files(self):
        listening = self.enter(socket.create_server(("127.0.0.1", 0)))
        listening.setblocking(False)
        url = "http://127.0.0.1:{}".format(listening.getsockname()[1])
        folder = self.folder()
        os.mkfifo(os.path.join(folder, "pipe"))
        for name, content in (("empty", ""), ("words", "BEGIN CERTIFICATE\n" * 1000),
                              ("key", "-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n"),
                              ("cut", "-----BEGIN CERTIFICATE-----\nMAo=\n"),
                              ("other", "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n")):
            with open(os.path.join(folder, name), "w") as file:
                file.write(content)
        none = dict.fromkeys(("empty", "words", "key", "cut", "other"), "no certificate in it")
        faults = {"missing": "No such file or directory", ".": "Is a directory", "pipe": "not a regular file",
                  "empty/x": "Not a directory", **none}

        def check(program, name, scheme):
            cwd, path = self.folder(), os.path.join(folder, name)
            with self.start(program, f"--cacert={path}", url=url.replace("http", scheme), cwd=cwd) as client:
                result = client.finish(10)
            self.assertEqual(result, (3, "", f"{program.name}: {path}: {faults[name]}\n"))
            self.assertEqual(os.listdir(cwd), [])

        self.at_once(check, [*((FLAGS2[2], name, "https") for name in faults),
                             *((program, "empty", "http") for program in DOWNLOADERS)])
        self.assertRaises(BlockingIOError, listening.accept)


if __name__ == "__main__":
    unittest.main()
