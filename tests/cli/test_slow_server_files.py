"""slow_server and files: images that it exports, a folder that it serves and never leaves, a log whose
disk is full for a while."""

import errno
import os
import resource
import signal
import unittest

from harness import LIBC, run
from slow_server import CODES, NO_DELAY, Server, ServerTest, ask, flag, read_log

REFUSING = os.environ["PRIMEPOOL_REFUSING"]


class Files(ServerTest):
    def export(self):
        result = run("slow_server", f"--export={self.folder}/deep/er")
        self.assertEqual(result, (0, "", ""))
        return os.path.join(self.folder, "deep", "er")

    def test_export(self):
        root = self.export()
        names = sorted(os.path.relpath(os.path.join(where, name), root)
                       for where, _, found in os.walk(root) for name in found)
        self.assertEqual(names, [flag(code)[1:] for code in CODES])
        with Server(*NO_DELAY) as server, server.connect() as connection:
            for name in names:
                with open(os.path.join(root, name), "rb") as file:
                    self.assertEqual(ask(connection, f"/{name}").body, file.read(), name)

    def test_export_again(self):
        self.assertEqual(self.export(), self.export())

    def test_export_to_where_it_cannot(self):
        self.make_file("file")
        self.make_file("folder/flags/ad/ad.gif/x")
        for where, problem in (("file", "file/flags: Not a directory"),
                               ("folder", "folder/flags/ad/ad.gif: Is a directory")):
            result = run("slow_server", f"--export={self.folder}/{where}")
            self.assertEqual(result, (3, "", f"slow_server: {self.folder}/{problem}\n"))

    def test_directory(self):
        self.make_file("flags/br/br.gif", b"one")
        self.make_file("flags/zz/zz.gif", b"")
        self.make_file("flags/fr/fr.gif", b"x" * 10**6)
        with Server(*NO_DELAY, "-d", self.folder) as server, server.connect() as connection:
            for code, content in (("br", b"one"), ("zz", b""), ("fr", b"x" * 10**6)):
                reply = ask(connection, flag(code))
                self.assertEqual((reply.status, reply.body), (200, content))
                self.assertEqual(reply.headers["Content-Type"], "image/gif")
                self.assertEqual(ask(connection, flag(code), "HEAD").headers["Content-Length"], str(len(content)))
            self.make_file("flags/br/br.gif", b"another")
            self.assertEqual(ask(connection, flag("br")).body, b"another")
            os.remove(os.path.join(self.folder, "flags/br/br.gif"))
            self.assertEqual(ask(connection, flag("br")).status, 404)
            self.assertEqual(ask(connection, flag("us")).status, 404)
            self.stop(server)

    def test_directory_with_other_things(self):
        """What is no file is not found, and what lies elsewhere is not to be had."""
        self.make_file("flags/br/br.gif/x")
        self.make_file("flags/fr")
        self.make_file("secret")
        self.make_file("flags/us/other.gif")
        os.makedirs(os.path.join(self.folder, "flags/us/us"), exist_ok=True)
        os.mkfifo(os.path.join(self.folder, "flags/us/us.gif"))
        os.makedirs(os.path.join(self.folder, "flags/de"))
        os.symlink("de.gif", os.path.join(self.folder, "flags/de/de.gif"))
        with Server(*NO_DELAY, "-d", self.folder) as server:
            for path in (flag("br"), flag("fr"), flag("us"), flag("de"), "/secret", "/../secret",
                         "/flags/../secret", "/flags/%2e%2e/secret", "/flags/us/other.gif", "/flags/us/", "/flags",
                         "/flags/../../../../../../../../etc/passwd", "/flags/..%2f..%2fsecret", "/%00/secret"):
                self.assertEqual(server.ask(path).status, 404, path)
            self.stop(server)

    def link(self, path, to):
        whole = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        os.symlink(to, whole)

    def make_links(self):
        """Links that lead out of the folder, each by its code, and then those that stay in it."""
        self.make_file("secret")
        self.make_file("root/flags/de/de.gif", b"one")
        up = "../" * 40
        self.link("root/flags/aa/aa.gif", "/etc/passwd")
        self.link("root/flags/ab/ab.gif", up + "etc/passwd")
        self.link("root/flags/ac/ac.gif", "../../../secret")
        self.link("root/flags/ad", "../..")
        self.link("root/flags/ae/ae.gif", f"{self.folder}/root/flags/de/de.gif")
        self.link("root/flags/af/af.gif", "/proc/self/exe")
        self.link("root/flags/ag/ag.gif", "../ac/ac.gif")
        self.make_file("elsewhere/ah.gif")
        self.link("root/flags/ah", "../../elsewhere")
        self.make_file("ad.gif")
        self.link("root/flags/ba/ba.gif", "../de/de.gif")
        self.link("root/flags/bb", "de")
        self.make_file("root/flags/de/bb.gif", b"one")
        self.link("root/flags/bc/bc.gif", "../ba/../bb/de.gif")
        self.link("root/flags/bd/bd.gif", "nowhere")
        return ("aa", "ab", "ac", "ad", "ae", "af", "ag", "ah", "bd"), ("ba", "bb", "bc")

    def test_links(self):
        """None leads out of the folder."""
        outside, inside = self.make_links()
        with Server(*NO_DELAY, f"--directory={self.folder}/root") as server:
            for code in outside:
                self.assertEqual(server.ask(flag(code)).status, 404, code)
            for code in ("de", *inside):
                self.assertEqual(server.ask(flag(code)).body, b"one", code)
            self.stop(server)

    def test_the_folder_itself_is_a_link(self):
        self.make_file("root/flags/de/de.gif", b"one")
        self.link("link", "root")
        with Server(*NO_DELAY, f"--directory={self.folder}/link") as server:
            self.assertEqual(server.ask(flag("de")).body, b"one")

    def test_links_on_an_older_kernel(self):
        """None is followed."""
        outside, inside = self.make_links()
        for problem in (errno.ENOSYS, errno.EPERM):
            with Server(*NO_DELAY, f"--directory={self.folder}/root",
                        through=(REFUSING, "openat2", str(problem))) as server:
                for code in (*outside, *inside):
                    self.assertEqual(server.ask(flag(code)).status, 404, code)
                self.assertEqual(server.ask(flag("de")).body, b"one")
                self.stop(server)

    def test_directory_that_is_none(self):
        self.make_file("file")
        for name, problem in (("nowhere", "No such file or directory"), ("file", "Not a directory")):
            result = run("slow_server", "0", f"--directory={self.folder}/{name}")
            self.assertEqual(result, (3, "", f"slow_server: {self.folder}/{name}: {problem}\n"))

    def test_log_that_cannot_be_written(self):
        for name, problem in ((f"{self.folder}/no/log", "No such file or directory"),
                              (self.folder, "Is a directory"), ("/dev/full", "No space left on device")):
            result = run("slow_server", "0", f"--log={name}")
            self.assertEqual(result, (3, "", f"slow_server: {name}: {problem}\n"))

    def check_full(self, server, path, make_full, make_room):
        """It serves on while lines of the log cannot be written, says so once, and writes those that come later."""
        def ask_once():
            self.assertEqual(server.ask(flag("br")).status, 200)

        for _ in range(20):
            ask_once()
        for _ in range(2):
            make_full()
            before = read_log(path)
            for _ in range(200):
                ask_once()
            lines = read_log(path)  # which must be whole
            self.assertLess(len(lines), len(before) + 200)
            make_room()
            ask_once()
            self.assertEqual(len(read_log(path)), len(lines) + 1)
        server.signal(signal.SIGTERM)
        return server.finish()

    def test_log_that_may_not_grow(self):
        """Nor may stderr, which is a file too, and shorter."""
        def limit(size):
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        with Server(*NO_DELAY, f"--log={self.log}") as server:
            result = self.check_full(server, self.log, lambda: limit(os.path.getsize(self.log) + 40),
                                     lambda: limit(resource.RLIM_INFINITY))
        self.assertEqual((result.code, result.err), (0, f"slow_server: {self.log}: lines are left out until it can be "
                                                        f"written: {os.strerror(errno.EFBIG)}\n"))

    @unittest.skipUnless(os.geteuid() == 0, "only root may mount a disk")
    def test_log_on_a_full_disk(self):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)

        def mount():
            CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x44000
            if LIBC.unshare(CLONE_NEWNS) != 0 or LIBC.mount(None, b"/", None, MS_REC_PRIVATE, None) != 0 or \
                    LIBC.mount(b"none", disk.encode(), b"tmpfs", 0, b"size=16k") != 0:
                os._exit(125)

        with Server(*NO_DELAY, f"--log={disk}/log", prepare=mount) as server:
            seen = f"/proc/{server.pid}/root{disk}"

            def fill():
                with open(f"{seen}/ballast", "wb", 0) as file:
                    try:
                        while file.write(b"x" * 4096):
                            pass
                    except OSError:
                        pass

            result = self.check_full(server, f"{seen}/log", fill, lambda: os.remove(f"{seen}/ballast"))
        self.assertEqual((result.code, result.err), (0, f"slow_server: {disk}/log: lines are left out until it can be "
                                                        f"written: {os.strerror(errno.ENOSPC)}\n"))

    def test_log_begins_anew(self):
        for _ in range(2):
            with Server(*NO_DELAY, f"--log={self.log}") as server:
                server.ask(flag("br"))
                self.assertEqual(len(read_log(self.log)), 1)


if __name__ == "__main__":
    unittest.main()
