"""The download programs against a hostile server: what they make of each answer, what lies in the folder then, and
what they ask for again."""

import email.utils
import gzip
import os
import re
import threading
import time
import unittest
from typing import NamedTuple

from harness import scaled, seeded_random
from hostile import (CLOSE, GOOD, RESET, STALL, Server, answer, chunk, drip, flood, gif, keep, raw, redirect, reset,
                     stall, whole)
from transfer import DEFAULT, EVERY, MOST, POP20, SANITIZED, SIMPLE, STYLES, TransferTest, download, together

# --timeout and --deadline: short, for each costs a test its time; long enough for a server on a busy machine.
TIMEOUT, LIMIT = 2.0, 5.0
SIZE_LIMIT = 100000
MEMORY = 100 * 2**20  # bytes

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
HTML = b"<!DOCTYPE html><title>Welcome</title>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNSIZED = b"HTTP/1.1 200 OK\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n"  # more than any image here
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
BOMB = gzip.compress(bytes(50_000_000))

# What libcurl says, in this version or another.
REFUSED = r"Failed to connect to 127\.0\.0\.1 port \d+.*(refused|Couldn't connect|Could not connect).*"
DROPPED = r"Empty reply from server|Connection died, tried \d+ times before giving up|.*Connection reset by peer"
SHORT = r"transfer closed with \d+ bytes remaining to read|end of response with \d+ bytes missing"
SHORT_CHUNKS = r"transfer closed with outstanding read data remaining"
SILENT = rf"nothing received for {TIMEOUT:g} seconds"
# In libcurl's words, or in ours if it was busy at the time.
DEADLINE = r"Operation timed out after \d+ milliseconds with .*|not finished within 5 seconds"
CONNECTING = (rf".*([Tt]imed out|[Tt]imeout).*|not connected within 2 seconds|"
              rf"the server took no connection for 2 seconds|{SILENT}")
FORBIDDEN = r"Protocol .* (not supported|disabled).*|.*Unsupported URL scheme"
REDIRECTS = r"Maximum \(20\) redirects followed"
HEADERS = r"more than 307200 bytes of headers"
LARGE = rf"larger than {SIZE_LIMIT} bytes"
NO_HTTP = r"Received HTTP/0\.9 when not allowed|Unsupported .*|Invalid status line"
BAD_CHUNK = r".*chunk.*|.*hex.*"
BAD_LENGTH = r"Invalid Content-Length.*"

ANY = object()


class Case(NamedTuple):
    steps: object
    status: str
    http: object  # the code that --json shows, None where there is none
    message: str = ""  # a regular expression
    retried: bool = False
    body: object = gif  # of the file


def ok(steps, http=200, body=gif):
    return Case(steps, "ok", http, body=body)


def missing(steps):
    return Case(steps, "not_found", 404)


def error(message, steps, http=200, retried=False):
    return Case(steps, "error", http, message, retried)


def http_error(status, message=None, retried=False, **options):
    code = int(status.split()[0])
    return error(re.escape(message or f"HTTP error {code} - {status.partition(' ')[2]}"),
                 answer(status, HTML, **options), code, retried)


def dropped(steps, http=None, message=DROPPED):
    return error(message, steps, http, retried=True)


def silent(steps, http=None, message=SILENT):
    return error(message, steps, http, retried=True)


def with_rubbish(code):
    return gif(code) + b"\0\xffrubbish"


def cut(code):
    return gif(code)[:-40]


def bare_newlines(code):
    return whole(code).replace(b"\r\n", b"\n", 3)


def in_chunks(size, extension=b""):
    return lambda code: b"".join(
        chunk(gif(code)[start:start + size]).replace(b"\r\n", extension + b"\r\n", 1)
        for start in range(0, len(gif(code)), size))


