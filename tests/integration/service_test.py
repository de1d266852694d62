"""As systemd runs it: a stand-in notify socket, passed sockets, reload, watchdog, stop; and what the units say."""
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import agents
import harness
import pytest

DOCUMENT = "/v1/documents/doc_9982"
SYSTEMD = pathlib.Path(__file__).resolve().parents[2] / "systemd"
# What systemd does between fork and exec: the sockets from descriptor 3 on, and whose they are.
PASS_SOCKETS = """
import os, sys
count = int(sys.argv[1])
for i, fd in enumerate([os.dup(int(fd)) for fd in sys.argv[2:2 + count]]):
    os.dup2(fd, 3 + i)
    os.set_inheritable(3 + i, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execvp(sys.argv[2 + count], sys.argv[2 + count:])
"""


class Manager:
    """The service manager's end of $NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.told = []

    def wait_for(self, wanted):
        """The next message that says so."""
        until = time.monotonic() + harness.PATIENCE
        while True:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            self.told.append(self.socket.recv(4096).decode())
            if any(line.startswith(wanted) for line in self.told[-1].splitlines()):
                return self.told[-1]


@pytest.fixture
def manager(tmp_path):
    running = Manager(tmp_path / "notify")
    yield running
    running.socket.close()


def test_a_service_tells_how_it_is(make_proxy, emulator, manager):
    proxy = make_proxy(variables={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "600000"})
    manager.wait_for("READY=1")
    assert manager.wait_for("STATUS=").endswith("0 sessions, 0 requests wait for a decision")
    manager.wait_for("WATCHDOG=1")
    session = proxy.open_session()
    assert "1 session, " in manager.wait_for("STATUS=1 session")
    assert agents.curl(proxy.agent(session), emulator.api_url + DOCUMENT).status == 200
    proxy.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    proxy.process.send_signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert proxy.process.wait(harness.PATIENCE) == 0
    assert emulator.state()["open_tasks"] == []


def test_a_broken_configuration_ends_the_reload_too(make_proxy, manager):
    proxy = make_proxy(variables={"NOTIFY_SOCKET": manager.path})
    manager.wait_for("READY=1")
    proxy.config_file.write_text("nonsense")
    proxy.process.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    proxy.log.wait_for("nothing has changed")


def listening(count):
    return [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]


def passing(sockets):
    return {"wrapper": [sys.executable, "-c", PASS_SOCKETS, str(len(sockets)), *(str(s.fileno()) for s in sockets)],
            "pass_fds": [s.fileno() for s in sockets]}


@pytest.mark.parametrize("workers", [1, 2])
def test_passed_sockets_are_served(make_proxy, emulator, workers):
    sockets = listening(2)
    ports = [s.getsockname()[1] for s in sockets]
    proxy = make_proxy(config={"listen": {"workers": workers}}, variables={"LISTEN_FDNAMES": "proxy:jitproxy-six.socket"},
                       **passing(sockets))
    for s in sockets:
        s.close()
    assert proxy.port == ports[0]
    for port in ports:
        proxy.port = port
        for _ in range(3):
            assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).status == 200


@pytest.mark.parametrize("names, kind, complaint", [
    ("control", "stream", 'a socket named "control" was passed'),
    ("proxy", "datagram", "no listening TCP socket"),
    ("proxy", "not listening", "no listening TCP socket"),
])
def test_other_sockets_are_refused(emulator, names, kind, complaint):
    s = socket.socket(type=socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    s.bind(("127.0.0.1", 0))
    if kind == "stream":
        s.listen()
    proxy = harness.Proxy(emulator, variables={"LISTEN_FDNAMES": names}, **passing([s]))
    try:
        proxy.config_file.write_text(harness.toml(proxy.config))
        done = subprocess.run([*proxy.wrapper, harness.JITPROXY, "serve", "-c", proxy.config_file], timeout=60,
                              env=proxy.environment(), pass_fds=proxy.pass_fds, capture_output=True, text=True)
    finally:
        proxy.__exit__()
        s.close()
    assert done.returncode in (1, 78) and complaint in done.stderr


@pytest.mark.parametrize("table, key, says", [("listen", "proxy", "cannot listen on "),
                                              ("listen", "control", "control address "),
                                              ("approval", "callback_listen", "callback address ")])
def test_an_address_that_is_taken_may_be_free_later(emulator, table, key, says):
    """So the exit code is not the one that the unit does not start again after."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        proxy = harness.Proxy(emulator, config={table: {key: [address] if key == "proxy" else address}})
        try:
            proxy.config_file.write_text(harness.toml(proxy.config))
            done = proxy.run("serve", env={"JITPROXY_CONTROL": ""})
        finally:
            proxy.__exit__()
    assert done.returncode == 1 and f"{says}{address}: Address already in use; see `ss -ltnp`" in done.stderr, done.stderr
    assert f"[{table}] {key}" in done.stderr


def test_a_second_daemon_at_the_same_socket(proxy, tmp_path):
    done = proxy.run("serve", "--state", tmp_path / "other", env={"JITPROXY_CONTROL": f"unix:{proxy.control}"})
    assert done.returncode == 1 and "in use: a daemon runs already" in done.stderr


systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@systemd
def test_the_unit_is_confined():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", SYSTEMD / "jitproxy.service"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@systemd
@pytest.mark.parametrize("unit", ["jitproxy.service", "jitproxy.socket", "user/jitproxy.service"])
def test_the_units_are_valid(unit, tmp_path):
    """But for the program, which is not installed here."""
    for path in SYSTEMD.glob(f"{pathlib.Path(unit).parent}/jitproxy.*"):
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/bin/jitproxy", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / pathlib.Path(unit).name],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
