"""A server's certificate that the system trusts: for this process and its children alone.

It lies at the end of a copy of the system's file of certificates, which is mounted over that file in
a mount namespace of this process. So clients read what they always read, and check as always.
"""

import ctypes
import os
import pathlib
import shutil
import subprocess

from engine import BenchError

BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
LIBC = ctypes.CDLL(None, use_errno=True)


def lacking():
    """Why there can be none here; None if there can."""
    if shutil.which("openssl") is None:
        return "openssl"
    if not BUNDLE.exists():
        return f"{BUNDLE} (Debian's package ca-certificates)"
    try:
        may = subprocess.run(["unshare", "--mount" if os.geteuid() == 0 else "-rm", "true"],
                             check=False, stdin=subprocess.DEVNULL, capture_output=True)
    except OSError:
        return "unshare"
    return None if may.returncode == 0 else "the right to a mount namespace"


class Trust:
    """The certificate and its key, in `folder`."""

    private = False  # whether this process has its own mounts

    def __init__(self, folder):
        self.key, self.certificate = folder.resolve() / "key.pem", folder.resolve() / "cert.pem"
        self.bundle = folder.resolve() / "bundle.pem"
        self.mounted = False

    def begin(self, host):
        if self.mounted:
            return
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=bench", "-addext", f"subjectAltName=IP:{host}",
            "-keyout", str(self.key), "-out", str(self.certificate))
        self.bundle.write_bytes(BUNDLE.read_bytes() + self.certificate.read_bytes())
        if not Trust.private:
            enter_namespace()
            Trust.private = True
        mount(str(self.bundle), str(BUNDLE), MS_BIND)
        self.mounted = True

    def end(self):
        if self.mounted:
            LIBC.umount(str(BUNDLE).encode())
            self.mounted = False


def run(*command):
    done = subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL,
                          capture_output=True)
    if done.returncode != 0:
        raise BenchError(f"{command[0]}: {done.stderr.strip()[-300:]}")


def enter_namespace():
    """The user stays who he is: also where only a namespace of users gives the right to mount."""
    user, group = os.geteuid(), os.getegid()
    if LIBC.unshare(CLONE_NEWNS | (CLONE_NEWUSER if user != 0 else 0)) != 0:
        raise BenchError(f"unshare: {os.strerror(ctypes.get_errno())}")
    if user != 0:
        own = pathlib.Path("/proc/self")
        (own / "setgroups").write_text("deny", encoding="ascii")
        (own / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        (own / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    mount("none", "/", MS_REC | MS_PRIVATE)


def mount(source, target, flags):
    if LIBC.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None) != 0:
        raise BenchError(f"mount {target}: {os.strerror(ctypes.get_errno())}")