CASES = {
    # Fine, however odd.
    "good": ok(GOOD),
    "not kept open": ok(answer(close=True)),
    "HTTP/1.0": ok(answer(version="HTTP/1.0", length=False)),
    "ends with the connection": ok(answer(length=False, close=True)),
    "chunks": ok(raw(CHUNKED, in_chunks(100), b"0\r\n\r\n", end=keep)),
    "chunks of one byte": ok(raw(CHUNKED, in_chunks(1), b"0\r\n\r\n", end=keep)),
    "chunks with extensions and a trailer": ok(raw(CHUNKED, in_chunks(99, b";a=b"), b"0\r\nA: b\r\n\r\n", end=keep)),
    "a trailer like a status line": ok(raw(CHUNKED, in_chunks(99), b"0\r\nHTTP/1.1 500 No: b\r\n\r\n", end=keep)),
    "a redirect with such a trailer": ok(raw(
        lambda code: b"HTTP/1.1 302 Found\r\nLocation: /good/%s\r\nTransfer-Encoding: chunked\r\n\r\n"
        % code.lower().encode(), chunk(HTML), b"0\r\nHTTP/1.1 500 No: b\r\n\r\n", end=keep)),
    "the last chunk comes late": ok(raw(CHUNKED, in_chunks(500), 0.3, b"0\r\n\r\n", end=keep)),
    "a byte at a time": ok(drip(whole, 0, end=keep)),
    "slowly": ok(drip(whole, 0.2, piece=250, end=keep)),
    "slow to begin": ok(raw(TIMEOUT / 3, whole, end=keep)),
    "lines that end with a newline only": ok(raw(bare_newlines, end=keep)),
    "more than it said": ok(raw(lambda code: whole(code) + SIZED + PNG, end=keep)),
    "something after the image": ok(answer(body=with_rubbish), body=with_rubbish),
    "says HTML": ok(answer(headers=["Content-Type: text/html; charset=utf-8"])),
    "sets cookies": ok(answer(headers=["Set-Cookie: a=b", "Set-Cookie: c=d; Path=/"])),
    "200 KB of headers": ok(answer(headers=[f"X-{n}: {'y' * 1000}" for n in range(200)])),
    "no phrase": ok(answer("200")),
    "no value, no name": ok(answer(headers=["X:", ": x", "X : y", "X-\xe9: \xff"])),
    "100 before it": ok(raw(b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" * 3, whole, end=keep)),
    "103 before it": ok(raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", whole, end=keep)),
    "201": ok(answer("201 Created"), 201),
    "206 that nobody asked for": ok(answer("206 Partial Content", headers=["Content-Range: bytes 0-9/10"]), 206),
    **{f"redirect {code}": ok(redirect("{server}/good/{code}", f"{code} Over There"))
       for code in (301, 302, 303, 307, 308)},
    "redirect by path": ok(redirect("/good/{code}")),
    "redirect by relative path": ok(redirect("../../good/{code}")),
    "redirect by host": ok(redirect("//127.0.0.1:{port}/good/{code}")),
    "redirect to a name": ok(redirect("http://localhost:{port}/good/{code}")),
    "redirect with a body": ok(answer("302 Found", HTML * 1000, ["Location: /good/zz"]), body=lambda code: gif("ZZ")),
    "20 redirects": ok(redirect("/hop/{code}/19")),
    # Not there.
    "404": missing(answer("404 Not Found", HTML)),
    "404 with nothing": missing(answer("404 Not Found", b"")),
    "404 with an image": missing(answer("404 Not Found")),
    "404 that ends with the connection": missing(answer("404 Not Found", HTML, length=False)),
    "404 with a large page": missing(answer("404 Not Found", HTML * 10000)),
    "404 with an endless page": missing(raw(b"HTTP/1.1 404 Not Found\r\n\r\n", end=flood(b"X" * 65536))),
    "404 with half a page": missing(raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nhalf")),
    "404 elsewhere": missing(redirect("/nowhere")),
    # Errors that the server names.
    "304": error("HTTP error 304 - Not Modified", answer("304 Not Modified", b""), 304),
    "400": http_error("400 Bad Request"),
    "401": http_error("401 Unauthorized", headers=['WWW-Authenticate: Basic realm="x"']),
    "403": http_error("403 Forbidden"),
    "407": http_error("407 Proxy Authentication Required"),
    "408": http_error("408 Request Timeout", retried=True),
    "410": http_error("410 Gone"),
    "416": http_error("416 Range Not Satisfiable"),
    "418": http_error("418 I'm a Teapot"),
    "429": http_error("429 Too Many Requests", retried=True),
    "500": http_error("500 Internal Server Error", retried=True),
    "501": http_error("501 Not Implemented"),
    "502": http_error("502 Bad Gateway", retried=True),
    "503": http_error("503 Service Unavailable", retried=True),
    "504": http_error("504 Gateway Timeout", retried=True),
    "505": http_error("505 HTTP Version Not Supported"),
    "503 with a large page": error("HTTP error 503 - Service Unavailable",
                                   answer("503 Service Unavailable", HTML * 10000), 503, retried=True),
    "503 with an endless page": error("HTTP error 503 - Service Unavailable", raw(
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n", end=flood(b"X" * 65536)), 503, retried=True),
    "503 with such a trailer": error("HTTP error 503 - Busy", raw(
        CHUNKED.replace(b"200 OK", b"503 Busy"), b"0\r\nHTTP/1.1 500 No: b\r\n\r\n", end=keep), 503, retried=True),
    "a phrase of its own": http_error("403 Go Away"),
    "418 without a phrase": http_error("418", "HTTP error 418 - I'm a Teapot"),
    "403 and a space": http_error("403 ", "HTTP error 403 - Forbidden"),
    "410 Unknown": http_error("410 Unknown", "HTTP error 410 - Gone"),
    "no known phrase": http_error("599", "HTTP error 599"),
    "an unknown phrase": http_error("599 Unknown", "HTTP error 599"),
    "a phrase of controls": http_error("403 a\x1b[31mb\tc\x7fd\xe9e", "HTTP error 403 - a?[31mb?c?d?e"),
    "a long phrase": http_error("403 " + "x" * 1000, "HTTP error 403 - " + "x" * 60),
    "302 to nowhere": http_error("302 Found"),
    "300 to nowhere": http_error("300 Multiple Choices"),
    "error with an image": error(r"HTTP error 403 - Forbidden", answer("403 Forbidden"), 403),
    # Bodies that are no good.
    "empty": error("empty body", answer(body=b"")),
    "empty, by the connection": error("empty body", answer(body=b"", length=False)),
    "empty, in chunks": error("empty body", raw(CHUNKED, b"0\r\n\r\n", end=keep)),
    "empty, with such a trailer": error("empty body", raw(CHUNKED, b"0\r\nHTTP/1.1 500 No: b\r\n\r\n", end=keep)),
    "204": error("empty body", answer("204 No Content", b"", length=False), 204),
    "205": error("empty body", answer("205 Reset Content", b""), 205),
    "HTML": error("not a GIF", answer(body=HTML, headers=["Content-Type: text/html"])),
    "HTML that says that it is an image": error("not a GIF", answer(body=HTML, headers=["Content-Type: image/gif"])),
    "PNG": error("not a GIF", answer(body=PNG)),
    "another GIF": error("not a GIF", answer(body=lambda code: gif(code).replace(b"89a", b"88a"))),
    "a newline before it": error("not a GIF", answer(body=lambda code: b"\n" + gif(code))),
    "cut in its signature": error("not a GIF|broken GIF", answer(body=b"GIF8")),
    "only a signature": error("broken GIF", answer(body=b"GIF89a")),
    "cut": error("broken GIF", answer(body=cut)),
    "without its last byte": error("broken GIF", answer(body=lambda code: gif(code)[:-1])),
    "cut, ends with the connection": error("broken GIF", answer(body=cut, length=False)),
    "damaged": error("broken GIF", answer(body=lambda code: gif(code)[:30] + b"\xff" * (len(gif(code)) - 30))),
    "longer than it said": error("broken GIF", raw(
        lambda code: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(gif(code)) - 50) + gif(code))),
    "gzip bomb": error("not a GIF", answer(body=BOMB, headers=["Content-Encoding: gzip"])),
    "compressed": error("not a GIF", answer(body=lambda code: gzip.compress(gif(code)),
                                            headers=["Content-Encoding: gzip"])),
    "gzip bomb on the way": error(f"{LARGE}|not a GIF", raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + BOMB)),
    # Too much.
    "large": error(LARGE, answer(body=lambda code: gif(code, SIZE_LIMIT + 1))),
    "as large as may be": ok(answer(body=lambda code: gif(code, SIZE_LIMIT)), body=lambda code: gif(code, SIZE_LIMIT)),
    "large, by the connection": error(LARGE, answer(body=lambda code: gif(code, SIZE_LIMIT + 1), length=False)),
    "large, in chunks": error(LARGE, raw(CHUNKED, lambda code: chunk(gif(code, SIZE_LIMIT + 1)), b"0\r\n\r\n")),
    "says that it is huge": error(LARGE, answer(length=[str(10**18)], close=True)),
    "endless": error(LARGE, raw(UNSIZED, gif, end=flood(b"X" * 65536))),
    "endless chunks": error(LARGE, raw(CHUNKED, in_chunks(500), end=flood(chunk(b"X" * 65536)))),
    "endless headers": error(HEADERS, raw(b"HTTP/1.1 200 OK\r\n", end=flood(b"A: b\r\n" * 1000)), ANY),
    "10^6 headers": error(HEADERS, raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10**6 + b"\r\n", gif), ANY),
    "a header of 10 MB": error(HEADERS, raw(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 10**7 + b"\r\n\r\n", gif), ANY),
    "endless 100": error(f"{HEADERS}|{DEADLINE}", raw(end=flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)), ANY),
    # What is no HTTP.
    "garbage": error(NO_HTTP, raw(b"\0\1garbage\r\n\r\n"), None),
    "HTTP/0.9": error(NO_HTTP, raw(gif), None),
    "HTTP/7.3": error(NO_HTTP, raw(b"HTTP/7.3 200 OK\r\n\r\n", gif), None),
    "status 99": error(NO_HTTP, answer("99 Low", close=True), None),
    "status 1000": error(NO_HTTP, answer("1000 High", close=True), None),
    "a negative length": error(BAD_LENGTH, answer(length=["-5"], close=True)),
    "a length that is no number": error(BAD_LENGTH, answer(length=["many"], close=True)),
    "NUL in a header": error(".*([Nn]ul|NUL).*", raw(b"HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n", gif), ANY),
    "a chunk of bad size": error(BAD_CHUNK, raw(CHUNKED, b"zz\r\n", gif), retried=True),
    "a chunk of too large a size": error(BAD_CHUNK, raw(CHUNKED, b"f" * 30 + b"\r\n", gif), retried=True),
    "a chunk without its end": error(BAD_CHUNK, raw(CHUNKED, lambda code: chunk(gif(code))[:-2], b"XXX"), retried=True),
    # Where redirects may not lead.
    "redirect loop": error(REDIRECTS, redirect("/loop/{code}"), 302),
    "21 redirects": error(REDIRECTS, redirect("/hop/{code}/20"), 302),
    "redirect to a closed port": error(REFUSED, redirect("http://127.0.0.1:{closed}/x"), ANY),
    # The reset is a failed handshake, or, if libcurl sees it only as it reads, a connection that broke off.
    "redirect to TLS that is none": error(".*(SSL|TLS|reset).*", redirect("https://127.0.0.1:{resetting}/x"), ANY,
                                          retried=ANY),
    "redirect to a bad port": error(".*URL.*", redirect("http://127.0.0.1:99999/x"), 302),
    "redirect to controls": error(".*URL.*", redirect("http://127.0.0.1\x1b[31m:{port}/x"), 302),
    "redirect to a file": error(FORBIDDEN, redirect("file:///etc/passwd"), 302),
    "redirect to ftp": error(FORBIDDEN, redirect("ftp://127.0.0.1:{port}/x"), 302),
    "redirect to gopher": error(FORBIDDEN, redirect("gopher://127.0.0.1:{port}/x"), 302),
    "redirect to nothing known": error(FORBIDDEN, redirect("x-y://127.0.0.1:{port}/x"), 302),
    # Dropped connections.
    "closed": dropped(CLOSE),
    "reset": dropped(RESET),
    "reset by another server": dropped(redirect("http://127.0.0.1:{resetting}/x"), ANY),
    "reset in the headers": dropped(raw(b"HTTP/1.1 200 OK\r\nContent-Le", 0.1, end=reset), ANY),
    "closed in the status line": dropped(raw(b"HTTP/1."), ANY, ".*"),
    "closed in the headers": dropped(raw(b"HTTP/1.1 200 OK\r\nContent-Le"), ANY, ".*"),
    "reset in the body": dropped(raw(SIZED, gif, 0.1, end=reset), 200),
    "reset in a body without length": dropped(raw(UNSIZED, cut, 0.1, end=reset), 200),
    "short": dropped(raw(SIZED, gif), 200, SHORT),
    "short by all": dropped(raw(SIZED), 200, SHORT),
    "two lengths": dropped(answer(length=["95000", "60000"], close=True), 200, SHORT),
    "no last chunk": dropped(raw(CHUNKED, in_chunks(100)), 200, SHORT_CHUNKS),
    "closed in a chunk": dropped(raw(CHUNKED, lambda code: chunk(gif(code))[:200]), 200, SHORT_CHUNKS),
    # Silence.
    "silent": silent(STALL),
    "silent in the headers": silent(raw(b"HTTP/1.1 200 OK\r\nContent-Le", end=stall), ANY),
    "silent after the headers": silent(raw(SIZED, end=stall), 200),
    "silent in the body": silent(raw(SIZED, gif, end=stall), 200),
    "silent after all": silent(raw(UNSIZED, gif, end=stall), 200),
    "silent after 100": silent(raw(b"HTTP/1.1 100 Continue\r\n\r\n", end=stall), ANY),
    "no connection": silent(redirect("http://127.0.0.1:{silent}/x"), ANY, CONNECTING),
    "no TLS": silent(redirect("https://127.0.0.1:{mute}/x"), ANY, CONNECTING),
    "too slow": silent(drip(lambda code: whole(code)[:-1] * 10, 0.05), 200, DEADLINE),
    "too slow in its headers": silent(drip(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000, 0.05), ANY, DEADLINE),
}

# What ends a connection that was in use before without a byte: then libcurl itself tries another, five times at most.
AGAIN = {"closed", "reset", "closed in the status line", "408"}


# Into how many runs, side by side, what one program does is cut, so that it takes no longer than the others.
PARTS = {"flags2_sequential": 10, "flags2_threadpool": 1, "flags2_async": 1}


class Scenarios(TransferTest):
    """All cases in one run of each style."""

    CODES = dict(zip(CASES, EVERY))

    def run_all(self, *options):
        """{program: [(server, download, its cases)]}"""

        def part(program, names):
            codes = {self.CODES[name]: CASES[name] for name in names}
            limits = f"--timeout={TIMEOUT}", f"--deadline={LIMIT}", f"--size-limit={SIZE_LIMIT}", "-m200"
            with Server({code: case.steps for code, case in codes.items()}) as server:
                return server, download(program, server.url, *codes, options=[*limits, *options], measure=True), codes

        jobs = [(program, list(CASES)[first::PARTS[program]])
                for program in STYLES for first in range(PARTS[program])]
        runs = together([lambda job=job: part(*job) for job in jobs])
        return {program: [done for job, done in zip(jobs, runs) if job[0] == program] for program in STYLES}

    def check_files(self, downloaded, cases):
        """The right bytes of all that is well, and nothing else."""
        wanted = {f"{code}.gif": case.body(code) for code, case in cases.items() if case.status == "ok"}
        self.assertEqual(sorted(downloaded.files), sorted(wanted))
        self.assertEqual([name for name in wanted if downloaded.files[name] != wanted[name]], [])

    def check_memory(self, downloaded):
        self.assertGreater(downloaded.peak, 0)
        if not SANITIZED:
            self.assertLess(downloaded.peak, MEMORY)

    def name(self, code):
        return next(name for name, its in self.CODES.items() if its == code)

    def test_verbose(self):
        for program, runs in self.run_all("--verbose").items():
            for server, downloaded, cases in runs:
                lines = downloaded.verbose()
                self.assertEqual(sorted(code for code, _ in lines), sorted(cases))
                if program == "flags2_sequential":
                    self.assertEqual(lines, sorted(lines))
                for code, line in lines:
                    case = cases[code]
                    wanted = {"ok": "OK", "error": f"error: ({case.message})",
                              "not_found": re.escape(f"not found: {server.url}/{code.lower()}/{code.lower()}.gif")}
                    with self.subTest(program=program, case=self.name(code)):
                        self.assertRegex(line, rf"\A({wanted[case.status]})\Z")
                with self.subTest(program=program):
                    self.check_files(downloaded, cases)
                    self.check_counts(downloaded, tuple(sum(case.status == status for case in cases.values())
                                                        for status in ("ok", "not_found", "error")))
                    self.check_memory(downloaded)

    def test_retried_once(self):
        """Said as JSON. What does not get better is tried as often as is allowed, or only once."""
        for program, runs in self.run_all("--json", "--retries=1").items():
            for server, downloaded, cases in runs:
                records, summary = downloaded.records()
                self.assertEqual(sorted(records), sorted(cases))
                for code, case in cases.items():
                    with self.subTest(program=program, case=self.name(code)):
                        self.check_record(records[code], case, downloaded)
                        asked = len(server.asked(code))
                        attempts = records[code]["attempts"]
                        self.assertIn(asked, range(attempts, 6 * attempts + 1)
                                      if self.name(code) in AGAIN else (attempts,))
                with self.subTest(program=program):
                    self.check_files(downloaded, cases)
                    counts = {key: sum(case.status == status for case in cases.values()) for key, status in
                              (("downloaded", "ok"), ("not_found", "not_found"), ("errors", "error"))}
                    self.check_exit(downloaded, 1 if counts["errors"] else 0)
                    self.assertGreater(summary.pop("elapsed"), 0)
                    self.assertEqual(summary, {
                        "program": program, "server": server.url.split("/")[2], "site": server.url, "codes": len(cases),
                        "connections": min(MOST[program], len(cases)), "existing": 0, "left": 0, **counts})
                    self.check_memory(downloaded)

    def check_record(self, record, case, downloaded):
        self.assertEqual(record["status"], case.status)
        if case.retried is not ANY:
            self.assertEqual(record["attempts"], 2 if case.retried else 1)
        self.assertGreaterEqual(record["elapsed"], 0)
        if case.http is not ANY:
            self.assertEqual(record.get("http"), case.http)
        if case.status == "ok":
            name = f"{record['cc']}.gif"
            self.assertEqual(record["bytes"], len(downloaded.files[name]))
            self.assertRegex(record["file"], rf"\A/.*/downloaded/{name}\Z")
        if case.status == "error":
            self.assertRegex(record["error"], rf"\A({case.message})\Z")
        else:
            self.assertNotIn("error", record)


class Retries(TransferTest):
    """What is tried again, and when. A busy machine may add SLACK to what should pass in between."""

    SLACK = 1.0
    PAST = "Sun, 06 Nov 1994 08:49:37 GMT"

    def run_alone(self, program, script, *options):
        """{code: (its record, the seconds between its requests)}; sequentially, each code has a program for itself."""
        codes = list(script)
        groups = [[code] for code in codes] if program == "flags2_sequential" else [codes]

        def group(codes):
            with Server({code: script[code] for code in codes}) as server:
                downloaded = download(program, server.url, *codes, options=["--json", "-m100", *options])
                records = downloaded.records()[0]
                return {code: (records[code], gaps(server.asked(code))) for code in codes}

        done = {}
        for part in together([lambda codes=codes: group(codes) for codes in groups]):
            done.update(part)
        return done

    def check_gap(self, gap, least, most):
        self.assertGreaterEqual(gap, least - 0.002)  # the clocks of two processes' timers
        self.assertLess(gap, most + self.SLACK)

    def test_back_off(self):
        """Half a second, twice that, twice that again; each time from half of it to all, at random."""
        busy = answer("503 Service Unavailable", HTML)
        script = {code: [busy, busy, busy, GOOD] for code in EVERY[:12]}
        for program, done in self.in_each_style(lambda program: self.run_alone(program, script, "--retries=3")).items():
            with self.subTest(program=program):
                for record, between in done.values():
                    self.assertEqual((record["status"], record["attempts"], len(between)), ("ok", 4, 3))
                    for gap, most in zip(between, (0.5, 1, 2)):
                        self.check_gap(gap, most / 2, most)
                for column in range(3):
                    found = [between[column] for _, between in done.values()]
                    self.assertGreater(max(found) - min(found), 0.03)

    def test_retry_after(self):
        # No connection is used twice: a 408 on one that was used before would be sent again at once.
        def after(text, status="503 Service Unavailable"):
            value = text if isinstance(text, str) else None

            def busy(connection, code):
                said = value if value is not None else text()
                return answer(status, HTML, [f"Retry-After: {said}"], close=True)(connection, code)

            return [busy, answer(close=True)]

        most = 2.0  # --deadline
        expected = {  # the least and the most seconds
            "1": (1, 1), "2": (2, 2), "3600": (most, most), "0": (0, 0), " 0 ": (0, 0), "00": (0, 0),
            self.PAST: (0, 0), "Sunday, 06-Nov-94 08:49:37 GMT": (0, 0), "Sun Nov  6 08:49:37 1994": (0, 0),
            "Fri, 31 Dec 2199 23:59:59 GMT": (most, most),
            **dict.fromkeys(("-5", "soon", "", "1 minute", "1.5x"), (0.25, 0.5)), "99999999999999999999": (most, most),
            "0000000001": (1, 1), "0" * 100 + "1": (1, 1), "9" * 100: (most, most),
        }
        cases = [(text, after(text), bounds) for text, bounds in expected.items()]
        cases += [(f"{status} {text}", after(text, status), expected[text]) for text in ("0", "1") for status in
                  ("408 Request Timeout", "429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway",
                   "504 Gateway Timeout")]
        # A date has whole seconds, of which some part has passed.
        cases.append(("to come", after(lambda: email.utils.formatdate(time.time() + 1.9, usegmt=True)), (0.8, 2)))
        script = {code: steps for code, (_, steps, _) in zip(EVERY, cases)}
        # Sequentially each costs a program of its own: one of each kind.
        kinds = {"1", "0", "3600", self.PAST, "soon", "500 Internal Server Error 1", "to come"}
        few = {code: script[code] for code, (name, _, _) in zip(EVERY, cases) if name in kinds}
        options = "--retries=1", f"--deadline={most:g}"
        runs = self.in_each_style(lambda program: self.run_alone(
            program, few if program == "flags2_sequential" else script, *options))
        self.assertEqual(len(few), len(kinds))
        for program, done in runs.items():
            at_once = {True: [], False: []}  # said in seconds, or as a date
            for code, (name, _, (least, longest)) in zip(EVERY, cases):
                if code not in done:
                    continue
                with self.subTest(program=program, retry_after=name):
                    record, between = done[code]
                    self.assertEqual((record["status"], record["attempts"], len(between)), ("ok", 2, 1))
                    self.check_gap(between[0], least, longest)
                    if longest == 0:
                        at_once["0" in name.split()].append(between[0])
            with self.subTest(program=program):
                for found in at_once.values():
                    self.assertLess(min(found), 0.2)  # which no back-off could be

    def test_gives_up(self):
        """After the last attempt nothing is waited for."""
        busy, long_busy = (answer("503 Service Unavailable", HTML, [f"Retry-After: {text}"]) for text in ("0", "3600"))
        script = {"AA": busy, "AB": [busy, busy, long_busy], "AC": [busy, busy, answer("404 Not Found", b"")]}

        def run_it(program):
            start = time.monotonic()
            return self.run_alone(program, script, "--retries=2"), time.monotonic() - start

        for program, (done, seconds) in self.in_each_style(run_it).items():
            with self.subTest(program=program):
                self.assertEqual({code: (record["status"], record["attempts"], len(between))
                                  for code, (record, between) in done.items()},
                                 {"AA": ("error", 3, 2), "AB": ("error", 3, 2), "AC": ("not_found", 3, 2)})
                self.assertEqual(done["AA"][0]["error"], "HTTP error 503 - Service Unavailable")
                self.assertLess(seconds, 10)  # of 30 that --deadline would allow

    def test_without_retries(self):
        script = {"AA": answer("503 Service Unavailable", HTML, ["Retry-After: 1"]), "AB": CLOSE}
        for program, done in self.in_each_style(lambda program: self.run_alone(program, script)).items():
            with self.subTest(program=program):
                self.assertEqual([(record["status"], record["attempts"]) for record, _ in done.values()],
                                 [("error", 1)] * 2)
                self.assertEqual(done["AA"][1], [])

    def test_others_go_on_meanwhile(self):
        """One that is waited for takes no other's place in the program that has but one thread."""
        script = {"AA": [answer("503 Service Unavailable", HTML, ["Retry-After: 2"]), GOOD]}
        with Server(script) as server:
            downloaded = download("flags2_async", server.url, *EVERY[:50], options=["-m2", "--retries=1"])
            self.check_counts(downloaded, (50, 0, 0))
            last = max(request.at for request in server.all_asked() if "/aa/" not in request.target)
            self.assertLess(last, server.asked("AA")[1].at)


def gaps(requests):
    return [after.at - before.at for before, after in zip(requests, requests[1:])]


GAVE_UP = answer("408 Request Timeout", HTML, close=True)


class Connections(TransferTest):
    def run_all(self, default, *options, codes=POP20, programs=STYLES):
        """{program: server}, after a run in which all was well."""

        def one(program):
            with Server(default=default) as server:
                return server, download(program, server.url, *codes, options=options)

        done = dict(zip(programs, together([lambda program=program: one(program) for program in programs])))
        for program, (_, downloaded) in done.items():
            with self.subTest(program=program):
                self.check_counts(downloaded, (len(codes), 0, 0))
                self.assertEqual(downloaded.files, {f"{code}.gif": gif(code) for code in codes})
        return {program: server for program, (server, _) in done.items()}

    def test_used_again(self):
        for program, server in self.run_all(GOOD).items():
            with self.subTest(program=program):
                self.assertLessEqual(server.connection_count(), DEFAULT[program])
                self.assertEqual(len(server.all_asked()), len(POP20))

    def test_used_again_whatever_was_answered(self):
        others = [answer("404 Not Found", HTML), answer("503 Service Unavailable", HTML), answer(body=HTML),
                  raw(b"HTTP/1.1 204 No Content\r\n\r\n", end=keep), redirect("/good/{code}"),
                  answer(body=lambda code: gif(code, 50000))]
        script = {code: others[number % len(others)] for number, code in enumerate(POP20)}
        for program in STYLES:
            with self.subTest(program=program), Server(script) as server:
                self.check_exit(download(program, server.url, *POP20, options=["-m1"]), 1)
                self.assertEqual(server.connection_count(), 1)

    def test_not_kept_open(self):
        for default in (answer(close=True), answer(version="HTTP/1.0"), answer(length=False, close=True)):
            for program, server in self.run_all(default).items():
                with self.subTest(program=program):
                    self.assertEqual(server.connection_count(), len(POP20))

    def test_closed_while_idle(self):
        """Without a word, once it has answered; or when the next request is on its way: then it is sent again."""

        def closes_at_the_second(connection, code):
            connection.answered = getattr(connection, "answered", 0) + 1
            return connection.answered < 2 and GOOD(connection, code)

        def resets_at_the_second(connection, code):
            return True if closes_at_the_second(connection, code) else connection.reset()

        def gave_up_waiting(connection, code):
            """RFC 9110, 15.5.9"""
            return True if closes_at_the_second(connection, code) else GAVE_UP(connection, code)

        for default in (raw(whole), closes_at_the_second, resets_at_the_second, gave_up_waiting):
            for program, server in self.run_all(default).items():
                with self.subTest(program=program):
                    self.assertEqual(server.connection_count(), len(POP20))

    def test_bound(self):
        """As many at once as are wanted, and never one more: all wait for each other at the server."""
        wanted = {"flags2_threadpool": (None, 1, 7, 100), "flags2_async": (None, 1, 7, 100)}
        for program, bounds in wanted.items():
            for bound in bounds:
                most = bound or DEFAULT[program]
                meeting = threading.Barrier(most)

                def together_with_others(connection, code):
                    meeting.wait(20)
                    return GOOD(connection, code)

                with self.subTest(program=program, bound=bound):
                    server = self.run_all(together_with_others, *([f"-m{bound}"] if bound else []),
                                          codes=EVERY[:3 * most], programs=[program])[program]
                    self.assertEqual(server.most_open, most)

    def test_bound_of_all(self):
        for program in STYLES[1:]:
            meeting = threading.Barrier(len(EVERY))

            def together_with_others(connection, code):
                meeting.wait(30)
                return GOOD(connection, code)

            with self.subTest(program=program):
                # The server may need seconds for so many connections.
                server = self.run_all(together_with_others, "-m1000", "--timeout=30", codes=EVERY,
                                      programs=[program])[program]
                self.assertEqual(server.most_open, len(EVERY))

    def test_what_is_sent(self):
        for program, server in self.run_all(answer(headers=["Set-Cookie: a=b"]), codes=["AA", "AB", "ZZ"]).items():
            with self.subTest(program=program):
                for request in server.all_asked():
                    code = request.target.split("/")[2]
                    self.assertEqual(request.line, f"GET /flags/{code}/{code}.gif HTTP/1.1")
                    self.assertEqual(request.header("host"), [f"127.0.0.1:{server.port}"])
                    self.assertRegex(request.header("user-agent")[0], r"\A[\w.-]+/\d")
                    for name in ("accept-encoding", "cookie", "authorization", "referer", "range", "upgrade"):
                        self.assertEqual(request.header(name), [], name)

    def test_late_server(self):
        """One that is started with the program, and listens a little later."""
        def one(program, host):
            with Server(late=0.4) as server:
                return download(program, server.url.replace("127.0.0.1", host))

        jobs = [(program, host) for program in (*STYLES, *SIMPLE) for host in ("127.0.0.1", "localhost")]
        for (program, host), downloaded in zip(jobs, together([lambda job=job: one(*job) for job in jobs])):
            with self.subTest(program=program, host=host):
                self.check_exit(downloaded, 0)
                self.assertEqual(len(downloaded.files), 5 if program == "flags_threadpool_futures" else 20)

    def test_no_server(self):
        """It costs a second in all, not one for each code, and no retries; or --timeout."""
        def one(program, options):
            with Server() as server:
                url = f"http://127.0.0.1:{server.ports['closed']}/flags"
                return download(program, url, options=options)

        for timeout, least in ((6.1, 1), (0.3, 0.3)):
            jobs = [(program, ["--json", "--retries=3"] if program in STYLES else []) for program in (*STYLES, *SIMPLE)]
            runs = together([lambda job=job: one(job[0], [f"--timeout={timeout}", *job[1]]) for job in jobs])
            for (program, _), downloaded in zip(jobs, runs):
                with self.subTest(program=program, timeout=timeout):
                    self.assertEqual((downloaded.result.code, downloaded.files), (1, {}))
                    self.assertGreaterEqual(downloaded.seconds, least)
                    self.assertLess(downloaded.seconds, least + 1.5)
                    if program in STYLES:
                        records, _ = downloaded.records()
                        self.assertEqual({record["attempts"] for record in records.values()}, {1})

    def test_silent_hosts(self):
        """All that cannot connect, or hear nothing, find that out at the same time."""
        def one(program, url):
            with Server() as server:
                return download(program, url.format(**server.ports), "-v", "-m20", f"--timeout={TIMEOUT}")

        hosts = ("http://127.0.0.1:{silent}", "http://127.0.0.1:{mute}", "https://127.0.0.1:{silent}",
                 "https://127.0.0.1:{mute}")
        jobs = [(program, url) for program in STYLES[1:] for url in hosts]
        for (program, url), downloaded in zip(jobs, together([lambda job=job: one(*job) for job in jobs])):
            with self.subTest(program=program, url=url):
                self.check_counts(downloaded, (0, 0, 20))
                for _, line in downloaded.verbose():
                    self.assertRegex(line, rf"\Aerror: ({CONNECTING})\Z")
                self.assertLess(downloaded.seconds, 3 * TIMEOUT)


class Memory(TransferTest):
    """How much there is of a body or of its headers makes no difference to the memory that a program takes."""

    def check(self, default, message, count):
        def one(program):
            with Server(default=default) as server:
                return download(program, server.url, *EVERY[:count], options=[f"-m{count}", "-v", "--deadline=20"],
                                measure=True)

        for program, downloaded in self.in_each_style(one).items():
            with self.subTest(program=program):
                self.check_counts(downloaded, (0, 0, count))
                self.assertEqual({line for _, line in downloaded.verbose()}, {f"error: {message}"})
                self.assertEqual(downloaded.files, {})
                if not SANITIZED:
                    self.assertLess(downloaded.peak, MEMORY)

    def test_endless_bodies(self):
        self.check(raw(UNSIZED, gif, end=flood(b"X" * 65536)), "larger than 1048576 bytes", 30)

    def test_headers(self):
        """libcurl keeps each, and some bytes for it."""
        self.check(raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10**6 + b"\r\n", gif), HEADERS, 20)


class Random(TransferTest):
    """A fifth of the answers are faults, and each code ends as the script has it."""

    # Without what takes long, and what may be tried again or not; and what is left of a long answer, libcurl may
    # take for the next one.
    FAULTS = [name for name, case in CASES.items()
              if case.message not in (SILENT, CONNECTING, DEADLINE) and case.retried is not ANY
              and name not in ("slowly", "endless 100", "more than it said", "longer than it said")]

    def make(self, generator):
        """{code: (steps, what it is, how it ends, its file)}"""
        plan = {}
        for code in generator.sample(EVERY, min(scaled(200), len(EVERY))):
            name = generator.choice(self.FAULTS) if generator.random() < 0.2 else "good"
            fault = CASES[name]
            if not fault.retried:
                plan[code] = [fault.steps], name, fault.status, fault.body(code)
            elif (count := generator.choice([1, 1, 1, 2, 3, 4])) < 4:
                plan[code] = [fault.steps] * count + [GOOD], f"{count} * {name}", "ok", gif(code)
            else:
                plan[code] = [fault.steps], name, "error", None
        return dict(sorted(plan.items()))

    def test_two_hundred(self):
        plan = self.make(seeded_random())

        def part(program, codes):
            options = "--json", "--retries=3", f"--size-limit={SIZE_LIMIT}"
            with Server({code: plan[code][0] for code in codes}) as server:
                return download(program, server.url, *codes, options=options)

        jobs = [(program, list(plan)[first::PARTS[program]]) for program in STYLES for first in range(PARTS[program])]
        for (program, codes), downloaded in zip(jobs, together([lambda job=job: part(*job) for job in jobs])):
            with self.subTest(program=program):
                records, _ = downloaded.records()
                self.assertEqual([(code, records[code]["status"], records[code].get("error"), plan[code][1:3])
                                  for code in codes if records[code]["status"] != plan[code][2]], [])
                self.assertEqual(downloaded.files,
                                 {f"{code}.gif": plan[code][3] for code in codes if plan[code][2] == "ok"})


class Simple(TransferTest):
    """The programs that the first error ends."""

    FAULTS = ("503", "304", "empty", "HTML", "cut", "short", "closed", "reset in the body", "garbage", "redirect loop",
              "redirect to a closed port", "endless headers", "silent", "silent in the body", "too slow")

    def run_all(self, scripts, *options):
        """[(program, server, download)]; scripts[program] says what its server answers."""

        def one(program):
            with Server(scripts[program]) as server:
                return program, server, download(program, server.url, options=options)

        return together([lambda program=program: one(program) for program in SIMPLE])

    def check_error(self, program, downloaded, code, message):
        """It ends with that message; what was saved before is whole, and is what stdout says."""
        self.assertEqual(downloaded.result.code, 1)
        self.assertRegex(downloaded.result.err, rf"\A{program}: {code}: ({message})\n\Z")
        saved = sorted(name.removesuffix(".gif") for name in downloaded.files)
        self.assertNotIn(code, saved)
        for name in saved:
            self.assertEqual(downloaded.files[f"{name}.gif"], gif(name))
        if program != "flags_threadpool_futures":
            self.assertRegex(downloaded.result.out, r"\A(([A-Z]{2} )+\n)?\Z")
            self.assertEqual(sorted(downloaded.result.out.split()), saved)

    def test_each_fault(self):
        cases = {name: CASES[name] for name in self.FAULTS}
        cases["404"] = error("HTTP error 404 - Not Found", answer("404 Not Found", HTML), 404)
        cases["endless"] = error("larger than 1048576 bytes", CASES["endless"].steps)
        limits = f"--timeout={TIMEOUT}", f"--deadline={LIMIT}"
        jobs = [lambda case=case: self.run_all(dict.fromkeys(SIMPLE, {"CN": case.steps}), *limits)
                for case in cases.values()]
        runs = [done for first in range(0, len(jobs), 4) for done in together(jobs[first:first + 4])]
        for (name, case), done in zip(cases.items(), runs):
            for program, server, downloaded in done:
                with self.subTest(program=program, case=name):
                    self.check_error(program, downloaded, "CN", case.message)
                    if program == "flags":
                        self.assertEqual(downloaded.result.out, "BD BR CD \n")
                        self.assertEqual({request.target[-6:-4].upper() for request in server.all_asked()},
                                         set(POP20[:4]))

    def test_others_are_broken_off(self):
        """The first code fails while others have to wait: nobody waits for these, and no more are begun."""
        cpus = len(os.sched_getaffinity(0))
        workers = {"flags": 1, "flags_threadpool": min(32, cpus + 4), "flags_processpool": cpus, "flags_async": 20,
                   "flags_threadpool_futures": 3}
        first = {program: "BR" if program == "flags_threadpool_futures" else "BD" for program in SIMPLE}
        scripts = {program: {code: raw(0.5, BUSY) if code == first[program] else STALL for code in POP20}
                   for program in SIMPLE}
        for program, server, downloaded in self.run_all(scripts):
            with self.subTest(program=program):
                self.check_error(program, downloaded, first[program], CASES["503"].message)
                self.assertLess(downloaded.seconds, 4)  # silence would be put up with for longer
                self.assertEqual(len(server.all_asked()), workers[program])


if __name__ == "__main__":
    unittest.main()
