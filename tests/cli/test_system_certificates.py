"""TLS with the system's certificates: parsed once a run, and every server is checked against them. The system's are
the tests' own, in mounts of their own."""

import contextlib
import ctypes
import os
import struct
import subprocess
import tempfile
import threading
import unittest

from downloads import ISOLATED
from harness import BIN, LIBC
from servers import NGINX, OPENSSL, Certificates, Nginx, export
from transfer import DIRECT, SANITIZED, SIMPLE, STYLES, TransferTest, download

FOLDER = "/etc/ssl/certs"
BUNDLE = f"{FOLDER}/ca-certificates.crt"
UNKNOWN = ".*certificate problem: unable to get local issuer certificate"
WRONG_NAME = r".*certificate.*'?localhost'?.*"
BACKLOG = "backlog=4096"  # all connect at once

with open(os.path.join(BIN, "flags2_async"), "rb") as _program:
    HAS_OPENSSL = b"libssl.so" in _program.read()


def mount(source, target, kind=None):
    MS_BIND = 0x1000
    if LIBC.mount(source.encode(), target.encode(), kind, 0 if kind else MS_BIND, None) != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {target}")


@contextlib.contextmanager
def mounted(source, target, kind=None):
    mount(source, target, kind)
    try:
        yield
    finally:
        LIBC.umount2(target.encode(), 2)


class Opens:
    """How often a file is opened, by whomever."""

    def __init__(self, path):
        self.count = 0
        self._path = path

    def __enter__(self):
        IN_OPEN, IN_CLOSE_NOWRITE = 0x20, 0x10  # the second parts what the kernel would count as one
        self._fd = LIBC.inotify_init1(os.O_CLOEXEC)
        LIBC.inotify_add_watch(self._fd, self._path.encode(), IN_OPEN | IN_CLOSE_NOWRITE)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def _read(self):
        IN_OPEN, IN_IGNORED, EVENT = 0x20, 0x8000, struct.Struct("iIII")
        while True:
            events = os.read(self._fd, 65536)
            for at in range(0, len(events), EVENT.size):  # a file's have no names
                mask = EVENT.unpack_from(events, at)[1]
                if mask & IN_IGNORED:
                    return
                self.count += bool(mask & IN_OPEN)

    def __exit__(self, *_):
        LIBC.inotify_rm_watch(self._fd, 1)
        self._reader.join()
        os.close(self._fd)


@unittest.skipUnless(ISOLATED and NGINX and OPENSSL and os.path.exists(BUNDLE),
                     "needs root, nginx, openssl and certificates of the system")
