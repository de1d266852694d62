"""Thousands of requests that their clients give up: the memory that they took is used again, and does not grow on."""
import collections
import socket
import threading

import harness
import load_test
import raw

ROUNDS, EACH, AT_ONCE = 10, 2000, 500
GROWTH = 4 << 20  # bytes that the later half of the rounds may add, all together


class Silent:
    """Takes connections, keeps them for a while, and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE)
        self.port = self.listener.getsockname()[1]
        self.kept = collections.deque(maxlen=2 * AT_ONCE)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                self.kept.append(self.listener.accept()[0])
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(harness.PATIENCE)
        self.listener.close()


def abandon(proxy, requests):
    """Sends them over connections of their own, some at a time, and goes away without an answer."""
    for first in range(0, len(requests), AT_ONCE):
        some = [socket.create_connection(("127.0.0.1", proxy.port), harness.PATIENCE)
                for _ in requests[first:first + AT_ONCE]]
        for s, request in zip(some, requests[first:]):
            s.sendall(request)
        load_test.until(lambda: load_test.open_connections(proxy) == len(some), "not all of them were accepted")
        for s in some:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
            s.close()
        load_test.until(lambda: load_test.open_connections(proxy) == 0, "connections of abandoned requests stay")


def test_memory_levels_off(proxy, emulator):
    session = raw.basic(proxy.open_session())
    silent = Silent()
    kinds = [
        f"GET http://other.localhost:{silent.port}/ HTTP/1.1\r\nHost: x\r\nX: {'x' * 3000}\r\n\r\n",
        f"POST {emulator.api_url}/v1/uploads HTTP/1.1\r\nHost: x\r\n{session}Content-Length: 100000\r\n\r\n{'b' * 20000}",
        f"CONNECT localhost:{emulator.api_tls_port} HTTP/1.1\r\nHost: x\r\n{session}\r\n",
        f"GET {emulator.api_url}/v1/do",
    ]
    requests = [kinds[i % len(kinds)].encode() for i in range(EACH)]
    sizes = []
    for _ in range(ROUNDS):
        abandon(proxy, requests)
        sizes.append(load_test.resident(proxy) >> 10)
    silent.close()
    half = sizes[ROUNDS // 2 - 1]
    assert (sizes[-1] - half) << 10 < GROWTH or harness.SANITIZED, f"KiB after each round: {sizes}"
