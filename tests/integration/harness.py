"""The real `jitproxy serve`, started against an emulator and watched: its log, its events, its control API."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import agents

BIN = pathlib.Path(os.environ.get("JITPROXY_BIN") or pathlib.Path(__file__).parents[2] / "build/dev/bin").resolve()
JITPROXY = BIN / "jitproxy"
# Built with a sanitizer: how much memory it holds says nothing of the program then.
SANITIZED = any(mark in JITPROXY.read_bytes() for mark in (b"__asan_init", b"__tsan_init"))
PATIENCE = 30  # seconds that anything may take to come about; nothing is waited for longer, and nothing by the clock


def toml(tables):
    """Tables of plain values as TOML; a list of dicts becomes an array of tables."""
    out = []
    for name, value in tables.items():
        for table in value if isinstance(value, list) else [value]:
            out.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            out += [f"{key} = {json.dumps(item)}" for key, item in table.items()]
    return "\n".join(out) + "\n"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=PATIENCE):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Lines:
    """Collects a stream's lines as they come; wait_for blocks until one matches or the stream ends."""

    def __init__(self, stream):
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        try:
            for line in stream:
                with self.changed:
                    self.lines.append(line if isinstance(line, str) else line.decode(errors="replace"))
                    self.changed.notify_all()
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the connection or the process was ended by the test
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, pattern, timeout=PATIENCE, count=1):
        """The count-th line that matches."""
        def found():
            hits = [match for match in (re.search(pattern, line) for line in self.lines) if match]
            return hits[count - 1] if len(hits) >= count else None
        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, timeout)
            hit = found()
        assert hit, f"no line like {pattern!r} in:\n{self.text()}"
        return hit

    def text(self):
        return "".join(self.lines)


class Proxy:
    """One daemon with a configuration and directories of its own. Use as a context manager."""

    def __init__(self, emulator, config=None, api=None, variables=None, wrapper=(), pass_fds=()):
        """wrapper: a command line that runs the rest of its arguments, in place of this process."""
        self.wrapper, self.pass_fds = wrapper, pass_fds
        self.emulator = emulator
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="jp-"))
        self.control = self.dir / "control"
        self.secret_file = self.dir / "client_secret"
        self.secret_file.write_text(emulator.client_secret + "\n")
        self.variables = variables or {}
        self.api = {"name": "emulator", "hosts": ["localhost", "127.0.0.1", "api.localhost"],
                    "ports": [emulator.api_port, emulator.api_tls_port], "ca_file": str(emulator.ca_file),
                    "allow_plain_http": True, **(api or {})}
        self.config = {
            "listen": {"proxy": ["127.0.0.1:0"], "control": f"unix:{self.control}"},
            "authorization_server": {"url": emulator.as_url, "tenant": emulator.tenant,
                                     "client_id": emulator.client_id, "client_secret_file": str(self.secret_file)},
            "api": [self.api],
            "egress": {"allow_addresses": ["127.0.0.0/8"], "connect_ports": ["any"]},
            "approval": {"poll_interval": "200ms"},
            "log": {"level": "debug"},
            "state": {"directory": str(self.dir / "state")},
        }
        for table, values in (config or {}).items():
            if isinstance(values, list):
                self.config[table] = values
            else:
                self.config[table] = {**self.config.get(table, {}), **values}
        self.config_file = self.dir / "jitproxy.toml"
        self.process = None
        self.earlier_logs = []
        self.answers = []   # bytes that clients and commands got: searched for leaks
        self.secrets = {emulator.client_secret}
        self.events = None

    # ---- life
    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        shutil.rmtree(self.dir, ignore_errors=True)

    def environment(self):
        """For jitproxy itself: directories of its own and no proxy."""
        env = agents.environment()
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
            env[name] = str(self.dir / name.lower())
            pathlib.Path(env[name]).mkdir(mode=0o700, exist_ok=True)
        env.update(HOME=str(self.dir), JITPROXY_CONFIG=str(self.config_file), JITPROXY_CONTROL=f"unix:{self.control}")
        env.update(self.variables)
        return env

    def start(self):
        self.config_file.write_text(toml(self.config))
        if self.process:
            self.earlier_logs.append(self.log.text())
        self.process = subprocess.Popen([*self.wrapper, JITPROXY, "serve", "-c", self.config_file],
                                        env=self.environment(), pass_fds=self.pass_fds,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.log = Lines(self.process.stdout)
        return self.wait_ready()

    def wait_ready(self):
        self.port = int(self.log.wait_for(r"(?i)proxy.*127\.0\.0\.1:(\d+)").group(1))
        self.log.wait_for(rf"(?i)control.*{re.escape(str(self.control))}")
        return self

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.log.thread.join(PATIENCE)
        return code

    # ---- talking to it
    def url(self, session=None):
        return session["proxy_url"] if session else f"http://127.0.0.1:{self.port}"

    def agent(self, session=None):
        """Environment of a client that uses this proxy."""
        state = pathlib.Path(self.config["state"]["directory"])
        bundle = session["ca_bundle"] if session else state / "ca-bundle.pem"
        return agents.environment(self.url(session), session["ca_file"] if session else state / "ca.pem", bundle)

    def run(self, *command, timeout=60, input=None, env=None):
        done = subprocess.run([JITPROXY, *map(str, command)], env={**self.environment(), **(env or {})},
                              capture_output=True, text=True, timeout=timeout, input=input,
                              **({} if input is not None else {"stdin": subprocess.DEVNULL}))
        if command[0] not in ("env",) and "--export" not in command and "open" not in command:
            self.answers.append((done.stdout + done.stderr).encode())
        return done

    def api_call(self, method, path, body=None, timeout=PATIENCE, headers=None):
        """One call of the control API: status and parsed JSON (or text)."""
        connection = UnixConnection(self.control, timeout)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        if (method, path) != ("POST", "/v1/sessions"):  # that answer is meant to hold the session's secret
            self.answers.append(raw)
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, raw.decode(errors="replace")

    def open_session(self, **order):
        status, session = self.api_call("POST", "/v1/sessions", order)
        assert status in (200, 201), (status, session)
        self.secrets.add(re.match(r"http://[^:]+:([^@]+)@", session["proxy_url"]).group(1))
        return session

    def close_session(self, session):
        return self.api_call("DELETE", f"/v1/sessions/{session['session_id']}")

    def requests(self, status=None):
        return self.api_call("GET", "/v1/requests" + (f"?status={status}" if status else ""))[1]

    def watch_events(self):
        """Starts to collect /v1/events; the lines of the stream."""
        connection = UnixConnection(self.control, None)
        connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
        stream = connection.getresponse()
        assert stream.status == 200
        self.events = Lines(iter(stream.readline, b""))
        self.events.connection = connection
        return self.events

    def keep(self, answer):
        """Remembers what a client got, for the search for leaks; gives it back."""
        head = "".join(f"{name}: {value}\n" for name, value in answer.headers)
        self.answers.append(head.encode() + answer.body)
        return answer

    # ---- what must never be seen
    def leaks(self):
        """Every secret that shows in a log line, an event or an answer, with where."""
        places = {"log": "".join([*self.earlier_logs, self.log.text()]).encode(),
                  "events": self.events.text().encode() if self.events else b"",
                  "answers": b"\n".join(self.answers)}
        patterns = [re.compile(rb"emu_(agent|deleg|jit)_\w+"), *(re.compile(re.escape(s.encode()))
                                                                   for s in self.secrets)]
        return [f"{place}: …{text[max(0, hit.start() - 60):hit.start() + 14]!r}…" for place, text in places.items()
                for pattern in patterns for hit in pattern.finditer(text)]
