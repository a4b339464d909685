"""slow_server: what it answers, how late, how often wrongly, what it tells, and how it ends."""

import collections
import os
import resource
import signal
import socket
import struct
import tempfile
import time
import unittest

import trace_file
from harness import CliTest, Running, run, seeded_random, wait_for
from slow_server import CODES, NO_DELAY, Server, ServerTest, ask, delay, flag, read_answer, read_log, request

TEAPOT = 418
GIF = b"GIF8"


class Answers(ServerTest):
    def test_start_line(self):
        with Server(*NO_DELAY) as server:
            self.assertEqual(server.start_line, f"Serving HTTP on 127.0.0.1 port {server.port} "
                                                f"(http://127.0.0.1:{server.port}/) ...")
            self.assertEqual(self.stop(server), [])

    def test_every_flag(self):
        self.assertEqual(len(CODES), 194)
        with Server(*NO_DELAY) as server, server.connect() as connection:
            total = 0
            for code in CODES:
                reply = ask(connection, flag(code))
                self.assertEqual((reply.status, reply.reason), (200, "OK"), code)
                self.assertEqual(reply.headers["Content-Type"], "image/gif")
                self.assertEqual(reply.headers["Content-Length"], str(len(reply.body)))
                self.assertTrue(reply.body.startswith(GIF) and reply.body.endswith(b";"), code)
                total += len(reply.body)
            self.assertAlmostEqual(total / 2.35e6, 1, delta=0.03)
            self.assertEqual(self.stop(server), [])

    def test_not_found(self):
        with Server(*NO_DELAY, f"--log={self.log}") as server:
            paths = {"/": "??", "/flags/br/br.gif%00": "??", "/%00/flags/br/br.gif": "??", "/flags/br/br.gif%00x": "??",
                     "http://host": "??", "http://host/": "??", "http:///flags/br/br.gif": "??",
                     "ftp://host/flags/br/br.gif": "??", "http://host/flags/zz/zz.gif": "ZZ", "/flags": "??", "/flags/zz/zz.gif": "ZZ", "/flags/BR/BR.gif": "??",
                     "/flags/br/fr.gif": "??", "/flags/br/br.gif/": "??", "/flags/br/br.png": "??",
                     "/x" * 1000: "??", "/flags/br/../br/br.gif": "??", "//flags/br/br.gif": "??"}
            for path in paths:
                reply = server.ask(path)
                self.assertEqual((reply.status, reply.reason), (404, "Not Found"), path)
                self.assertTrue(reply.headers["Content-Type"].startswith("text/html"))
                self.assertIn(b"404 Not Found", reply.body)
            self.assertEqual([line.code for line in read_log(self.log)], list(paths.values()))
            self.assertEqual(self.stop(server), [])

    def test_query_is_of_no_interest(self):
        with Server(*NO_DELAY) as server:
            self.assertEqual(server.ask(flag("br") + "?size=big").body, server.ask(flag("br")).body)

    def test_the_whole_url(self):
        """As a proxy is asked."""
        with Server(*NO_DELAY, f"--log={self.log}") as server:
            image = server.ask(flag("br")).body
            for before in ("http://localhost", f"http://127.0.0.1:{server.port}", "HTTPS://u:p@[::1]:1"):
                reply = server.ask(f"{before}{flag('br')}?size=big")
                self.assertEqual((reply.status, reply.body), (200, image), before)
            self.assertEqual([line.code for line in read_log(self.log)], ["BR"] * 4)

    def test_head(self):
        """Neither delayed nor in error, and it counts for nothing."""
        with Server(*delay(1000), "--error-rate=1", f"--log={self.log}") as server:
            reply = server.ask(flag("br"), "HEAD")
            self.assertEqual((reply.status, reply.body), (200, b""))
            self.assertGreater(int(reply.headers["Content-Length"]), 1000)
            self.assertEqual(server.ask("/nothing", "HEAD").status, 404)
            self.assertEqual([line[1:] for line in read_log(self.log)], [(0.0, 200, "BR"), (0.0, 404, "??")])
            self.assertEqual(self.stop(server), [])

    def test_other_methods(self):
        with Server(*delay(1000)) as server:
            for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
                for body in (None, b"x" * 100000 if method in ("POST", "PUT") else None):
                    reply = server.ask(flag("br"), method, body)
                    self.assertEqual((reply.status, reply.reason), (405, "Method Not Allowed"), method)
                    self.assertEqual(reply.headers["Allow"], "GET, HEAD")
            self.assertEqual(self.stop(server), [])

    def test_get_with_a_body(self):
        with Server(*NO_DELAY) as server, server.connect() as connection:
            for _ in range(2):
                self.assertEqual(ask(connection, flag("br"), body=b"x" * 50000).status, 200)

    def test_what_is_no_http(self):
        with Server(*NO_DELAY) as server:
            for data, status in ((b"GET / HTTP/9.9\r\n\r\n", b"505"),
                                 (b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n", b"414")):
                with server.open(data) as client:
                    self.assertEqual(client.recv(12)[9:], status)
            for data in (b"\r\n\r\n\r\n\0\0\xff\r\n\r\n", b"GET\r\n\r\n", b"GET /flags/b", b""):
                server.open(data).close()
                self.assertEqual(server.ask(flag("br")).status, 200)
            self.assertEqual(self.stop(server), [])


class Trace(ServerTest):
    def test_each_request(self):
        """A run each, as long as its delay at least; what failed says so."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.json")
            with Server(*delay(0.2), f"--trace={path}") as server:
                with server.open(request(flag("cn"))):
                    wait_for("a request", lambda: server.readline().startswith("CN"))
                statuses = server.ask_at_once([flag("br"), flag("fr"), "/nothing"])
                self.assertEqual(statuses, [200, 200, 404])
                self.assertIn("CN *** client closed", self.stop(server))
            events = trace_file.read(path)
        trace_file.check(self, events, 4, time.monotonic() - began)
        runs = trace_file.runs(events)
        self.assertEqual(sorted((one["name"], one["args"].get("reason")) for one in runs),
                         [("??", "answered with 404"), ("BR", None), ("CN", "client closed"), ("FR", None)])
        firsts = [event for event in events if event.get("cat") == "part" and event["name"] == "first byte"]
        self.assertEqual(len(firsts), 3)
        for first in firsts:
            self.assertTrue(0.2e6 <= first["dur"] < 10e6, first)


class Connections(ServerTest):
    def test_kept_alive(self):
        with Server(*NO_DELAY) as server, server.open() as client:
            bodies = set()
            for path in [flag("br"), "/nothing"] * 25:
                client.sendall(request(path))
                bodies.add(read_answer(client))
            self.assertEqual(sorted(status for status, _ in bodies), [200, 404])

    def test_kept_alive_with_delays_and_errors(self):
        with Server("--min-delay=0.001", "--max-delay=0.01", "--error-rate=0.5", "--seed=1") as server:
            with server.open() as client:
                statuses = collections.Counter()
                for _ in range(50):
                    client.sendall(request(flag("br")))
                    statuses[read_answer(client)[0]] += 1
            self.assertEqual(sorted(statuses), [200, TEAPOT])
            self.assertEqual(len(self.stop(server)), 50)

    def test_closed_where_asked_for(self):
        with Server(*NO_DELAY) as server:
            for ask_for in (request(flag("br"), "Connection: close"),
                            f"GET {flag('br')} HTTP/1.0\r\n\r\n".encode()):
                with server.open(ask_for) as client:
                    status, body = read_answer(client)
                    self.assertEqual((status, body[:4]), (200, GIF))
                    self.assertEqual(client.recv(1), b"")

    def test_the_next_request_comes_early(self):
        """Two requests sent as one: the second waits for the first's delay."""
        with Server(*delay(0.05), f"--log={self.log}") as server:
            start = time.monotonic()
            with server.open(request("/nothing") + request(flag("br"), "Connection: close")) as client:
                data = b""
                while more := client.recv(65536):
                    data += more
            self.assertGreaterEqual(time.monotonic() - start, 0.1)
            self.assertEqual((data.count(b"HTTP/1.1 404 "), data.count(b"HTTP/1.1 200 ")), (1, 1))
            self.assertEqual([line.code for line in read_log(self.log)], ["??", "BR"])

    def test_many_at_once(self):
        paths = [flag(CODES[i % len(CODES)]) for i in range(300)]
        with Server(*delay(0.5), f"--log={self.log}") as server:
            start = time.monotonic()
            self.assertEqual(server.ask_at_once(paths), [200] * 300)
            taken = time.monotonic() - start
            self.assertGreaterEqual(taken, 0.5)
            self.assertLess(taken, 2)
            self.assertEqual(len(read_log(self.log)), 300)
            self.assertEqual(len(self.stop(server)), 300)

    def test_a_limit_on_open_files_that_can_be_raised(self):
        def few_files():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))

        with Server(*delay(0.5), prepare=few_files) as server:
            self.assertEqual(server.ask_at_once([flag("br")] * 200), [200] * 200)
            self.stop(server)  # which looks for messages

    def test_a_limit_on_open_files_that_cannot(self):
        def few_files():
            resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

        with Server(*delay(0.1), prepare=few_files) as server:
            self.assertEqual(server.ask_at_once([flag("br")] * 200), [200] * 200)
            server.signal(signal.SIGINT)
            result = server.finish()
            self.assertEqual(result.code, 0)
            self.assertEqual(result.err, "slow_server: the limit on open files has room for "
                                         "96 of 1000 connections\n")


