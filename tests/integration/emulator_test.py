"""Walks the whole protocol by hand against the real emulator, over HTTP and TLS, as a client would."""
import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time

import pytest
import requests

sys.path.insert(0, os.path.dirname(__file__))
from emulator import Emulator, binary  # noqa: E402


@pytest.fixture(scope="module")
def shared():
    with Emulator("--rate-limit", "0", "--agent", "agt_two:two", "--quiet") as emulator:
        yield emulator


@pytest.fixture(params=["tenant", "orgs"])
def emu(shared, request):
    shared.reset()
    shared.set_style(request.param)
    yield shared
    shared.reset()


class Client:
    """What an agent with the protocol in its own code does."""

    def __init__(self, emu, client_id=None, client_secret=None):
        self.emu = emu
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = emu.ca_file
        answer = self.http.post(emu.base_url + "/oauth/token", data={
            "grant_type": "client_credentials",
            "client_id": client_id or emu.client_id, "client_secret": client_secret or emu.client_secret})
        answer.raise_for_status()
        self.token = answer.json()["access_token"]

    def jit(self, method, path, body=None, token=None):
        url = path if path.startswith("http") else self.emu.base_url + "/jit/" + path
        return self.http.request(method, url, json=body, headers=self.bearer(token))

    def bearer(self, token=None):
        return {"Authorization": "Bearer " + (token or self.token)}

    def open_task(self, **members):
        return self.jit("POST", "task", members).json()["task_id"]

    def ask(self, task_id, details):
        return self.jit("POST", "request", {"task_id": task_id, "authorization_details": details,
                                            "justification": "a test", "requested_ttl": 300})

    def exchange(self, request_id):
        return self.jit("POST", f"request/{request_id}/token")

    def complete(self, task_id):
        return self.jit("POST", f"task/{task_id}/complete")

    def api(self, method, path, token=None, base=None, **more):
        headers = {**self.bearer(token), **more.pop("headers", {})}
        return self.http.request(method, (base or self.emu.api_url) + path, headers=headers,
                                 allow_redirects=False, **more)

    def grant(self, task_id, refused):
        """From a 403 to a token."""
        padded = refused.headers["Insufficient-Authorization-Details"]
        details = json.loads(base64.b64decode(padded))
        asked = self.ask(task_id, details).json()
        if asked["status"] == "pending":
            self.emu.decide(asked["request_id"], "approve")
        return self.exchange(asked["request_id"]).json()["access_token"]


@pytest.mark.parametrize("tls", [False, True])
def test_the_story(emu, tls):
    base = emu.api_tls_url if tls else emu.api_url
    client = Client(emu)
    task = client.open_task(name="story", type="test")
    refused = client.api("GET", "/v1/documents/doc_9982", base=base)
    assert refused.status_code == 403
    assert refused.json()["authorization_details_hint"]["locations"] == [base]
    token = client.grant(task, refused)
    document = client.api("GET", "/v1/documents/doc_9982", token, base=base)
    assert document.status_code == 200 and "revenue" in document.json()["text"]
    report = client.api("GET", "/v1/reports/FY2024-Q4/summary", base=base)
    token = client.grant(task, report)
    assert client.api("GET", "/v1/reports/FY2024-Q4/summary", token, base=base).json()["revenue_million"] == 48
    state = emu.state()
    assert [t["task_id"] for t in state["live_tokens"] if t["kind"] == "jit"] == [task, task]
    assert client.complete(task).json()["status"] == "completed"
    assert emu.live_tokens("jit") == []
    dead = client.api("GET", "/v1/documents/doc_9982", token, base=base)
    assert dead.status_code == 401
    assert dead.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert state["violations"] == []


