"""Bodies arrive byte for byte after the replay: empty, one byte, large, chunked."""
import hashlib
import random

import pytest

import agents

UPLOAD = "/v1/uploads"
SIZES = {"empty": 0, "one byte": 1, "5 MiB": 5 * 1024 * 1024}
# Not chunked requests in TLS: Debian's requests 2.28 sends such a body past the tunnel.
CLIENTS = ["curl", "curl chunked", "requests", "node_fetch", "node_fetch chunked", "node_connect"]


def body_of(size):
    return random.Random(size).randbytes(size)


def send(client, env, method, url, body):
    if client.startswith("curl"):
        options = ["-X", method, "--data-binary", "@-", "-H", "Content-Type: application/octet-stream"]
        if client.endswith("chunked"):
            options += ["-H", "Transfer-Encoding: chunked"]
        return agents.curl(env, url, *options, input=body)
    if client.startswith("requests"):
        return agents.requests(env, url, method, body, chunked=client.endswith("chunked"))
    if client == "node_connect":
        return agents.node_connect(env, url, method, body)
    return agents.node_fetch(env, url, method, body, chunked=client.endswith("chunked"))


def check(proxy, emulator, answer, method, body):
    assert answer.status in (200, 201, 204), answer
    state = emulator.state()
    sent = [c for c in state["api_calls"] if c["method"] == method]
    assert [c["authorization"] for c in sent] == ["agent", "jit"], sent
    assert sent[-1]["body_bytes"] == len(body)
    assert sent[-1]["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert state["counts"]["request"] == 1 and state["violations"] == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("client", CLIENTS)
def test_put_intercepted(proxy, emulator, client, size):
    body = body_of(SIZES[size])
    answer = send(client, proxy.agent(proxy.open_session()), "PUT", emulator.api_tls_url + UPLOAD, body)
    check(proxy, emulator, proxy.keep(answer), "PUT", body)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("client", ["curl", "curl chunked", "requests", "requests chunked"])
def test_post_plain(proxy, emulator, client, size):
    body = body_of(SIZES[size])
    answer = send(client, proxy.agent(proxy.open_session()), "POST", emulator.api_url + UPLOAD, body)
    check(proxy, emulator, proxy.keep(answer), "POST", body)


def test_body_over_the_limit_is_not_replayed(make_proxy, emulator):
    """It goes on once, and the API's own 403 comes back: half a body is never sent again."""
    proxy = make_proxy(config={"limits": {"replay_memory": "64KiB", "replay_file": "64KiB"}})
    body = body_of(1024 * 1024)
    answer = send("curl", proxy.agent(proxy.open_session()), "PUT", emulator.api_tls_url + UPLOAD, body)
    assert answer.status == 403
    assert [c["authorization"] for c in emulator.state()["api_calls"]] == ["agent"]


def test_no_replay_file_is_left(proxy, emulator):
    """Large bodies spill into a file without a name."""
    body = body_of(SIZES["5 MiB"])
    answer = send("curl", proxy.agent(proxy.open_session()), "PUT", emulator.api_tls_url + UPLOAD, body)
    assert answer.status in (200, 201, 204)
    assert not [f for f in proxy.dir.rglob("*") if f.is_file() and f.stat().st_size >= 1024 * 1024]
