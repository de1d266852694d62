"""The main job, by every client that is at hand, plain and intercepted: two reads that need permission, and a clean end."""
import json
import shutil

import pytest

import agents

DOCUMENT = "/v1/documents/doc_9982"
SUMMARY = "/v1/reports/FY2024-Q4/summary"

CLIENTS = {
    "curl": lambda env, url: agents.curl(env, url),
    "requests": lambda env, url: agents.requests(env, url),
    "urllib": lambda env, url: agents.urllib(env, url),
    "node_fetch": lambda env, url: agents.node_fetch(env, url),
    "node_connect": lambda env, url: agents.node_connect(env, url),
}


def story(proxy, emulator, fetch, base):
    session = proxy.open_session(name="quarterly review")
    env = proxy.agent(session)
    document = proxy.keep(fetch(env, base + DOCUMENT))
    summary = proxy.keep(fetch(env, base + SUMMARY))
    assert document.status == 200 and b"Q4 revenue" in document.body, document
    assert summary.status == 200, summary

    state = emulator.state()
    assert state["counts"]["task"] == 1
    assert [r["status"] for r in state["requests"]] == ["approved", "approved"]
    assert {r["task_id"] for r in state["requests"]} == {session["task_id"]}
    # Each resource: refused once, with the agent's own token, then served with a token for it.
    calls = [(c["path"], c["status"], c["authorization"]) for c in state["api_calls"]]
    assert calls == [(path, *step) for path in (DOCUMENT, SUMMARY) for step in ((403, "agent"), (200, "jit"))]
    assert len([t for t in state["live_tokens"] if t["kind"] == "jit"]) == 2

    status, closed = proxy.close_session(session)
    assert status == 200 and closed["status"] == "completed", closed
    assert closed["session_id"] == session["session_id"] and closed["task_id"] == session["task_id"]
    state = emulator.state()
    assert [t for t in state["live_tokens"] if t["kind"] == "jit"] == []
    assert state["open_tasks"] == [] and state["violations"] == []


@pytest.mark.parametrize("client", ["curl", "requests", "urllib"])
def test_plain(proxy, emulator, client):
    story(proxy, emulator, CLIENTS[client], emulator.api_url)


@pytest.mark.parametrize("client", CLIENTS)
def test_intercepted(proxy, emulator, client):
    story(proxy, emulator, CLIENTS[client], emulator.api_tls_url)


def test_cleartext_inside_a_tunnel(proxy, emulator):
    """undici sends CONNECT for http: URLs too, then plain HTTP: the first bytes tell, not the port."""
    story(proxy, emulator, CLIENTS["node_fetch"], emulator.api_url)


@pytest.mark.skipif(not shutil.which("java"), reason="no JDK")
def test_java(proxy, emulator):
    session = proxy.open_session()
    env = proxy.agent(session)
    exported = proxy.run("env", "--session", session["session_id"], "--format", "json")
    assert exported.returncode == 0, exported.stderr

    env["JAVA_TOOL_OPTIONS"] = json.loads(exported.stdout)["JAVA_TOOL_OPTIONS"]
    answer = agents.java(env, emulator.api_tls_url + DOCUMENT)
    assert answer.status == 200 and b"Q4 revenue" in answer.body


def test_automatic_session(proxy, emulator):
    """A client without credentials: a session is opened at its first need, once."""
    env = proxy.agent()
    for _ in range(2):
        answer = proxy.keep(agents.curl(env, emulator.api_tls_url + DOCUMENT))
        assert answer.status == 200
    state = emulator.state()
    assert state["counts"]["task"] == 1 and state["counts"]["token"] == 1
    assert proxy.stop() == 0
    assert emulator.state()["open_tasks"] == []


def test_granted_token_serves_later_requests(proxy, emulator):
    """The same resource again costs no second 403; another resource does."""
    env = proxy.agent(proxy.open_session())
    for _ in range(3):
        assert agents.curl(env, emulator.api_tls_url + DOCUMENT).status == 200
    state = emulator.state()
    assert [c["status"] for c in state["api_calls"]] == [403, 200, 200, 200]
    assert state["counts"]["request"] == 1
    assert agents.curl(env, emulator.api_tls_url + "/v1/documents/doc_1001").status == 200
    assert emulator.state()["counts"]["request"] == 2


def test_grants_stay_in_their_session(proxy, emulator):
    first, second = proxy.open_session(), proxy.open_session()
    for session in (first, second):
        assert agents.curl(proxy.agent(session), emulator.api_tls_url + DOCUMENT).status == 200
    assert emulator.state()["counts"]["request"] == 2
    assert {r["task_id"] for r in emulator.state()["requests"]} == {first["task_id"], second["task_id"]}


def test_justification(proxy, emulator):
    """The agent's own words where it sends them, and never passed on; else method and URL without the query."""
    env = proxy.agent(proxy.open_session())
    url = emulator.api_tls_url
    agents.curl(env, url + DOCUMENT, "-H", "JIT-Justification: the board asked for it")
    agents.curl(env, url + SUMMARY + "?token=should-not-show")
    first, second = (r["justification"] for r in emulator.state()["requests"])
    assert first == "the board asked for it"
    assert second == f"GET {url}{SUMMARY}"
    names = {name.lower() for call in emulator.state()["api_calls"] for name, _ in call["headers"]}
    assert not names & {"jit-justification", "proxy-authorization", "proxy-connection"}


def test_upstream_connections_are_reused(proxy, emulator):
    env = proxy.agent(proxy.open_session())
    urls = [emulator.api_tls_url + f"/v1/documents/{name}" for name in ("doc_9982", "doc_1001", "doc_1002")]
    for url in urls:
        assert agents.curl(env, url).status == 200
    connections = {call["connection"] for call in emulator.state()["api_calls"]}
    assert len(connections) < 6  # of six requests