def test_a_human_decides_over_the_as(emu):
    client = Client(emu)
    task = client.open_task()
    refused = client.api("DELETE", "/v1/documents/doc_old")
    details = refused.json()["authorization_details_hint"]
    asked = client.ask(task, details)
    assert asked.status_code == 202
    body = asked.json()
    assert (body["status"], body["risk_level"]) == ("pending", "high")
    status_url = emu.as_url + body["status_url"]
    assert client.jit("GET", status_url).json()["status"] == "pending"
    assert client.exchange(body["request_id"]).status_code == 403
    assert client.jit("POST", "approve/" + body["request_id"]).status_code == 403
    assert client.jit("POST", "approve/" + body["request_id"], token=emu.plain_user_token).status_code == 403
    assert client.jit("POST", "approve/" + body["request_id"], {"ttl": 60},
                      token=emu.user_token).json()["granted_ttl"] == 60
    assert client.jit("GET", status_url).json()["status"] == "approved"
    token = client.exchange(body["request_id"]).json()["access_token"]
    assert client.api("DELETE", "/v1/documents/doc_old", token).json()["deleted"] is True


def test_denial_expiry_and_suspension(emu):
    client = Client(emu)
    task = client.open_task()
    details = {"type": "document", "actions": ["delete"]}
    live = client.grant(task, client.api("GET", "/v1/documents/doc_9982"))
    expiring = client.ask(task, details).json()["request_id"]
    emu.advance(301)
    assert client.jit("GET", f"request/{expiring}/status").json()["status"] == "expired"
    live = client.grant(task, client.api("GET", "/v1/documents/doc_9982"))
    for _ in range(3):
        request_id = client.ask(task, details).json()["request_id"]
        emu.decide(request_id, "deny", reason="no")
        answer = client.jit("GET", f"request/{request_id}/status").json()
        assert (answer["status"], answer["deny_reason"]) == ("denied", "no")
    assert client.api("GET", "/v1/documents/doc_9982", live).status_code == 401
    assert client.ask(task, details).status_code == 400
    evaluation = client.jit("POST", f"task/{task}/evaluate").json()
    assert evaluation["active"] is False and evaluation["action"] == "suspended"


def test_ownership(emu):
    one, two = Client(emu), Client(emu, "agt_two", "two")
    task = one.open_task()
    request_id = one.ask(task, {"type": "document", "actions": ["read"]}).json()["request_id"]
    assert two.ask(task, {"type": "document"}).status_code == 403
    assert two.exchange(request_id).status_code == 403
    assert two.complete(task).status_code == 403
    assert one.complete(task).status_code == 200


VARIANTS = [
    {"status_url": "absolute", "token_url": "absolute", "token_answer": "short"},
    {"status_url": "absent", "token_url": "absent", "complete": "204"},
    {"details": "array", "token_details": "object", "task_status": "200", "request_status": "200"},
    {"request_status": "202", "extra_members": "yes", "agent_object": "yes",
     "content_type": "application/json; charset=utf-8"},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "+".join(v))
def test_the_story_in_each_variant(emu, variant):
    emu.variant(**variant)
    client = Client(emu)
    task = client.open_task()
    body = client.ask(task, {"type": "document", "actions": ["delete"]}).json()
    if variant.get("status_url") == "absolute":
        assert body["status_url"].startswith(emu.as_url + "/")
    elif variant.get("status_url") == "absent":
        assert "status_url" not in body
    emu.decide(body["request_id"], "approve")
    approved = client.jit("GET", f"request/{body['request_id']}/status").json()
    assert approved["status"] == "approved"
    assert isinstance(approved["authorization_details"], list if variant.get("details") == "array" else dict)
    token = client.exchange(body["request_id"]).json()
    assert token["access_token"].startswith("emu_jit_")
    assert (len(token) == 3) == (variant.get("token_answer") == "short")
    done = client.complete(task)
    assert done.status_code == int(variant.get("complete", 200))
    assert emu.live_tokens("jit") == []


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


