"""The local CA's files, from making to replacing them: by the commands, by the daemon, by earlier versions."""
import os
import pathlib
import re
import signal
import subprocess

import pytest

import agents
import harness
import thief

FILES = ("ca.key", "ca-issuing.pem", "ca.pem")


class State:
    """The state directory of a proxy."""

    def __init__(self, proxy):
        self.directory = pathlib.Path(proxy.config["state"]["directory"])

    def __truediv__(self, name):
        return self.directory / name

    def ca(self):
        return {name: (self / name).read_bytes() for name in FILES if (self / name).is_file()}

    def assert_all_new(self, before):
        """All three files are others than before, and as private as they have to be."""
        now = self.ca()
        assert set(now) == set(FILES)
        assert not [name for name in FILES if now[name] == before.get(name)]
        assert [(self / name).stat().st_mode & 0o777 for name in FILES] == [0o600, 0o644, 0o644]
        stored = thief.run("openssl", "pkcs12", "-in", self / "truststore.p12", "-passin", "pass:changeit", "-nokeys")
        for trusted in ((self / "ca-bundle.pem").read_text(), stored.stdout):
            assert now["ca.pem"].decode() in trusted
            assert not [name for name in before if name != "ca.key" and before[name].decode() in trusted]


def reload(proxy, *expected):
    proxy.config_file.write_text(harness.toml(proxy.config))
    proxy.process.send_signal(signal.SIGHUP)
    for line in expected:
        proxy.log.wait_for(line)


def old_agent(proxy, tmp_path):
    """The environment of a client that keeps the root as it is now."""
    kept = tmp_path / "old-bundle.pem"
    kept.write_bytes((State(proxy) / "ca-bundle.pem").read_bytes())
    return agents.environment(f"http://127.0.0.1:{proxy.port}", bundle=kept)


@pytest.fixture
def url(emulator):
    return f"{emulator.api_tls_url}/v1/public"


def test_the_proxy_sends_leaf_and_issuing_certificate(proxy, emulator):
    state = State(proxy)
    said = thief.run("openssl", "s_client", "-proxy", f"127.0.0.1:{proxy.port}", "-connect",
                     f"localhost:{emulator.api_tls_port}", "-servername", "localhost", "-verify_hostname", "localhost",
                     "-CAfile", state / "ca.pem", "-verify_return_error", "-showcerts", stdin=subprocess.DEVNULL)
    assert "Verify return code: 0 (ok)" in said.stdout, said.stdout + said.stderr
    sent = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", said.stdout, re.DOTALL)
    assert sent[1:2] == [(state / "ca-issuing.pem").read_text()]
    assert (state / "ca.pem").read_text() not in sent


def test_show_path_init_and_rotate(proxy):
    state = State(proxy)
    first = state.ca()
    root = first["ca.pem"].decode()
    shown = proxy.run("ca", "show")
    assert shown.returncode == 0 and shown.stdout.endswith(root), shown.stdout + shown.stderr
    assert shown.stdout.count("BEGIN CERTIFICATE") == 1  # to trust the issuing one would lift its constraints
    for part in ("its key no longer exists", "pathlen:1", "pathlen:0", "CN = jitproxy issuing CA for",
                 str(state / "ca-issuing.pem"), "DNS:localhost", "IP:127.0.0.1"):
        assert part in shown.stdout, part
    assert "PRIVATE" not in shown.stdout
    assert proxy.run("ca", "path").stdout == f"{state / 'ca.pem'}\n"
    assert proxy.run("ca", "path", "--bundle").stdout == f"{state / 'ca-bundle.pem'}\n"
    again = proxy.run("ca", "init")
    assert again.returncode == 0 and "a new CA" not in again.stderr and state.ca() == first
    rotated = proxy.run("ca", "rotate")
    assert rotated.returncode == 0 and "a new CA" in rotated.stderr and "start agents anew" in rotated.stderr
    state.assert_all_new(first)


def test_a_rotated_ca_is_used_after_a_reload(proxy, url, tmp_path):
    old = old_agent(proxy, tmp_path)
    assert proxy.run("ca", "rotate").returncode == 0
    assert agents.curl(old, url).status == 200  # until then the daemon has the CA that it started with
    reload(proxy, "configuration reloaded")
    assert agents.curl(proxy.agent(), url).status == 200
    with pytest.raises(agents.ClientFailed):
        agents.curl(old, url)
    proxy.log.wait_for("does it trust the local CA")


def test_a_reload_with_another_host_makes_another_ca(make_proxy, emulator, url, tmp_path):
    """The new host is intercepted from then on; a client that trusts the old root is told by TLS, and the log says why."""
    proxy = make_proxy(api={"hosts": ["localhost"]})
    other = url.replace("localhost", "127.0.0.1")
    state, before, old = State(proxy), State(proxy).ca(), old_agent(proxy, tmp_path)
    proxy.api["hosts"] += ["127.0.0.1"]
    reload(proxy, "warning.*the local CA was made anew: running agents.*restarted.*the protected hosts have changed",
           "configuration reloaded")
    state.assert_all_new(before)
    for address in (url, other):
        assert agents.curl(proxy.agent(), address).status == 200
        with pytest.raises(agents.ClientFailed):
            agents.curl(old, address)
    after = state.ca()
    reload(proxy)
    proxy.log.wait_for("configuration reloaded", count=2)
    assert state.ca() == after  # nothing else makes another one


