"""The audit trail of the real daemon: who did what, in which order, and that nobody can change it unseen."""
import json
import os
import pathlib
import pwd
import signal
import subprocess

import agents
import harness
import pytest

DOCUMENT = "/v1/documents/doc_9982"
DELETED = "/v1/documents/doc_old"  # deleting needs a human


def trail_of(proxy):
    return proxy.dir / "state/audit.jsonl"


def lines(proxy, event=None):
    found = [json.loads(line) for line in trail_of(proxy).read_text().splitlines()]
    return [line for line in found if event in (None, line["event"])]


def events(proxy, session):
    return [line["event"] for line in lines(proxy) if line.get("session_id") == session["session_id"]]


def verify(proxy, *arguments):
    return proxy.run("audit", "verify", *arguments)


def me():
    return {"kind": "peer", "uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid(),
            "user": pwd.getpwuid(os.getuid()).pw_name}


def no_secret_in(proxy):
    for path in trail_of(proxy).parent.glob("audit.jsonl*"):
        proxy.answers.append(path.read_bytes())  # searched for secrets at the end


def test_the_life_of_a_session(make_proxy, emulator):
    proxy = make_proxy()
    session = proxy.open_session(name="report", justification="for {method}", on_behalf_of="")
    for _ in range(3):
        assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT + "?key=hidden-query").status == 200
    assert proxy.close_session(session)[1]["status"] == "completed"
    proxy.log.wait_for("token.revoked")  # nobody waits for that one
    seen = events(proxy, session)
    assert seen[:5] == ["session.opened", "request.asked", "request.granted", "token.used", "session.closing"]
    assert sorted(seen[5:]) == ["session.closed", "token.revoked"]
    first = lines(proxy)[0]
    assert (first["seq"], first["event"], first["actor"], first["prev"]) == (1, "daemon.started", {"kind": "daemon"},
                                                                             "0" * 64)
    opened = lines(proxy, "session.opened")[0]
    assert opened["task_id"] == session["task_id"] and opened["agent"] == "default" and opened["actor"] == me()
    assert opened["data"]["name"] == "report" and opened["data"]["justification"] == "for {method}"
    asked = lines(proxy, "request.asked")[0]
    assert asked["actor"] == {"kind": "session"} and asked["data"]["method"] == "GET"
    assert asked["data"]["justification"] == "for GET" and asked["data"]["url"] == emulator.api_url + DOCUMENT
    assert asked["data"]["authorization_details"][0]["identifier"] == "doc_9982"
    granted = lines(proxy, "request.granted")[0]
    assert granted["actor"] == {"kind": "authorization_server"}
    assert granted["data"]["local_id"] == asked["data"]["local_id"]
    used = lines(proxy, "token.used")  # once, however often it goes out
    assert [u["data"]["grant_id"] for u in used] == [granted["data"]["grant_id"]]
    assert lines(proxy, "token.revoked")[0]["data"]["grant_id"] == granted["data"]["grant_id"]
    assert lines(proxy, "session.closed")[0]["actor"] == me()
    assert proxy.stop() == 0
    assert lines(proxy)[-1]["event"] == "daemon.stopped"
    good = verify(proxy, "--json")
    assert good.returncode == 0, good.stdout + good.stderr
    assert json.loads(good.stdout)["lines"] == len(lines(proxy))
    assert "hidden-query" not in trail_of(proxy).read_text()
    assert trail_of(proxy).stat().st_mode & 0o777 == 0o600
    no_secret_in(proxy)


def test_who_decided(make_proxy, emulator):
    proxy = make_proxy()
    session = proxy.open_session()
    asked = {}
    for decision, words, resource in (("approve", "notes", "doc_old"), ("deny", "reason", "doc_older")):
        answer = agents.curl(proxy.agent(session), f"{emulator.api_url}/v1/documents/{resource}", "-X", "DELETE",
                             "-H", "Prefer: wait=0")
        assert answer.header("JIT-Request-Status") == "pending"
        asked[decision] = answer.header("JIT-Request-Id")
        status, _ = proxy.api_call("POST", f"/v1/requests/{asked[decision]}/{decision}",
                                   {"user_token": emulator.user_token, words: "so be it"})
        assert status == 200
    for decision, event in (("approve", "decision.approved"), ("deny", "decision.denied")):
        line, = lines(proxy, event)
        assert line["actor"] == me() and line["data"].pop("local_id").startswith("local-")
        assert line["data"] == {"request_id": asked[decision], "words": "so be it"}
    assert [line["data"]["request_id"] for line in lines(proxy, "request.pending")] == list(asked.values())
    assert [line["data"]["request_id"] for line in lines(proxy, "request.denied")] == [asked["deny"]]
    proxy.secrets.add(emulator.user_token)
    no_secret_in(proxy)


