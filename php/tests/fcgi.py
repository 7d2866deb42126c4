"""A FastCGI client: one request per connection, over a Unix socket, as the gateway does it.

Knows the responder role and nothing else; raises on an answer without its END_REQUEST.
"""

import socket
import struct

BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7


class Response:
    """A CGI answer: status, headers (lower-case names; lists of values), body and the log lines."""

    def __init__(self, stdout, stderr):
        head, _, self.body = stdout.partition(b"\r\n\r\n")
        self.headers, self.log = {}, stderr.decode(errors="replace")
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(":")
            self.headers.setdefault(name.strip().lower(), []).append(value.strip())
        self.status = int(self.header("status", "200").split()[0])
        self.text = self.body.decode(errors="replace")

    def header(self, name, default=""):
        return self.headers.get(name, [default])[-1]


def _record(kind, content):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def _stream(kind, content):
    parts = [content[i:i + 65535] for i in range(0, len(content), 65535)]
    return b"".join(_record(kind, part) for part in parts) + _record(kind, b"")


def _length(n):
    return bytes([n]) if n < 128 else struct.pack(">I", n | 1 << 31)


def _exactly(connection, n):
    data = b""
    while len(data) < n:
        part = connection.recv(n - len(data))
        if not part:
            raise ConnectionError("php-fpm closed the connection before END_REQUEST")
        data += part
    return data


def request(path, params, body=b"", timeout=30):
    """Sends one request to the socket at `path` and returns its Response."""
    pairs = b""
    for name, value in params.items():
        name, value = name.encode(), str(value).encode()
        pairs += _length(len(name)) + _length(len(value)) + name + value
    out, err = [], []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        begin = _record(BEGIN, struct.pack(">HB5x", 1, 0))
        connection.sendall(begin + _stream(PARAMS, pairs) + _stream(STDIN, body))
        while True:
            _, kind, _, length, padding = struct.unpack(">BBHHBx", _exactly(connection, 8))
            content = _exactly(connection, length + padding)[:length]
            if kind == END:
                return Response(b"".join(out), b"".join(err))
            (err if kind == STDERR else out).append(content)
