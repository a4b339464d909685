"""A password in --base-url goes to the server and to nobody else; one of a proxy is shown nowhere either."""

import base64
import unittest

from downloads import DOWNLOADERS, FLAGS2, DownloadTest, run
from harness import parse_json_lines
from hostile import Server, answer

SECRET = "pass%21word"
USER = "somebody"
BAD_PROXIES = ("http://{}:{}/x@proxy:1", "{}:{}@proxy:x", "what://{}:{}@proxy:1", "http://{}:{}" + "x" * 400 + "@proxy:y")


class Passwords(DownloadTest):
    def with_user(self, url):
        return url.replace("://", f"://{USER}:{SECRET}@")

    def check_hidden(self, result):
        for word in (SECRET, SECRET.partition("%")[0], USER):
            self.assertNotIn(word, result.out + result.err)

    def test_reports(self):
        """Whatever becomes of the downloads. The server gets the password."""
        script = {"AA": answer("404 Not Found", b""), "BR": answer("401 Unauthorized", b""), "CN": answer(body=b"GIF")}
        with Server(script) as server:
            for program in FLAGS2:
                for argv in ([], ["-v"], ["--json"]):
                    with self.subTest(program=program.name, argv=argv):
                        result = self.download(program, *argv, "aa", "br", "cn", "us", url=self.with_user(server.url))
                        self.assertEqual(result.code, 1)
                        self.check_hidden(result)
                        if "-v" in argv:
                            self.assertIn(f"AA not found: {server.url}/aa/aa.gif\n", result.out)
                        if argv != ["--json"]:
                            self.assertEqual(result.lines()[0], f"127.0.0.1:{server.port} site: {server.url}")
                        else:
                            self.assertEqual(parse_json_lines(result.out)[-1]["summary"]["site"], server.url)
            credentials = base64.b64encode(f"{USER}:pass!word".encode()).decode()
            for request in server.all_asked():
                self.assertEqual(request.header("authorization"), [f"Basic {credentials}"])

    def test_errors(self):
        with Server(default=answer("401 Unauthorized", b"")) as server:
            for program in DOWNLOADERS:
                for url in (server.url, server.origin.replace(str(server.port), str(server.ports["closed"]))):
                    with self.subTest(program=program.name, url=url):
                        result = self.download(program, url=self.with_user(url))
                        self.assertEqual(result.code, 1)
                        self.assertNotEqual(result.err, "")
                        self.check_hidden(result)

    def test_usage_errors(self):
        secret = f"{USER}:{SECRET}"
        for program in DOWNLOADERS:
            for argv in ([f"--base-url=ftp://{secret}@host"], [f"--base-url={secret}@host"],
                         [f"--base-url=http://{secret}/x@host"], [f"--base-url=http://{secret}@host/?x"],
                         [f"--base-url=http://{secret}#@host"], [f"--base-url=http://{secret}@host:x"],
                         [f"--base_url=http://{secret}@host"], [f"--url={secret}@host"], [f"--d=http://{secret}@host"],
                         [f"--timeout=http://{secret}@host"], [f"http://{secret}@host"], ["--", f"{secret}@host"],
                         *([["-s", f"http://{secret}@host"], ["-m", f"http://{secret}@host"], [f"-l{secret}@host"],
                            [f"--m=http://{secret}@host"]] if program in FLAGS2 else [])):
                with self.subTest(program=program.name, argv=argv):
                    result = run(program.name, *argv, cwd=self.folder())
                    self.check_failure(program, result, 2, ".")
                    self.check_hidden(result)

    def test_proxies(self):
        """Those that cannot be used, and one that refuses connections."""
        with Server() as server:
            for program in DOWNLOADERS:
                for proxy in (*BAD_PROXIES, "http://{}:{}@127.0.0.1:" + str(server.ports["closed"])):
                    with self.subTest(program=program.name, proxy=proxy[:30]):
                        result = self.download(program, *(["-v"] if program in FLAGS2 else []), url="http://flags.invalid",
                                               env={"http_proxy": proxy.format(USER, SECRET)})
                        self.assertEqual(result.code, 1)
                        self.assertIn("roxy" if proxy in BAD_PROXIES else "127.0.0.1", result.out + result.err)
                        self.check_hidden(result)

    def test_help_names_the_proxies(self):
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                text = run(program.name, "--help").out
                for name in ("http_proxy", "https_proxy", "ALL_PROXY", "no_proxy"):
                    self.assertIn(name, text)

    def test_a_proxy_is_asked(self):
        """It gets the whole URL, unless no_proxy names the host."""
        with Server(default=answer("403 Forbidden", b"")) as server:
            for env, message in (({"http_proxy": server.origin}, "HTTP error 404"),
                                 ({"ALL_PROXY": server.origin}, "HTTP error 404"),
                                 ({"http_proxy": server.origin, "no_proxy": "flags.invalid"}, "resolve host")):
                result = self.download(DOWNLOADERS[0], url="http://flags.invalid", env=env)
                self.assertEqual((result.code, message in result.err), (1, True), result.err)


if __name__ == "__main__":
    unittest.main()