def test_what_local_policy_refuses(make_proxy, emulator):
    proxy = make_proxy(api={"types": ["something-else"]})
    assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).header("JIT-Request-Status") == "refused"
    refused, = lines(proxy, "request.refused")
    assert refused["data"]["origin"] == emulator.api_url and refused["data"]["reason"]
    assert lines(proxy, "session.opened")[0]["actor"] == {"kind": "session"}
    assert lines(proxy, "request.asked") == []


def test_rotation_while_it_runs(make_proxy):
    proxy = make_proxy()
    proxy.close_session(proxy.open_session())
    trail = trail_of(proxy)
    older = trail.rename(trail.with_name("audit.jsonl.1"))
    before = older.read_text()
    proxy.close_session(proxy.open_session())
    assert older.read_text() == before
    assert lines(proxy)[0]["seq"] == before.count("\n") + 1
    good = verify(proxy)
    assert good.returncode == 0 and good.stdout.count("head: ") == 1, good.stdout + good.stderr
    assert f"looked at: {older}\nlooked at: {trail}\n" in good.stdout
    assert verify(proxy, older, trail).returncode == 0
    alone = verify(proxy, trail)
    first = before.count("\n") + 1
    assert alone.returncode == 0 and f"begins with line {first}: " in alone.stdout and "or was removed" in alone.stdout
    noted = f"{first - 1}:" + json.loads(trail.read_text().splitlines()[0])["prev"]
    assert verify(proxy, "--head", noted).returncode == 0 and verify(proxy, "--head", noted, trail).returncode == 1
    wrong = verify(proxy, trail, older)
    assert wrong.returncode == 1 and f"{older}:1: " in wrong.stderr


def test_the_rotation_that_the_package_brings(make_proxy, tmp_path):
    proxy = make_proxy()
    proxy.close_session(proxy.open_session())
    before = trail_of(proxy).read_text()
    shipped = pathlib.Path(__file__).parents[2] / "packaging/debian/jitproxy.logrotate"
    config = tmp_path / "logrotate"
    config.write_text(shipped.read_text().replace("/var/lib/jitproxy/", f"{proxy.dir}/state/"))
    config.chmod(0o644)
    done = subprocess.run(["/usr/sbin/logrotate", "--force", "--state", tmp_path / "status", config], timeout=60,
                          capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    older, = trail_of(proxy).parent.glob("audit.jsonl-*")
    assert older.read_text() == before and not trail_of(proxy).exists()
    proxy.close_session(proxy.open_session())
    assert lines(proxy)[0]["seq"] == before.count("\n") + 1
    assert verify(proxy).returncode == 0


def test_a_crash_and_a_torn_line(make_proxy):
    proxy = make_proxy()
    proxy.open_session()
    proxy.stop(signal.SIGKILL)
    assert verify(proxy).returncode == 0
    with open(trail_of(proxy), "a", encoding="utf-8") as out:
        out.write('{"seq":3,"time":')
    torn = verify(proxy)
    assert torn.returncode == 1 and "torn: " in torn.stderr
    proxy.start()
    proxy.log.wait_for("task.recovered")
    good = verify(proxy)
    assert good.returncode == 0 and "1 unfinished by a crash" in good.stdout, good.stdout + good.stderr
    assert lines_without_piece(proxy)[-1]["event"] == "task.recovered"


def lines_without_piece(proxy):
    found = []
    for line in trail_of(proxy).read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            assert line == '{"seq":3,"time":'
    return found


def test_tampering_is_found(make_proxy):
    proxy = make_proxy()
    proxy.close_session(proxy.open_session())
    proxy.stop()
    noted = verify(proxy, "--json")
    head = json.loads(noted.stdout)["head"]
    trail = trail_of(proxy)
    text = trail.read_text()
    assert verify(proxy, "--head", head).returncode == 0
    assert verify(proxy, "--head", "nonsense").returncode == 2
    trail.write_text(text.replace("session.opened", "session.openee"))
    changed = verify(proxy)
    assert changed.returncode == 1 and f"{trail}:2: changed" in changed.stderr
    trail.write_text("".join(text.splitlines(True)[:-1]))
    cut = verify(proxy)
    assert cut.returncode == 1 and "cut at the end" in cut.stderr
    trail.with_name("audit.jsonl.head").unlink()
    assert verify(proxy).returncode == 0  # the files alone cannot know
    assert verify(proxy, "--head", head).returncode == 1
    problems = json.loads(verify(proxy, "--head", head, "--json").stdout)["problems"]
    assert [p["file"] for p in problems] == [str(trail)]


@pytest.mark.parametrize("first", ["session", "permission"])
def test_where_it_cannot_be_written_nothing_is_begun(make_proxy, emulator, first):
    proxy = make_proxy()
    session = proxy.open_session()
    trail = trail_of(proxy)
    trail.rename(trail.with_name("kept"))
    trail.mkdir()
    if first == "session":
        status, problem = proxy.api_call("POST", "/v1/sessions", {})
        assert status == 503 and "audit trail" in problem["detail"]
    else:
        answer = agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT)
        assert (answer.status, answer.header("JIT-Request-Status")) == (403, "error"), answer
    assert proxy.api_call("GET", "/v1/status")[1]["audit"]["state"] == "failing"
    assert "jitproxy_audit_failing 1\n" in proxy.api_call("GET", "/metrics")[1]
    assert emulator.state()["requests"] == []
    assert proxy.close_session(session)[1]["status"] == "completed"  # what ends is not held up
    assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).status == 503
    assert "jitproxy_audit_failures_total 2\n" in proxy.api_call("GET", "/metrics")[1]  # closing, closed
    assert proxy.log.text().count("the audit trail cannot be written") == 1
    trail.rmdir()
    trail.with_name("kept").rename(trail)
    proxy.close_session(proxy.open_session())
    lost, = lines(proxy, "audit.lost")
    assert lost["data"]["entries"] == 2
    assert proxy.api_call("GET", "/v1/status")[1]["audit"]["state"] == "written"
    assert verify(proxy).returncode == 0