class Faults(ServerTest):
    def test_delays_are_waited_for_and_told(self):
        with Server("--min-delay=0.02", "--max-delay=0.2", f"--log={self.log}") as server:
            codes = ["BR", "FR", "ZZ", "BR", "US"] * 4
            with server.connect() as connection:
                replies = [ask(connection, flag(code)) for code in codes]
            lines = read_log(self.log)  # while the server runs
            told = self.stop(server)
        self.assertEqual([line.code for line in lines], codes)
        arrivals = [line.arrival for line in lines]
        self.assertEqual(arrivals, sorted(arrivals))
        for reply, line, text in zip(replies, lines, told, strict=True):
            self.assertEqual(reply.status, line.status)
            self.assertTrue(0.02 <= line.delay <= 0.2, line)
            self.assertGreaterEqual(reply.seconds + 1e-5, line.delay)
            self.assertEqual(text, f"{line.code} delay: {float(f'{line.delay:.2g}')}s")
        self.assertEqual(len({line.delay for line in lines}), len(lines))

    def test_the_longest_delay_alone(self):
        """The shortest by default is no longer than that."""
        for seconds, told in (("0.2", "0.2"), ("0.001", "0.001")):
            with Server(f"--max-delay={seconds}") as server:
                server.ask(flag("br"))
                self.assertEqual(self.stop(server), [f"BR delay: {told}s"])
        with Server("--max-delay=0") as server:
            server.ask(flag("br"))
            self.assertEqual(self.stop(server), [])
        with Server("--max-delay=0.6", f"--log={self.log}") as server:
            server.ask_at_once([flag(code) for code in CODES])
            delays = sorted(line.delay for line in read_log(self.log))
            self.assertTrue(0.5 <= delays[0] < 0.52 and 0.58 < delays[-1] <= 0.6, (delays[0], delays[-1]))

    def test_delays_are_told_without_exponent(self):
        for seconds, told in ((1, "1.0"), (10, "10.0"), (12.34, "12.3"), (99.96, "100.0"), ("0.00004", "0.0"), (1234, "1234.0"), (1000000, "1000000.0")):
            with Server(*delay(seconds)) as server, server.open(request(flag("br"))):
                self.assertEqual(server.readline(), f"BR delay: {told}s")

    def run_with_seed(self, seed, codes):
        """{(code, how often it was asked for before): (delay, status)}"""
        with Server("--min-delay=0.0001", "--max-delay=0.001", "--error-rate=0.25", f"--seed={seed}",
                    f"--log={self.log}") as server:
            with server.connect() as connection:
                statuses = [ask(connection, flag(code)).status for code in codes]
            self.stop(server)
        asked, found = collections.Counter(), {}
        for line, status in zip(read_log(self.log), statuses, strict=True):
            self.assertEqual(line.status, status)
            self.assertTrue(0.0001 <= line.delay <= 0.001, line)
            found[line.code, asked[line.code]] = line.delay, line.status
            asked[line.code] += 1
        return found

    def test_seed_settles_it_whatever_the_order(self):
        random = seeded_random()
        codes = [*CODES, "ZZ", "XX"] * 5
        seed = random.randrange(2**32)
        first = self.run_with_seed(seed, codes)
        random.shuffle(codes)
        self.assertEqual(self.run_with_seed(seed, codes), first)
        other = self.run_with_seed(seed ^ 1, codes)
        self.assertLess(sum(first[key] == other[key] for key in first), 10)

    def test_error_rate(self):
        """As many as the rate says; 1000 draws of a quarter with a seed that is always the same."""
        found = self.run_with_seed(5, CODES[:100] * 10)
        errors = sum(status == TEAPOT for _, status in found.values())
        self.assertTrue(200 <= errors <= 300, errors)

    def test_errors_are_teapots(self):
        with Server(*NO_DELAY, "-e", "1", f"--log={self.log}") as server:
            for path in (flag("br"), "/nothing"):
                reply = server.ask(path)
                self.assertEqual(reply.status, TEAPOT)
                self.assertTrue(reply.headers["Content-Type"].startswith("text/html"))
                self.assertIn(b"418 I'm a Teapot", reply.body)
            self.assertEqual([line.status for line in read_log(self.log)], [TEAPOT, TEAPOT])
            self.assertEqual(self.stop(server), [])

    def test_without_seed_each_run_is_another(self):
        delays = set()
        for _ in range(2):
            with Server("--min-delay=0", "--max-delay=0.001", f"--log={self.log}") as server:
                server.ask(flag("br"))
                delays.add(read_log(self.log)[0].delay)
        self.assertEqual(len(delays), 2)

    def test_client_goes_away(self):
        """Closed in order and reset, while it is delayed."""
        with Server(*delay(0.2), f"--log={self.log}") as server:
            for linger in (None, struct.pack("ii", 1, 0)):
                with server.open(request(flag("br"))) as client:
                    self.assertEqual(server.readline(), "BR delay: 0.2s")
                    if linger:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.assertEqual(server.readline(), "BR *** client closed")
            self.assertEqual(server.ask(flag("fr")).status, 200)
            self.assertEqual([line.code for line in read_log(self.log)], ["FR"])
            self.stop(server)

    def test_clients_go_away_in_masses(self):
        with Server(*delay(0.3)) as server:
            for client in [server.open(request(flag("br"))) for _ in range(200)]:
                client.close()
            self.assertEqual(server.ask(flag("fr")).status, 200)
            closed = [server.readline() for _ in range(401)].count("BR *** client closed")
            self.assertEqual(closed, 200)
            self.stop(server)


