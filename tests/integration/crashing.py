"""Kills the daemon again and again in the middle of a busy run, and looks whether anything was left alive.

Agents work in sessions opened by hand and by `run`, ask for what is granted at once and for what a human decides; a
human approves, denies and is slow. The daemon is killed outright at random moments and started again. At the end every
answer that an agent got was right, and the emulator knows of no live token and no open task, but for tasks whose id no
daemon was ever told: of those the last daemon says that it is uncertain, and they hold no token."""
import base64
import http.client
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import threading
import urllib.parse

import harness

# Each life of a daemon, and each run, fetches a token: with the usual limit the last one would wait for a minute.
EMULATOR_FLAGS = ["--rate-limit", "0"]
DOCUMENTS = ["doc_9982", "doc_1001", "doc_1002"]
OLD = ["doc_old", "doc_older", "doc_oldest"]  # to delete one needs a human
UNDONE = {407, 502, 503, 504}  # the proxy's own: the session is closed, the daemon could not do it
CLIENT = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=30).status)
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Busy:
    def __init__(self, emulator, seed):
        self.emulator = emulator
        self.random = random.Random(seed)
        self.port = free_port()
        self.proxy = harness.Proxy(emulator, config={"listen": {"proxy": [f"127.0.0.1:{self.port}"]},
                                                     "approval": {"hold": "3s"}, "log": {"level": "info"}})
        self.stopping = threading.Event()
        self.problems = []
        self.answered = {}
        self.lock = threading.Lock()
        self.threads = []

    # ---- agents
    def ask(self, session, method, name):
        """One request as an agent sends it; its status, or None where no whole answer came."""
        user = urllib.parse.urlsplit(session["proxy_url"])
        credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"{self.emulator.api_url}/v1/documents/{name}",
                               headers={"Proxy-Authorization": "Basic " + credentials, "Prefer": "wait=2"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None  # the daemon died, or is not there yet
        finally:
            connection.close()
        self.judge(method, name, answer, body)
        return answer.status

    def judge(self, method, name, answer, body):
        what = f"{method} {name}: {answer.status} {dict(answer.getheaders())} {body[:300]!r}"
        with self.lock:
            self.answered[answer.status] = self.answered.get(answer.status, 0) + 1
            if answer.status == 200 and method == "GET":
                if json.loads(body).get("id") != name:
                    self.problems.append("another document: " + what)
            elif answer.status == 403:
                if answer.getheader("JIT-Request-Status") not in ("pending", "denied", "expired", "error"):
                    self.problems.append("a 403 without what became of it: " + what)
            elif answer.status in UNDONE:
                if "Proxy-Status" not in answer.headers:
                    self.problems.append("not the proxy's own: " + what)
            elif not (method == "DELETE" and answer.status in (200, 204, 404)):
                self.problems.append("unexpected: " + what)

    def by_hand(self, mine):
        while not self.stopping.is_set():
            try:
                status, session = self.proxy.api_call("POST", "/v1/sessions", {"name": "by hand"})
            except (OSError, http.client.HTTPException):
                self.pause(0.05)  # no daemon just now
                continue
            if status not in (200, 201):
                continue
            for _ in range(mine.randrange(1, 6)):
                if self.stopping.is_set():
                    break
                if mine.random() < 0.6:
                    status = self.ask(session, "GET", mine.choice(DOCUMENTS))
                else:
                    status = self.ask(session, "DELETE", mine.choice(OLD))
                if status is None:
                    self.pause(0.05)
            if mine.random() < 0.7:
                try:
                    self.proxy.close_session(session)
                except (OSError, http.client.HTTPException):
                    pass  # left open

    def by_run(self, mine):
        env = self.proxy.environment()
        while not self.stopping.is_set():
            url = f"{self.emulator.api_url}/v1/documents/{mine.choice(DOCUMENTS)}"
            done = subprocess.run([harness.JITPROXY, "run", "--", "/usr/bin/python3", "-c", CLIENT, url], env=env,
                                  capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
            with self.lock:
                self.answered["run"] = self.answered.get("run", 0) + 1
                if done.returncode == 0 and done.stdout.strip() != "200":
                    self.problems.append(f"run: {done.stdout} {done.stderr}")

    def human(self, mine):
        while not self.stopping.is_set():
            for request in self.emulator.pending_requests():
                if mine.random() < 0.7:
                    try:
                        self.emulator.decide(request, mine.choice(["approve", "approve", "deny"]))
                    except RuntimeError:
                        pass  # decided, or its task has ended
            self.pause(0.1)

    def pause(self, seconds):
        select.select([], [], [], seconds)

    # ---- the experiment
    def begin(self):
        self.proxy.start()
        for number, work in enumerate([self.by_hand, self.by_hand, self.by_hand, self.by_run, self.human]):
            mine = random.Random(self.random.random())
            thread = threading.Thread(target=self.guarded, args=(work, mine), name=f"{work.__name__} {number}")
            thread.start()
            self.threads.append(thread)

    def guarded(self, work, mine):
        try:
            work(mine)
        except Exception as e:  # pylint: disable=broad-except
            with self.lock:
                self.problems.append(f"{threading.current_thread().name}: {type(e).__name__}: {e}")

    def kill_once(self):
        self.pause(self.random.uniform(0, 0.8))  # the random moment
        code = self.proxy.process.poll()
        if code is not None:
            self.problems.append(f"the daemon ended by itself with {code}:\n{self.proxy.log.text()[-2000:]}")
        self.proxy.process.send_signal(signal.SIGKILL)
        self.proxy.process.wait(harness.PATIENCE)
        self.proxy.log.thread.join(harness.PATIENCE)
        self.proxy.config["session"] = {"on_restart": self.random.choice(["close", "resume"])}
        self.proxy.start()

    def end(self):
        """Everything is closed; what is left?"""
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
        for session in self.proxy.api_call("GET", "/v1/sessions")[1]:
            self.proxy.close_session(session)
        # Runs that served for themselves and were not there any more are taken over at a start.
        self.proxy.stop(signal.SIGKILL)
        self.proxy.config["session"] = {"on_restart": "close"}
        self.proxy.start()
        jit = lambda state: [t for t in state["live_tokens"] if t["kind"] == "jit"]
        status = lambda: self.proxy.api_call("GET", "/v1/status")[1]
        self.emulator.wait_for(lambda state: status()["recovering_tasks"] == 0 and not jit(state),
                               "everything to be completed", 60)
        state = self.emulator.state()
        unknown = len(status()["uncertain_tasks"])
        if len(state["open_tasks"]) > unknown:
            self.problems.append(f"open, and not uncertain ({unknown}): {state['open_tasks']}")
        self.emulator.advance(24 * 3600)  # no task lives longer
        if self.emulator.state()["open_tasks"]:
            self.problems.append(f"open for ever: {self.emulator.state()['open_tasks']}")
        if self.proxy.stop() != 0:
            self.problems.append("the last stop failed:\n" + self.proxy.log.text()[-2000:])
        log = "".join([*self.proxy.earlier_logs, self.proxy.log.text()])
        for line in re.findall(r".*(?:does not expect|could not be written|exchange broken).*", log):
            self.problems.append("a defect: " + line)
        self.problems += self.proxy.leaks()
        return {"answers": self.answered, "tasks": state["counts"].get("task"), "uncertain": unknown,
                "still_open": len(state["open_tasks"])}


def crash(emulator, kills, seed):
    """What happened, and what was wrong."""
    emulator.pending_requests = lambda: [r["request_id"] for r in emulator.requests() if r["status"] == "pending"]
    busy = Busy(emulator, seed)
    try:
        busy.begin()
        for _ in range(kills):
            busy.kill_once()
        summary = busy.end()
    except Exception as e:
        ended = busy.proxy.process.poll()
        raise AssertionError(f"{type(e).__name__}; the daemon {'lives' if ended is None else f'ended: {ended}'}; "
                             f"{busy.problems}\n{busy.proxy.log.text()[-3000:]}\n{emulator.log()[-1000:]}") from e
    finally:
        busy.stopping.set()
        for thread in busy.threads:
            thread.join(120)
        if os.environ.get("JITPROXY_KEEP_LOG"):
            with open(os.environ["JITPROXY_KEEP_LOG"], "w", encoding="utf-8") as f:
                f.write("".join([*busy.proxy.earlier_logs, busy.proxy.log.text()]))
        busy.proxy.__exit__()
    return summary, busy.problems