def test_a_reload_that_fails_leaves_the_ca_and_its_clients_alone(proxy, emulator, url, tmp_path):
    """Agents have to be restarted for a new CA, so nothing that can fail may fail after it is made."""
    state, old, before = State(proxy), old_agent(proxy, tmp_path), State(proxy).ca()
    proxy.api["hosts"] += ["more.localhost"]
    proxy.api["ca_file"] = str(proxy.dir / "missing.pem")
    reload(proxy, "reload refused.*missing.pem")
    assert state.ca() == before and agents.curl(old, url).status == 200
    proxy.api["ca_file"] = str(emulator.ca_file)

    (state / "ca-issuing.pem").write_text("what is no certificate")
    reload(proxy, "reload refused.*ca-issuing.pem.*jitproxy ca rotate")
    assert (state / "ca.pem").read_bytes() == before["ca.pem"] and agents.curl(old, url).status == 200

    assert proxy.run("ca", "rotate").returncode == 0
    reload(proxy, "configuration reloaded")
    state.assert_all_new(before)
    assert agents.curl(proxy.agent(), url).status == 200


def put_one_tier_ca_into(state):
    """What earlier versions left: a root that signs leaves itself, with its key."""
    for name in FILES:
        (state / name).unlink()
    made = thief.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", state / "ca.key", "-out", state / "ca.pem", "-days", "300",
                     "-subj", "/O=jitproxy/CN=jitproxy local CA for agent@machine",
                     "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                     "-addext", "nameConstraints=critical,permitted;DNS:localhost")
    assert made.returncode == 0, made.stderr
    (state / "ca.key").chmod(0o600)


def test_a_ca_of_one_tier_is_replaced_at_the_start_and_nothing_else(proxy, emulator, url):
    """What the directory holds beside the CA stays: a task that a killed daemon left open is completed."""
    state = State(proxy)
    proxy.open_session()
    assert emulator.state()["open_tasks"]
    proxy.stop(signal.SIGKILL)
    put_one_tier_ca_into(state)
    before = state.ca()
    shown = proxy.run("ca", "show")
    assert shown.returncode == 1 and "ca-issuing.pem" in shown.stderr and "ca rotate" in shown.stderr
    others = {path.name for path in state.directory.iterdir()} - set(FILES)
    proxy.start()
    proxy.log.wait_for("warning.*the local CA was made anew: running agents.*restarted"
                       ".*its root's key is in the directory, from where it could be stolen")
    state.assert_all_new(before)
    assert others <= {path.name for path in state.directory.iterdir()}
    emulator.wait_for(lambda seen: seen["open_tasks"] == [], "the task to be completed")
    assert agents.curl(proxy.agent(), url).status == 200
    assert proxy.run("ca", "show").returncode == 0


@pytest.mark.parametrize("lost", FILES)
def test_what_a_crash_left_is_made_whole(proxy, url, lost):
    state = State(proxy)
    proxy.stop(signal.SIGKILL)
    before = state.ca()
    (state / lost).unlink()
    proxy.start()
    state.assert_all_new(before)
    assert agents.curl(proxy.agent(), url).status == 200


def test_show_tells_of_certificates_that_do_not_belong_together(proxy):
    state = State(proxy)
    kept = (state / "ca.pem").read_bytes()
    assert proxy.run("ca", "rotate").returncode == 0
    (state / "ca.pem").write_bytes(kept)
    shown = proxy.run("ca", "show")
    assert shown.returncode == 1 and "has not signed" in shown.stderr and "ca rotate" in shown.stderr
    made = proxy.run("ca", "init")
    assert made.returncode == 0 and "its root has not signed its issuing certificate" in made.stderr
    assert proxy.run("ca", "show").returncode == 0


def test_a_key_that_others_may_read_stops_the_start(proxy):
    """Fail closed, with the way out; nothing is replaced behind the user's back."""
    state = State(proxy)
    proxy.stop()
    before = state.ca()
    os.chmod(state / "ca.key", 0o644)
    refused = proxy.run("serve", "-c", proxy.config_file)
    assert refused.returncode == 1
    for part in (str(state / "ca.key"), "chmod 600", "jitproxy ca rotate"):
        assert part in refused.stdout + refused.stderr, part
    assert state.ca() == before
    assert proxy.run("ca", "rotate").returncode == 0
    state.assert_all_new(before)
    proxy.start()


def test_agents_of_others_get_the_certificates_and_never_the_key(make_proxy, emulator, tmp_path, url):
    shown = tmp_path / "shown"
    shown.mkdir()
    proxy = make_proxy(config={"ca": {"public_directory": str(shown)}})
    state = State(proxy)
    names = {"ca.pem", "ca-bundle.pem", "truststore.p12"}
    assert {path.name for path in shown.iterdir()} == names
    assert {(shown / name).stat().st_mode & 0o777 for name in names} == {0o644}
    assert (shown / "ca.pem").read_bytes() == state.ca()["ca.pem"]
    session = proxy.open_session()
    assert (session["ca_file"], session["ca_bundle"]) == (str(shown / "ca.pem"), str(shown / "ca-bundle.pem"))
    assert agents.curl(proxy.agent(session), url).status == 200
    before = state.ca()
    proxy.config["api"][0]["hosts"].append("more.localhost")
    reload(proxy, "a local CA was made")
    proxy.open_session()
    assert (shown / "ca.pem").read_bytes() == state.ca()["ca.pem"] != before["ca.pem"]
    assert {path.name for path in shown.iterdir()} == names


def test_a_directory_for_certificates_that_is_not_there_is_named(emulator, tmp_path):
    proxy = harness.Proxy(emulator, config={"ca": {"public_directory": str(tmp_path / "nowhere")}})
    try:
        proxy.config_file.write_text(harness.toml(proxy.config))
        done = subprocess.run([harness.JITPROXY, "serve", "-c", proxy.config_file], timeout=60, env=proxy.environment(),
                              capture_output=True, text=True)
    finally:
        proxy.__exit__()
    assert done.returncode == 1 and str(tmp_path / "nowhere") in done.stderr
