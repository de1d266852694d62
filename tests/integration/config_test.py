"""`check` and what a broken configuration looks like; variables alone; SIGHUP."""
import json
import pathlib
import re
import signal
import subprocess

import pytest

import agents
import harness
import raw

DOCUMENT = "/v1/documents/doc_9982"


@pytest.fixture
def checker(emulator, tmp_path):
    proxy = harness.Proxy(emulator)

    def check(text, env=None):
        proxy.config_file.write_text(text)
        return proxy.run("check", "-c", proxy.config_file, env=env)

    check.proxy = proxy
    yield check
    proxy.__exit__()


def test_check_prints_the_effective_configuration(checker):
    done = checker(harness.toml(checker.proxy.config))
    assert done.returncode == 0, done.stderr
    assert 'hosts = ["localhost", "127.0.0.1", "api.localhost"]' in done.stdout
    assert "[timeouts]" in done.stdout  # defaults too
    assert checker.proxy.emulator.client_secret not in done.stdout + done.stderr


@pytest.mark.parametrize("line,column,message", [
    ('hosts = ["api.acme-corp.com"', None, ""),  # does not parse
    ('hosts = ["-bad-"]', 10, ""),
    ('prots = [443]', 1, "ports"),  # and says what was meant
    ('ports = [0]', 10, ""),
    ('ports = "443"', 9, ""),
    ('upstream_tls = "sometimes"', 16, "always"),
    ('requested_ttl = "5 fortnights"', 17, ""),
    ('requested_ttl = "2h"', 17, ""),
])
def test_check_names_file_line_and_column(checker, line, column, message):
    text = harness.toml({k: v for k, v in checker.proxy.config.items() if k != "api"}) + "\n[[api]]\n"
    if not line.startswith("hosts"):
        text += 'hosts = ["api.acme-corp.com"]\n'
    number = text.count("\n") + 1
    done = checker(text + line + "\n")
    assert done.returncode == 78
    places = re.findall(rf"^{re.escape(str(checker.proxy.config_file))}:(\d+):(\d+): .+", done.stderr, re.MULTILINE)
    assert places, done.stderr
    if column:
        assert (str(number), str(column)) in places, done.stderr
        assert message in done.stderr


def test_check_names_every_error_at_once(checker):
    done = checker('[listen]\nproxy = ["nowhere"]\n[log]\nlevel = "loud"\n[nonsense]\nx = 1\n')
    assert done.returncode == 78
    for place in (":2:", ":4:", ":5:"):
        assert place in done.stderr, done.stderr


def test_serve_refuses_what_check_refuses(checker):
    checker.proxy.config_file.write_text('[log]\nlevel = "loud"\n')
    done = checker.proxy.run("serve", "-c", checker.proxy.config_file, timeout=20)
    assert done.returncode == 78 and ":2:9: " in done.stderr


def test_missing_file(checker):
    done = checker.proxy.run("check", "-c", "/nonexistent/jitproxy.toml")
    assert done.returncode == 78 and "/nonexistent/jitproxy.toml" in done.stderr


def test_a_directory_is_no_configuration(checker, tmp_path):
    for command in ("check", "serve"):
        done = checker.proxy.run(command, "-c", tmp_path)
        assert done.returncode == 78 and f"{tmp_path}: cannot be read: Is a directory" in done.stderr


def test_certificates_are_looked_into_before_anything_changes(checker, tmp_path):
    """A key of another certificate: `check` says so, and `serve` leaves the CA that agents trust alone."""
    for name in ("one", "two"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=agent", "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"], check=True,
                       capture_output=True)
    config = checker.proxy.config
    checker(harness.toml(config))
    assert checker.proxy.run("ca", "init", "-c", checker.proxy.config_file).returncode == 0
    root = pathlib.Path(config["state"]["directory"], "ca.pem")
    before = root.read_bytes()
    api = {**config["api"][0], "hosts": ["other.example"], "client_certificate_file": str(tmp_path / "one.pem")}
    good = checker(harness.toml({**config, "api": [{**api, "client_key_file": str(tmp_path / "one.key")}]}))
    assert good.returncode == 0, good.stderr
    bad = checker(harness.toml({**config, "api": [{**api, "client_key_file": str(tmp_path / "two.key")}]}))
    assert bad.returncode == 78 and "does not hold the certificate's key in PEM" in bad.stderr
    done = checker.proxy.run("serve", "-c", checker.proxy.config_file, timeout=20)
    assert done.returncode == 78 and root.read_bytes() == before


