#!/usr/bin/env python3
"""Servers with a short queue of connections that they have not accepted (listen's backlog): the kernel drops what comes
beyond it. Nobody waits for that, and nothing fails."""

import contextlib
import http.server
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from hostile import gif
from servers import export, listens
from transfer import COUNTRY_CODES, POP20, SIMPLE, STYLES, TransferTest, download

BACKLOG = 5
ASK_AT_ONCE = ("-a", "-m100")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        image = gif(self.path[-6:-4].upper())
        self.send_response(200)
        self.send_header("Content-Length", str(len(image)))
        self.end_headers()
        self.wfile.write(image)

    def log_message(self, *_):
        pass


class OneByOne(http.server.HTTPServer):
    """One connection at a time, after `pause` seconds at first."""

    request_queue_size = BACKLOG

    def __init__(self, pause=0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/flags"
        self._pause = pause

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def _serve(self):
        time.sleep(self._pause)
        self.serve_forever(0.02)


@contextlib.contextmanager
def documents_server(folder):
    """python3 -m http.server, as the documents have it; its URL."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, str(port)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 20
            while not listens(port):
                if time.monotonic() > end:
                    raise AssertionError("no server")
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}/flags"
        finally:
            process.kill()


class Backlog(TransferTest):
    def test_the_server_of_the_documents(self):
        with tempfile.TemporaryDirectory(prefix="flags-") as folder:
            images = export(folder)
            with documents_server(folder) as url:
                for program in STYLES:
                    with self.subTest(program=program):
                        done = download(program, url, *ASK_AT_ONCE)
                        self.check_counts(done, (194, 0, 0))
                        self.assertEqual(done.files, {f"{code}.gif": image for code, image in images.items()})
                        self.assertLess(done.seconds, 10)
                for program in SIMPLE:
                    with self.subTest(program=program):
                        self.assertEqual(download(program, url).result.code, 0)

    def test_asked_once(self):
        """What the server has dropped is asked again, and what it has seen is not."""
        for program in STYLES:
            with self.subTest(program=program), OneByOne() as server:
                self.check_counts(download(program, server.url, *ASK_AT_ONCE), (194, 0, 0))
                self.assertEqual(sorted(server.asked), sorted(f"/flags/{code.lower()}/{code.lower()}.gif"
                                                              for code in COUNTRY_CODES))

    def test_late(self):
        """It accepts nothing for longer than the time in which a connected server may be silent would be short."""
        for program in STYLES[1:]:
            with self.subTest(program=program), OneByOne(pause=1.0) as server:
                done = download(program, server.url, *ASK_AT_ONCE, options=["--json", "--timeout=8"])
                records, _ = done.records()
                self.assertEqual({record["attempts"] for record in records.values()}, {1})
                self.assertEqual(len(done.files), 194)
                self.assertLess(done.seconds, 20)

    def test_never(self):
        """It listens, and that is all: every code is in error, each in the time that it has."""
        for program in STYLES[1:]:
            with self.subTest(program=program), socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                sock.listen(BACKLOG)
                url = f"http://127.0.0.1:{sock.getsockname()[1]}/flags"
                done = download(program, url, "-m20", options=["--timeout=1"])
                self.check_counts(done, (0, 0, len(POP20)))
                self.assertLess(done.seconds, 15)


if __name__ == "__main__":
    unittest.main()
