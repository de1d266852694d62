"""What is typed wrongly is refused, with what would be right; what is not there is named."""
import socket
import subprocess

import pytest

import harness
from emulator import binary


@pytest.mark.parametrize("command, says", [
    (["request", "list", "--status", "approved"], "there are pending, granted, denied, expired, refused and error"),
    (["request", "list", "--status", "pendng"], 'no request has the status "pendng"'),
    (["session", "open", "--format", "fish"], "--format requires --export"),
    (["session", "open", "--export", "--json"], "--json excludes --export"),
])
def test_refused(proxy, emulator, command, says):
    done = proxy.run(*command)
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr or "--export excludes --json" in done.stderr, done.stderr
    assert emulator.state()["counts"].get("task", 0) == 0


@pytest.mark.parametrize("status", ["pending", "granted", "denied", "expired", "refused", "error"])
def test_known_status(proxy, status):
    assert proxy.run("request", "list", "--status", status).returncode == 0


@pytest.mark.parametrize("command", [["session", "show"], ["session", "close"], ["request", "show"],
                                     ["request", "approve"], ["request", "deny"], ["env", "--session"]])
def test_what_is_not_there_is_named(proxy, command):
    done = proxy.run(*command, "no_such_id", env={"LUMOAUTH_USER_TOKEN": "somebody's"})
    assert done.returncode == 1 and "no_such_id" in done.stderr


def test_a_placeholder_that_is_none(proxy, emulator):
    for command, code in ((["session", "open"], 1), (["run"], 125)):
        done = proxy.run(*command, "--justification", "because of {reason}", *(["--", "true"] if code == 125 else []))
        assert done.returncode == code and "there is no {reason}; what can be filled in is {method}" in done.stderr
    assert emulator.state()["counts"].get("task", 0) == 0


def test_the_emulators_address_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        for flag in ("--listen", "--api"):
            done = subprocess.run([binary("jitproxy-emulator"), flag, address], capture_output=True, text=True, timeout=60)
            assert done.returncode == 1
            assert f"cannot listen on {address} ({flag}): Address already in use" in done.stderr


def test_a_demo_without_its_emulator(tmp_path):
    done = subprocess.run([harness.JITPROXY, "demo", "-y", "--emulator", tmp_path / "none"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1
    assert f"the emulator {tmp_path}/none is not there" in done.stderr
    assert "jitproxy-emulator" in done.stderr and "--emulator" in done.stderr
