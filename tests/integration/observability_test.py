"""What the daemon tells of what it does: the line of each request in every format, metrics, the dashboard."""
import json
import pathlib
import re
import socket
import threading

import agents
import prometheus
import pytest
import raw
from permission_test import DELETED, DOCUMENT, background, delete

DOCS = pathlib.Path(__file__).parents[2] / "docs"
QUERY = "s3cret-in-the-query"
OWN_TOKEN = "s3cret-of-the-agents-own"
UNPROTECTED = "127.0.0.2"  # the API's names are 127.0.0.1 and localhost
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


class Journal:
    """What systemd-journald is to a daemon: a socket that takes datagrams."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.entries, self.raw = [], []
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            datagram = self.socket.recv(1 << 20)
            with self.changed:
                self.raw.append(datagram)
                self.entries.append(self.parse(datagram))
                self.changed.notify_all()

    @staticmethod
    def parse(datagram):
        """systemd's JOURNAL_NATIVE_PROTOCOL: NAME=value, or NAME, the value's length in 64 bits and the value."""
        entry = {}
        while datagram:
            head, _, rest = datagram.partition(b"\n")
            name, equals, value = head.partition(b"=")
            if not equals:
                size = int.from_bytes(rest[:8], "little")
                value, rest = rest[8:8 + size], rest[8 + size:]
                assert rest[:1] == b"\n"
                rest = rest[1:]
            assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name), name
            entry[name.decode()] = value.decode()
            datagram = rest
        return entry

    def requests(self):
        return [{name[len("JITPROXY_"):].lower(): value for name, value in entry.items() if name.startswith("JITPROXY_")}
                for entry in self.entries if re.match(r"request( |$)", entry["MESSAGE"])]


def text_requests(log):
    return [{key: value.strip('"') for key, value in FIELD.findall(line)}
            for line in log.text().split("\n") if re.match(r"\S+Z info request ", line)]


def json_requests(log):
    found = [json.loads(line) for line in log.text().split("\n") if line.startswith("{")]
    return [entry for entry in found if entry["message"] == "request"]


def story(proxy, emulator):
    """One request of each kind, one after the other."""
    proxy.secrets |= {QUERY, OWN_TOKEN}
    session = proxy.open_session()
    env = proxy.agent(session)
    own = ("-H", f"Authorization: Bearer {OWN_TOKEN}")
    assert agents.curl(env, f"{emulator.api_url}{DOCUMENT}?key={QUERY}", *own).status == 200
    assert agents.curl(env, f"{emulator.api_tls_url}{DOCUMENT}?key={QUERY}").status == 200
    denied = background(delete, env, emulator.api_tls_url + DELETED)
    emulator.decide(emulator.wait_for_pending()[0]["request_id"], "deny")
    assert denied.result(60).header("JIT-Request-Status") == "denied"
    other = proxy.open_session()
    early = delete(proxy.agent(other), emulator.api_tls_url + DELETED, "-H", "Prefer: wait=0")
    assert early.header("JIT-Request-Status") == "pending"
    with socket.create_server((UNPROTECTED, 0)) as closed:
        port = closed.getsockname()[1]
    assert agents.curl(env, f"http://{UNPROTECTED}:{port}/x?key={QUERY}").status == 502
    with socket.create_server((UNPROTECTED, 0)) as origin, raw.Wire(proxy.port) as client:
        port = origin.getsockname()[1]
        assert client.connect(f"{UNPROTECTED}:{port}").status == 200
        peer, _ = origin.accept()
        with peer:
            client.send("12345")
            assert peer.recv(5) == b"12345"
            peer.sendall(b"123")
            assert client.socket.recv(3) == b"123"
    return session, other


def check_story(lines, session, other, emulator):
    """lines: of the requests, each a dict of texts or JSON values."""
    assert len(lines) == 6, lines
    plain, granted, denied, pending, failed, tunnel = [{key: str(value) for key, value in line.items()} for line in lines]
    for line in (plain, granted, denied, pending):
        assert line["api"] == "emulator" and float(line["duration_ms"]) > 0, line
        assert int(line["bytes_up"]) > 0 and int(line["bytes_down"]) > 0, line
    assert (plain["method"], plain["scheme"], plain["path"]) == ("GET", "http", DOCUMENT)
    assert plain["host"] == emulator.api_url.partition("//")[2] and plain["status"] == "200"
    assert plain["outcome"] == "granted" and plain["session"] == session["session_id"]
    assert float(plain["approval_ms"]) > 0 and float(plain["upstream_ms"]) > 0 and float(plain["queue_ms"]) > 0
    steps = sum(float(plain[key]) for key in ("queue_ms", "upstream_ms", "approval_ms"))
    assert steps <= float(plain["duration_ms"]) + 0.01
    assert granted["scheme"] == "https" and granted["path"] == DOCUMENT and granted["outcome"] == "granted"
    ids = {r["request_id"] for r in emulator.requests()}
    assert (denied["method"], denied["status"], denied["outcome"]) == ("DELETE", "403", "denied")
    assert denied["request"] in ids and plain["request"] in ids and denied["request"] != plain["request"]
    assert pending["outcome"] == "pending" and pending["session"] == other["session_id"]
    assert (failed["status"], failed["outcome"], failed["error"]) == ("502", "failed", "connection_refused")
    assert failed["api"] == "-" and failed["path"] == "/x" and "approval_ms" not in failed
    assert (tunnel["method"], tunnel["status"], tunnel["outcome"]) == ("CONNECT", "200", "tunneled")
    assert (tunnel["bytes_up"], tunnel["bytes_down"]) == ("5", "3") and "path" not in tunnel
    assert tunnel["host"].startswith(UNPROTECTED + ":")
    assert QUERY not in json.dumps(lines)


@pytest.mark.parametrize("form", ["text", "json"])
def test_each_request_has_its_line(make_proxy, emulator, form):
    proxy = make_proxy(config={"log": {"level": "debug", "format": form}})
    sessions = story(proxy, emulator)
    proxy.log.wait_for("tunneled")
    check_story((text_requests if form == "text" else json_requests)(proxy.log), *sessions, emulator)
    if form == "json":
        line = json_requests(proxy.log)[0]
        assert isinstance(line["status"], int) and isinstance(line["duration_ms"], float)


# Says that stderr is the journal's, as a service manager does.
BY_SYSTEMD = ("sh", "-c", 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"', "sh")


@pytest.mark.parametrize("found_by", ["configuration", "JOURNAL_STREAM"])
def test_the_journal_gets_fields(make_proxy, emulator, tmp_path, found_by):
    path = tmp_path / "journal"
    journal = Journal(path)
    form = {"format": "journald"} if found_by == "configuration" else {}
    proxy = make_proxy(config={"log": {"level": "debug", **form}}, variables={"JITPROXY_JOURNAL_SOCKET": str(path)},
                       wrapper=() if form else BY_SYSTEMD)
    sessions = story(proxy, emulator)
    with journal.changed:
        assert journal.changed.wait_for(lambda: len(journal.requests()) == 6, 30), journal.entries
    check_story(journal.requests(), *sessions, emulator)
    first = next(e for e in journal.entries if e["MESSAGE"].startswith("request method=GET"))
    assert first["PRIORITY"] == "6" and first["SYSLOG_IDENTIFIER"] == "jitproxy"
    assert first["JITPROXY_SESSION"] == sessions[0]["session_id"]
    assert not re.search(r"info request ", proxy.log.text())  # not twice
    proxy.answers += journal.raw  # searched for secrets like all the rest


def test_without_a_journal_the_lines_are_on_stderr(make_proxy, emulator, tmp_path):
    proxy = make_proxy(config={"log": {"format": "journald"}},
                       variables={"JITPROXY_JOURNAL_SOCKET": str(tmp_path / "nobody")})
    assert agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).status == 200
    proxy.log.wait_for(r"Z info request .*outcome=granted")


def test_which_requests_have_a_line_can_change_while_it_runs(make_proxy, emulator):
    proxy = make_proxy(config={"log": {"requests": "escalated"}})
    env = proxy.agent(proxy.open_session())
    for _ in range(2):  # the second has the grant
        assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200
    proxy.log.wait_for("outcome=granted")
    config = proxy.config_file.read_text()
    proxy.config_file.write_text(config.replace('requests = "escalated"', 'requests = "all"'))
    assert proxy.api_call("POST", "/v1/reload")[0] == 200
    assert agents.curl(env, emulator.api_url + DOCUMENT).status == 200
    proxy.log.wait_for("outcome=served")
    assert [line["outcome"] for line in text_requests(proxy.log)] == ["granted", "served"]


# ---- metrics

def documented():
    """Metric -> (type, labels) of the first table of docs/metrics.md."""
    rows = re.findall(r"^\| `(jitproxy_\w+)` \| (\w+) \| (.*?) ?\| ", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    assert len(rows) == len({name for name, _, _ in rows}) > 20
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def metrics(proxy):
    status, text = proxy.api_call("GET", "/metrics")
    assert status == 200
    return prometheus.parse(text)


def test_metrics_are_those_that_are_documented(proxy, emulator):
    proxy.watch_events()
    story(proxy, emulator)
    proxy.log.wait_for("tunneled")
    seen = metrics(proxy)
    assert {name: (family.kind, family.labels()) for name, family in seen.items()} == documented()
    outcomes = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (?:had|was|ended)",
                                                              (DOCS / "metrics.md").read_text(), re.MULTILINE))))
    assert seen["jitproxy_requests_total"].values("outcome") == outcomes
    assert seen["jitproxy_requests_total"].values("api") == {"emulator", "-"}
    requests = {outcome: seen["jitproxy_requests_total"].value(outcome=outcome) for outcome in outcomes}
    assert {k: v for k, v in requests.items() if v} == {"granted": 2, "denied": 1, "pending": 1, "failed": 1,
                                                        "tunneled": 1}
    escalations = seen["jitproxy_escalations_total"]
    assert [escalations.value(result=r) for r in ("granted", "denied", "pending", "reused")] == [2, 1, 1, 0]
    told = (DOCS / "metrics.md").read_text().partition("`result` of an escalation")[2].partition("more than once")[0]
    assert escalations.values("result") == set(re.findall(r"`(\w+)`", told))
    assert seen["jitproxy_approval_wait_seconds"].value("_count") == 4
    assert seen["jitproxy_errors_total"].value(error="connection_refused") == 1
    assert seen["jitproxy_as_calls_total"].value(endpoint="request", result="ok") == 4
    assert seen["jitproxy_token_refreshes_total"].value(token="agent", result="ok") == 1
    assert seen["jitproxy_leaf_cache_requests_total"].value(result="miss") == 1
    assert seen["jitproxy_leaf_cache_requests_total"].value(result="hit") == 2
    assert seen["jitproxy_upstream_connections"].value(state="busy") == 0
    assert seen["jitproxy_upstream_connects_total"].value(result="failed") == 1
    shown = proxy.run("status").stdout
    assert re.search(r"^outcomes: granted 2, denied 1, pending 1, failed 1, tunneled 1$", shown, re.MULTILINE), shown


def test_the_parser_can_fail():
    good = "# HELP a_total x\n# TYPE a_total counter\na_total{l=\"v\"} 1\n"
    prometheus.parse(good)
    for wrong in (good[:-1], good + "b 1\n", good * 2, good.replace("counter", "magic"), good.replace('"v"', "v"),
                  good.replace('"v"', '"v",'), good + 'a_total{l="v"} 1\n', good.replace("a_total", "a"),
                  "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"):
        with pytest.raises(AssertionError):
            prometheus.parse(wrong)


def expressions():
    """Each expression of the dashboard and the alerts, with where it stands."""
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        yield variable["name"], variable.get("definition", "")
    alerts = (DOCS / "prometheus-alerts.yaml").read_text()
    for alert, expression in re.findall(r"alert: (\w+)\n +expr: (.*?)\n +(?:for|labels):", alerts, re.DOTALL):
        yield alert, expression


def test_dashboard_and_alerts_ask_for_metrics_that_exist():
    known, used = documented(), set()
    for place, expression in expressions():
        assert expression.count("(") == expression.count(")") and expression.count("{") == expression.count("}"), place
        for name, _, matchers in re.findall(r"(jitproxy_\w+)(\{(.*?)\})?", expression):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert (base if known.get(base, ("",))[0] == "histogram" else name) in known, f"{place}: {name}"
            used.add(base if base in known else name)
            labels = set(re.findall(r"(\w+) *(?:=~|!=|=)", matchers))
            assert labels <= known[base if base in known else name][1] | {"instance"}, f"{place}: {labels}"
    assert used == set(known)  # each is in the dashboard or an alert
    assert {place for place, _ in expressions()} >= {"JitproxyAuthorizationServerDown", "JitproxyRequestsFail"}
