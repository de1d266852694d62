"""`doctor --json`: each link of the chain, as it should be and broken."""
import json
import socket

import pytest

import harness

CHECKS = {"configuration", "state_directory", "disk_space", "journal", "system_roots", "ca", "secret_files", "daemon",
          "audit_trail", "ca_trust", "environment", "authorization_server", "clock", "credentials", "task", "api"}


@pytest.fixture
def ask(emulator):
    """doctor(**changes of the configuration's tables): exit code and findings by check, with no daemon running."""
    made = []

    def doctor(env=None, **config):
        proxy = harness.Proxy(emulator, api=one_origin(emulator), config=config)
        proxy.secret_file.chmod(0o600)
        made.append(proxy)
        proxy.config_file.write_text(harness.toml(proxy.config))
        return examine(proxy, env)

    doctor.made = made
    yield doctor
    leaks = [secret for proxy in made for answer in proxy.answers for secret in proxy.secrets
             if secret.encode() in answer]
    for proxy in made:
        proxy.__exit__()
    assert not leaks


def one_origin(emulator):
    return {"hosts": ["localhost"], "ports": [emulator.api_tls_port], "allow_plain_http": False}


def examine(proxy, env=None):
    done = proxy.run("doctor", "--json", env=env)
    document = json.loads(done.stdout)
    by_check = {}
    for finding in document["checks"]:
        assert set(finding) == {"check", "status", "detail", "mend"}
        assert finding["status"] in ("ok", "warning", "failure")
        assert (finding["mend"] is None) == (finding["status"] == "ok"), finding
        by_check.setdefault(finding["check"], []).append(finding)
    worst = max((f["status"] for f in document["checks"]), key=("ok", "warning", "failure").index)
    assert document["status"] == worst
    assert done.returncode in ((1, 78) if worst == "failure" else (0,))
    return done.returncode, by_check


def failures(by_check):
    return [f for findings in by_check.values() for f in findings if f["status"] == "failure"]


def the_one(by_check, check, status):
    [finding] = [f for f in by_check[check] if f["status"] == status]
    return finding


def test_all_is_well(make_proxy, emulator):
    proxy = make_proxy(api={**one_origin(emulator), "ports": [emulator.api_port, emulator.api_tls_port],
                            "allow_plain_http": True})
    proxy.secret_file.chmod(0o600)
    code, found = examine(proxy)
    assert code == 0 and not failures(found), failures(found)
    assert set(found) >= CHECKS, CHECKS - set(found)
    assert "is ready" in the_one(found, "daemon", "ok")["detail"]
    assert "agrees" in the_one(found, "clock", "ok")["detail"]
    assert f"https://localhost:{emulator.api_tls_port} can be reached, and its certificate is good" in \
        " ".join(f["detail"] for f in found["api"])
    assert emulator.state()["open_tasks"] == []
    assert f"https://localhost:{emulator.api_port} can be reached, and speaks no TLS" in \
        " ".join(f["detail"] for f in found["api"])
    text = proxy.run("doctor")
    assert text.returncode == 0 and "  ok       credentials: agent default" in text.stdout


def test_the_port_of_a_running_daemon_is_its_own(make_proxy, emulator):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = make_proxy(api=one_origin(emulator), config={"listen": {"proxy": [f"127.0.0.1:{port}"]}})
    _, found = examine(proxy)
    assert the_one(found, "proxy_port", "ok")["detail"] == f"127.0.0.1:{port} is the daemon's"
    proxy.stop()
    _, found = examine(proxy)
    assert the_one(found, "proxy_port", "ok")["detail"] == f"127.0.0.1:{port} is free"


def test_a_port_that_somebody_else_has(ask):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, found = ask(listen={"proxy": [f"127.0.0.1:{other.getsockname()[1]}"]})
    assert code == 1 and "in use by another process" in the_one(found, "proxy_port", "failure")["detail"]


