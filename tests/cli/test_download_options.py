"""Each option of the download programs on each of them, where other tests need but one program for it."""

import unittest

from downloads import DOWNLOADERS, FLAGS2, POP20, DownloadTest, Server, run


# Ours or libcurl's, whichever looks at the clock first.
OVER = r"(?:not finished within 0\.2 seconds|Operation timed out after \d+ milliseconds)"


class Options(DownloadTest):
    def test_times(self):
        """Long enough, they change nothing; too short for the server, the first flag is an error."""
        with Server() as server, Server(delay=(5, 5)) as late:
            for program in DOWNLOADERS:
                with self.subTest(program=program.name):
                    codes = POP20[:2] if program in FLAGS2 else []
                    cwd = self.folder()
                    result = self.download(program, "--timeout=30", "--deadline=30", *codes, url=server.url, cwd=cwd)
                    self.assertEqual((result.code, result.err), (0, ""))
                    self.assertGreaterEqual(len(self.files(cwd)), 2)
                    for option, error in (("--timeout=0.2", r"nothing received for 0\.2 seconds"),
                                          ("--deadline=0.2", OVER)):
                        result = self.download(program, option, *codes, url=late.url)
                        self.assertEqual(result.code, 1)
                        self.assertRegex(result.err, rf": {error}")

    def test_flags2(self):
        with Server() as server:
            for program in FLAGS2:
                with self.subTest(program=program.name):
                    cwd = self.folder()
                    args = ["--server=DELAY", "--fsync", "-m1", "--size-limit=1048576", "BR", "CN"]
                    result = self.download(program, *args, url=server.url, cwd=cwd)
                    self.assertEqual((result.code, result.err), (0, ""))
                    self.assertEqual(result.lines()[0], f"DELAY site: {server.url}")
                    self.assertEqual(set(self.files(cwd)), {"BR", "CN"})
                    result = self.download(program, "--size-limit=100", "-v", "BR", url=server.url)
                    self.assertEqual(result.code, 1)
                    self.assertRegex(result.out, r"BR error: .*100 bytes")

    def test_slow_server(self):
        result = run("slow_server", "--usage")
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertTrue(result.out.startswith("Usage: slow_server "))


if __name__ == "__main__":
    unittest.main()