def test_the_metrics_tell_of_now_where_nothing_is_begun(make_proxy):
    proxy = make_proxy()
    trail = trail_of(proxy)
    assert "jitproxy_audit_failing 0\n" in proxy.api_call("GET", "/metrics")[1]
    trail.rename(trail.with_name("kept"))
    trail.mkdir()
    assert "jitproxy_audit_failing 1\n" in proxy.api_call("GET", "/metrics")[1]
    shown = proxy.run("status").stdout
    assert f"audit: failing {trail} (the audit trail {trail} cannot be opened: Is a directory)\n" in shown, shown
    trail.rmdir()
    trail.with_name("kept").rename(trail)
    assert "jitproxy_audit_failing 0\n" in proxy.api_call("GET", "/metrics")[1]
    assert proxy.api_call("GET", "/v1/status")[1]["audit"] == {"state": "written", "file": str(trail), "failures": 0}


def test_a_daemon_that_cannot_write_it_does_not_start(emulator):
    proxy = harness.Proxy(emulator, config={"audit": {"file": "/proc/no-such-place/audit.jsonl"}})
    try:
        proxy.config_file.write_text(harness.toml(proxy.config))
        done = subprocess.run([harness.JITPROXY, "serve", "-c", proxy.config_file], env=proxy.environment(),
                              capture_output=True, text=True, timeout=60)
    finally:
        proxy.__exit__()
    assert done.returncode == 1 and "audit trail" in done.stderr


def test_it_is_looked_for_in_the_state_directory_that_is_named(make_proxy, tmp_path):
    proxy = make_proxy()
    proxy.close_session(proxy.open_session())
    other = tmp_path / "other.toml"
    other.write_text("")  # that of somebody who does not run the daemon
    unknown = verify(proxy, "-c", other)
    assert unknown.returncode == 1 and "there is no audit trail at " in unknown.stderr
    found = verify(proxy, "-c", other, "--state", proxy.dir / "state")
    assert found.returncode == 0 and f"looked at: {trail_of(proxy)}\n" in found.stdout, found.stderr


def test_off_is_off(make_proxy):
    proxy = make_proxy(config={"audit": {"file": "off"}})
    proxy.close_session(proxy.open_session())
    assert not trail_of(proxy).exists()
    assert proxy.api_call("GET", "/v1/status")[1]["audit"] == {"state": "off"}
    assert verify(proxy).returncode == 1


def test_a_run_that_serves_for_itself_writes_to_the_same_trail(make_proxy):
    proxy = make_proxy()
    proxy.stop()
    done = proxy.run("run", "--name", "alone", "--", "/bin/true", env={"JITPROXY_CONTROL": f"unix:{proxy.dir}/none"})
    assert done.returncode == 0, done.stderr
    names = [line["data"]["name"] for line in lines(proxy, "session.opened")]
    assert names == ["alone"]
    assert len(lines(proxy, "daemon.started")) == 2
    assert verify(proxy).returncode == 0
    proxy.start()


def test_a_command_is_named_by_its_process(make_proxy):
    proxy = make_proxy()
    session = proxy.open_session()
    done = proxy.run("session", "close", session["session_id"])
    assert done.returncode == 0
    closed = lines(proxy, "session.closed")[0]
    assert closed["actor"]["uid"] == os.getuid() and closed["actor"]["pid"] != os.getpid()
