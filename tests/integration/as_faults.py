"""Every endpoint of the authorization server, broken in every way once: the faults, the world they happen in, and what must
hold whatever they are. For as_faults_test.py and as_faults_later_test.py."""

import pytest

import agents
import emulator as emulator_module
import harness

DOCUMENT = "/v1/documents/doc_9982"

TIMEOUT_MS = 1500
FAULTS = {
    "delay": {"delay_ms": TIMEOUT_MS + 500},
    "delay_after": {"delay_ms": TIMEOUT_MS + 500},
    "status 500": {"status": 500},
    "status 503": {"status": 503},
    "status 503 later": {"status": 503, "retry_after": 1},
    "rate_limit": {},
    "reset_before": {},
    "reset_after": {},
    "truncate": {},
    "malformed": {},
    "wrong_type": {},
    "expired_token": {},
}
ANSWERED_LATE = ("delay_after", "reset_after", "truncate", "malformed", "wrong_type")  # the work is done all the same


CONFIG = {"authorization_server": {"timeout": f"{TIMEOUT_MS}ms", "circuit_failures": 0},
          "approval": {"unclear_memory": "0s", "requests_per_minute": 1000},
          "session": {"evaluate_every": "1s"}}


@pytest.fixture(scope="module")
def world():
    """One daemon for all: what a fault leaves behind must not harm the next."""
    with emulator_module.Emulator("--rate-limit", "0") as running:
        with harness.Proxy(running, config=CONFIG) as daemon:
            yield running, daemon
            leaks = daemon.leaks()
            assert daemon.stop() == 0 and not leaks, leaks


def break_once(emulator, endpoint, fault):
    emulator.fault(endpoint, fault.split()[0], times=1, **FAULTS[fault])


def attempts(proxy, session, *curl, most=4):
    """As a patient agent tries: every answer until it gets what it wants."""
    seen = []
    while len(seen) < most:
        seen.append(proxy.keep(agents.curl(proxy.agent(session), *curl)))
        if seen[-1].status == 200:
            return seen
    raise AssertionError(f"not served: {[(a.status, a.headers, a.body) for a in seen]}")


def check_unserved(answers):
    """What an agent gets that was not served: it says that trying again makes sense, and when."""
    for answer in answers[:-1]:
        assert answer.status in (403, 503), answer
        assert answer.header("Proxy-Status").startswith("jitproxy"), answer
        assert answer.header("JIT-Request-Status") == "error" or answer.status == 503, answer
        assert int(answer.header("Retry-After")) >= 1, answer


def check_closed(emulator, proxy, session):
    """The session closes, and nothing of it is left at the server."""
    status, closed = proxy.close_session(session)
    assert status == 200 and closed["status"] == "completed", closed
    state = emulator.state()
    assert session["task_id"] not in [t["task_id"] if isinstance(t, dict) else t for t in state["open_tasks"]]
    assert [t for t in state["live_tokens"] if t["kind"] == "jit"] == []
    assert [r for r in state["requests"] if r["status"] == "pending"] == []
    assert state["violations"] == []


def known(proxy):
    """Whether a request that waits for a human is known by the server's own name."""
    return any(not r["request_id"].startswith("local") for r in proxy.requests("pending"))


def asked(emulator, session):
    return [r for r in emulator.requests() if r["task_id"] == session["task_id"]]


@pytest.fixture(params=FAULTS)
def fault(request):
    return request.param


@pytest.fixture
def emulator(world):
    """Variants and faults as after the start; tokens, tasks and requests are the daemon's to clear away."""
    world[0].clear_faults()
    world[0].variant(pending_list="pending_requests", second_exchange="refused", decision="rules")
    return world[0]


@pytest.fixture
def proxy(world, fault):
    if fault != "expired_token":
        yield world[1]
        return
    # That a token is dead is believed once in 15 seconds: a daemon for each of these.
    with harness.Proxy(world[0], config=CONFIG) as daemon:
        yield daemon
        assert daemon.stop() == 0
