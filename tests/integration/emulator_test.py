"""The emulator as a tool of other tests: faults to order, what it tells of what it saw, its flags."""
import json
import socket
import subprocess
import time

import pytest
import requests

from emulator import Emulator, binary
from emulator_client import Client, shared  # noqa: F401 (a fixture)


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
