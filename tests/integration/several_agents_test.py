"""Several agents in one daemon: each session acts as one, with that one's own credentials, and as no other."""
import signal

import pytest

import agents
import emulator as emulator_module

DOCUMENT = "/v1/documents/doc_9982"
SECRET = "second-secret"


@pytest.fixture(scope="module")
def shared_emulator():
    with emulator_module.Emulator("--agent", "agt_two:" + SECRET) as running:
        yield running


def second_agent(proxy_dir, secret=SECRET):
    """Its table of the configuration."""
    file = proxy_dir / "second_secret"
    file.write_text(secret + "\n")
    return {"name": "second", "client_id": "agt_two", "client_secret_file": str(file)}


@pytest.fixture
def proxy(make_proxy, tmp_path):
    started = make_proxy(config={"agent": [second_agent(tmp_path)]})
    started.secrets.add(SECRET)
    return started


def task_agents(emulator):
    return {task["task_id"]: task["agent_id"] for task in emulator.state()["open_tasks"]}


def test_each_session_is_its_agents(emulator, proxy):
    first, second = proxy.open_session(), proxy.open_session(agent="second")
    assert task_agents(emulator) == {first["task_id"]: "agt_demo", second["task_id"]: "agt_two"}
    for session in (first, second):
        assert proxy.keep(agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT)).status == 200
    # Equal needs, but nothing is shared: each task has a request and a token of its own.
    assert sorted(r["task_id"] for r in emulator.state()["requests"]) == sorted([first["task_id"], second["task_id"]])
    shown = {s["session_id"]: s["agent"] for s in proxy.api_call("GET", "/v1/sessions")[1]}
    assert shown == {first["session_id"]: "default", second["session_id"]: "second"}
    status = proxy.api_call("GET", "/v1/status")[1]
    assert [(t["agent"], t["state"]) for t in status["agent_tokens"]] == [("default", "live"), ("second", "live")]
    child = proxy.open_session(parent_session_id=second["session_id"])
    assert task_agents(emulator)[child["task_id"]] == "agt_two"
    assert proxy.close_session(second)[1]["status"] == "completed"
    assert task_agents(emulator) == {first["task_id"]: "agt_demo"}
    assert proxy.stop() == 0
    assert emulator.state()["live_tokens"] == []  # of both, the agents' own too


def test_commands(emulator, proxy):
    opened = proxy.run("session", "open", "--agent", "second", "--json")
    assert opened.returncode == 0, opened.stderr
    assert list(task_agents(emulator).values()) == ["agt_two"]
    assert proxy.run("run", "--agent", "second", "--", "true").returncode == 0
    unknown = proxy.run("session", "open", "--agent", "nobody")
    assert unknown.returncode == 1
    assert 'no agent is named "nobody"; there are: "default", "second"' in unknown.stderr
    doctor = proxy.run("doctor")
    assert "agent default: a task can be created" in doctor.stdout and "agent second: a task" in doctor.stdout


def test_an_agent_with_bad_credentials_harms_no_other(emulator, make_proxy, tmp_path):
    table = second_agent(tmp_path, "wrong")
    proxy = make_proxy(config={"agent": [table]})
    proxy.secrets.add(SECRET)
    assert agents.curl(proxy.agent(proxy.open_session()), emulator.api_url + DOCUMENT).status == 200
    assert proxy.api_call("GET", "/readyz")[0] == 200
    status, refused = proxy.api_call("POST", "/v1/sessions", {"agent": "second"})
    assert status >= 500, refused
    # The right secret counts without a restart, and at once.
    second_agent(tmp_path)
    assert proxy.api_call("POST", "/v1/reload")[0] == 200
    session = proxy.open_session(agent="second")
    assert task_agents(emulator)[session["task_id"]] == "agt_two"


def test_recovery_uses_the_agent_that_made_the_task(emulator, make_proxy, tmp_path):
    proxy = make_proxy(config={"agent": [second_agent(tmp_path)]})
    first, second = proxy.open_session(), proxy.open_session(agent="second")
    proxy.stop(signal.SIGKILL)
    # Without the second agent its task cannot be completed; nothing of the first one is tried on it.
    del proxy.config["agent"]
    proxy.start()
    proxy.log.wait_for("its agent is not configured any more")
    proxy.log.wait_for("task.recovered")
    assert task_agents(emulator) == {second["task_id"]: "agt_two"}
    assert proxy.api_call("GET", "/v1/status")[1]["uncertain_tasks"][0]["session_id"] == second["session_id"]
    proxy.stop()
    proxy.config["agent"] = [second_agent(tmp_path)]
    proxy.start()
    proxy.log.wait_for("task.recovered")
    assert task_agents(emulator) == {}
