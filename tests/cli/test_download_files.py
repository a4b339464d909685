"""The folder of images: whatever happens, what has a final name is whole, and nothing else is left there."""

import fcntl
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import time
import unittest
from contextlib import ExitStack

from downloads import (ALL, DOWNLOADERS, EACH, EVERY, FLAGS, FLAGS2, FUTURES, ISOLATED, POP20, DownloadTest,
                       Server, images, run)
from harness import Result, children, kill, scaled, seeded_random, wait_for

OLD = b"GIF89a, once"  # what stood there before


class FilesTest(DownloadTest):
    def setUp(self):
        self.server = self.enter(Server())

    def full_folder(self, codes=POP20):
        """A working directory whose folder has old images."""
        cwd = self.folder()
        os.mkdir(os.path.join(cwd, "downloaded"))
        for code in codes:
            with open(os.path.join(cwd, "downloaded", f"{code}.gif"), "wb") as file:
                file.write(OLD)
        return cwd

    def check_success(self, program, result, codes=POP20):
        self.assertEqual((result.code, result.err), (0, ""))
        if program in FLAGS:
            self.check_flags(program, result.out, codes)
        elif program in FLAGS2:
            self.check_report(program, result, self.server.url, codes, downloaded=len(codes))

    def check_only_error(self, program, result, cwd, code, reason):
        """One image cannot be saved: one error of flags2, and the end of flags. What is there else is whole."""
        message = f"{code}{' error' if program in FLAGS2 else ''}: downloaded/{code}.gif: {reason}"
        self.assertEqual(result.code, 1)
        found = self.saved(cwd, but=code)
        self.assertEqual([each for each in found if found[each] != images()[each]], [])
        if program in FLAGS2:
            lines = [message if each == code else f"{each} OK" for each in POP20]
            self.check_report(program, result, self.server.url, POP20, lines=lines, downloaded=19, errors=1)
            self.assertEqual((result.err, len(found)), ("", 19))
        else:
            self.assertEqual(result.err, f"{program.name}: {message}\n")
            self.assertNotIn("downloaded in", result.out)
            if program is not FUTURES:
                self.assertEqual(sorted(result.out.split()), sorted(found))

    def saved(self, cwd, but):
        """As files, but for one code's."""
        place = os.path.join(cwd, "downloaded", f"{but}.gif")
        away = os.path.join(cwd, "away")
        os.rename(place, away)
        try:
            return self.files(cwd)
        finally:
            os.rename(away, place)

    def verbose(self, program):
        return ["-v"] if program in FLAGS2 else ["-l20"] if program is FUTURES else []


