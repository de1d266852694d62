"""The emulator's protected API on the wire: signals, bodies, streams, TLS, and requests that are none."""
import hashlib
import http.client
import os
import socket
import ssl
import subprocess
import time

import pytest
import requests

from emulator_client import Client, emu, shared  # noqa: F401 (fixtures)


@pytest.mark.parametrize("dialect", ["lumoauth", "lumoauth-array", "base64url", "nopad", "ietf-00", "ietf-01",
                                     "ietf-03", "ietf-05", "ietf-05-token", "disagree", "broken"])
def test_dialects_over_the_wire(emu, dialect):
    answer = Client(emu).api("GET", f"/v1/documents/doc_9982?dialect={dialect}")
    assert answer.status_code == (401 if dialect.startswith("ietf-05") else 403)
    assert ("Insufficient-Authorization-Details" in answer.headers) == (not dialect.startswith("ietf"))


@pytest.mark.parametrize("size", [0, 1, 65536, 5 * 1024 * 1024])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("tls", [False, True])
def test_bodies_arrive_whole(shared, size, chunked, tls):
    shared.reset()
    client = Client(shared)
    base = shared.api_tls_url if tls else shared.api_url
    task = client.open_task()
    token = client.grant(task, client.api("POST", "/v1/uploads", base=base, data=b""))
    body = os.urandom(size)
    pieces = (body[i:i + 7000] for i in range(0, size, 7000)) if chunked else body
    answer = client.api("POST", "/v1/uploads", token, base=base, data=pieces)
    assert answer.status_code == 201
    assert answer.json() == {"sha256": hashlib.sha256(body).hexdigest(), "bytes": size}
    assert shared.state()["api_calls"][-1]["body_bytes"] == size


def test_expect_and_early_answers(shared, tmp_path):
    shared.reset()
    client = Client(shared)
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 * 1024 * 1024))

    def curl(path, token, *flags):
        command = ["curl", "-sS", "--noproxy", "*", "--max-time", "30", "-T", str(big), "-o", os.devnull,
                   "-H", "Authorization: Bearer " + token, "-w", "%{http_code} %{size_upload}", *flags,
                   shared.api_url + path]
        status, sent = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        return int(status), int(sent)

    expect, none = ("-H", "Expect: 100-continue"), ("-H", "Expect:")
    assert curl("/v1/documents/d", client.token, *expect) == (403, 0)
    assert curl("/v1/documents/d", client.token, *none) == (403, big.stat().st_size)
    assert curl("/v1/documents/d?early=1", client.token, *none)[0] == 403
    task = client.open_task()
    token = client.grant(task, client.api("PUT", "/v1/documents/d", data=b"x"))
    assert curl("/v1/documents/d", token, *expect) == (201, big.stat().st_size)
    call = shared.state()["api_calls"][-1]
    assert call["body_sha256"] == hashlib.sha256(big.read_bytes()).hexdigest()


@pytest.mark.parametrize("tls", [False, True])
def test_events_are_flushed_one_by_one(shared, tls):
    shared.reset()
    client = Client(shared)
    base = shared.api_tls_url if tls else shared.api_url
    task = client.open_task()
    token = client.grant(task, client.api("GET", "/v1/stream", base=base))
    with client.api("GET", "/v1/stream?n=3&interval_ms=300", token, base=base, stream=True) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        times = [time.monotonic() for line in answer.iter_lines(chunk_size=1) if line.startswith(b"data:")]
    assert len(times) == 3
    assert times[2] - times[0] > 0.3  # 0.6 at best; all at once would be 0


def test_cut_and_chunked_bodies(shared):
    shared.reset()
    client = Client(shared)
    whole = client.api("GET", "/v1/bytes?n=100000&chunked=1")
    assert whole.headers["Transfer-Encoding"] == "chunked" and len(whole.content) == 100000
    connection = http.client.HTTPConnection("127.0.0.1", shared.api_port, timeout=10)
    connection.request("GET", "/v1/bytes?n=1000&cut=10", headers=client.bearer())
    answer = connection.getresponse()
    assert answer.getheader("Content-Length") == "1000"
    with pytest.raises(http.client.IncompleteRead):
        answer.read()


def test_certificate_and_tls(shared):
    context = ssl.create_default_context(cafile=shared.ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    for name in ("localhost", "127.0.0.1", "::1", "api.acme-corp.test", "files.acme-corp.test"):
        with socket.create_connection(("127.0.0.1", shared.api_tls_port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=name) as tls:
                assert tls.selected_alpn_protocol() == "http/1.1"
    for name in ("acme-corp.test", "a.b.acme-corp.test", "other.test"):
        with socket.create_connection(("127.0.0.1", shared.api_tls_port), timeout=10) as plain:
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(plain, server_hostname=name)
    as_tls = requests.get(shared.as_tls_url + "/emulator/health", verify=shared.ca_file, proxies={"https": ""})
    assert as_tls.json() == {"ok": True}


def test_broken_requests_do_no_harm(shared):
    shared.reset()
    for text in (b"nonsense\r\n\r\n", b"GET / HTTP/3.0\r\n\r\n", b"GET /v1/public HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                 b"\r\n\r\n", b"POST /v1/uploads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
        with socket.create_connection(("127.0.0.1", shared.api_port), timeout=10) as s:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: s.recv(4096), b""))
            assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401")), (text, answer)
    assert Client(shared).api("GET", "/v1/public").status_code == 200


def test_http10(shared):
    shared.reset()
    client = Client(shared)
    token = client.grant(client.open_task(), client.api("GET", "/v1/stream"))
    with socket.create_connection(("127.0.0.1", shared.api_port), timeout=10) as s:
        s.sendall(f"GET /v1/stream?n=2&interval_ms=1 HTTP/1.0\r\nHost: {shared.api_url[7:]}\r\n"
                  f"Authorization: Bearer {token}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body == b'id: 1\ndata: {"n": 1}\n\nid: 2\ndata: {"n": 2}\n\n'