def test_variables_alone(emulator, make_proxy):
    """LUMOAUTH_URL, LUMOAUTH_TENANT, AGENT_CLIENT_ID, AGENT_CLIENT_SECRET and --protect: no file."""
    proxy = make_proxy()
    proxy.stop()
    env = {"LUMOAUTH_URL": emulator.as_url, "LUMOAUTH_TENANT": emulator.tenant, "AGENT_CLIENT_ID": emulator.client_id,
           "AGENT_CLIENT_SECRET": emulator.client_secret, "JITPROXY_CONFIG": ""}
    done = proxy.run("check", "--protect", "api.acme-corp.com", env=env)
    assert done.returncode == 0, done.stderr
    assert "api.acme-corp.com" in done.stdout and emulator.client_secret not in done.stdout


def test_reload(proxy, emulator):
    """SIGHUP: a broken file changes nothing and says why; a good one counts from the next request on."""
    session = proxy.open_session()
    env = proxy.agent(session)
    good = proxy.config_file.read_text()
    proxy.config_file.write_text(good + "\n[log]\n")  # a table twice
    proxy.process.send_signal(signal.SIGHUP)
    proxy.log.wait_for(re.escape(str(proxy.config_file)) + r":\d+:\d+")
    assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200

    proxy.config["api"][0]["types"] = ["nothing"]
    proxy.config_file.write_text(harness.toml(proxy.config))
    proxy.process.send_signal(signal.SIGHUP)
    proxy.log.wait_for(r"(?i)reload|configuration", count=2)
    answer = agents.curl(env, emulator.api_url + "/v1/documents/doc_1001")
    assert answer.status == 403 and answer.header("JIT-Request-Status") == "refused"
    assert proxy.api_call("GET", f"/v1/sessions/{session['session_id']}")[0] == 200  # sessions stay


def test_version_and_help(checker):
    version = checker.proxy.run("--version")
    assert version.returncode == 0 and re.search(r"\d+\.\d+\.\d+", version.stdout)
    for command in ([], ["serve"], ["run"], ["session"], ["env"], ["request"], ["ca"], ["check"], ["status"], ["demo"]):
        shown = checker.proxy.run(*command, "--help")
        assert shown.returncode == 0 and "sage" in shown.stdout, command
    assert checker.proxy.run("help").stdout == checker.proxy.run("--help").stdout
    assert checker.proxy.run("help", "run").stdout == checker.proxy.run("run", "--help").stdout
    assert checker.proxy.run("no-such-command").returncode == 2
    assert checker.proxy.run("status", "--json").returncode == 1  # no daemon here


def test_env_formats(proxy):
    session = proxy.open_session()
    for form, pattern in (("sh", r"export HTTPS_PROXY="), ("fish", r"set -gx HTTPS_PROXY "),
                          ("dotenv", r"(?m)^HTTPS_PROXY="), ("json", r'"HTTPS_PROXY"')):
        done = proxy.run("env", "--session", session["session_id"], "--format", form)
        assert done.returncode == 0 and re.search(pattern, done.stdout), done.stdout + done.stderr
    assert session["proxy_url"] == json.loads(done.stdout)["HTTPS_PROXY"]


def test_reload_takes_up_limits_and_names_what_waits_for_a_restart(proxy, emulator):
    """Lower limits count for the next head on a connection that stays; what cannot change is named, each time."""
    session = proxy.open_session()
    long_url = emulator.api_url + DOCUMENT + "?x=" + "y" * 2000
    host = emulator.api_url.split("//")[1]

    def status(wire, url):
        return wire.ask(f"GET {url} HTTP/1.1\r\nHost: {host}\r\n{raw.basic(session)}\r\n").status

    with raw.Wire(proxy.port) as open_before:
        assert status(open_before, long_url) == 200
        proxy.config["limits"] = {"request_line_bytes": 512}
        proxy.config["timeouts"] = {"drain": "1s"}
        proxy.config["egress"]["name_servers"] = ["127.0.0.1:5353"]
        proxy.config_file.write_text(harness.toml(proxy.config))
        for times in (1, 2):
            proxy.process.send_signal(signal.SIGHUP)
            proxy.log.wait_for("configuration reloaded", count=times)
            for key in ("timeouts.drain", "egress.name_servers"):
                proxy.log.wait_for(rf"takes effect only with the next start.*{re.escape(key)}", count=times)
        assert "limits.request_line_bytes" not in proxy.log.text()
        assert status(open_before, emulator.api_url + DOCUMENT) == 200
        assert status(open_before, long_url) == 414
    assert proxy.api_call("GET", f"/v1/sessions/{session['session_id']}")[0] == 200


def test_check_says_where_each_value_is_from(checker):
    text = harness.toml(checker.proxy.config)
    done = checker(text, env={"LUMOAUTH_TENANT": "by-variable"})
    line = text.split("\n").index('level = "debug"') + 1
    assert f'level = "debug"  # {checker.proxy.config_file}:{line}\n' in done.stdout
    assert 'tenant = "by-variable"  # variable LUMOAUTH_TENANT\n' in done.stdout
    assert 'format = "auto"  # default\n' in done.stdout
    again = checker(done.stdout)
    assert again.returncode == 0, again.stderr
