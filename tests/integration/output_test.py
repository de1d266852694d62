"""Output that cannot be written is a failure, and closed standard descriptors are no trap."""
import os
import subprocess

import pytest

import agents
import harness
from run_test import ended_cleanly

FULL = "/dev/full"


def run_into(proxy, target, *command):
    """target: a file, or None for a standard output that is closed."""
    with open(target or os.devnull, "wb") as out:
        return subprocess.run([harness.JITPROXY, *command], env=proxy.environment(), stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE, text=True, timeout=60,
                              preexec_fn=None if target else lambda: os.close(1))


@pytest.mark.parametrize("target, why", [(FULL, "No space left on device"), (None, "Bad file descriptor")])
def test_lost_output_is_a_failure(proxy, target, why):
    for command in (["status"], ["status", "--json"], ["check"], ["session", "list"], ["request", "list", "--json"],
                    ["env"], ["ca", "path"]):
        done = run_into(proxy, target, *command)
        assert done.returncode == 1, command
        assert f"jitproxy: the output cannot be written: {why}" in done.stderr, command
    for command in ("--version", "--help"):
        done = run_into(proxy, target, command)
        assert done.returncode == 1 and "jitproxy: the output cannot be written" in done.stderr, command


@pytest.mark.parametrize("how", [["--json"], ["--export"], []])
def test_a_session_that_nobody_heard_of_is_closed(proxy, emulator, how):
    done = run_into(proxy, FULL, "session", "open", *how)
    assert done.returncode == 1 and "cannot be written" in done.stderr and "is closed" in done.stderr
    ended_cleanly(emulator)


def test_watching_ends_with_its_reader(proxy, emulator):
    session = proxy.open_session()
    answer = agents.curl(proxy.agent(session), emulator.api_url + "/v1/documents/doc_old", "-X", "DELETE", "-H",
                         "Prefer: wait=0")
    assert answer.header("JIT-Request-Status") == "pending"  # shown at once to whoever watches
    for how in ([], ["--json"]):
        done = run_into(proxy, FULL, "request", "watch", *how)
        assert done.returncode == 1 and "cannot be written" in done.stderr


@pytest.mark.parametrize("closed", [(0, 1), (0, 1, 2), (0,), (2,)])
def test_run_with_closed_descriptors(proxy, emulator, closed):
    for own in ([], ["--own"]):
        done = subprocess.run([harness.JITPROXY, "run", *own, "--", "sh", "-c", "exit 3"], env=proxy.environment(),
                              timeout=60, preexec_fn=lambda: [os.close(fd) for fd in closed])
        assert done.returncode == 3
    ended_cleanly(emulator, tasks=2)
