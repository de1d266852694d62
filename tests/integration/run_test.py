"""`jitproxy run`: the command's status, its variables, and the end of its session however the command ends."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

import harness

DOCUMENT = "/v1/documents/doc_9982"


class Runner:
    """`jitproxy run` with a daemon, or without one."""

    def __init__(self, proxy, daemon):
        self.proxy = proxy
        self.env = proxy.environment()
        if not daemon:
            proxy.stop()

    def command(self, *words):
        return [harness.JITPROXY, "run", *map(str, words)]

    def run(self, *words, timeout=60):
        done = subprocess.run(self.command(*words), env=self.env, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        self.proxy.answers.append((done.stdout + done.stderr).encode())
        return done

    def start(self, *words):
        return subprocess.Popen(self.command(*words), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, stdin=subprocess.DEVNULL)


@pytest.fixture(params=["daemon", "alone"])
def runner(request, proxy):
    return Runner(proxy, request.param == "daemon")


def ended_cleanly(emulator, tasks=1):
    state = emulator.state()
    assert state["open_tasks"] == [] and state["counts"]["task"] == tasks, state["tasks"]
    assert [t for t in state["live_tokens"] if t["kind"] == "jit"] == []
    assert [t["outcome"] for t in state["tasks"]] == ["completed"] * tasks


def test_succeeds(runner, emulator):
    done = runner.run("--name", "quarterly review", "--justification", "audit: {method}", "--", "curl", "-sS",
                      emulator.api_tls_url + DOCUMENT)
    assert done.returncode == 0, done.stderr
    assert "Q4 revenue" in done.stdout
    assert emulator.state()["tasks"][0]["name"] == "quarterly review"
    assert [r["justification"] for r in emulator.state()["requests"]] == ["audit: GET"]
    ended_cleanly(emulator)


def test_python_agent(runner, emulator, tmp_path):
    agent = tmp_path / "agent.py"
    agent.write_text("import sys, requests\n"
                     "print(requests.get(sys.argv[1]).text)\n")
    done = runner.run("--", "/usr/bin/python3", agent, emulator.api_tls_url + DOCUMENT)
    assert done.returncode == 0 and "Q4 revenue" in done.stdout, done.stderr
    ended_cleanly(emulator)


@pytest.mark.parametrize("code", [1, 2, 42, 125])
def test_passes_the_status_on(runner, emulator, code):
    assert runner.run("sh", "-c", f"exit {code}").returncode == code
    ended_cleanly(emulator)


def test_command_is_killed(runner, emulator):
    done = runner.run("sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL
    ended_cleanly(emulator)


def test_command_not_found(runner, emulator):
    done = runner.run("--", "no-such-command-anywhere")
    assert done.returncode == 127 and "no-such-command-anywhere" in done.stderr
    assert emulator.state()["open_tasks"] == []


def test_command_not_executable(runner, emulator, tmp_path):
    file = tmp_path / "data"
    file.write_text("no program\n")
    done = runner.run("--", file)
    assert done.returncode == 126 and str(file) in done.stderr
    assert emulator.state()["open_tasks"] == []


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_passed_on(runner, emulator, sig):
    """The command gets the signal, may do its own cleaning up, and its status counts."""
    process = runner.start("--", "sh", "-c",
                           f"trap 'echo caught; kill $!; exit 7' {sig.name[3:]}; tail -f /dev/null & echo started; wait")
    lines = harness.Lines(process.stdout)
    lines.wait_for("started")
    process.send_signal(sig)
    assert process.wait(30) == 7
    lines.wait_for("caught")
    ended_cleanly(emulator)


def test_variables(runner, emulator):
    """Every variable of the contract, inherited copies replaced, with files that exist."""
    runner.env.update(HTTPS_PROXY="http://old.example:1", https_proxy="http://old.example:1", NO_PROXY="everything")
    done = runner.run("--", "/usr/bin/python3", "-c", "import json, os; print(json.dumps(dict(os.environ)))")
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    urls = {got[name] for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    assert len(urls) == 1 and "127.0.0.1" in urls.pop()
    assert "old.example" not in done.stdout
    assert got["NO_PROXY"] == "::1"  # its other names are protected hosts here
    assert got["NODE_USE_ENV_PROXY"] == "1"
    for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
                 "PIP_CERT", "AWS_CA_BUNDLE", "DENO_CERT", "CARGO_HTTP_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        assert name in got, name
    bundle = pathlib.Path(got["SSL_CERT_FILE"])
    runner.proxy.answers.pop()  # the command is meant to see its session's secret
    if bundle.exists():  # with a daemon they outlive the command
        certificates = bundle.read_text().count("BEGIN CERTIFICATE")
        assert certificates >= 1 if not os.path.exists("/etc/ssl/certs/ca-certificates.crt") else certificates > 50
    for secret in ("AGENT_CLIENT_SECRET", "LUMOAUTH_CLIENT_SECRET"):
        assert secret not in got
    ended_cleanly(emulator)


def test_the_agents_client_secret_is_not_handed_on(make_proxy, emulator):
    """What the daemon-less `run` reads from variables is not in the command's environment."""
    proxy = make_proxy(variables={"AGENT_CLIENT_SECRET": emulator.client_secret})
    runner = Runner(proxy, daemon=False)
    done = runner.run("--", "env")
    assert done.returncode == 0
    assert emulator.client_secret not in done.stdout
    proxy.answers.pop()  # holds the session's own secret, as it must


def test_usage(proxy):
    assert proxy.run("run").returncode == 2
    assert proxy.run("run", "--no-such-flag", "--", "true").returncode == 2


def test_no_authorization_server(proxy, emulator, tmp_path):
    """125: jitproxy itself failed, and says what and how to mend it."""
    proxy.stop()
    proxy.config["authorization_server"]["url"] = "http://127.0.0.1:1"
    proxy.config_file.write_text(harness.toml(proxy.config))
    done = proxy.run("run", "--", "true")
    assert done.returncode == 125 and "127.0.0.1:1" in done.stderr
