"""A proxy that answers in the place of every host: what someone with a stolen CA key does between a client and the rest."""
import socket
import ssl
import threading

PATIENCE = 30


class Impostor:
    """Takes CONNECT to any host, then speaks TLS itself with the given PEM files. Use as a context manager.

    `heads`: the requests that it came to read inside TLS; none where the client did not believe it."""

    def __init__(self, chain, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.heads = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = []
        self.acceptor = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self.acceptor.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in (self.acceptor, *self.connections):
            thread.join(PATIENCE)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self.connections[-1].start()

    def _serve(self, connection):
        connection.settimeout(PATIENCE)
        try:
            with connection:
                head = self._head(connection)
                assert head.startswith("CONNECT "), head
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    head = self._head(tls)
                    if head:
                        self.heads.append(head)
                        tls.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except OSError:
            pass  # the client left, as it should

    @staticmethod
    def _head(connection):
        kept = b""
        while b"\r\n\r\n" not in kept:
            more = connection.recv(65536)
            if not more:
                return ""
            kept += more
        return kept.decode("latin-1")
