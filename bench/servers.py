"""The servers that downloads are measured against, each on a free port of loopback, for as long as
a `with` block lasts, and no longer than the bench, whatever ends that."""

import contextlib
import ctypes
import dataclasses
import http.client
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

import certificates
from engine import BenchError

HOST = "127.0.0.1"
BACKLOG = 1024
MARK = "ZZ"  # a code that no country has
START = 10   # seconds until a server has to be there
END = 10     # seconds until it has to be gone
ATTEMPTS = 5  # to find a port that nobody takes meanwhile
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)

NGINX_WORKERS = 1  # the other core is the client's

NGINX_CONF = """\
daemon off;
worker_processes {workers};
pid "{folder}/nginx.pid";
error_log "{folder}/error.log" warn;
{user}
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    types {{
        image/gif gif;
    }}
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    server {{
        listen {host}:{port} {listen} backlog={backlog};
        root "{tree}";
        {more}
    }}
}}
"""


class Server:
    """A process in a session of its own, with all that it says in a file."""

    command = ()

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = None
        self.port = None

    @property
    def base_url(self):
        return f"http://{HOST}:{self.port}/flags"

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        raise NotImplementedError

    def launch(self, command):
        try:
            with open(self.folder / "output", "wb") as output:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    start_new_session=True, preexec_fn=end_with_parent)
        except OSError as error:
            raise BenchError(f"cannot be started: {error.strerror}: {command[0]}") from error

    def wait_for(self, what):
        """What `what` returns when it is true at last; None if the server ended before."""
        deadline = time.monotonic() + START
        while self.process.poll() is None:
            if found := what():
                return found
            if time.monotonic() > deadline:
                raise BenchError(f"{self.process.args[0]}: not there after {START} s: "
                                 f"{self.said()}")
            time.sleep(0.005)
        return None

    def output(self):
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    def said(self):
        return self.output()[-500:].strip()

    def stop(self):
        """As a user would end it, and so that its log is whole."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(END)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self.process.args[0]}: no end {END} s after SIGTERM") from None
        finally:
            kill_session(self.process)


def end_with_parent():
    """In the server, before it is one: it shall not survive a bench that is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def kill_session(process):
    """All of it: nginx has workers."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Nginx(Server):
    """Serves the folder `tree`, with a configuration of its own; needs no root."""

    listen = ""  # options of that directive
    more = ""    # directives of the server

    def __init__(self, folder, tree):
        super().__init__(folder)
        self.tree = pathlib.Path(tree).resolve()
        self.configuration = self.folder.resolve() / "nginx.conf"

    def start(self):
        for _ in range(ATTEMPTS):
            self.port = free_port()
            self.configuration.write_text(self.configured(), encoding="utf-8")
            self.launch([nginx_path(), "-c", str(self.configuration), "-e",
                         str(self.folder.resolve() / "error.log")])
            if self.wait_for(self.answers):
                return
        raise BenchError(f"nginx ended at once: {self.said()}")

    def configured(self):
        # As root nginx would let its workers be somebody who may not read here.
        user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.geteuid() == 0 else ""
        return NGINX_CONF.format(workers=NGINX_WORKERS, folder=self.folder.resolve(), user=user,
                                 host=HOST, port=self.port, backlog=BACKLOG, tree=self.tree,
                                  listen=self.listen, more=self.more)

    def answers(self):
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
            return True
        except OSError:
            return False


class NginxWithTls(Nginx):
    """The same by TLS 1.3, with a certificate that the system trusts as long as this lasts."""

    listen = "ssl"

    def __init__(self, folder, tree):
        super().__init__(folder, tree)
        self.trust = certificates.Trust(self.folder)

    @property
    def base_url(self):
        return super().base_url.replace("http:", "https:")

    def start(self):
        self.trust.begin(HOST)
        self.more = (f'ssl_protocols TLSv1.3; ssl_certificate "{self.trust.certificate}"; '
                     f'ssl_certificate_key "{self.trust.key}";')
        super().start()

    def stop(self):
        super().stop()
        self.trust.end()


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def nginx_path():
    """Debian has it where only root's PATH leads."""
    path = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise BenchError("nginx is not there (Debian's package nginx-light)")
    return path


class SlowServer(Server):
    """Ours, with the delays and errors that `options` ask for."""

    def __init__(self, folder, program, options):
        super().__init__(folder)
        self.log = self.folder / "log"
        self.arguments = [str(program), *options, f"--bind={HOST}", f"--log={self.log}", "0"]

    def start(self):
        self.launch(self.arguments)
        if not self.wait_for(self.told_port):
            raise BenchError(f"slow_server ended at once: {self.said()}")

    def told_port(self):
        found = re.search(rf"^Serving HTTP on {re.escape(HOST)} port (\d+) .*\n", self.output())
        if found:
            self.port = int(found[1])
        return found

    def mark(self):
        """Asks for MARK and returns when, by time.perf_counter: with the arrival of this request in the
        log, it tells which moment the log counts from."""
        client = http.client.HTTPConnection(HOST, self.port, timeout=START)
        with contextlib.closing(client):
            client.connect()
            sent = time.perf_counter()
            client.request("GET", f"/flags/{MARK}/{MARK}.gif".lower())
            client.getresponse().read()
        return sent

    def requests(self):
        """What its log tells of, in order of arrival. Ends it first: then all is there."""
        self.stop()
        if self.process.returncode != 0:
            raise BenchError(f"slow_server: exit code {self.process.returncode}: {self.said()}")
        return parse_log(self.log.read_text(encoding="utf-8"))


@dataclasses.dataclass(frozen=True)
class Request:
    arrival: float  # seconds since the server's start
    delay: float    # seconds
    status: int
    code: str


def parse_log(text):
    r"""
    >>> log = "# arrival\tdelay\tstatus\tcode\n0.5\t0.1\t200\tBR\n0.25\t1.5\t418\tAD\n"
    >>> for request in parse_log(log):
    ...     print(request)
    Request(arrival=0.25, delay=1.5, status=418, code='AD')
    Request(arrival=0.5, delay=0.1, status=200, code='BR')
    """
    requests = []
    for line in text.splitlines():
        if not line.startswith("#"):
            try:
                arrival, delay, status, code = line.split("\t")
                requests.append(Request(float(arrival), float(delay), int(status), code))
            except ValueError as error:
                raise BenchError(f"slow_server's log: not a request: {line!r}") from error
    return sorted(requests, key=lambda request: request.arrival)


def most_at_once(requests):
    """How many were waiting for their answers at the same time, at most.

    >>> most_at_once([Request(0, 2, 200, "AD"), Request(1, 2, 200, "AE"), Request(2, 1, 200, "AF")])
    2
    >>> most_at_once([])
    0
    """
    changes = sorted([(request.arrival + request.delay, -1) for request in requests] +
                     [(request.arrival, 1) for request in requests])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
