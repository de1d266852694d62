"""`jitproxy run` with settings of its own: heeded, or refused, never ignored; and which daemon it talks to."""
import shutil

import pytest

import harness
from run_test import ended_cleanly

DOCUMENT = "/v1/documents/doc_9982"


@pytest.mark.parametrize("flag, value", [
    ("--protect", "api.acme-corp.com"), ("--url", "https://app.lumoauth.dev"), ("--tenant", "acme"), ("--org-id", "1"),
    ("--client-id", "agt_2"), ("--listen", "127.0.0.1:0"), ("--state", "/tmp/elsewhere"), ("--log-level", "debug"),
])
def test_a_flag_that_the_daemon_would_not_heed_is_refused(proxy, emulator, flag, value):
    done = proxy.run("run", flag, value, "--", "echo", "ran")
    assert done.returncode == 125 and "ran" not in done.stdout
    assert f"a daemon runs at unix:{proxy.control}" in done.stderr
    assert f"{flag} would have no effect" in done.stderr and "--own" in done.stderr
    assert emulator.state()["counts"].get("task", 0) == 0


def test_every_flag_is_named(proxy):
    done = proxy.run("run", "--url", "https://a.example", "--protect", "a.example", "--tenant", "x", "--", "true")
    assert done.returncode == 125 and "--protect, --url and --tenant would have no effect" in done.stderr


def test_another_file_than_the_daemons_is_refused(proxy, emulator, tmp_path):
    other = tmp_path / "other.toml"
    shutil.copy(proxy.config_file, other)
    done = proxy.run("run", "-c", other, "--", "true")
    assert done.returncode == 125 and "--config would have no effect" in done.stderr
    assert proxy.run("run", "-c", proxy.config_file, "--", "true").returncode == 0  # that is what the daemon goes by
    ended_cleanly(emulator)


def test_own_serves_for_the_command_alone(proxy, emulator):
    """Beside the daemon: the host is protected by the flag, and the daemon has no session of it."""
    proxy.run("run", "--", "true")
    before = proxy.api_call("GET", "/v1/sessions")[1]
    again = proxy.run("run", "--own", "--protect", "api.acme-corp.com", "--", "curl", "-sS", emulator.api_tls_url + DOCUMENT)
    assert again.returncode == 0 and "Q4 revenue" in again.stdout, again.stderr
    assert proxy.api_call("GET", "/v1/sessions")[1] == before
    ended_cleanly(emulator, tasks=2)


def test_own_listens_where_it_is_told(proxy, emulator):
    done = proxy.run("run", "--own", "--listen", "127.0.0.7:0", "--", "sh", "-c", "echo ${HTTPS_PROXY##*@}")
    assert done.returncode == 0 and done.stdout.startswith("127.0.0.7:"), done.stderr
    ended_cleanly(emulator)


def test_an_address_that_is_none(proxy):
    for command in (["status"], ["run"], ["serve"], ["check"], ["session", "list"]):
        done = proxy.run(*command, "--control", "bogus")
        assert done.returncode == 2 and "must be unix:/PATH or ADDRESS:PORT" in done.stderr, command
    done = proxy.run("run", "--", "true", env={"JITPROXY_CONTROL": "bogus"})
    assert done.returncode == 125 and "must be unix:/PATH or ADDRESS:PORT" in done.stderr


def test_a_place_that_is_not_safe_is_passed_over(emulator):
    """The next one is tried, and all that were tried are named."""
    proxy = harness.Proxy(emulator, config={"listen": {"control": "unix"}})
    try:
        proxy.config_file.write_text(harness.toml(proxy.config))
        proxy.environment()
        trap = proxy.dir / "xdg_runtime_dir" / "jitproxy"
        trap.mkdir()
        trap.chmod(0o777)
        done = proxy.run("status", env={"JITPROXY_CONTROL": ""})
    finally:
        proxy.__exit__()
    assert done.returncode == 1
    assert f"unix:{trap}/control.sock ({trap} can be written to by other users" in done.stderr
    assert "unix:/run/jitproxy/control.sock" in done.stderr