class Folder(FilesTest):
    def check_no_folder(self, reason, cwd, *argv, **options):
        for program in DOWNLOADERS:
            with self.subTest(program=program.name, argv=argv):
                before = len(self.server.answered())
                result = self.download(program, *argv, url=self.server.url, cwd=cwd, **options)
                self.check_failure(program, result, 3, f"{reason}\\Z")
                self.assertEqual(result.err.count("\n"), 1)
                self.assertEqual(len(self.server.answered()), before)

    def test_a_file_is_in_the_way(self):
        cwd = self.folder()
        with open(os.path.join(cwd, "downloaded"), "wb") as file:
            file.write(OLD)
        self.check_no_folder("downloaded: Not a directory", cwd)
        self.check_no_folder("downloaded/x/y: Not a directory", cwd, "--dest=downloaded/x/y")
        with open(os.path.join(cwd, "downloaded"), "rb") as file:
            self.assertEqual(file.read(), OLD)

    def test_no_permission_to_make_it(self):
        nobody = 65534 if os.geteuid() == 0 else None  # nothing is forbidden to root
        cwd = self.folder()
        os.chmod(cwd, 0o555)
        try:
            run("flags", "--version", user=nobody)
        except PermissionError:
            self.skipTest("only root may run the programs where they are")
        self.check_no_folder("downloaded: Permission denied", cwd, user=nobody)
        self.check_no_folder("some/where: Permission denied", cwd, "--dest=some/where", user=nobody)
        os.chmod(cwd, 0o755)
        os.mkdir(os.path.join(cwd, "downloaded"), 0o555)
        for program in EACH:  # it can be opened
            with self.subTest(program=program.name):
                result = self.download(program, *self.verbose(program), url=self.server.url, cwd=cwd, user=nobody)
                self.assertIn("Permission denied", result.out + result.err)
                self.assertIn(result.code, (1, 3))
                self.check_files(cwd, [])

    def test_it_may_be_a_link_or_absolute(self):
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                cwd, elsewhere = self.folder(), self.folder()
                os.symlink(elsewhere, os.path.join(cwd, "downloaded"))
                for argv, dest in (([], "downloaded"), ([f"--dest={elsewhere}/a"], f"{elsewhere}/a"),
                                   (["--dest=."], ".")):
                    result = self.download(program, *argv, *self.verbose(program), url=self.server.url,
                                           cwd=elsewhere if dest == "." else cwd)
                    self.assertEqual((result.code, result.err), (0, ""))
                    if dest == ".":
                        shutil.rmtree(os.path.join(elsewhere, "a"))
                    self.check_files(elsewhere if dest == "." else cwd, POP20, dest)

    def test_other_files_are_left_alone(self):
        others = ["AA.gif", "br.gif", "notes.txt", ".hidden", "BR.gif.1", ".BR.gif", ".BR.gif.x", "US.GIF"]
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                cwd = self.folder()
                os.mkdir(os.path.join(cwd, "downloaded"))
                for name in others:
                    with open(os.path.join(cwd, "downloaded", name), "wb") as file:
                        file.write(OLD)
                self.assertEqual(self.download(program, url=self.server.url, cwd=cwd).code, 0)
                for name in others:
                    with open(os.path.join(cwd, "downloaded", name), "rb") as file:
                        self.assertEqual(file.read(), OLD)


    def test_a_lock_on_it_is_not_ours(self):
        """`flock DIR PROGRAM --dest=DIR`, as crontabs have it."""
        for program in DOWNLOADERS:
            for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH):
                with self.subTest(program=program.name, kind=kind):
                    cwd = self.full_folder([])
                    guard = os.open(os.path.join(cwd, "downloaded"), os.O_RDONLY)
                    fcntl.flock(guard, kind)
                    with self.start(program, *self.verbose(program), url=self.server.url, cwd=cwd) as client:
                        self.assertEqual(client.finish(10).code, 0)
                    os.close(guard)
                    self.check_files(cwd, POP20)

    def test_pipes_in_it_are_not_waited_for(self):
        """In place of an image, and of a temporary file."""
        for program in FLAGS2:
            with self.subTest(program=program.name):
                cwd = self.full_folder([])
                for name in ("BR.gif", ".CN.gif.1"):
                    os.mkfifo(os.path.join(cwd, "downloaded", name))
                with self.start(program, "--skip-existing", url=self.server.url, cwd=cwd) as client:
                    self.check_success(program, client.finish(10))
                self.check_files(cwd, POP20)


