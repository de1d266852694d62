"""The emulator as a helper of integration tests: start, inspect, break, stop.

    with Emulator() as emu:
        emu.fault("request", "status", status=503)
        ...
        assert emu.state()["live_tokens"] == []
"""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

START_SECONDS = 20


def binary(name):
    """Path of one of the project's programs; JITPROXY_BIN names their directory."""
    return os.path.join(os.environ["JITPROXY_BIN"], name)


class Emulator:
    client_id = "agt_demo"
    client_secret = "demo-secret"
    user_token = "user_approver"  # may approve and deny
    plain_user_token = "user_plain"  # may not

    def __init__(self, *flags, style="tenant"):
        """flags: more arguments for jitproxy-emulator; style: the path style of base_url, tenant or orgs."""
        self.directory = tempfile.mkdtemp(prefix="jitproxy-emulator-")
        self.log_path = os.path.join(self.directory, "emulator.log")
        ready_file = os.path.join(self.directory, "ready.json")
        self._log = open(self.log_path, "wb")
        command = [binary("jitproxy-emulator"), "--as-tls", "127.0.0.1:0",
                   "--state-dir", self.directory, "--ready-file", ready_file, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, stdin=subprocess.DEVNULL)
        try:
            self._wait_until_ready()
            with open(ready_file, encoding="utf-8") as f:
                self.ready = json.load(f)
        except BaseException:
            self.stop(check=False)
            raise
        self.as_url = self.ready["as_url"]
        self.as_tls_url = self.ready["as_tls_url"]
        self.api_url = self.ready["api_url"]
        self.api_tls_url = self.ready["api_tls_url"]
        self.ca_file = self.ready["ca_file"]
        self.tenant = self.ready["tenant"]
        self.org_id = self.ready["org_id"]
        self.set_style(style)
        # Its certificate is good for these; the listener is on 127.0.0.1.
        self.api_tls_port = int(self.api_tls_url.rsplit(":", 1)[1]) if self.api_tls_url else None
        self.api_port = int(self.api_url.rsplit(":", 1)[1]) if self.api_url else None

    def set_style(self, style):
        self.style = style
        name = {"tenant": "/t/" + self.tenant, "orgs": "/orgs/" + self.org_id}[style]
        self.base_url = self.as_url + name + "/api/v1"

    def environment(self, style=None):
        """The variables that point jitproxy at this AS."""
        where = {"LUMOAUTH_TENANT": self.tenant}
        if (style or self.style) == "orgs":
            where = {"LUMOAUTH_ORG_ID": self.org_id}
        return {"LUMOAUTH_URL": self.as_url, "AGENT_CLIENT_ID": self.client_id,
                "AGENT_CLIENT_SECRET": self.client_secret, **where}

    def _wait_until_ready(self):
        """Reads its output up to the line that says so."""
        seen = b""
        deadline = time.monotonic() + START_SECONDS
        while not seen.endswith(b"ready\n"):
            left = deadline - time.monotonic()
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            piece = os.read(self.process.stdout.fileno(), 4096) if readable else b""
            if not piece:
                raise RuntimeError("the emulator did not become ready: " + seen.decode() + self.log())
            seen += piece

    # Inspection

    def call(self, method, path, body=None):
        """One call to the admin API; returns the decoded answer, raises on anything but success."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.as_url + "/emulator/" + path, data=data, method=method,
                                         headers={"Content-Type": "application/json"} if data else {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"{method} {path}: {e.code} {e.read().decode(errors='replace')}") from None

    def state(self):
        return self.call("GET", "state")

    def counts(self):
        return self.state()["counts"]

    def violations(self):
        return self.state()["violations"]

    def live_tokens(self, kind=None):
        return [t for t in self.state()["live_tokens"] if kind in (None, t["kind"])]

    def requests(self):
        return self.state()["requests"]

    def request(self, request_id):
        return self.call("GET", "requests/" + request_id)

    def pending(self):
        return self.call("GET", "pending")

    def wait_for(self, condition, what="a condition", seconds=15):
        """Asks until condition(state) is true and returns what it gave; for what other processes must do first."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.state()
            found = condition(state)
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s for {what}; state: {json.dumps(state)[:4000]}")
            select.select([], [], [], 0.02)  # the other process's turn

    def wait_for_pending(self, count=1, seconds=15):
        def enough(state):
            found = [r for r in state["requests"] if r["status"] == "pending"]
            return found if len(found) >= count else None
        return self.wait_for(enough, f"{count} pending requests", seconds)

    # Influence

    def variant(self, **forms):
        self.call("POST", "variant", forms)

    def fault(self, endpoint, kind, **more):
        """more: status, delay_ms, retry_after, times."""
        self.call("POST", "fault", {"endpoint": endpoint, "kind": kind, **more})

    def clear_faults(self):
        self.call("DELETE", "fault")

    def decide(self, request_id, decision, **more):
        """decision: approve or deny; more: ttl, notes, reason."""
        return self.call("POST", "decide", {"request_id": request_id, "decision": decision, **more})

    def advance(self, seconds):
        self.call("POST", "advance", {"seconds": seconds})

    def revoke(self, kind):
        """Kills the live tokens of a kind: agent, delegated, jit or all."""
        return self.call("POST", "revoke", {"kind": kind})["revoked"]

    def suspend(self, task_id):
        self.call("POST", "suspend", {"task_id": task_id})

    def reset(self):
        self.call("POST", "reset", {})

    # The end

    def log(self):
        self._log.flush()
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, check=True):
        """Ends it with SIGTERM; its exit code must be 0. Safe to call twice."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        log = self.log()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        if check:
            assert code == 0, f"the emulator ended with {code}: {log}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