class Ends(ServerTest):
    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for args in (NO_DELAY, delay(1000)):
                with self.subTest(number=number, args=args), Server(*args) as server:
                    self.assertEqual(self.stop(server, number), [])

    def test_hangup(self):
        with Server(*NO_DELAY) as server:
            server.signal(signal.SIGHUP)
            self.assertEqual(server.finish().code, -signal.SIGHUP)

    def test_an_ignored_interrupt_stays_ignored(self):
        with Server(*NO_DELAY, prepare=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) as server:
            server.signal(signal.SIGINT)
            self.assertEqual(server.ask(flag("br")).status, 200)
            self.assertEqual(self.stop(server), [])

    def test_requests_are_delayed(self):
        """They are closed at once, without an answer, and nobody is told to have gone."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number), Server(*delay(1000), f"--log={self.log}") as server:
                clients = [server.open(request(flag("br"))) for _ in range(100)]
                for _ in clients:
                    self.assertEqual(server.readline(), "BR delay: 1000.0s")
                start = time.monotonic()
                self.assertEqual(set(self.stop(server, number)), {"BR delay: 1000.0s"})
                self.assertLess(time.monotonic() - start, 5)
                for client in clients:
                    self.assertEqual(client.recv(1), b"")
                    client.close()
                self.assertEqual(read_log(self.log), [])

    def test_clients_that_say_nothing(self):
        with Server(*NO_DELAY) as server:
            with server.open(), server.open(b"GET /flags"), server.open(request(flag("br"))) as client:
                self.assertEqual(read_answer(client)[0], 200)
                self.stop(server)

    def test_while_it_is_asked(self):
        """Under load, at any moment: each answer is whole, or there is none."""
        for _ in range(5):
            with Server("--min-delay=0", "--max-delay=0.02") as server:
                clients = [server.open(request(flag("br"))) for _ in range(50)]
                self.assertEqual(read_answer(clients[0])[0], 200)
                server.signal(signal.SIGTERM)
                result = server.finish()
                self.assertEqual((result.code, result.err), (0, ""))
                for client in clients:
                    client.close()

    def test_full_output(self):
        with open("/dev/full", "wb") as full:
            for args in (["0"], ["--help"], ["--version"]):
                result = run("slow_server", *args, stdout=full)
                self.assertEqual((result.code, result.err),
                                 (3, "slow_server: standard output: No space left on device\n"))

    def test_closed_pipe(self):
        """The next line that is to be told ends it, quietly."""
        with Server(*delay(1000)) as server:
            server.process.stdout.close()
            server.process.stdout = None
            with server.open(request(flag("br"))):
                result = server.finish()
                self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))


class Where(ServerTest):
    def test_port_is_taken(self):
        with Server(*NO_DELAY) as server:
            result = run("slow_server", str(server.port))
            self.assertEqual(result, (3, "", f"slow_server: port {server.port}: Address already in use\n"))
            self.assertEqual(server.ask(flag("br")).status, 200)

    def test_same_port_again(self):
        """Connections of the server that was there before do not keep it."""
        with Server(*NO_DELAY) as server:
            port = server.port
            server.ask(flag("br"))
            with server.open(request(flag("br"))) as client:
                self.assertEqual(read_answer(client)[0], 200)
                self.stop(server)
        with Running("slow_server", str(port), *NO_DELAY) as again:
            self.assertIn(f"port {port} ", again.readline())

    def test_other_addresses(self):
        with Server(*NO_DELAY, "-b", "127.1.2.3", host="127.1.2.3") as server:
            self.assertEqual(server.url, f"http://127.1.2.3:{server.port}")
            self.assertEqual(server.ask(flag("br")).status, 200)
        with Server(*NO_DELAY, "--bind=0.0.0.0") as server:
            self.assertEqual(server.address, "0.0.0.0")
            self.assertEqual(server.ask(flag("br")).status, 200)
        with Server(*NO_DELAY, "--bind=localhost", host="localhost") as server:
            self.assertEqual(server.ask(flag("br")).status, 200)

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("this machine has no IPv6")
        with Server(*NO_DELAY, "--bind=::1", host="::1") as server:
            self.assertEqual((server.address, server.url), ("::1", f"http://[::1]:{server.port}"))
            self.assertEqual(server.ask(flag("br")).status, 200)

    def test_an_address_that_is_another_machines(self):
        result = run("slow_server", "0", "--bind=192.0.2.1")
        self.assertEqual(result, (3, "", "slow_server: port 0: Cannot assign requested address\n"))

    def test_a_host_that_there_is_not(self):
        result = run("slow_server", "0", "--bind=no.such.host.invalid")
        self.assertEqual((result.code, result.out), (2, ""))
        self.assertTrue(result.err.startswith("slow_server: --bind: 'no.such.host.invalid': "), result.err)


class CommandLine(CliTest):
    def check(self, message, *argv):
        with self.subTest(argv=argv):
            result = run("slow_server", *argv)
            self.assertEqual((result.code, result.out), (2, ""), result.err)
            self.assertEqual(result.err.partition("\n")[0], f"slow_server: {message}")

    def test_port(self):
        for text in ("x", "", "-1", "-0", "65536", "8001x", "1.5", "99999999999999999999", " 1", "+1"):
            self.check(f"PORT: '{text}' is not a number from 0 to 65535", text)
        self.check("PORT: '-1' is not a number from 0 to 65535", "--", "-1")
        self.check("'2': an argument too many", "1", "2")
        self.check("'-2': an argument too many", "1", "-2")

    def test_error_rate(self):
        for text in ("1.5", "1.0001", "-0.1", "x", "", "0x1", "1e-3", "nan", "inf", "0.2.5", ".", "0,25", " 1"):
            self.check(f"--error-rate: '{text}' is not a number from 0 to 1", "-e", text)
            self.check(f"--error-rate: '{text}' is not a number from 0 to 1", f"--error-rate={text}")

    def test_delays(self):
        for option in ("--min-delay", "--max-delay"):
            for text in ("-1", "x", "", "1s", "1e3", "inf", "1000000.1"):
                self.check(f"{option}: '{text}' is not a number of seconds from 0 to 1000000", f"{option}={text}")
        self.check("--min-delay: 3 seconds are more than the 2 of --max-delay", "--min-delay=3", "--max-delay=2")
        self.check("--min-delay: 0.5 seconds are more than the 0.2 of --max-delay", "--max-delay=0.2",
                   "--min-delay=0.5")
        self.check("--min-delay: 6 seconds are more than the 5 of --max-delay", "--min-delay", "6")

    def test_seed(self):
        for text in ("-1", "x", "", "4294967296", "0x1"):
            self.check(f"--seed: '{text}' is not a number from 0 to 4294967295", f"--seed={text}")

    def test_together(self):
        self.check("--export: writes its own images, not those of --directory", "--export=/nowhere", "-d", "/")

    def test_unknown_and_unfinished(self):
        for argv in (["--nonsense"], ["-Z"], ["-e"], ["--bind"], ["--seed"], ["--log"], ["--export"]):
            result = run("slow_server", *argv)
            self.assertEqual((result.code, result.out), (2, ""))
            self.assertIn(argv[0].lstrip("-"), result.err.partition("\n")[0])

    def test_nothing_is_done_before_the_command_line_is_right(self):
        with tempfile.TemporaryDirectory() as folder:
            run("slow_server", f"--export={folder}/x", "--error-rate=2")
            run("slow_server", f"--log={folder}/log", "--error-rate=2")
            self.assertEqual(os.listdir(folder), [])

    def test_help(self):
        result = run("slow_server", "--help")
        self.assertEqual((result.code, result.err), (0, ""))
        for option in ("bind", "directory", "error-rate", "min-delay", "max-delay", "seed", "log", "export"):
            self.assertIn(f"--{option}=", result.out)
        result = run("slow_server", "--version")
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertRegex(result.out, r"\Aslow_server \(primepool\) \d")


if __name__ == "__main__":
    unittest.main()
