"""docs/quick-start.md, "With the emulator": its commands as they are written there, but for ports and the id in them."""
import os
import pathlib
import re
import signal
import socket
import subprocess

import agents
import harness

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "quick-start.md"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def blocks():
    """The shell blocks of the section, in order."""
    section = PAGE.read_text().split("\n## With the emulator\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def replaced(text, old, new):
    assert old in text, f"{PAGE.name} does not say {old!r} any more"
    return text.replace(old, new)


def test_the_quick_start_as_written(tmp_path):
    emulate, *steps = blocks()
    ports = {"4000": str(free_port()), "4443": str(free_port())}
    control = tmp_path / "control"
    configuration = f'[listen]\nproxy = ["127.0.0.1:{free_port()}"]\ncontrol = "unix:{control}"\n[state]'
    script = replaced("\n".join(steps), "[state]", configuration)
    # A person waits a moment and reads an id off the list.
    script = replaced(script, "sleep 1\n", "until jitproxy status > status.log 2>&1; do :; done\n")
    script = replaced(script, "jitproxy request list --status pending\n",
                      "jitproxy request list --status pending\n"
                      "ID=$(jitproxy request list --status pending --json | grep -o 'req_[a-z0-9]*' | head -1)\n")
    script = re.sub(r"approve req_\w+", "approve $ID", script)
    script = replaced(script, 'jitproxy session close "$JITPROXY_SESSION"\n',
                      'wait %2 2> wait.log || true\njitproxy session close "$JITPROXY_SESSION"\n')
    script = "set -e\n" + script + "\nwait %1\n"
    for name, port in ports.items():
        script, emulate = script.replace(name, port), emulate.replace(name, port)
    env = {**agents.environment(), "HOME": str(tmp_path), "PATH": f"{harness.BIN}:{os.environ['PATH']}"}

    directory, command = emulate.strip().split("\n")
    subprocess.run(["bash", "-ec", directory], cwd=tmp_path, env=env, check=True)
    place = tmp_path / "jitproxy-try"
    emulator = subprocess.Popen(["bash", "-c", "exec " + command], cwd=place, env=env, stdout=subprocess.PIPE, text=True)
    try:
        harness.Lines(emulator.stdout).wait_for("^ready")
        done = subprocess.run(["bash", "-m", "-c", script], cwd=place, env=env, capture_output=True, text=True,
                              timeout=90, stdin=subprocess.DEVNULL, start_new_session=True)
    finally:
        emulator.send_signal(signal.SIGTERM)
        emulator.wait(harness.PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr + (place / "serve.log").read_text()
    out = done.stdout
    assert "tenant = \"acme-corp\"  # " in out and "  FAIL  " not in out and "  ok       task: " in out
    assert '"text":"Q4 revenue grew by 12 percent.' in out and '"revenue_million":48' in out
    assert "JIT-Request-Status: pending" in out and "delete document doc_old" in out
    assert "is approved" in out and '{"id":"doc_old","deleted":true}' in out
    assert "is closed" in out
