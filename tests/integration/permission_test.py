"""Permission requests: joined, decided by people, refused, expired, given up and taken up again."""
import concurrent.futures
import subprocess
import threading
import time

import pytest

import agents

DOCUMENT = "/v1/documents/doc_9982"
DELETED = "/v1/documents/doc_old"  # deleting needs a human
DIALECTS = ["lumoauth", "lumoauth-array", "base64url", "nopad", "ietf-00", "ietf-01", "ietf-03", "ietf-05",
            "ietf-05-token", "disagree"]


def delete(env, url, *options, timeout=60):
    return agents.curl(env, url, "-X", "DELETE", *options, timeout=timeout)


def agent_token(emulator):
    """What the agent's own credentials are good for: to compare with what the API itself answers."""
    form = (f"grant_type=client_credentials&client_id={emulator.client_id}"
            f"&client_secret={emulator.client_secret}")
    answer = agents.curl(agents.environment(), f"{emulator.base_url}/oauth/token", "--data-binary", form)
    return answer.json()["access_token"]


def background(function, *arguments, **named):
    """The future of a call that waits for somebody."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(function, *arguments, **named)
    pool.shutdown(wait=False)
    return future


@pytest.mark.parametrize("scheme", ["plain", "intercepted"])
def test_fifty_at_once_ask_once(proxy, emulator, scheme):
    base = emulator.api_url if scheme == "plain" else emulator.api_tls_url
    env = proxy.agent(proxy.open_session())
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: agents.curl(env, base + DOCUMENT), range(50)))
    assert [a.status for a in answers] == [200] * 50
    counts = emulator.state()["counts"]
    assert counts["request"] == 1 and counts["jit_token"] == 1 and counts["task"] == 1


def test_different_needs_are_asked_for_apart(proxy, emulator):
    env = proxy.agent(proxy.open_session())
    names = ["doc_9982", "doc_1001", "doc_1002"]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: agents.curl(env, emulator.api_tls_url + f"/v1/documents/{names[i % 3]}"),
                                range(12)))
    assert {a.status for a in answers} == {200}
    assert emulator.state()["counts"]["request"] == 3


def test_pending_then_approved_while_the_client_waits(proxy, emulator):
    proxy.watch_events()
    answer = background(delete, proxy.agent(proxy.open_session()), emulator.api_tls_url + DELETED)
    request = emulator.wait_for_pending()[0]
    shown = [r for r in proxy.requests() if r["request_id"] == request["request_id"]]
    assert shown and shown[0]["status"] == "pending" and shown[0]["api"] == "emulator", proxy.requests()
    assert shown[0]["risk_level"] == "high" and shown[0]["authorization_details"]
    assert not answer.done()
    emulator.decide(request["request_id"], "approve")
    assert proxy.keep(answer.result(60)).status in (200, 204)
    proxy.events.wait_for("request.pending")
    proxy.events.wait_for("request.granted")


def test_denied_gives_the_apis_own_403(proxy, emulator):
    session = proxy.open_session()
    env = proxy.agent(session)
    plain = agents.curl(agents.environment(bundle=emulator.ca_file), emulator.api_tls_url + DELETED, "-X", "DELETE", "-H",
                        f"Authorization: Bearer {agent_token(emulator)}")
    answer = background(delete, env, emulator.api_tls_url + DELETED)
    emulator.decide(emulator.wait_for_pending()[0]["request_id"], "deny", reason="not today")
    denied = proxy.keep(answer.result(60))
    assert denied.status == 403
    assert denied.header("JIT-Request-Status") == "denied"
    assert denied.header("JIT-Request-Id") == emulator.state()["requests"][0]["request_id"]
    assert denied.header("Proxy-Status").startswith("jitproxy")
    assert denied.header("Insufficient-Authorization-Details") == plain.header("Insufficient-Authorization-Details")
    assert denied.body == plain.body


def test_denial_is_remembered_for_a_while(make_proxy, emulator):
    proxy = make_proxy(config={"approval": {"poll_interval": "200ms", "denial_memory": "1h"}})
    env = proxy.agent(proxy.open_session())
    answer = background(delete, env, emulator.api_tls_url + DELETED)
    emulator.decide(emulator.wait_for_pending()[0]["request_id"], "deny")
    assert answer.result(60).status == 403
    again = delete(env, emulator.api_tls_url + DELETED)
    assert again.status == 403 and again.header("JIT-Request-Status") == "denied"
    assert emulator.state()["counts"]["request"] == 1


def test_expired(proxy, emulator):
    answer = background(delete, proxy.agent(proxy.open_session()), emulator.api_tls_url + DELETED)
    emulator.wait_for_pending()[0]
    emulator.advance(301)
    expired = proxy.keep(answer.result(60))
    assert expired.status == 403 and expired.header("JIT-Request-Status") == "expired"


def test_client_bounds_the_wait_and_joins_later(proxy, emulator):
    """Prefer: wait=1 ends the wait, not the request; the next attempt joins it, and gets what was decided."""
    env = proxy.agent(proxy.open_session())
    begin = time.monotonic()
    early = proxy.keep(delete(env, emulator.api_tls_url + DELETED, "-H", "Prefer: wait=1"))
    assert time.monotonic() - begin < 20
    assert early.status == 403 and early.header("JIT-Request-Status") == "pending"
    assert int(early.header("Retry-After")) >= 1
    request = emulator.wait_for_pending()[0]
    assert early.header("JIT-Request-Id") == request["request_id"]
    later = background(delete, env, emulator.api_tls_url + DELETED)
    emulator.decide(request["request_id"], "approve")
    assert later.result(60).status in (200, 204)
    assert emulator.state()["counts"]["request"] == 1


def test_hold_bounds_the_wait(make_proxy, emulator):
    proxy = make_proxy(config={"approval": {"poll_interval": "200ms", "hold": "1s"}})
    answer = delete(proxy.agent(proxy.open_session()), emulator.api_tls_url + DELETED)
    assert answer.status == 403 and answer.header("JIT-Request-Status") == "pending"


@pytest.mark.parametrize("scheme", ["plain", "intercepted"])
def test_client_gives_up_and_comes_back(proxy, emulator, scheme):
    base = emulator.api_url if scheme == "plain" else emulator.api_tls_url
    env = proxy.agent(proxy.open_session())
    client = subprocess.Popen(["curl", "-q", "-sS", "-X", "DELETE", base + DELETED], env=env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    request = emulator.wait_for_pending()[0]
    client.kill()
    client.wait(30)
    emulator.decide(request["request_id"], "approve")
    assert delete(env, base + DELETED).status in (200, 204)
    assert emulator.state()["counts"]["request"] == 1
    # Given up while it waited: the API was not asked to delete anything by the first attempt.
    assert [c["status"] for c in emulator.state()["api_calls"] if c["authorization"] == "jit"] in ([200], [204])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_leads_to_the_same_request(proxy, emulator, dialect):
    env = proxy.agent(proxy.open_session())
    answer = proxy.keep(agents.curl(env, emulator.api_tls_url + DOCUMENT + f"?dialect={dialect}"))
    assert answer.status == 200, answer
    (request,) = emulator.state()["requests"]
    assert request["authorization_details"]["identifier"] == "doc_9982"
    assert emulator.state()["violations"] == []


def test_broken_signal_passes_untouched(proxy, emulator):
    answer = agents.curl(proxy.agent(proxy.open_session()), emulator.api_tls_url + DOCUMENT + "?dialect=broken")
    assert answer.status == 403 and emulator.state()["counts"]["request"] == 0


def test_types_limit_what_is_asked_for(make_proxy, emulator):
    proxy = make_proxy(api={"types": ["financial_report"]})
    answer = agents.curl(proxy.agent(proxy.open_session()), emulator.api_tls_url + DOCUMENT)
    assert answer.status == 403 and answer.header("JIT-Request-Status") == "refused"
    assert emulator.state()["counts"]["request"] == 0


def test_never_satisfied_api_ends_after_three(proxy, emulator):
    answer = agents.curl(proxy.agent(proxy.open_session()), emulator.api_tls_url + "/v1/insatiable")
    assert answer.status == 403
    assert emulator.state()["counts"]["request"] == 3


def test_human_decides_with_the_command(proxy, emulator):
    """Approved with a human's own token; the agent's credentials are not enough."""
    answer = background(delete, proxy.agent(proxy.open_session()), emulator.api_tls_url + DELETED)
    request = emulator.wait_for_pending()[0]["request_id"]
    refused = proxy.run("request", "approve", request)
    assert refused.returncode != 0 and not answer.done()
    done = proxy.run("request", "approve", request, env={"LUMOAUTH_USER_TOKEN": emulator.user_token})
    assert done.returncode == 0, done.stderr
    assert answer.result(60).status in (200, 204)
    listed = proxy.run("request", "list", "--json")
    assert request in listed.stdout and listed.returncode == 0


def test_watch_shows_what_happens(proxy, emulator):
    """What is pending when the watching begins, too."""
    import harness
    answer = background(delete, proxy.agent(proxy.open_session()), emulator.api_tls_url + DELETED)
    request = emulator.wait_for_pending()[0]["request_id"]
    watch = subprocess.Popen([harness.JITPROXY, "request", "watch"], env=proxy.environment(), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    lines = harness.Lines(watch.stdout)
    try:
        lines.wait_for(f"request.pending {request}")
        emulator.decide(request, "approve")
        lines.wait_for(f"request.granted {request}")
        answer.result(60)
    finally:
        watch.kill()
        watch.wait(30)
    assert threading.active_count() < 100
