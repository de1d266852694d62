"""`jitproxy run` and signals: a terminal that hangs up, and what comes while the session is being closed."""
import os
import pty
import select
import signal

import pytest

import harness
from run_test import Runner, ended_cleanly


@pytest.fixture(params=["daemon", "alone"])
def runner(request, proxy):
    return Runner(proxy, request.param == "daemon")


def exit_of(pid):
    """The exit code of a child, which must come in time."""
    watched = os.pidfd_open(pid)
    try:
        assert select.select([watched], [], [], harness.PATIENCE)[0], "it does not end"
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(watched)


def read_until(terminal, text):
    seen = b""
    while text not in seen:
        assert select.select([terminal], [], [], harness.PATIENCE)[0], seen
        seen += os.read(terminal, 1024)


def test_a_hang_up_reaches_the_command(runner, emulator, tmp_path):
    """The kernel sends it to the session's leader alone, which `run` is here."""
    said = tmp_path / "said"
    script = f"trap 'kill $!; echo hung up > {said}; exit 9' HUP; tail -f /dev/null & echo started; wait"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(harness.JITPROXY, list(map(str, runner.command("--", "sh", "-c", script))), runner.env)
    try:
        read_until(terminal, b"started")
        os.close(terminal)
        code = exit_of(pid)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    assert code == 9 and said.read_text() == "hung up\n"
    ended_cleanly(emulator)


def closing(runner, emulator, code):
    """A command that has ended, with a session whose end LumoAuth does not confirm."""
    emulator.fault("complete", "status", status=503, times=-1)
    process = runner.start("--", "sh", "-c", f"exit {code}")
    lines = harness.Lines(process.stdout)
    emulator.wait_for(lambda state: state["counts"].get("complete", 0) > 0, "an attempt to complete the task")
    return process, lines


def test_a_signal_while_closing_is_answered_and_a_second_ends_it(runner, emulator):
    process, lines = closing(runner, emulator, 5)
    process.send_signal(signal.SIGINT)
    lines.wait_for("still waiting until the end of session .* is confirmed; once more to leave that to the daemon")
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 5  # not the 20 seconds that it would wait
    emulator.clear_faults()
    emulator.wait_for(lambda state: not state["open_tasks"], "the daemon to complete the task", 30)


def test_a_signal_while_closing_leaves_the_status(runner, emulator):
    process, lines = closing(runner, emulator, 0)
    process.send_signal(signal.SIGTERM)
    lines.wait_for("still waiting")
    emulator.clear_faults()
    assert process.wait(harness.PATIENCE) == 0
    ended_cleanly(emulator)


def test_two_signals_and_the_commands_own_status(runner, emulator):
    process = runner.start("--", "sh", "-c", "trap 'kill $!; exit 9' TERM; tail -f /dev/null & echo started; wait")
    harness.Lines(process.stdout).wait_for("started")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.wait(harness.PATIENCE) == 9
    ended_cleanly(emulator)
