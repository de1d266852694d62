"""The control API over TCP, as containers need it: nothing but the probes without the control token."""
import http.client
import json
import socket
import subprocess

import harness
import pytest


class TcpProxy(harness.Proxy):
    """Its control address is a port that was free a moment ago."""

    def __init__(self, emulator, **listen):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.control_port = probe.getsockname()[1]
        address = f"127.0.0.1:{self.control_port}"
        super().__init__(emulator, config={"listen": {"control": address, **listen}},
                         variables={"JITPROXY_CONTROL": address})
        self.control = address

    def ask(self, method, path, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=harness.PATIENCE)
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        status, body = answer.status, answer.read()
        connection.close()
        return status, body


@pytest.fixture
def tcp(emulator):
    with TcpProxy(emulator) as proxy:
        yield proxy
        assert proxy.stop() == 0 and proxy.leaks() == []


def token_file(proxy):
    return proxy.dir / "state/control.token"


def test_the_token_is_made_for_its_owner_alone_and_wanted(tcp):
    assert token_file(tcp).stat().st_mode & 0o777 == 0o600
    token = token_file(tcp).read_text().strip()
    assert len(token) >= 32
    tcp.secrets.add(token)
    for method, path in (("GET", "/v1/status"), ("POST", "/v1/sessions"), ("GET", "/v1/requests"), ("GET", "/metrics"),
                         ("GET", "/v1/events"), ("POST", "/v1/reload")):
        assert tcp.ask(method, path)[0] == 401, path
        assert tcp.ask(method, path, token[:-1])[0] == 401, path
    assert tcp.ask("GET", "/v1/status", token)[0] == 200


def test_probes_need_no_token_and_get_none(tcp):
    for path in ("/healthz", "/readyz"):
        status, body = tcp.ask("GET", path)
        assert status == 200 or (path, status) == ("/readyz", 503), status  # 503: no agent token yet
        assert "status" in json.loads(body)
        tcp.answers.append(body)  # searched for secrets at the end


@pytest.mark.parametrize("given", ["file", "variable"])
def test_commands_find_the_token(tcp, given):
    address = {}
    if given == "variable":
        address = {"JITPROXY_CONTROL_TOKEN": token_file(tcp).read_text().strip(), "JITPROXY_CONFIG": "/dev/null"}
    assert json.loads(tcp.run("status", "--json", env=address).stdout)["pid"] == tcp.process.pid


def test_a_token_that_is_wrong_and_one_that_is_missing(tcp):
    """Told apart, with the place that it was looked for in; `run` does not serve by itself beside such a daemon."""
    wrong = {"JITPROXY_CONTROL_TOKEN": "not-this-one"}
    for command, code in ((["status"], 1), (["request", "list"], 1), (["run", "--", "true"], 125)):
        done = tcp.run(*command, env=wrong)
        assert done.returncode == code
        assert f"the daemon at {tcp.control} refuses the control token of the variable JITPROXY_CONTROL_TOKEN" in done.stderr
    other = tcp.dir / "other.token"
    other.write_text("not-this-one\n")
    (tcp.dir / "other.toml").write_text(harness.toml({"listen": {"control_token_file": str(other)}}))
    done = tcp.run("status", env={"JITPROXY_CONFIG": str(tcp.dir / "other.toml")})
    assert done.returncode == 1 and f"refuses the control token of the file {other}" in done.stderr
    done = tcp.run("status", env={"JITPROXY_CONFIG": "/dev/null"})  # and so another state directory
    assert done.returncode == 1
    place = tcp.dir / "xdg_state_home/jitproxy/control.token"
    assert f"wants its control token, and there is none: the secret file {place} cannot be read: No such file" in done.stderr


def test_the_doctor_says_that_the_token_is_refused(tcp):
    done = tcp.run("doctor", "--json", env={"JITPROXY_CONTROL_TOKEN": "not-this-one"})
    found = {f["check"]: f for f in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1 and found["daemon"]["status"] == "failure"
    assert "of the variable JITPROXY_CONTROL_TOKEN" in found["daemon"]["detail"]
    assert "JITPROXY_CONTROL_TOKEN" in found["daemon"]["mend"]


def test_the_daemons_port_is_not_called_somebody_elses(emulator):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with TcpProxy(emulator, proxy=[f"127.0.0.1:{port}"]) as proxy:
        done = proxy.run("doctor", "--json", env={"JITPROXY_CONTROL_TOKEN": "not-this-one"})
        assert proxy.stop() == 0
    found = {f["check"]: f for f in json.loads(done.stdout)["checks"]}
    assert found["proxy_port"]["status"] == "warning" and "by the daemon or by another" in found["proxy_port"]["detail"]


def test_a_token_file_that_is_empty_is_no_token(emulator, tmp_path):
    token = tmp_path / "empty"
    token.touch(mode=0o600)
    proxy = TcpProxy(emulator, control_token_file=str(token))
    try:
        proxy.config_file.write_text(harness.toml(proxy.config))
        done = subprocess.run([harness.JITPROXY, "serve", "-c", proxy.config_file], env=proxy.environment(), timeout=60,
                              capture_output=True, text=True)
    finally:
        proxy.__exit__()
    assert done.returncode in (1, 78) and str(token) in done.stderr
