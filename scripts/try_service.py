#!/usr/bin/env python3
"""try_service.py ROOT: in an installed system below ROOT, starts jitproxy.service's command the way systemd would, with
a stand-in notify socket; an agent script gets its document; SIGTERM leaves no live token. Wants a network of its own."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(sys.argv[1])
PATIENCE = 60
CONFIGURATION = """\
authorization_server = {url = "http://127.0.0.1:4000", tenant = "acme-corp", client_id = "agt_demo"}
api = [{hosts = ["api.acme-corp.test"], ca_file = "/srv/emulator/emulator-ca.pem"}]
egress = {allow_addresses = ["127.0.0.0/8"]}
log = {level = "info"}
"""
AGENT = """\
import json, urllib.request
print(json.load(urllib.request.urlopen("https://api.acme-corp.test/v1/documents/doc_9982"))["id"])
"""
SYSTEM = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def inside(*command, **variables):
    return ["env", "-i", *(f"{k}={v}" for k, v in {**SYSTEM, **variables}.items()), "chroot", str(ROOT), *command]


def run(*command, **variables):
    done = subprocess.run(inside(*command, **variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 0, (command, done.returncode, done.stdout)
    return done.stdout.strip()


def as_service(*command):
    return ["setpriv", "--reuid=jitproxy", "--regid=jitproxy", "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", *command]


def emulator_state():
    with urllib.request.urlopen("http://127.0.0.1:4000/emulator/state", timeout=PATIENCE) as answer:
        return json.load(answer)


def jit_tokens():
    return [token for token in emulator_state()["live_tokens"] if token["kind"] == "jit"]


def prepare():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open(ROOT / "etc/hosts", "a") as hosts:
        hosts.write("127.0.0.1 localhost api.acme-corp.test\n")
    (ROOT / "etc/jitproxy/jitproxy.toml").write_text(CONFIGURATION)
    secret = ROOT / "etc/jitproxy/client_secret"
    secret.touch(mode=0o600)
    secret.write_text("demo-secret\n")
    (ROOT / "srv/agent.py").write_text(AGENT)
    # What the unit has systemd make: the directories, and the secret for the service alone.
    for directory in ("/var/lib/jitproxy", "/run/jitproxy", "/run/credentials/jitproxy.service"):
        run("install", "-d", "-m", "700", "-o", "jitproxy", "-g", "jitproxy", directory)
    run("install", "-m", "400", "-o", "jitproxy", "/etc/jitproxy/client_secret",
        "/run/credentials/jitproxy.service/client_secret")


def main():
    prepare()
    unit = (ROOT / "usr/lib/systemd/system/jitproxy.service").read_text()
    command = re.search(r"^ExecStart=(.*)$", unit, re.M).group(1).split()
    emulator = subprocess.Popen(inside("jitproxy-emulator", "--listen", "127.0.0.1:4000", "--api", "none", "--api-tls",
                                       "127.0.0.1:443", "--state-dir", "/srv/emulator", "--quiet"),
                                stdout=subprocess.PIPE, text=True)
    while emulator.stdout.readline() != "ready\n":
        assert emulator.poll() is None, "the emulator ended"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(PATIENCE)
    manager.bind(str(ROOT / "run/notify"))
    os.chmod(ROOT / "run/notify", 0o666)

    def wait_for(word):
        while not any(line.startswith(word) for line in manager.recv(4096).decode().splitlines()):
            pass
        print(f"service: {word}")

    service = subprocess.Popen(inside(*as_service(*command), NOTIFY_SOCKET="/run/notify", WATCHDOG_USEC="30000000",
                                      STATE_DIRECTORY="/var/lib/jitproxy", RUNTIME_DIRECTORY="/run/jitproxy",
                                      CREDENTIALS_DIRECTORY="/run/credentials/jitproxy.service"))
    try:
        wait_for("READY=1")
        control = {"JITPROXY_CONTROL": "unix:/run/jitproxy/control.sock"}
        told = json.loads(run("jitproxy", "session", "open", "--json", "--name", "package", **control))
        # The bundle is in the service's own directory: an agent of another user gets a copy.
        run("install", "-m", "644", told["ca_bundle"], "/srv/ca-bundle.pem")
        got = run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "python3", "/srv/agent.py",
                  HTTPS_PROXY=told["proxy_url"], SSL_CERT_FILE="/srv/ca-bundle.pem")
        assert got == "doc_9982", got
        print(f"agent: got {got}; live permissions: {len(jit_tokens())}")
        assert jit_tokens()
        service.send_signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        assert service.wait(PATIENCE) == 0, service.returncode
        state = emulator_state()
        assert state["live_tokens"] == [] and state["open_tasks"] == [] and state["violations"] == [], state
        print("service: exit 0; live tokens: 0, open tasks: 0, violations: 0")
    finally:
        service.kill()
        emulator.kill()


if __name__ == "__main__":
    main()