def test_a_wrong_secret(ask, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-secret")
    wrong.chmod(0o600)
    code, found = ask(authorization_server={"client_secret_file": str(wrong)})
    assert code == 1 and "task" not in found
    assert "client id and secret" in the_one(found, "credentials", "failure")["mend"]
    assert the_one(found, "authorization_server", "ok")


def test_a_dead_authorization_server(ask):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        code, found = ask(authorization_server={"url": f"http://127.0.0.1:{unused.getsockname()[1]}"})
    assert code == 1
    assert "authorization_server.url" in the_one(found, "authorization_server", "failure")["mend"]
    assert the_one(found, "credentials", "failure")


def test_a_tenant_that_is_not_there(ask):
    code, found = ask(authorization_server={"tenant": "no-such-tenant"})
    assert code == 1
    mend = the_one(found, "credentials", "failure")["mend"]
    assert "check authorization_server.url" in mend and "tenant / org_id" in mend


def test_a_state_directory_that_cannot_be_used(ask, tmp_path):
    (tmp_path / "file").write_text("")
    code, found = ask(state={"directory": str(tmp_path / "file" / "below")})
    assert code == 1 and "is no directory" in the_one(found, "state_directory", "failure")["detail"]
    code, found = ask(state={"directory": "/proc/1/jitproxy"})
    assert code == 1 and the_one(found, "state_directory", "failure")
    place = tmp_path / "not" / "yet"
    _, found = ask(state={"directory": str(place)})
    assert "is made at the first start" in the_one(found, "state_directory", "ok")["detail"]
    assert not place.parent.exists()  # looking makes nothing


def test_a_control_socket_that_cannot_be_asked(ask):
    code, found = ask(env={"JITPROXY_CONTROL": "unix:/dev/null/control"})
    assert code == 1 and "no daemon can be asked" in the_one(found, "daemon", "failure")["detail"]


def test_a_proxy_that_jitproxy_does_not_use(ask, make_proxy, emulator):
    proxy = make_proxy(api=one_origin(emulator))
    _, found = ask(env={"HTTPS_PROXY": "http://me:secret@proxy.corp:3128"})
    detail = the_one(found, "parent_proxy", "warning")["detail"]
    assert "(proxy.corp:3128); jitproxy itself does not use it: it connects directly" in detail and "secret" not in detail
    _, found = examine(proxy, {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})
    assert "parent_proxy" not in found


def test_a_clock_that_is_wrong(ask, emulator):
    emulator.call("POST", "advance", {"seconds": 60})
    code, found = ask()
    assert code == 0 and "behind" in the_one(found, "clock", "warning")["detail"]
    emulator.call("POST", "advance", {"seconds": 3600})
    code, found = ask()
    assert code == 1 and "behind" in the_one(found, "clock", "failure")["detail"]


def test_an_api_that_cannot_be_reached(ask, emulator):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        code, found = ask(api=[{"hosts": ["localhost"], "ports": [port]}])
    assert code == 1 and f"localhost:{port}" in the_one(found, "api", "failure")["detail"]
    code, found = ask(egress={"allow_addresses": []})
    assert code == 1 and all("egress.allow_addresses" in f["mend"] for f in found["api"])
    code, found = ask(api=[{"hosts": ["localhost"], "ports": [emulator.api_tls_port]}])  # whose roots are not named
    assert code == 1 and "ca_file" in the_one(found, "api", "failure")["mend"]


def test_a_broken_configuration(ask):
    code, found = ask(log={"level": "loud"})
    assert code == 78 and ":2" in the_one(found, "configuration", "failure")["detail"]
    assert "credentials" not in found


def test_the_audit_trail_of_a_running_daemon(make_proxy, emulator):
    proxy = make_proxy(api=one_origin(emulator))
    trail = proxy.dir / "state/audit.jsonl"
    _, found = examine(proxy)
    assert the_one(found, "audit_trail", "ok")["detail"] == f"the daemon writes {trail}"
    session = proxy.open_session()
    trail.rename(trail.with_name("kept"))
    trail.mkdir()
    code, found = examine(proxy)
    failed = the_one(found, "audit_trail", "failure")
    assert code == 1 and "Is a directory" in failed["detail"] and str(trail) in failed["mend"]
    proxy.close_session(session)
    trail.rmdir()
    _, found = examine(proxy)
    missing = the_one(found, "audit_trail", "warning")
    assert missing["detail"].startswith("2 decisions are missing") and "audit.lost" in missing["mend"]


def test_the_audit_trail_without_a_daemon(ask, tmp_path):
    _, found = ask()
    assert "can be written" in the_one(found, "audit_trail", "ok")["detail"]
    assert not (ask.made[-1].dir / "state/audit.jsonl").exists()  # it would be the doctor's user's
    _, found = ask(audit={"file": "off"})
    assert the_one(found, "audit_trail", "ok")["detail"] == "there is to be none"
    code, found = ask(audit={"file": str(tmp_path)})
    assert code == 1 and "no regular file" in the_one(found, "audit_trail", "failure")["detail"]
    code, found = ask(audit={"file": str(tmp_path / "none/audit.jsonl")})
    failed = the_one(found, "audit_trail", "failure")
    assert code == 1 and "No such file" in failed["detail"] and "audit.file" in failed["mend"]


def test_what_is_no_failure_but_no_good(ask, make_proxy, emulator):
    proxy = make_proxy(api=one_origin(emulator))
    _, found = ask(env={"NO_PROXY": "internal.example,localhost"})
    assert "NO_PROXY has \"localhost\"" in the_one(found, "environment", "warning")["detail"]
    proxy.secret_file.chmod(0o644)
    code, found = examine(proxy)
    assert code == 0
    assert the_one(found, "secret_files", "warning")["mend"] == f"chmod 600 {proxy.secret_file}"
    other = proxy.dir / "other.pem"
    other.write_text("")
    _, found = examine(proxy, {"CURL_CA_BUNDLE": str(other), "PATH": "/usr/bin:/bin"})
    assert f"CURL_CA_BUNDLE names {other}" in the_one(found, "ca_trust", "warning")["detail"]
    (proxy.dir / "state" / "ca-bundle.pem").write_text("")
    code, found = examine(proxy)
    assert code == 1 and "jitproxy ca init" in the_one(found, "ca", "failure")["mend"]
