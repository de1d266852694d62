"""What outlives the daemon: sessions taken up again, and what happens where the journal cannot be written or read."""
import base64
import resource
import signal
import sqlite3
import subprocess
import urllib.parse

import agents
import harness
import raw

DOCUMENT = "/v1/documents/doc_9982"
DELETED = "/v1/documents/doc_old"  # deleting needs a human


def delete(env, url, wait):
    return agents.curl(env, url, "-X", "DELETE", "-H", f"Prefer: wait={wait}")


def moved(session, port):
    """The session as its agent would go on with it, had the proxy kept its port."""
    user = urllib.parse.urlsplit(session["proxy_url"])
    return {**session, "proxy_url": f"http://{user.username}:{user.password}@127.0.0.1:{port}"}


def jit_tokens(state):
    return [t for t in state["live_tokens"] if t["kind"] == "jit"]


def test_a_session_by_hand_is_taken_up_again(make_proxy, emulator):
    """Same credentials, and what a human was asked before the crash is not asked again."""
    proxy = make_proxy(config={"session": {"on_restart": "resume"}})
    session = proxy.open_session(name="by hand")
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    asked = delete(proxy.agent(session), emulator.api_url + DELETED, 0)
    assert asked.status == 403 and asked.header("JIT-Request-Status") == "pending"
    proxy.stop(signal.SIGKILL)
    proxy.start()
    session = moved(session, proxy.port)
    listed = proxy.api_call("GET", "/v1/sessions")[1]
    assert [(s["session_id"], s["name"], s["status"]) for s in listed] == [(session["session_id"], "by hand", "open")]
    assert [r["status"] for r in proxy.requests()] == ["pending"]
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    emulator.decide(asked.header("JIT-Request-Id"), "approve")
    before = emulator.counts()["request"]
    assert delete(proxy.agent(session), emulator.api_url + DELETED, 20).status == 200
    assert emulator.counts()["request"] == before
    with raw.Wire(proxy.port) as wire:
        wrong = {"proxy_url": f"http://{session['session_id']}:wrong@x"}
        authority = emulator.api_url.split("/")[2]
        assert wire.ask(f"GET {emulator.api_url}{DOCUMENT} HTTP/1.1\r\nHost: {authority}\r\n"
                        f"{raw.basic(wrong)}\r\n").status == 407
    status, closed = proxy.close_session(session)
    assert status == 200 and closed["status"] == "completed"
    assert emulator.state()["open_tasks"] == [] and jit_tokens(emulator.state()) == []


def test_the_others_are_closed(make_proxy, emulator):
    """The shared session and one of a `run` that was killed along."""
    proxy = make_proxy(config={"session": {"on_restart": "resume"}})
    assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).status == 200
    run = subprocess.Popen([harness.JITPROXY, "run", "--", "/bin/sleep", "60"], env=proxy.environment(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    proxy.log.wait_for("session.opened", count=2)  # in the journal by then: before, a task's name may not be known
    proxy.stop(signal.SIGKILL)
    run.kill()
    run.wait(harness.PATIENCE)
    events_before = proxy.log
    proxy.start()
    assert proxy.log is not events_before
    emulator.wait_for(lambda state: state["open_tasks"] == [], "both tasks to be completed")
    assert proxy.api_call("GET", "/v1/sessions")[1] == []
    proxy.log.wait_for("task.recovered", count=2)
    metrics = proxy.api_call("GET", "/metrics")[1]
    assert 'jitproxy_recovered_tasks_total{result="completed"} 2' in metrics


def test_no_secret_is_in_the_journal(make_proxy, emulator):
    proxy = make_proxy()
    session = proxy.open_session()
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    proxy.close_session(session)
    for file in (proxy.dir / "state").glob("journal.db*"):
        data = file.read_bytes()
        assert b"emu_" not in data
        for secret in proxy.secrets:
            assert secret.encode() not in data and base64.b64encode(secret.encode()) not in data
    key = proxy.dir / "state" / "journal.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_opens_nothing_and_closes_all_the_same(proxy, emulator):
    session = proxy.open_session()
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    size = (proxy.dir / "state" / "journal.db-wal").stat().st_size
    before = resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    refused = agents.curl(proxy.agent(), emulator.api_url + DOCUMENT)
    assert refused.status == 503 and "journal.db" in refused.json()["detail"]
    opened = proxy.run("session", "open")
    assert opened.returncode == 1 and "journal.db" in opened.stderr
    assert len(emulator.state()["tasks"]) == 1  # the AS was not told
    status, closed = proxy.close_session(session)
    assert status == 200 and closed["status"] == "completed"
    assert emulator.state()["open_tasks"] == []
    resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, before)
    proxy.close_session(proxy.open_session())
    assert emulator.state()["open_tasks"] == []


def refused_start(proxy):
    done = subprocess.run([harness.JITPROXY, "serve", "-c", proxy.config_file], env=proxy.environment(),
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_a_journal_that_cannot_be_read_is_left_as_it_is(make_proxy, emulator):
    proxy = make_proxy()
    proxy.open_session()
    proxy.stop(signal.SIGKILL)
    journal = proxy.dir / "state" / "journal.db"
    whole = {file: file.read_bytes() for file in journal.parent.glob("journal.db*")}
    for file in whole:
        file.unlink()
    journal.write_bytes(b"x" * 8192)
    assert "damaged" in refused_start(proxy)
    assert journal.read_bytes() == b"x" * 8192
    doctor = proxy.run("doctor")
    assert doctor.returncode == 1 and "move it away" in doctor.stdout
    for file, data in whole.items():
        file.write_bytes(data)
    proxy.start()
    emulator.wait_for(lambda state: state["open_tasks"] == [], "the task to be completed")


def test_a_newer_journal_is_left_as_it_is(make_proxy):
    proxy = make_proxy()
    proxy.stop()
    journal = proxy.dir / "state" / "journal.db"
    db = sqlite3.connect(journal)
    [[version]] = db.execute("PRAGMA user_version").fetchall()
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = journal.read_bytes()
    assert "newer jitproxy" in refused_start(proxy)
    doctor = proxy.run("doctor")
    assert doctor.returncode == 1 and "newer jitproxy" in doctor.stdout
    assert journal.read_bytes() == before
    db = sqlite3.connect(journal)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    proxy.start()


def test_a_second_daemon_is_told_who_holds_the_state_directory(proxy):
    proxy.config["listen"] = {**proxy.config["listen"], "control": f"unix:{proxy.dir}/second"}
    proxy.config_file.write_text(harness.toml(proxy.config))
    assert f"process {proxy.process.pid}" in refused_start(proxy)
    assert proxy.api_call("GET", "/healthz")[0] == 200
