"""The download programs against real servers: slow_server, and nginx with plain HTTP, TLS and HTTP/2."""

import tempfile
import unittest

from servers import NGINX, OPENSSL, Certificates, Nginx, export
from slow_server import NO_DELAY, Server, delay
from transfer import COUNTRY_CODES, EVERY, POP20, SIMPLE, STYLES, TransferTest, download, together

SELECTIONS = {  # arguments, and the codes that they mean
    (): POP20,
    ("-a",): COUNTRY_CODES,
    ("-e",): EVERY,
    ("-e", "-l100"): EVERY[:100],
    ("a", "b", "c"): EVERY[:78],
}
COUNTS = {(): (20, 0), ("-a",): (194, 0), ("-e",): (194, 482), ("-e", "-l100"): (47, 53), ("a", "b", "c"): (43, 35)}
CERTIFICATE = r".*certificate.*"
DOWNGRADE = "https leads to http, for which there is --allow-downgrade"

# /to/https/8443/flags/br/br.gif leads to https://localhost:8443/flags/br/br.gif.
REDIRECTS = "location ~ ^/to/(https?)/([0-9]+)/(.*) { return 302 $1://localhost:$2/$3; }"


class ServersTest(TransferTest):
    def check_selection(self, downloaded, selection):
        """The report, and the very images that the server has."""
        self.check_counts(downloaded, (*COUNTS[selection], 0))
        self.assertEqual(downloaded.files, {f"{code}.gif": IMAGES[code] for code in SELECTIONS[selection]
                                            if code in IMAGES})

    def check_selections(self, url, *options):
        for selection in SELECTIONS:
            runs = self.in_each_style(lambda program: download(program, url, *selection, options=options))
            for program, downloaded in runs.items():
                with self.subTest(program=program, selection=selection):
                    self.check_selection(downloaded, selection)


class SlowServer(ServersTest):
    def test_without_delay(self):
        with Server(*NO_DELAY) as server:
            self.check_selections(f"{server.url}/flags")

    def test_all_at_once(self):
        """676 requests are on their way together, and each is answered."""
        def one(program):
            with Server("--min-delay=0.2", "--max-delay=0.5") as server:
                return download(program, f"{server.url}/flags", "-e", options=["-m676"])

        for program, downloaded in zip(STYLES[1:], together([lambda name=name: one(name) for name in STYLES[1:]])):
            with self.subTest(program=program):
                self.check_selection(downloaded, ("-e",))
                self.assertEqual(downloaded.result.lines()[2], "676 concurrent connections will be used.")

    def test_delays_pass_side_by_side(self):
        """Twenty requests of half a second each."""
        def one(program):
            with Server(*delay(0.5)) as server:
                return download(program, f"{server.url}/flags", options=["-m20"])

        for program, downloaded in zip(STYLES[1:], together([lambda name=name: one(name) for name in STYLES[1:]])):
            with self.subTest(program=program):
                self.check_selection(downloaded, ())
                self.assertLess(float(downloaded.result.lines()[-1].split()[-1][:-1]), 0.95)

    def test_down(self):
        """Each is an error, none is tried again once it is clear that no server is about to start."""
        with Server() as server:
            url = f"{server.url}/flags"
        for program, downloaded in self.in_each_style(lambda program: download(
                program, url, options=["-v", "--retries=3"])).items():
            with self.subTest(program=program):
                self.check_counts(downloaded, (0, 0, 20))
                for _, line in downloaded.verbose():
                    self.assertRegex(line, r"\Aerror: Failed to connect to 127\.0\.0\.1 port \d+.*\Z")
                self.assertLess(downloaded.seconds, 3)
                self.assertEqual(downloaded.files, {})