class Images(FilesTest):
    def test_old_ones_are_replaced_at_once(self):
        """Who has the old one open, or has another name for it, keeps it whole."""
        for program in EACH:
            with self.subTest(program=program.name):
                cwd = self.full_folder()
                path = os.path.join(cwd, "downloaded", "BR.gif")
                os.link(path, os.path.join(cwd, "link"))
                with open(path, "rb") as reader:
                    self.check_success(program, self.download(program, url=self.server.url, cwd=cwd))
                    self.assertEqual(reader.read(), OLD)
                    self.assertNotEqual(os.fstat(reader.fileno()).st_ino, os.stat(path).st_ino)
                self.check_files(cwd, POP20)

    def test_a_link_is_replaced_and_not_followed(self):
        for program in EACH:
            for there in (True, False):
                with self.subTest(program=program.name, there=there):
                    cwd = self.full_folder([])
                    target = os.path.join(cwd, "target")
                    if there:
                        with open(target, "wb") as file:
                            file.write(OLD)
                    os.symlink(target, os.path.join(cwd, "downloaded", "BR.gif"))
                    self.check_success(program, self.download(program, url=self.server.url, cwd=cwd))
                    self.check_files(cwd, POP20)
                    self.assertEqual(os.path.exists(target), there)
                    if there:
                        self.assertEqual(os.stat(target).st_size, len(OLD))

    def test_modes_obey_the_umask(self):
        for program in EACH:
            for umask in (0o022, 0o077, 0o002, 0o000):
                with self.subTest(program=program.name, umask=oct(umask)):
                    cwd = self.folder()
                    self.download(program, url=self.server.url, cwd=cwd, prepare=lambda: os.umask(umask))
                    folder = os.path.join(cwd, "downloaded")
                    self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o777 & ~umask)
                    modes = {stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in os.listdir(folder)}
                    self.assertEqual(modes, {0o666 & ~umask})

    def test_fsync(self):
        for program in FLAGS2:
            with self.subTest(program=program.name):
                cwd = self.full_folder()
                self.check_success(program, self.download(program, "--fsync", url=self.server.url, cwd=cwd))
                self.check_files(cwd, POP20)

    def test_skip_existing_asks_for_nothing_that_is_there(self):
        for program in FLAGS2:
            with self.subTest(program=program.name):
                cwd = self.full_folder()
                for code, content in (("BR", b"GIF8"), ("CN", b""), ("US", b"<html>"), ("VN", b"GIF87a")):
                    with open(os.path.join(cwd, "downloaded", f"{code}.gif"), "wb") as file:
                        file.write(content)
                before = len(self.server.answered())
                result = self.download(program, "--skip-existing", url=self.server.url, cwd=cwd)
                self.check_report(program, result, self.server.url, POP20, downloaded=3, existing=17)
                asked = [request.code for request in self.server.answered()[before:]]
                self.assertEqual(sorted(asked), ["BR", "CN", "US"])
                result = self.download(program, "--skip-existing", url=self.server.url, cwd=cwd)
                self.check_report(program, result, self.server.url, POP20, existing=20)
                self.assertEqual(len(self.server.answered()), before + 3)
                self.assertEqual(self.files(cwd)["IN"], OLD)

    def test_two_programs_into_the_same_folder(self):
        server = self.enter(Server(delay=(0, 0.05)))
        cwd = self.folder()
        with ExitStack() as stack:
            clients = [stack.enter_context(self.start(program, url=server.url, cwd=cwd)) for program in EACH * 2]
            for client in clients:
                result = client.finish()
                self.assertEqual((result.code, result.err), (0, ""))
        self.check_files(cwd, POP20)