class SystemCertificates(TransferTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="certificates-"))
        with open(BUNDLE) as file:
            cls.others = file.read()  # as many as usual
        cls.known, cls.stranger = (Certificates(cls.make_folder(name)) for name in ("known", "stranger"))
        with open(cls.known.authority) as file:
            cls.bundle = cls.make_file("bundle.pem", cls.others + file.read())
        mount(cls.bundle, BUNDLE)
        good, foreign = cls.known.make("good"), cls.stranger.make("foreign")
        elsewhere = cls.known.make("elsewhere", names="DNS:example.org")
        expired = cls.known.make("expired", days=(-3, -1))
        redirects = "error_page 497 =302 https://$http_host$request_uri"  # http on a port for https
        cls.tree = cls.make_folder("tree")
        export(cls.tree)
        cls.nginx = cls.enterClassContext(Nginx(cls.tree, {
            "plain": f"{BACKLOG};",
            "tls": f"ssl {BACKLOG}; {good} {redirects};",
            "http2": f"ssl http2 {BACKLOG}; {good}",
            "foreign": f"ssl; {foreign} {redirects};",
            "elsewhere": f"ssl; {elsewhere} {redirects};",
            "expired": f"ssl; {expired} {redirects};",
        }))

    @classmethod
    def make_folder(cls, name):
        path = os.path.join(cls.folder, name)
        os.mkdir(path)
        return path

    @classmethod
    def make_file(cls, name, content):
        path = os.path.join(cls.folder, name)
        with open(path, "w") as file:
            file.write(content)
        return path

    def redirected(self, site):
        return self.nginx.url(site).replace("https:", "http:")

    def proxies(self, site):
        """All that is asked for is asked from that site, as a proxy."""
        return {**DIRECT, "http_proxy": self.nginx.url(site).removesuffix("/flags"), "no_proxy": "", "NO_PROXY": ""}

    def check_every(self, program, url, *options):
        """676 codes without an error; returns how long it took."""
        with Opens(self.bundle) as opens:
            downloaded = download(program, url, "-e", options=["--timeout=60", "--deadline=60", *options])
        with self.subTest(program=program, url=url, options=options):
            self.check_counts(downloaded, (194, 482, 0))
            if HAS_OPENSSL or program == "flags2_async":
                self.assertEqual(opens.count, 1)
        return downloaded.seconds

    def test_parsed_once(self):
        for site in ("tls", "http2"):
            self.check_every("flags2_sequential", self.nginx.url(site))
            for program in STYLES[1:]:
                for most in (30, 200, 1000):
                    self.check_every(program, self.nginx.url(site), f"-m{most}")

    def test_parsed_once_after_a_redirect(self):
        for program in STYLES:
            self.check_every(program, self.redirected("tls"), *([] if program == "flags2_sequential" else ["-m100"]))

    def test_parsed_once_by_the_simple_ones(self):
        for program in SIMPLE:
            with self.subTest(program=program), Opens(self.bundle) as opens:
                downloaded = download(program, self.nginx.url("tls"))
                self.check_exit(downloaded, 0)
                self.assertEqual(len(downloaded.files), 5 if program == "flags_threadpool_futures" else 20)
            if HAS_OPENSSL:
                self.assertEqual(opens.count, 1, program)

    def test_as_fast_as_one_file(self):
        """Parsed for each connection they would take ten times as long."""
        for program in STYLES[1:]:
            alone = self.check_every(program, self.nginx.url("tls"), "-m200", f"--cacert={self.bundle}")
            self.assertLess(self.check_every(program, self.nginx.url("tls"), "-m200"), 3 * alone + 2)

    def test_refused(self):
        for url in (self.nginx.url, self.redirected):
            self.check_refused(url("foreign"), [], UNKNOWN)
            self.check_refused(url("elsewhere"), [], WRONG_NAME)
            self.check_refused(url("expired"), [], ".*certificate has expired.*")
            self.check_refused(url("tls"), [f"--cacert={self.stranger.authority}"], UNKNOWN)
            self.check_refused(url("elsewhere"), [f"--cacert={self.known.authority}"], WRONG_NAME)

    def test_refused_by_the_simple_ones(self):
        for program in SIMPLE:
            for url in (self.nginx.url("foreign"), self.redirected("foreign")):
                with self.subTest(program=program, url=url):
                    downloaded = download(program, url)
                    self.assertEqual((downloaded.result.code, downloaded.files), (1, {}))
                    self.assertRegex(downloaded.result.err, rf"\A{program}: [A-Z]{{2}}: {UNKNOWN}\n\Z")

    def test_given_file(self):
        """It takes the place of the system's."""
        for url in (self.nginx.url("foreign"), self.redirected("foreign")):
            for program in STYLES:
                with self.subTest(program=program, url=url), Opens(self.bundle) as opens:
                    downloaded = download(program, url, options=[f"--cacert={self.stranger.authority}"])
                    self.check_counts(downloaded, (20, 0, 0))
                self.assertEqual(opens.count, 0)

    def test_proxies(self):
        """--cacert is for servers: proxies are checked against the system's certificates."""
        url = self.nginx.url("plain")
        for options in ((), (f"--cacert={self.stranger.authority}",)):
            for program in STYLES:
                with self.subTest(program=program, options=options):
                    downloaded = download(program, url, options=options, env=self.proxies("tls"))
                    self.check_counts(downloaded, (20, 0, 0))
                    self.nginx.logged("tls", 20)
                    self.nginx.forget()
            self.check_refused(url, options, UNKNOWN, env=self.proxies("foreign"))
            self.check_refused(url, options, WRONG_NAME, env=self.proxies("elsewhere"))

    def test_folder(self):
        """What the bundle lacks is found in the folder, by its hash."""
        name = subprocess.run([OPENSSL, "x509", "-hash", "-noout", "-in", self.known.authority], check=True,
                              capture_output=True, text=True).stdout.strip()
        with mounted("none", FOLDER, b"tmpfs"):
            with open(BUNDLE, "w") as file:
                file.write(self.others)
            self.check_refused(self.nginx.url("tls"), [], UNKNOWN)
            os.symlink(self.known.authority, f"{FOLDER}/{name}.0")
            for program in STYLES if HAS_OPENSSL else ():
                with self.subTest(program=program):
                    self.check_counts(download(program, self.nginx.url("tls")), (20, 0, 0))
            self.check_refused(self.nginx.url("foreign"), [], UNKNOWN)

    def test_bad_bundle(self):
        message = f"error setting certificate file: {BUNDLE}"
        with mounted(self.make_file("bad.pem", "no certificate\n"), BUNDLE):
            for url in (self.nginx.url("tls"), self.redirected("tls")):
                self.check_refused(url, [], message)
        with mounted("none", FOLDER, b"tmpfs"):
            self.check_refused(self.nginx.url("tls"), [], message if HAS_OPENSSL else ".*certificate.*")

    @unittest.skipIf(SANITIZED or "PRIMEPOOL_SLOW_HANDSHAKE" not in os.environ or not HAS_OPENSSL,
                     "needs OpenSSL and a library to load before it")
    def download_slowly(self, program):
        """Verifying a certificate takes 30 ms of CPU time, for 676 connections 20 seconds."""
        slow = {**DIRECT, "LD_PRELOAD": os.environ["PRIMEPOOL_SLOW_HANDSHAKE"], "SLOW_HANDSHAKE_MS": "30"}
        return download(program, self.nginx.url("tls"), "-e", options=["-m1000", "--deadline=1", "--json"], env=slow)

    def test_deadline_of_the_loop(self):
        """It ends in time what it has begun, and does not go on with handshakes that it breaks off."""
        records, _ = self.download_slowly("flags2_async").records()  # errors are few if few connections do for all
        self.assertEqual(len(records), 676)
        self.assertLess(max(record["elapsed"] for record in records.values()), 10)

    def test_deadline_of_threads(self):
        """Threads that compute are as many as processors: so few connections do for all."""
        self.assertEqual(self.download_slowly("flags2_threadpool").records()[1]["errors"], 0)

    def test_without_tls(self):
        """Nothing is parsed."""
        with Opens(self.bundle) as opens:
            self.check_counts(download("flags2_async", self.nginx.url("plain")), (20, 0, 0))
        self.assertEqual(opens.count, 0)


if __name__ == "__main__":
    unittest.main()
