"""What is done about an authorization server that is down, suspends, or calls back, and how much is asked of it."""
import json
import urllib.request

import agents
from permission_test import background, delete

DOCUMENT = "/v1/documents/doc_9982"
DELETED = "/v1/documents/doc_old"  # deleting needs a human


def metric(proxy, name):
    return next(line.split()[1] for line in proxy.api_call("GET", "/metrics")[1].splitlines()
                if line.startswith(name + " "))


def test_circuit(make_proxy, emulator):
    """Down: a quick 503 with Retry-After in place of the API's 403; up again by itself; told once each."""
    proxy = make_proxy(config={"authorization_server": {"circuit_failures": 3}})
    events = proxy.watch_events()
    emulator.variant(pending_list="pending_requests")
    env = proxy.agent(proxy.open_session())
    for endpoint in ("token", "task", "request", "status", "jit_token", "pending"):
        emulator.fault(endpoint, "status", status=500, times=-1)
    for _ in range(10):
        answer = proxy.keep(agents.curl(env, emulator.api_url + DOCUMENT))
        if answer.status == 503:
            break
        assert answer.status == 403 and answer.header("JIT-Request-Status") == "error", answer
    assert answer.status == 503, answer
    assert answer.header("Content-Type") == "application/problem+json" and answer.json()["code"] == "as_down"
    assert int(answer.header("Retry-After")) >= 1
    assert answer.header("Proxy-Status").startswith("jitproxy; error=")
    assert metric(proxy, "jitproxy_as_circuit_open") == "1"
    status, refused = proxy.api_call("POST", "/v1/sessions", {})
    assert status == 503 and refused["code"] == "as_down", refused
    emulator.clear_faults()
    assert agents.curl(env, emulator.api_url + DOCUMENT, "--retry", "10").status == 200
    assert metric(proxy, "jitproxy_as_circuit_open") == "0"
    events.wait_for("event: authorization_server.up")
    assert events.text().count("event: authorization_server.down") == 1
    assert len([line for line in proxy.log.lines if "is left alone for a while" in line]) == 1


def test_sessions_close_while_the_circuit_is_open(make_proxy, emulator):
    proxy = make_proxy(config={"authorization_server": {"circuit_failures": 1}})
    session = proxy.open_session()
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    emulator.fault("task", "status", status=500, times=1)
    assert proxy.api_call("POST", "/v1/sessions", {})[0] == 503
    assert metric(proxy, "jitproxy_as_circuit_open") == "1"
    status, closed = proxy.close_session(session)
    assert status == 200 and closed["status"] == "completed", closed
    assert metric(proxy, "jitproxy_as_circuit_open") == "0"  # its answer showed that the server is up


def test_suspended_session(make_proxy, emulator):
    """403 with the reason, also after its task was completed; nothing of it is used any more."""
    proxy = make_proxy(config={"session": {"evaluate_every": "200ms"}})
    events = proxy.watch_events()
    session = proxy.open_session()
    other = proxy.open_session()
    env = proxy.agent(session)
    assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200
    emulator.suspend(session["task_id"])
    events.wait_for("event: session.suspended")
    events.wait_for("event: session.closed")
    before = len(emulator.state()["api_calls"])
    for url in (emulator.api_url, emulator.api_tls_url):
        try:
            refused = proxy.keep(agents.curl(env, url + DOCUMENT))
        except agents.ClientFailed as e:  # curl's way to say that CONNECT was refused
            assert "403" in str(e)
            continue
        assert refused.status == 403 and refused.header("Content-Type") == "application/problem+json"
        assert refused.json()["code"] == "as_inactive" and "suspended" in refused.json()["detail"]
    assert len(emulator.state()["api_calls"]) == before
    assert agents.curl(proxy.agent(other), emulator.api_url + DOCUMENT).status == 200
    assert proxy.api_call("GET", f"/v1/sessions/{session['session_id']}")[1]["status"] == "completed"


def test_suspended_while_a_human_is_asked(make_proxy, emulator):
    proxy = make_proxy()
    session = proxy.open_session()
    answer = background(delete, proxy.agent(session), emulator.api_url + DELETED)
    emulator.wait_for_pending()
    emulator.suspend(session["task_id"])
    refused = proxy.keep(answer.result(60))
    assert refused.status == 403, refused
    emulator.wait_for(lambda state: state["open_tasks"] == [], "all tasks to be over")


def test_limits(make_proxy, emulator):
    proxy = make_proxy(config={"approval": {"requests_per_minute": 2}})
    env = proxy.agent(proxy.open_session())
    for name in ("doc_9982", "doc_1001"):
        assert agents.curl(env, emulator.api_url + f"/v1/documents/{name}").status == 200
    refused = proxy.keep(agents.curl(env, emulator.api_url + "/v1/documents/doc_1002"))
    assert refused.status == 403 and refused.header("JIT-Request-Status") == "refused"
    assert 1 <= int(refused.header("Retry-After")) <= 60
    assert "insufficient" in refused.body.decode()  # the API's own
    assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200
    assert emulator.counts()["request"] == 2


def test_scoped_tokens_are_revoked_one_by_one(make_proxy, emulator):
    for wanted, calls in ((True, 2), (False, 0)):
        emulator.reset()
        proxy = make_proxy(config={"session": {"revoke_tokens": wanted}})
        session = proxy.open_session()
        for name in ("doc_9982", "doc_1001"):
            assert agents.curl(proxy.agent(session), emulator.api_url + f"/v1/documents/{name}").status == 200
        assert proxy.close_session(session)[1]["status"] == "completed"
        assert proxy.stop() == 0
        assert emulator.counts().get("revoke", 0) == calls + 1  # and the agent's own
        assert emulator.live_tokens() == []


def test_callback(make_proxy, emulator):
    """A decision that is pushed is looked at: long before the next poll, and by nobody's word but the server's own."""
    emulator.variant(status_retry_after="7")
    proxy = make_proxy(config={"approval": {"callback_listen": "127.0.0.1:0", "callback_url": "",
                                            "poll_interval": "60s"}})
    answer = background(delete, proxy.agent(proxy.open_session()), emulator.api_url + DELETED)
    request = emulator.wait_for_pending()[0]
    url = request["callback_url"]
    assert url.startswith("http://127.0.0.1:")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def push(where, status="approved"):
        body = json.dumps({"request_id": request["request_id"], "status": status}).encode()
        try:
            return opener.open(urllib.request.Request(where, body, {"Content-Type": "application/json"})).status
        except urllib.error.HTTPError as e:
            return e.code

    secret, name = url.rsplit("/", 2)[1:]
    assert push(url.replace(secret, "x" * len(secret))) == 404
    assert push(url.replace(name, "local-nobody")) == 204  # who has no request learns nothing
    emulator.decide(request["request_id"], "approve")
    assert emulator.counts().get("status", 0) == 0
    assert push(url, "denied") == 204  # not believed
    assert answer.result(6).status in (200, 204)
    assert emulator.counts()["status"] == 1
    proxy.secrets.add(secret)