class CannotSave(FilesTest):
    def test_a_directory_is_in_the_way(self):
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                cwd = self.full_folder([])
                os.mkdir(os.path.join(cwd, "downloaded", "BR.gif"))
                result = self.download(program, *self.verbose(program), url=self.server.url, cwd=cwd)
                self.check_only_error(program, result, cwd, "BR", "Is a directory")

    def check_some_errors(self, program, result, cwd, reason, url):
        """Some saved and some not, for that reason; what is there is whole and counted."""
        found = self.files(cwd)
        self.assertEqual([code for code in found if found[code] != images()[code]], [])
        self.assertEqual(result.code, 1)
        if program in FLAGS2:
            lines = [f"{code} OK" if code in found else f"{code} error: downloaded/{code}.gif: {reason}"
                     for code in POP20]
            self.check_report(program, result, url, POP20, lines=lines, downloaded=len(found), errors=20 - len(found))
            self.assertGreater(len(found), 0)
        else:
            self.assertRegex(result.err, rf"\A{program.name}: [A-Z]{{2}}: downloaded/[A-Z]{{2}}\.gif: {reason}\n\Z")
            self.assertEqual(sorted(result.out.split()), sorted(found))
        self.assertLess(len(found), 20)

    @unittest.skipUnless(ISOLATED, "only root may mount a small disk")
    def test_a_full_disk(self):
        for program in EACH:
            with self.subTest(program=program.name):
                cwd = self.full_folder([])
                folder = os.path.join(cwd, "downloaded")
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "small", folder], check=True)
                try:
                    result = self.download(program, *self.verbose(program), url=self.server.url, cwd=cwd)
                    self.check_some_errors(program, result, cwd, "No space left on device", self.server.url)
                finally:
                    subprocess.run(["umount", folder], check=True)

    @unittest.skipUnless(ISOLATED, "only root may mount a disk")
    def test_a_disk_that_is_read_only(self):
        cwd = self.full_folder([])
        folder = os.path.join(cwd, "downloaded")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "small", folder], check=True)
        try:
            for program in EACH:
                with self.subTest(program=program.name):
                    result = self.download(program, *self.verbose(program), url=self.server.url, cwd=cwd)
                    self.assertIn(result.code, (1, 3))
                    self.assertIn("Read-only file system", result.out + result.err)
        finally:
            subprocess.run(["umount", folder], check=True)

    def test_a_limit_on_the_size_of_files(self):
        """SIGXFSZ does not end the program."""
        limit = 8192
        self.assertIn(True, {len(images()[code]) > limit for code in POP20})
        self.assertIn(True, {len(images()[code]) <= limit for code in POP20})
        for program in EACH:
            with self.subTest(program=program.name):
                cwd = self.folder()
                result = self.download(program, *self.verbose(program), url=self.server.url, cwd=cwd,
                                       prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
                if program.style == "processes" and "cannot download: ftruncate: File too large\n" in result.err:
                    # The pool's memory is a file too.
                    continue
                self.check_some_errors(program, result, cwd, "File too large", self.server.url)


class Streams(FilesTest):
    """Descriptors 0 to 2 that are closed may not be taken by an image or a connection."""

    def test_stdout_full(self):
        for program in DOWNLOADERS:
            for argv in ([], ["-v"], *[["--json"]] * 5) if program in FLAGS2 else ([],):
                with self.subTest(program=program.name, argv=argv), open("/dev/full", "wb") as full:
                    cwd = self.folder()
                    result = self.download(program, *argv, url=self.server.url, cwd=cwd, stdout=full)
                    self.check_failure(program, result, 3, ".*No space left on device")
                    self.check_whole(cwd)

    def check_whole(self, cwd):
        """Nothing in the folder, if there is one, but whole images."""
        if os.path.isdir(os.path.join(cwd, "downloaded")):
            found = self.files(cwd)
            self.assertEqual([code for code in found if found[code] != images()[code]], [])

    def test_closed(self):
        for program in DOWNLOADERS:
            for closed in ([0], [2], [0, 2], [1], [0, 1, 2]):
                with self.subTest(program=program.name, closed=closed):
                    cwd = self.folder()
                    result = self.download(program, url=self.server.url, cwd=cwd,
                                           prepare=lambda: [os.close(number) for number in closed])
                    if 1 in closed:
                        self.assertEqual((result.code, result.out), (3, ""))
                    else:
                        self.check_success(program, result)
                    self.check_whole(cwd)

    def test_the_first_line_is_enough(self):
        """As `| head -1` has it. Several times, since other threads may be in the middle of an image."""
        for program in DOWNLOADERS * 4:
            with self.subTest(program=program.name):
                cwd = self.folder()
                reader, writer = os.pipe()
                with self.start(program, *self.verbose(program), url=self.server.url, cwd=cwd, stdout=writer) as client:
                    os.close(writer)
                    self.assertNotEqual(os.read(reader, 1), b"")
                    os.close(reader)
                    result = client.finish()
                self.assertIn((result.code, result.err), ((-signal.SIGPIPE, ""), (0, "")))  # 0: it was quicker
                self.check_whole(cwd)


    def saved_in(self, cwd):
        path = os.path.join(cwd, "downloaded")
        return [name.removesuffix(".gif") for name in os.listdir(path)] if os.path.isdir(path) else []

    def test_nobody_reads(self):
        """Downloads go on while a pipe is full: else those that run would run out of time."""
        def check(program, argv, codes):
            reader, writer = os.pipe()
            size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
            if program in FLAGS:  # of which one line is no more than that
                os.write(writer, b"x" * size)
            with Server() as server, self.start(program, *argv, url=server.url, stdout=writer) as client:
                os.close(writer)
                wait_for("all images", lambda: set(codes) & set(ALL) <= set(self.saved_in(client.cwd)), within=20)
                with os.fdopen(reader) as pipe:
                    printed = pipe.read().lstrip("x")
                self.assertEqual(client.finish().code, 0)
            if program in FLAGS:
                self.check_flags(program, printed, codes)
            else:
                missing = {code: f"not found: {server.url}/{code.lower()}/{code.lower()}.gif" for code in EVERY}
                self.check_report(program, Result(0, printed, ""), server.url, codes, downloaded=len(ALL),
                                  not_found=len(EVERY) - len(ALL),
                                  lines=[f"{code} {'OK' if code in ALL else missing[code]}" for code in codes])

        self.at_once(check, [(FLAGS[3], [], POP20), *((program, ["-ev"], EVERY) for program in FLAGS2[1:])])


class Killed(FilesTest):
    """kill -9 at random moments."""

    def check_whole(self, cwd, old):
        """Every file under a final name is the old one or the new one. What else there is."""
        stale = []
        for name in os.listdir(os.path.join(cwd, "downloaded")):
            if name.startswith("."):
                stale.append(name)
                continue
            self.assertRegex(name, r"\A[A-Z]{2}\.gif\Z")
            with open(os.path.join(cwd, "downloaded", name), "rb") as file:
                self.assertIn(file.read(), [images()[name[:2]], *old])
        return stale

    def test_at_random_moments(self):
        generator = seeded_random()
        server = self.enter(Server(delay=(0, 0.01)))

        def check(program, seed):
            rng = random.Random(seed)
            codes, argv = (ALL[:60], ["-al60"]) if program in FLAGS2 else (POP20, [])
            full, empty = self.full_folder(codes), self.full_folder([])
            start = time.monotonic()
            self.download(program, *argv, url=server.url, cwd=self.folder())
            usual, stale = time.monotonic() - start, set()
            for _ in range(scaled(15)):
                for cwd, old in ((full, [OLD]), (empty, [])):
                    with self.start(program, *argv, url=server.url, cwd=cwd) as client:
                        time.sleep(rng.uniform(0, usual))
                        client.signal(signal.SIGKILL)
                        self.assertIn(client.finish().code, (-signal.SIGKILL, 0))
                    stale.update(self.check_whole(cwd, old))
            print(f"{program.name}: {len(stale)} temporary files were left", flush=True)
            for cwd in (full, empty):
                self.assertEqual(self.download(program, *argv, url=server.url, cwd=cwd).code, 0)
                self.check_files(cwd, codes)

        self.at_once(check, [(program, generator.random()) for program in EACH])

    def test_a_worker(self):
        """Its code is asked for again, or that was the first error; nothing is left either way."""
        program = FLAGS[2]
        server = self.enter(Server(delay=(0.2, 0.2)))
        cwd = self.folder()
        with self.start(program, url=server.url, cwd=cwd) as client:
            wait_for("a request", server.arrived)
            kill(children(client.nursery())[0], signal.SIGKILL)
            result = client.finish()
        if result.code == 0:
            self.check_flags(program, result.out, POP20)
        else:
            self.assertEqual(result.code, 1)
            self.assertRegex(result.err, rf"\A{program.name}: [A-Z]{{2}}: .*SIGKILL.*\n\Z")
        self.check_files(cwd, result.out.partition("\n")[0].split())

    def test_what_is_stale_goes(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        for program in DOWNLOADERS:
            with self.subTest(program=program.name):
                cwd = self.full_folder([])
                for code in ("BR", "ZZ"):
                    with open(os.path.join(cwd, "downloaded", f".{code}.gif.{gone.pid}"), "wb") as file:
                        file.write(OLD)
                self.assertEqual(self.download(program, *self.verbose(program), url=self.server.url, cwd=cwd).code, 0)
                self.check_files(cwd, POP20)


if __name__ == "__main__":
    unittest.main()
