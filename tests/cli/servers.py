"""nginx on free loopback ports, with plain HTTP, TLS and HTTP/2, and certificates that are made for the run."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from typing import NamedTuple

from harness import START, run, wait_for

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")

def export(folder):
    """{code: image} of all that slow_server has, which it writes to the folder."""
    result = run("slow_server", f"--export={folder}")
    if result.code != 0:
        raise AssertionError(result)
    images = {}
    for name in os.listdir(os.path.join(folder, "flags")):
        with open(os.path.join(folder, "flags", name, f"{name}.gif"), "rb") as file:
            images[name.upper()] = file.read()
    return images


# ---- certificates ----------------------------------------------------------------------------------

OPENSSL_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = a test of primepool
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[ca]
default_ca = default
[default]
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
certificate = {folder}/authority.pem
private_key = {folder}/authority.key
default_md = sha256
policy = policy
unique_subject = no
[policy]
CN = supplied
[server]
basicConstraints = CA:FALSE
subjectAltName = {names}
"""


class Certificates:
    """Of one authority, whose own is the file `authority`."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = os.path.join(folder, "authority.pem")
        for name, content in (("index", ""), ("serial", "01\n")):
            with open(os.path.join(folder, name), "w") as file:
                file.write(content)
        self._openssl("", "req", "-x509", "-days", "2", "-extensions", "authority", *self._new_key("authority"),
                      "-out", self.authority)

    def make(self, name, names="DNS:localhost,IP:127.0.0.1", days=(-1, 1)):
        """What nginx needs to say for a certificate for those names, valid from and to so many days from now."""
        request = os.path.join(self.folder, f"{name}.csr")
        dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + day * 86400)) for day in days]
        self._openssl(names, "req", *self._new_key(name), "-out", request)
        self._openssl(names, "ca", "-batch", "-notext", "-extensions", "server", "-startdate", dates[0],
                      "-enddate", dates[1], "-in", request, "-out", os.path.join(self.folder, f"{name}.pem"))
        return f"ssl_certificate {self.folder}/{name}.pem; ssl_certificate_key {self.folder}/{name}.key;"

    def _new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                os.path.join(self.folder, f"{name}.key")]

    def _openssl(self, names, command, *args):
        config = os.path.join(self.folder, "config")
        with open(config, "w") as file:
            file.write(OPENSSL_CONFIG.format(folder=self.folder, names=names or "DNS:none"))
        subprocess.run([OPENSSL, command, "-config", config, *args], check=True, capture_output=True)


# ---- nginx -----------------------------------------------------------------------------------------

NGINX_CONFIG = """
daemon off;
master_process off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    log_format test '$connection $server_port $server_protocol $status $uri';
    access_log {folder}/access.log test;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    types {{ image/gif gif; }}
    root {root};
    {servers}
}}
"""


class Logged(NamedTuple):
    connection: int
    protocol: str
    status: int
    uri: str


class Nginx:
    """Serves the folder `root`. `sites` maps names to what a server says besides where it listens, beginning with the
    options of that: {"plain": "", "http2": "ssl http2; ssl_certificate ..."}."""

    def __init__(self, root, sites):
        self._folder = tempfile.TemporaryDirectory(prefix="nginx-")
        self._root = root
        self._sites = sites

    def __enter__(self):
        for _ in range(5):  # somebody else may take a port before it does
            self._choose_ports()
            self._process = subprocess.Popen(
                [START, NGINX, "-p", self._folder.name, "-c", self._path("config"), "-e", self._path("error.log")],
                stdin=subprocess.DEVNULL)
            wait_for("nginx", lambda: self._process.poll() is not None or all(map(listens, self.ports.values())))
            if self._process.poll() is None:
                return self
        raise AssertionError(f"no nginx: {self._read('error.log')}")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def _choose_ports(self):
        sockets = [socket.socket() for _ in self._sites]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        self.ports = {name: sock.getsockname()[1] for name, sock in zip(self._sites, sockets)}
        for sock in sockets:
            sock.close()
        servers = "\n".join(f"server {{ listen 127.0.0.1:{self.ports[name]} {said or ';'} }}"
                            for name, said in self._sites.items())
        with open(self._path("config"), "w") as file:
            file.write(NGINX_CONFIG.format(folder=self._folder.name, root=self._root, servers=servers,
                                           user="user root;" if os.geteuid() == 0 else ""))

    def _path(self, name):
        return os.path.join(self._folder.name, name)

    def _read(self, name):
        with open(self._path(name)) as file:
            return file.read()

    def url(self, name):
        return f"{'https' if 'ssl' in self._sites[name] else 'http'}://localhost:{self.ports[name]}/flags"

    def forget(self):
        os.truncate(self._path("access.log"), 0)

    def logged(self, name, count):
        """The `count` requests of a site since the last forget, as soon as they are in the log."""
        def found():
            lines = [line.split(" ") for line in self._read("access.log").splitlines()]
            return [Logged(int(number), protocol, int(status), uri) for number, port, protocol, status, uri in lines
                    if port == str(self.ports[name])]

        wait_for("the log", lambda: len(found()) >= count, within=5)
        return found()


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
