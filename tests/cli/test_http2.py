#!/usr/bin/env python3
"""HTTP/2 where the server ends connections and refuses streams: whatever it has not answered is asked again. And how many
connections there are."""

import itertools
import tempfile
import threading
import unittest

from hostile import gif
from hostile_http2 import Http2Server
from servers import OPENSSL, Certificates
from transfer import POP20, TransferTest, download

IMAGE = gif("AA")


class FirstOnly:
    """Calls a function for the first request of all, and answers the others."""

    def __init__(self, function):
        self._function, self._numbers = function, itertools.count()

    def __call__(self, connection, stream):
        if next(self._numbers) == 0:
            self._function(connection, stream)
        else:
            connection.answer(stream, IMAGE)


@unittest.skipUnless(OPENSSL, "no openssl")
class Http2(TransferTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="certificates-")
        certificates = Certificates(cls.folder.name)
        certificates.make("site")
        cls.trust = f"--cacert={certificates.authority}"
        cls.certificate = [f"{cls.folder.name}/site.{end}" for end in ("pem", "key")]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check(self, make_on_request, programs=("flags2_sequential", "flags2_async"), options=(), codes=POP20, streams=None):
        """The servers, by program. All codes were downloaded, and no retry was allowed."""
        servers = {}
        for program in programs:
            with self.subTest(program=program), Http2Server(*self.certificate, make_on_request(), streams) as server:
                done = download(program, server.url, *codes, options=[self.trust, *options])
                self.check_counts(done, (len(codes), 0, 0))
                servers[program] = server
        return servers

    def test_go_away_before_the_answer(self):
        """RFC 9113, 6.8: what comes after the last stream was not looked at."""

        def refuses(connection, stream):
            connection.go_away(0)
            connection.close()

        self.check(lambda: FirstOnly(refuses))

    def test_go_away_and_silence(self):
        self.check(lambda: FirstOnly(lambda connection, stream: connection.go_away(0)), options=["--timeout=2"])

    def test_refused_stream(self):
        """RFC 9113, 8.7"""
        self.check(lambda: FirstOnly(lambda connection, stream: connection.refuse(stream)))

    def test_kept_connection_ends(self):
        """It has answered, and closes when the next request is on its way."""

        def ends_at_the_third(connection, stream):
            if len(connection.streams) < 3:
                connection.answer(stream, IMAGE)
            else:
                connection.close()

        for program, server in self.check(lambda: ends_at_the_third).items():
            with self.subTest(program=program):
                self.assertGreaterEqual(len(server.connections), 10)

    def check_connections(self, codes, at_once, streams, connections):
        lock = threading.Lock()
        waiting = []

        def answers_when_all_wait(connection, stream):
            with lock:
                waiting.append((connection, stream))
                all_of_them = list(waiting) if len(waiting) == at_once else []
            for each in all_of_them:
                each[0].answer(each[1], IMAGE)

        server = self.check(lambda: answers_when_all_wait, ["flags2_async"], [f"-m{at_once}"], codes, streams)
        self.assertLessEqual(len(server["flags2_async"].connections), connections)

    def test_streams_share_connections(self):
        self.check_connections(POP20, 20, 100, 1)
        self.check_connections(POP20, 20, 10, 2)
        self.check_connections(POP20, 20, 7, 3)


if __name__ == "__main__":
    unittest.main()
