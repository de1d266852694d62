"""Bytes on a socket, for what no well-behaved client sends; and a small origin server that records what it was sent."""
import base64
import http.client
import socket
import ssl
import threading

import agents

PATIENCE = 30


class Unclosed:
    """A reader that stays open when an answer has been read: the next one may be in its buffer already."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass


class Wire:
    """One connection to the proxy (or through it): heads are written as given, answers are read whole."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), PATIENCE)
        self.reader = None

    def makefile(self, mode):
        """For HTTPResponse: one reader for all answers, as pipelined ones may arrive in one piece."""
        if self.reader is None:
            self.reader = Unclosed(self.socket.makefile(mode))
        return self.reader

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.reader:
            self.reader.file.close()  # or it keeps the connection open
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))

    def read(self, method="GET"):
        """The next answer, body and all."""
        answer = http.client.HTTPResponse(self, method=method)
        answer.begin()
        return agents.Answer(answer.status, answer.getheaders(), answer.read())

    def ask(self, text, method="GET"):
        self.send(text)
        return self.read(method)

    def connect(self, authority, credentials=""):
        """CONNECT; the answer."""
        self.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{credentials}\r\n")
        answer = http.client.HTTPResponse(self, method="CONNECT")
        answer.begin()
        # Only a refusal has a body.
        body = answer.read() if answer.status >= 300 else b""
        return agents.Answer(answer.status, answer.getheaders(), body)

    def start_tls(self, name, ca_file):
        context = ssl.create_default_context(cafile=str(ca_file))
        context.check_hostname = False  # the tests choose names that do not fit
        context.set_alpn_protocols(["http/1.1"])
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.reader = None
        return self

    def closed(self):
        """True when the other side has closed."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def basic(session):
    """The Proxy-Authorization line of a session."""
    user_info = session["proxy_url"].split("//")[1].split("@")[0]
    return f"Proxy-Authorization: Basic {base64.b64encode(user_info.encode()).decode()}\r\n"


class Origin:
    """Accepts connections and answers each request head with `answer(head)` (None: closes); keeps every head.

    `answers`: how many a connection gets before it is closed; 0: as many as it wants."""

    def __init__(self, answer=None, address="127.0.0.1", answers=0):
        self.answers = answers
        self.answer = answer or (lambda head: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        self.heads = []
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            kept = b""
            left = self.answers or -1
            while left:
                left -= 1
                while b"\r\n\r\n" not in kept:
                    try:
                        more = connection.recv(65536)
                    except OSError:
                        return
                    if not more:
                        return
                    kept += more
                head, _, kept = kept.partition(b"\r\n\r\n")
                self.heads.append(head.decode("latin-1"))
                answer = self.answer(self.heads[-1])
                if answer is None:
                    return
                try:
                    connection.sendall(answer)
                except OSError:
                    return

    def saw(self, text):
        return any(text.lower() in head.lower() for head in self.heads)