@unittest.skipUnless(NGINX and OPENSSL, "needs nginx and openssl")
class OnNginx(ServersTest):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="certificates-"))
        certificates = Certificates(folder)
        good = certificates.make("good")
        cls.nginx = cls.enterClassContext(Nginx(TREE.name, {
            "plain": f"; {REDIRECTS}",
            "tls": f"ssl; {good} {REDIRECTS}",
            "http2": f"ssl http2; {good} {REDIRECTS}",
            "expired": f"ssl; {certificates.make('expired', days=(-3, -1))}",
            "early": f"ssl; {certificates.make('early', days=(1, 2))}",
            "elsewhere": f"ssl; {certificates.make('elsewhere', names='DNS:example.org')}",
        }))
        cls.trust = f"--cacert={certificates.authority}"

    def setUp(self):
        self.nginx.forget()

    def test_plain(self):
        self.check_selections(self.nginx.url("plain"))
        self.assertEqual({request.protocol for request in self.nginx.logged("plain", 3 * 1068)}, {"HTTP/1.1"})

    def test_tls(self):
        self.check_selections(self.nginx.url("tls"), self.trust)
        self.assertEqual({request.protocol for request in self.nginx.logged("tls", 3 * 1068)}, {"HTTP/1.1"})

    def test_http2(self):
        self.check_selections(self.nginx.url("http2"), self.trust)
        self.assertEqual({request.protocol for request in self.nginx.logged("http2", 3 * 1068)}, {"HTTP/2.0"})

    def check_connections(self, site, program, options, most):
        with self.subTest(site=site, program=program):
            self.nginx.forget()
            self.check_selection(download(program, self.nginx.url(site), "-a", options=[self.trust, *options]), ("-a",))
            connections = {request.connection for request in self.nginx.logged(site, 194)}
            self.assertLessEqual(len(connections), most)

    def test_connections(self):
        """One for each of those that work side by side; with HTTP/2, many on one where there is one thread."""
        for site in ("plain", "tls", "http2"):
            self.check_connections(site, "flags2_sequential", [], 1)
            self.check_connections(site, "flags2_threadpool", ["-m10"], 10)
            self.check_connections(site, "flags2_async", ["-m30"], 3 if site == "http2" else 30)

    def test_the_simple_ones(self):
        for site in ("plain", "tls", "http2"):
            runs = together([lambda name=name: download(name, self.nginx.url(site), options=[self.trust])
                             for name in SIMPLE])
            for program, downloaded in zip(SIMPLE, runs):
                with self.subTest(program=program, site=site):
                    self.check_exit(downloaded, 0)
                    self.assertEqual(len(downloaded.files), 5 if program == "flags_threadpool_futures" else 20)
                    for name, content in downloaded.files.items():
                        self.assertEqual(content, IMAGES[name[:2]])

    def test_certificates(self):
        for site in ("tls", "http2"):
            self.check_refused(self.nginx.url(site), [], CERTIFICATE)
        self.check_refused(self.nginx.url("expired"), [self.trust], ".*certificate has expired.*")
        self.check_refused(self.nginx.url("early"), [self.trust], ".*certificate is not yet valid.*")
        self.check_refused(self.nginx.url("elsewhere"), [self.trust], r".*certificate.*'?localhost'?.*")

    def test_certificate_of_the_simple_ones(self):
        runs = together([lambda name=name: download(name, self.nginx.url("tls")) for name in SIMPLE])
        for program, downloaded in zip(SIMPLE, runs):
            with self.subTest(program=program):
                self.assertEqual((downloaded.result.code, downloaded.files), (1, {}))
                self.assertRegex(downloaded.result.err, rf"\A{program}: [A-Z]{{2}}: {CERTIFICATE}\n\Z")

    def through(self, *sites):
        """A URL at the first of the sites that leads to the others one after the other."""
        origins = [self.nginx.url(site).removesuffix("/flags") for site in sites]
        return origins[0] + "".join(f"/to/{url.replace('://localhost:', '/')}" for url in origins[1:]) + "/flags"

    def test_from_https_to_http(self):
        """Not without --allow-downgrade, and nothing is asked of the server that is named."""
        for sites in (("tls", "plain"), ("plain", "http2", "plain")):
            self.nginx.forget()
            self.check_refused(self.through(*sites), [self.trust], rf"\A{DOWNGRADE}\Z")
            self.assertEqual([request.uri for request in self.nginx.logged("plain", 0)
                              if request.uri.startswith("/flags")], [])
            for program, downloaded in self.in_each_style(lambda program: download(
                    program, self.through(*sites), options=[self.trust, "--allow-downgrade"])).items():
                with self.subTest(program=program, sites=sites):
                    self.check_selection(downloaded, ())

    def test_from_http_to_https(self):
        for sites in (("tls", "http2"), ("plain", "plain", "tls")):
            for program, downloaded in self.in_each_style(lambda program: download(
                    program, self.through(*sites), options=[self.trust])).items():
                with self.subTest(program=program, sites=sites):
                    self.check_selection(downloaded, ())

    def test_from_https_to_http_by_the_simple_ones(self):
        url = self.through("tls", "plain")
        for options, code in (([self.trust], 1), ([self.trust, "--allow-downgrade"], 0)):
            runs = together([lambda name=name: download(name, url, options=options) for name in SIMPLE])
            for program, downloaded in zip(SIMPLE, runs):
                with self.subTest(program=program, options=options):
                    self.assertEqual(downloaded.result.code, code, downloaded.result)
                    self.assertRegex(downloaded.result.err, rf"\A({program}: [A-Z]{{2}}: {DOWNGRADE}\n)?\Z")

    def test_mistaken_ports(self):
        self.check_refused(self.nginx.url("plain").replace("http:", "https:"), [self.trust], "(?i).*(ssl|tls).*")
        self.check_refused(self.nginx.url("tls").replace("https:", "http:"), [], "HTTP error 400 - Bad Request")


def setUpModule():
    global TREE, IMAGES
    TREE = tempfile.TemporaryDirectory(prefix="tree-")
    unittest.addModuleCleanup(TREE.cleanup)
    IMAGES = export(TREE.name)


if __name__ == "__main__":
    unittest.main()
