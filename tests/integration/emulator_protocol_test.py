"""Walks the whole protocol by hand against the real emulator, over HTTP and TLS, as a client would."""
import pytest

from emulator_client import Client, emu, shared  # noqa: F401 (fixtures)


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