def test_faults(shared):
    shared.reset()
    client = Client(shared)
    task = client.open_task()
    details = {"type": "document", "actions": ["read"]}
    shared.fault("request", "status", status=503, times=2)
    assert [client.ask(task, details).status_code for _ in range(3)] == [503, 503, 201]
    shared.fault("task", "rate_limit", retry_after=3)
    limited = client.jit("POST", "task")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "3")
    # Done or not done, nobody hears of it.
    for kind, done in (("reset_before", 0), ("reset_after", 1)):
        before = len(shared.state()["open_tasks"])
        shared.fault("task", kind)
        with pytest.raises(requests.ConnectionError):
            client.jit("POST", "task")
        assert len(shared.state()["open_tasks"]) == before + done
    shared.fault("task", "truncate")
    with pytest.raises(requests.RequestException):
        # requests 2.28 does not notice a short body by itself.
        answer = client.jit("POST", "task")
        if len(answer.content) < int(answer.headers["Content-Length"]):
            raise requests.ConnectionError("cut")
    shared.fault("task", "malformed")
    with pytest.raises(ValueError):
        client.jit("POST", "task").json()
    shared.fault("task", "wrong_type")
    assert client.jit("POST", "task").headers["Content-Type"].startswith("text/html")
    shared.fault("task", "delay", delay_ms=200)
    begin = time.monotonic()
    client.jit("POST", "task")
    assert time.monotonic() - begin >= 0.2
    shared.fault("task", "expired_token")
    assert client.jit("POST", "task").status_code == 401
    client = Client(shared)
    shared.fault("api", "status", status=502)
    assert client.api("GET", "/v1/public").status_code == 502
    assert client.api("GET", "/v1/public").status_code == 200
    shared.fault("task", "status", times=-1)
    shared.clear_faults()
    assert client.jit("POST", "task").status_code == 201


def test_what_it_saw(shared):
    shared.reset()
    client = Client(shared)
    client.api("GET", "/v1/echo?a=1", base=shared.api_tls_url,
               headers={"X-Odd": b"caf\xe9", "Proxy-Authorization": "Basic eDp5"})
    call = shared.state()["api_calls"][-1]
    assert (call["method"], call["path"], call["scheme"], call["authorization"]) == ("GET", "/v1/echo", "https", "agent")
    assert ["X-Odd", "café"] in call["headers"]
    assert not any(name == "Authorization" for name, _ in call["headers"])
    assert [v["what"] for v in shared.violations()] == ["Proxy-Authorization reached the API"]
    assert client.token not in json.dumps(shared.state())
    assert shared.counts()["api"] == 1


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


def test_stand_in_human_and_flags():
    with Emulator("--auto-decide", "5=approve", "--grant-ttl", "10", "--token-ttl", "50", "--tenant", "other") as emu:
        client = Client(emu)
        task = client.open_task()
        request_id = client.ask(task, {"type": "payment", "actions": ["execute"]}).json()["request_id"]
        assert client.jit("GET", f"request/{request_id}/status").json()["status"] == "pending"
        emu.advance(5)
        assert client.jit("GET", f"request/{request_id}/status").json()["status"] == "approved"
        assert client.exchange(request_id).json()["expires_in"] == 10
        emu.advance(10)
        assert emu.live_tokens("jit") == []
        emu.advance(40)
        assert emu.live_tokens() == []
        assert client.token not in emu.log() and emu.client_secret not in emu.log()


def test_usage():
    def run(*flags):
        return subprocess.run([binary("jitproxy-emulator"), *flags], capture_output=True, text=True, timeout=30)
    assert run("--version").stdout.startswith("jitproxy-emulator ")
    assert "--auto-decide" in run("--help").stdout
    wrong = run("--listen", "nowhere")
    assert wrong.returncode == 2 and "HOST:PORT" in wrong.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = run("--listen", "127.0.0.1:%d" % taken.getsockname()[1])
    assert busy.returncode == 1 and "in use" in busy.stderr
