"""[listen] allow_users and control_group: another local user borrows nothing."""
import grp
import json
import os
import pathlib
import socket
import subprocess
import sys

import harness
import pytest

import raw

DOCUMENT = "/v1/documents/doc_9982"
STRANGER = 65534  # nobody
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")

# Sends what is on standard input to HOST PORT and prints what comes back; as the user UID from the start.
CLIENT = """
import os, socket, sys
host, port, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
with socket.create_connection((host, port), timeout=30) as wire:
    wire.sendall(sys.stdin.buffer.read())
    while piece := wire.recv(65536):
        sys.stdout.buffer.write(piece)
"""
# Asks the control socket at PATH for the status, as user UID in group GID; prints the answer's first line or the error.
CONTROL_CLIENT = """
import os, socket, sys
path, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
wire = socket.socket(socket.AF_UNIX)
try:
    wire.connect(path)
except PermissionError:
    print("no permission")
    sys.exit()
wire.sendall(b"POST /v1/sessions HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}")
print(wire.recv(65536).split(b"\\r\\n")[0].decode())
"""


def as_user(uid, port, request, host="127.0.0.1"):
    done = subprocess.run([sys.executable, "-c", CLIENT, host, str(port), str(uid)], input=request, timeout=60,
                          capture_output=True, check=True, cwd="/")
    return done.stdout


def get(url):
    return f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\nConnection: close\r\n\r\n".encode()


def denied(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 "), answer
    assert b"\r\nProxy-Status: jitproxy; error=http_request_denied" in head
    assert b"application/problem+json" in head
    return json.loads(body)


@needs_root
def test_only_those_users_are_served(make_proxy, emulator):
    proxy = make_proxy(config={"listen": {"allow_users": ["1", "root"]}})
    events = proxy.watch_events()
    for uid in (0, 1):
        assert as_user(uid, proxy.port, get(emulator.api_url + DOCUMENT)).startswith(b"HTTP/1.1 200 ")
    problem = denied(as_user(STRANGER, proxy.port, get(emulator.api_url + DOCUMENT)))
    assert str(STRANGER) in problem["detail"] and "allow_users" in problem["detail"]
    connect = f"CONNECT localhost:{emulator.api_tls_port} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    denied(as_user(STRANGER, proxy.port, connect))
    assert "jitproxy_users_denied_total 2\n" in proxy.api_call("GET", "/metrics")[1]
    proxy.log.wait_for("clients refused.*allow_users")
    events.wait_for(r"client\.refused")
    trail = (proxy.dir / "state/audit.jsonl").read_text()
    assert f"user {STRANGER} " in trail and '"client.refused"' in trail


@needs_root
def test_over_ipv6_too(make_proxy, emulator):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    proxy = make_proxy(config={"listen": {"proxy": ["127.0.0.1:0", "[::1]:0"], "allow_users": ["1"]}})
    port = int(proxy.log.wait_for(r"(?i)proxy.*\[::1\]:(\d+)").group(1))
    assert as_user(1, port, get(emulator.api_url + DOCUMENT), "::1").startswith(b"HTTP/1.1 200 ")
    denied(as_user(STRANGER, port, get(emulator.api_url + DOCUMENT), "::1"))


def test_nobody_is_refused_where_nobody_is_named(make_proxy, emulator):
    proxy = make_proxy()
    with raw.Wire(proxy.port) as wire:
        assert wire.ask(get(emulator.api_url + DOCUMENT).decode()).status == 200
    assert "jitproxy_users_denied_total 0\n" in proxy.api_call("GET", "/metrics")[1]


@pytest.mark.parametrize("table, column, says", [
    ('allow_users = ["root", "no-such-user"]', 24, "a user that does not exist"),
    ("allow_users = [-1]", 16, "a user that does not exist"),
    ('allow_users = ["65534"]', 16, "stands for every user"),
    ('control_group = "no-such-group"', 17, "a group that does not exist"),
])
def test_unknown_names_are_errors(tmp_path, table, column, says):
    file = tmp_path / "jitproxy.toml"
    file.write_text(f"[listen]\n{table}\n[[api]]\nhosts = [\"api.example\"]\n")
    done = subprocess.run([harness.JITPROXY, "check", "-c", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 78 and f"{file}:2:{column}: " in done.stderr and says in done.stderr, done.stderr


def status_as(proxy, uid, gid):
    done = subprocess.run([sys.executable, "-c", CONTROL_CLIENT, str(proxy.control), str(uid), str(gid)], timeout=60,
                          capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.strip()


@needs_root
def test_the_control_group(make_proxy):
    group = grp.getgrgid(2).gr_name
    proxy = make_proxy(config={"listen": {"control_group": group}})
    proxy.dir.chmod(0o711)
    assert proxy.control.stat().st_mode & 0o777 == 0o660 and proxy.control.stat().st_gid == 2
    assert status_as(proxy, STRANGER, STRANGER) == "no permission"
    assert status_as(proxy, STRANGER, 2) == "HTTP/1.1 201 Created"
    proxy.log.wait_for("session.opened")
    opened = [json.loads(line) for line in (proxy.dir / "state/audit.jsonl").read_text().splitlines()][-1]
    assert opened["event"] == "session.opened"
    assert (opened["actor"]["uid"], opened["actor"]["gid"], opened["actor"]["user"]) == (STRANGER, 2, "nobody")


@needs_root
def test_the_runtime_directory_is_opened_for_the_group_alone(make_proxy):
    proxy = make_proxy(config={"listen": {"control_group": "2"}})
    proxy.stop()
    directory = proxy.dir / "xdg_runtime_dir"
    proxy.control = directory / "jitproxy/control.sock"
    proxy.config["listen"]["control"] = "unix"
    proxy.variables["JITPROXY_CONTROL"] = "unix"
    proxy.start()
    made = pathlib.Path(directory / "jitproxy").stat()
    assert made.st_mode & 0o777 == 0o710 and made.st_gid == 2
    proxy.stop()


def test_the_socket_is_its_owners_otherwise(make_proxy):
    proxy = make_proxy()
    assert proxy.control.stat().st_mode & 0o777 == 0o600
