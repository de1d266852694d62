"""The authorization server in trouble: what the agent sees, and that it gets better by itself."""
import pytest

import agents

DOCUMENT = "/v1/documents/doc_9982"


def test_down_at_first_and_recovery(make_proxy, emulator):
    """503 with Proxy-Status and Retry-After, and afterwards everything works without a restart."""
    emulator.fault("*", "status", status=503, times=-1)  # before the start, which fetches the agent's token
    proxy = make_proxy()
    refused = proxy.keep(agents.curl(proxy.agent(), emulator.api_url + DOCUMENT))
    assert refused.status == 503, refused
    assert refused.header("Proxy-Status").startswith("jitproxy; error=")
    assert refused.header("Content-Type") == "application/problem+json"
    assert refused.json()["status"] == 503
    assert int(refused.header("Retry-After")) >= 1
    assert emulator.state()["counts"]["api"] == 0
    assert proxy.api_call("GET", "/readyz")[0] == 503
    assert proxy.api_call("GET", "/healthz")[0] == 200
    emulator.clear_faults()
    assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT, "--retry", "10").status == 200


def test_down_while_permission_is_asked_for(make_proxy, emulator):
    """The API's own 403, marked as an error that may go away."""
    proxy = make_proxy(config={"approval": {"unclear_memory": "0s"}})
    env = proxy.agent(proxy.open_session())
    emulator.fault("request", "status", status=503, times=-1)
    refused = proxy.keep(agents.curl(env, emulator.api_url + DOCUMENT))
    assert refused.status == 403 and refused.header("JIT-Request-Status") == "error"
    assert int(refused.header("Retry-After")) >= 1
    emulator.clear_faults()
    assert agents.curl(env, emulator.api_url + DOCUMENT, "--retry", "10").status == 200


@pytest.mark.parametrize("kind", ["reset_after", "truncate", "malformed", "wrong_type", "rate_limit", "delay"])
@pytest.mark.parametrize("endpoint", ["token", "task", "request", "jit_token"])
def test_one_bad_answer(make_proxy, emulator, endpoint, kind):
    """Whatever goes wrong once: no crash, no leak, an answer in time, and the next attempt works."""
    proxy = make_proxy(config={"approval": {"unclear_memory": "0s"}})
    emulator.fault(endpoint, kind, times=1, delay_ms=300)
    env = proxy.agent()
    first = proxy.keep(agents.curl(env, emulator.api_url + DOCUMENT))
    assert first.status in (200, 403, 502, 503), first
    if first.status != 200:
        assert first.header("Proxy-Status").startswith("jitproxy")
    assert agents.curl(env, emulator.api_url + DOCUMENT, "--retry", "10").status in (200, 403)
    for _ in range(3):
        last = agents.curl(env, emulator.api_url + DOCUMENT, "--retry", "5")
        if last.status == 200:
            break
    assert last.status == 200


def test_rejected_credentials_are_named(make_proxy, emulator):
    proxy = make_proxy(config={"authorization_server": {"client_id": "agt_nobody"}})
    refused = proxy.keep(agents.curl(proxy.agent(), emulator.api_url + DOCUMENT))
    assert refused.status in (502, 503)
    assert emulator.state()["counts"]["token"] < 20  # no hammering


def test_dead_agent_token_is_fetched_anew_once(proxy, emulator):
    """401 invalid_token from the API: one new token, and the request again."""
    env = proxy.agent(proxy.open_session())
    assert agents.curl(env, emulator.api_url + "/v1/public").status == 200
    emulator.revoke("agent")
    assert agents.curl(env, emulator.api_url + "/v1/public").status == 200
    assert emulator.state()["counts"]["token"] == 2
    assert [c["status"] for c in emulator.state()["api_calls"]] == [200, 401, 200]


def test_dead_scoped_token_is_asked_for_anew(proxy, emulator):
    env = proxy.agent(proxy.open_session())
    assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200
    emulator.revoke("jit")
    assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200
    assert emulator.state()["counts"]["request"] == 2


def test_organisation_path_style(make_proxy, emulator):
    proxy = make_proxy(config={"authorization_server": {"tenant": "", "org_id": emulator.org_id}})
    assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).status == 200
    assert {c["path"].split("/")[1] for c in emulator.state()["as_calls"]} == {"orgs"}


def test_tasks_are_completed_when_the_server_is_back(proxy, emulator):
    """Down while a session closes: closing is tried again until it is confirmed."""
    session = proxy.open_session()
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    emulator.fault("complete", "status", status=503, times=2)
    status, closed = proxy.close_session(session)
    assert status in (200, 202), closed
    emulator.wait_for(lambda state: state["open_tasks"] == [], "all tasks to be complete")
    assert [t for t in emulator.state()["live_tokens"] if t["kind"] == "jit"] == []
