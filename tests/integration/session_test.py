"""Sessions by hand, by default and at the end: 407, closing, signals, a restart after a crash."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

import agents
import harness
import raw

DOCUMENT = "/v1/documents/doc_9982"


@pytest.fixture
def strict(make_proxy):
    return make_proxy(config={"session": {"default": "required"}})


def get(url, session=None):
    authority = url.split("/")[2]
    return f"GET {url} HTTP/1.1\r\nHost: {authority}\r\n{raw.basic(session) if session else ''}\r\n"


def test_407_and_the_connection_is_kept(strict, emulator):
    """Java and others send credentials only then, on the same connection."""
    session = strict.open_session()
    with raw.Wire(strict.port) as wire:
        refused = wire.ask(get(emulator.api_url + DOCUMENT))
        assert refused.status == 407
        assert refused.header("Proxy-Authenticate") == 'Basic realm="jitproxy"'
        assert refused.header("Proxy-Status").startswith("jitproxy; error=")
        assert refused.json()["status"] == 407
        assert wire.ask(get(emulator.api_url + DOCUMENT, session)).status == 200


def test_407_on_connect_and_the_connection_is_kept(strict, emulator):
    session = strict.open_session()
    authority = f"localhost:{emulator.api_tls_port}"
    with raw.Wire(strict.port) as wire:
        refused = wire.connect(authority)
        assert refused.status == 407 and refused.header("Proxy-Authenticate") == 'Basic realm="jitproxy"'
        assert wire.connect(authority, raw.basic(session)).status == 200
        wire.start_tls("localhost", session["ca_file"])
        answer = wire.ask(f"GET {DOCUMENT} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
        assert answer.status == 200


def test_java_answers_the_407(strict, emulator):
    session = strict.open_session()
    env = strict.agent(session)
    exported = strict.run("env", "--session", session["session_id"], "--format", "json")
    assert exported.returncode == 0, exported.stderr
    env["JAVA_TOOL_OPTIONS"] = json.loads(exported.stdout)["JAVA_TOOL_OPTIONS"]
    answer = agents.java(env, emulator.api_tls_url + DOCUMENT)
    assert answer.status == 200 and b"Q4 revenue" in answer.body


@pytest.mark.parametrize("user_info", ["nobody:nothing", "{id}:wrong", "{id}:", ":"])
def test_wrong_credentials(strict, emulator, user_info):
    session = strict.open_session()
    wrong = {"proxy_url": f"http://{user_info.format(id=session['session_id'])}@x"}
    with raw.Wire(strict.port) as wire:
        assert wire.ask(get(emulator.api_url + DOCUMENT, wrong)).status == 407
    assert emulator.state()["counts"]["api"] == 0


def test_closed_session_is_refused(proxy, emulator):
    session = proxy.open_session()
    env = proxy.agent(session)
    assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200
    status, closed = proxy.close_session(session)
    assert status == 200 and closed["status"] == "completed" and closed["completed_at"]
    before = emulator.state()["counts"]["api"]
    with raw.Wire(proxy.port) as wire:
        assert wire.ask(get(emulator.api_url + DOCUMENT, session)).status == 407
        assert wire.connect(f"localhost:{emulator.api_tls_port}", raw.basic(session)).status == 407
    assert emulator.state()["counts"]["api"] == before


def test_open_tunnel_ends_with_its_session(proxy, emulator):
    """A connection that was opened before the session closed carries no request of it afterwards."""
    session = proxy.open_session()
    authority = f"localhost:{emulator.api_tls_port}"
    with raw.Wire(proxy.port) as wire:
        assert wire.connect(authority, raw.basic(session)).status == 200
        wire.start_tls("localhost", session["ca_file"])
        assert wire.ask(f"GET {DOCUMENT} HTTP/1.1\r\nHost: {authority}\r\n\r\n").status == 200
        proxy.close_session(session)
        before = emulator.state()["counts"]["api"]
        try:
            assert wire.ask(f"GET {DOCUMENT} HTTP/1.1\r\nHost: {authority}\r\n\r\n").status in (403, 407, 503)
        except (ConnectionError, raw.http.client.HTTPException):
            pass  # closed: as good
        assert emulator.state()["counts"]["api"] == before


def test_by_hand(proxy, emulator):
    """open, list, show, close, and the shell lines of --export."""
    opened = proxy.run("session", "open", "--json", "--name", "by hand", "--type", "analysis")
    assert opened.returncode == 0, opened.stderr
    session = json.loads(opened.stdout)
    proxy.secrets.add(re.match(r"http://[^:]+:([^@]+)@", session["proxy_url"]).group(1))
    assert session["env"]["HTTP_PROXY"] == session["proxy_url"]
    assert {"session_id", "task_id", "ca_file", "ca_bundle", "expires_at"} <= session.keys()
    task = emulator.state()["tasks"][0]
    assert (task["name"], task["type"], task["task_id"]) == ("by hand", "analysis", session["task_id"])
    assert session["session_id"] in proxy.run("session", "list").stdout
    shown = proxy.run("session", "show", session["session_id"])
    assert shown.returncode == 0 and session["task_id"] in shown.stdout
    contradiction = proxy.run("session", "close", session["session_id"], "--wait", "--no-wait")
    assert contradiction.returncode == 2 and "--no-wait" in contradiction.stderr
    closed = proxy.run("session", "close", session["session_id"], "--wait", "--json")
    assert closed.returncode == 0 and json.loads(closed.stdout)["status"] == "completed"
    assert emulator.state()["open_tasks"] == []
    again = proxy.run("session", "close", "ses_unknown")
    assert again.returncode == 1 and "ses_unknown" in again.stderr


@pytest.mark.parametrize("shell", [["sh", "-c"], ["bash", "-c"]])
def test_export_lines(proxy, emulator, shell):
    script = (f'eval "$("{harness.JITPROXY}" session open --export)" && '
              f'curl -q -sS {emulator.api_tls_url}{DOCUMENT}')
    done = subprocess.run([*shell, script], env=proxy.environment(), capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "Q4 revenue" in done.stdout, done.stderr


def test_sigterm_closes_every_session(proxy, emulator):
    for _ in range(3):
        assert agents.curl(proxy.agent(proxy.open_session()), emulator.api_url + DOCUMENT).status == 200
    assert len(emulator.state()["open_tasks"]) == 3
    assert proxy.stop(signal.SIGTERM) == 0
    state = emulator.state()
    assert state["open_tasks"] == [] and state["counts"]["complete"] == 3
    assert [t for t in state["live_tokens"] if t["kind"] == "jit"] == []


def test_sigint_too(proxy, emulator):
    proxy.open_session()
    assert proxy.stop(signal.SIGINT) == 0
    assert emulator.state()["open_tasks"] == []


def test_requests_in_flight_are_finished_at_shutdown(proxy, emulator):
    """A slow stream that has begun ends whole."""
    env = proxy.agent(proxy.open_session())
    client = subprocess.Popen(["curl", "-q", "-sSN", emulator.api_url + "/v1/stream?n=20&interval_ms=50"],
                              env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    first = client.stdout.readline()
    assert first
    assert proxy.stop() == 0
    rest = client.stdout.read()
    assert client.wait(30) == 0 and (first + rest).count(b"data:") == 20


def test_a_crash_leaves_nothing_open(proxy, emulator):
    """Killed outright; the next start completes what was left open."""
    session = proxy.open_session()
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    proxy.stop(signal.SIGKILL)
    assert len(emulator.state()["open_tasks"]) == 1
    proxy.start()
    emulator.wait_for(lambda state: state["open_tasks"] == [], "all tasks to be complete")
    assert [t for t in emulator.state()["live_tokens"] if t["kind"] == "jit"] == []


def test_a_stop_without_the_server_says_what_remains(make_proxy, emulator):
    """It ends all the same; the next start finishes the work."""
    proxy = make_proxy(config={"authorization_server": {"timeout": "500ms"}, "timeouts": {"drain": "500ms"}})
    session = proxy.open_session()
    emulator.fault("complete", "status", status=503, times=-1)
    assert proxy.stop() == 0
    remains = proxy.log.wait_for("has not confirmed that a task is complete.*")
    assert session["task_id"] in remains.group(0)
    emulator.clear_faults()
    proxy.start()
    emulator.wait_for(lambda state: state["open_tasks"] == [], "the task to be complete")


def test_status_and_health(proxy, emulator):
    session = proxy.open_session()
    agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT)
    done = proxy.run("status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert {"version", "pid", "listeners", "sessions", "pending_requests", "live_grants", "agent_token"} <= \
        status.keys()
    assert status["pid"] == proxy.process.pid and status["live_grants"] == 1
    assert proxy.api_call("GET", "/healthz")[0] == 200
    assert proxy.api_call("GET", "/readyz")[0] == 200
    code, metrics = proxy.api_call("GET", "/metrics")
    assert code == 200 and "# TYPE" in metrics
    assert proxy.api_call("GET", "/v1/nothing")[0] == 404


def test_files_are_private(proxy):
    proxy.open_session()
    state = proxy.dir / "state"
    key = state / "ca.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o077 == 0
    assert proxy.control.stat().st_mode & 0o077 == 0
    assert os.getuid() == key.stat().st_uid


def test_idle_session_is_closed(make_proxy, emulator):
    proxy = make_proxy(config={"session": {"idle_timeout": "1s"}})
    begin = time.monotonic()
    assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).status == 200
    emulator.wait_for(lambda state: state["open_tasks"] == [], "all tasks to be complete")
    assert time.monotonic() - begin < 25
