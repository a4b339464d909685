"""A hostile HTTP/2 server on a loopback port of its own, with TLS: frames as RFC 9113 has them, and of HPACK (RFC 7541) as
much as an answer needs. A function of the test, called for each request, sends what it likes.

    def on_request(connection, stream): ...
    with Http2Server(certificate, key, on_request) as server:
        run("flags2_async", f"--base-url={server.url}", "BR")
        server.connections  # each a list of the numbers of its requests' streams
"""

import socket
import ssl
import struct
import threading

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
NO_ERROR, REFUSED_STREAM = 0, 7
MAX_CONCURRENT_STREAMS = 3
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUS = {200: b"\x88", 404: b"\x8d"}  # of the static table


class Connection:
    def __init__(self, sock):
        self._sock = sock
        self._lock = threading.Lock()
        self.streams = []

    def send(self, kind, flags=0, stream=0, payload=b""):
        with self._lock:
            self._sock.sendall(struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload)

    def settings(self, **values):
        most = values.get("streams")
        self.send(SETTINGS, payload=b"" if most is None else struct.pack(">HI", MAX_CONCURRENT_STREAMS, most))

    def answer(self, stream, body, status=200):
        self.send(HEADERS, END_HEADERS, stream, STATUS[status])
        for at in range(0, len(body), 16384):
            self.send(DATA, 0, stream, body[at:at + 16384])
        self.send(DATA, END_STREAM, stream)

    def refuse(self, stream):
        self.send(RST_STREAM, 0, stream, struct.pack(">I", REFUSED_STREAM))

    def go_away(self, last_stream):
        self.send(GOAWAY, 0, 0, struct.pack(">II", last_stream, NO_ERROR))

    def close(self):
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _receive(self, size):
        data = b""
        while len(data) < size:
            part = self._sock.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def serve(self, on_request):
        if self._receive(len(PREFACE)) != PREFACE:
            raise AssertionError("no HTTP/2")
        while True:
            head = self._receive(9)
            payload = self._receive(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind == SETTINGS and not flags & ACK:
                self.send(SETTINGS, ACK)
            elif kind == PING and not flags & ACK:
                self.send(PING, ACK, 0, payload)
            elif kind == HEADERS:
                self.streams.append(stream)
                on_request(self, stream)


class Http2Server:
    def __init__(self, certificate, key, on_request, streams=None):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["h2"])
        self._on_request, self._streams = on_request, streams
        self._accepted = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.url = f"https://localhost:{self._listener.getsockname()[1]}/flags"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._accepted:
            connection.close()

    @property
    def connections(self):
        return [connection.streams for connection in self._accepted]

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            with self._context.wrap_socket(sock, server_side=True) as wrapped:
                connection = Connection(wrapped)
                self._accepted.append(connection)
                connection.settings(streams=self._streams)
                connection.serve(self._on_request)
        except (OSError, EOFError, ValueError):
            pass
