"""What docs/supported-http.md says, on the wire."""
import hashlib
import socket
import subprocess
import threading
import time

import pytest

import agents
import raw

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def origin():
    with raw.Origin(lambda head: OK) as running:
        yield running


def url(origin, path="/"):
    return f"http://open.localhost:{origin.port}{path}"


def test_order_duplicates_and_spelling_pass(proxy, origin):
    with raw.Wire(proxy.port) as wire:
        wire.ask(f"BREW {url(origin, '/pot?x=%20a&x=b')} HTTP/1.1\r\nHost: x\r\nX-b: 2\r\nx-A:  1 \r\nX-b: 3\r\n"
                 "ACCEPT: text/html;q=0.5, */*\r\n\r\n")
    lines = origin.heads[0].split("\r\n")
    assert lines[0] == "BREW /pot?x=%20a&x=b HTTP/1.1"
    kept = [line for line in lines if line.lower().startswith(("x-", "accept"))]
    assert kept == ["X-b: 2", "x-A: 1", "X-b: 3", "ACCEPT: text/html;q=0.5, */*"]


def test_answers_pass_with_order_duplicates_and_spelling(proxy):
    answer = b"HTTP/1.1 299 Odd Thing\r\nset-cookie: a=1\r\nX-Odd:  v \r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    with raw.Origin(lambda head: answer) as origin, raw.Wire(proxy.port) as wire:
        wire.send(f"GET {url(origin)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b""
        while part := wire.socket.recv(65536):
            text += part
    lines = text.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 299 Odd Thing"
    assert [line for line in lines if "ookie" in line or "Odd:" in line] == \
        ["set-cookie: a=1", "X-Odd: v", "Set-Cookie: b=2"]


def test_hop_by_hop_fields_are_removed(proxy, origin):
    with raw.Wire(proxy.port) as wire:
        wire.ask(f"GET {url(origin)} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\n"
                 "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip, trailers\r\n\r\n")
    head = origin.heads[0].lower()
    for gone in ("x-private", "keep-alive: timeout", "proxy-connection", "gzip"):
        assert gone not in head


def test_connection_is_kept_and_pipelined_requests_are_answered_in_order(proxy):
    with raw.Origin(lambda head: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + head[5:7].encode()) as origin, \
            raw.Wire(proxy.port) as wire:
        wire.send("".join(f"GET {url(origin, '/' + name)} HTTP/1.1\r\nHost: x\r\n\r\n" for name in ("aa", "bb", "cc")))
        assert [wire.read().body for _ in range(3)] == [b"aa", b"bb", b"cc"]


@pytest.mark.parametrize("head,status", [
    ("GET {url} HTTP/1.1\r\n\r\n", 400),                                                   # no Host
    ("GET {url} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ("GET {url} HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n", 400),
    ("GET {url} HTTP/1.1\r\nHost: x\r\nX: y\r\n folded\r\n\r\n", 400),
    ("GET {url} HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400),
    ("GET {url} HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400),                                  # bare LF
    ("GET {url} HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400),                             # bare CR
    ("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    ("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400),
    ("POST {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ("POST {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("POST {url} HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("GET /origin-form HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET ftp://open.localhost/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET http://user:pass@open.localhost/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET {url}#part HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("CONNECT open.localhost HTTP/1.1\r\nHost: x\r\n\r\n", 400),                           # no port
    ("GET {url} HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("GET {url} HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417),
    ("GET {url}" + "a" * 9000 + " HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("GET {url} HTTP/1.1\r\nHost: x\r\nX: " + "a" * 70000 + "\r\n\r\n", 431),
    ("GET {url} HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 200 + "\r\n", 431),
])
def test_refused_before_anything_is_forwarded(proxy, origin, head, status):
    with raw.Wire(proxy.port) as wire:
        answer = wire.ask(head.replace("{url}", url(origin)))
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "application/problem+json"
    assert answer.json()["status"] == status and answer.json()["detail"]
    assert answer.header("Proxy-Status").startswith("jitproxy; error=")
    assert origin.heads == []


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\nok",
    b"SSH-2.0-OpenSSH\r\n\r\n",
    b"HTTP/1.1 20x OK\r\n\r\n",
])
def test_answers_that_cannot_be_understood(proxy, answer):
    with raw.Origin(lambda head: answer) as origin, raw.Wire(proxy.port) as wire:
        got = wire.ask(f"GET {url(origin)} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.status == 502 and "error=http_protocol_error" in got.header("Proxy-Status")


def test_nothing_listens(proxy):
    closed = raw.Origin()
    closed.__exit__()
    with raw.Wire(proxy.port) as wire:
        got = wire.ask(f"GET {url(closed)} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.status == 502 and "error=connection_refused" in got.header("Proxy-Status")
        assert wire.connect(f"open.localhost:{closed.port}").status == 502


def test_closed_without_an_answer(proxy):
    with raw.Origin(lambda head: None) as origin, raw.Wire(proxy.port) as wire:
        got = wire.ask(f"GET {url(origin)} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.status == 502 and "error=connection_terminated" in got.header("Proxy-Status")


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nonly a part",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n64\r\nonly a part",
])
def test_cut_body_is_visibly_broken(proxy, answer):
    with raw.Origin(lambda head: answer, answers=1) as origin:
        with pytest.raises(agents.ClientFailed) as failed:
            agents.curl(proxy.agent(), url(origin))
    assert failed.value.code in (18, 56)  # partial file; receive failure


@pytest.mark.parametrize("query", ["n=5000000", "n=5000000&chunked=1", "n=0", "n=1&chunked=1"])
def test_downloads_are_whole(proxy, emulator, query):
    env = proxy.agent(proxy.open_session())
    size = int(query.split("&")[0][2:])
    expected = (bytes(range(ord("a"), ord("z") + 1)) * (size // 26 + 1))[:size]
    for base in (emulator.api_url, emulator.api_tls_url):
        answer = agents.curl(env, f"{base}/v1/bytes?{query}")
        assert answer.status == 200
        assert hashlib.sha256(answer.body).digest() == hashlib.sha256(expected).digest()


def test_cut_by_the_api_is_cut_for_the_client(proxy, emulator):
    with pytest.raises(agents.ClientFailed):
        agents.curl(proxy.agent(proxy.open_session()), emulator.api_tls_url + "/v1/bytes?n=100000&cut=5000")


@pytest.mark.parametrize("scheme", ["plain", "intercepted"])
def test_a_stream_arrives_as_it_is_made(proxy, emulator, scheme):
    base = emulator.api_url if scheme == "plain" else emulator.api_tls_url
    client = subprocess.Popen(["curl", "-q", "-sSN", f"{base}/v1/stream?n=4&interval_ms=700"],
                              env=proxy.agent(proxy.open_session()), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert client.stdout.readline()
    first = time.monotonic()
    client.stdout.read()
    assert client.wait(30) == 0
    assert time.monotonic() - first > 1.0  # the first came well before the last


def test_head_has_no_body_and_keeps_the_connection(proxy, emulator):
    session = proxy.open_session()
    with raw.Wire(proxy.port) as wire:
        head = f"HEAD {emulator.api_url}/v1/bytes?n=50 HTTP/1.1\r\nHost: x\r\n{raw.basic(session)}\r\n"
        answer = wire.ask(head, "HEAD")
        assert answer.status == 200 and answer.header("Content-Length") == "50" and answer.body == b""
        assert wire.ask(head.replace("HEAD", "GET", 1)).body[:3] == b"abc"


def test_ordinary_403_passes_untouched(proxy, emulator):
    answer = agents.curl(proxy.agent(proxy.open_session()), emulator.api_url + "/v1/forbidden")
    assert answer.status == 403 and answer.header("JIT-Request-Status") is None
    assert emulator.state()["counts"]["request"] == 0


def test_http_1_0_client(proxy, emulator):
    with raw.Wire(proxy.port) as wire:
        wire.send(f"GET {emulator.api_url}/v1/bytes?n=30&chunked=1 HTTP/1.0\r\n\r\n")
        text = b""
        while part := wire.socket.recv(65536):
            text += part
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") or head.startswith(b"HTTP/1.0 200")
    assert b"transfer-encoding" not in head.lower() and body == b"abcdefghijklmnopqrstuvwxyzabcd"


def test_blind_tunnel_carries_anything(proxy):
    listener = socket.create_server(("127.0.0.1", 0))

    def echo():
        connection, _ = listener.accept()
        with connection:
            while part := connection.recv(65536):
                connection.sendall(part)
            connection.sendall(b"end")
    thread = threading.Thread(target=echo, daemon=True)
    thread.start()
    with raw.Wire(proxy.port) as wire:
        assert wire.connect(f"open.localhost:{listener.getsockname()[1]}").status == 200
        wire.send(b"\0\xffnot http")
        got = b""
        while len(got) < 10:
            got += wire.socket.recv(100)
        assert got == b"\0\xffnot http"
        wire.socket.shutdown(socket.SHUT_WR)  # half closed: the other half still works
        assert wire.socket.recv(100) == b"end" and wire.closed()
    thread.join(30)
    listener.close()
