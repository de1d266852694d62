"""Broken once: the token, task and request endpoints; and clocks that disagree. See as_faults.py."""
import concurrent.futures

import pytest

import agents
import emulator as emulator_module
import harness
from as_faults import (ANSWERED_LATE, DOCUMENT, TIMEOUT_MS, asked, attempts, break_once, check_closed, check_unserved,
                       emulator, fault, known, proxy, world)


def test_token(emulator, fault):
    """The agent's own token, which the daemon fetches first of all."""
    break_once(emulator, "token", fault)
    with harness.Proxy(emulator, config={"authorization_server": {"timeout": f"{TIMEOUT_MS}ms"}}) as proxy:
        answers = attempts(proxy, None, emulator.api_url + DOCUMENT, "--retry", "5")
        check_unserved(answers)
        assert proxy.stop() == 0
        assert emulator.live_tokens("jit") == []


def opened(proxy):
    status, session = proxy.api_call("POST", "/v1/sessions", {})
    return session if status == 201 else None


def test_task(emulator, proxy, fault):
    before = len(emulator.state()["open_tasks"])
    watched = proxy.watch_events()
    break_once(emulator, "task", fault)
    status, session = proxy.api_call("POST", "/v1/sessions", {})
    if status != 201:
        assert status in (502, 503), session
        # A task that may have been made is named, one that was not is none.
        if fault in (*ANSWERED_LATE, "delay"):
            watched.wait_for("task.uncertain")
            emulator.wait_for(lambda state: len(state["open_tasks"]) == before + 1, "the task that nobody knows")
    assert len(emulator.state()["open_tasks"]) <= before + 1
    session = emulator.wait_for(lambda _: opened(proxy), "a session", 10)
    check_closed(emulator, proxy, session)


def test_request(emulator, proxy, fault):
    session = proxy.open_session()
    break_once(emulator, "request", fault)
    check_unserved(attempts(proxy, session, emulator.api_url + DOCUMENT))
    assert len(asked(emulator, session)) <= 2  # one was approved at once, which cannot be seen, and cost nobody anything
    check_closed(emulator, proxy, session)


def test_request_for_a_human(emulator, proxy, fault):
    """The human is asked once, whatever becomes of the answer."""
    emulator.variant(decision="pending")
    session = proxy.open_session()
    break_once(emulator, "request", fault)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answers = pool.submit(attempts, proxy, session, emulator.api_url + DOCUMENT)
        emulator.wait_for(lambda _: answers.done() or known(proxy), "a request that is known")
        pending = asked(emulator, session)
        assert len(pending) == 1, pending
        emulator.decide(pending[0]["request_id"], "approve")
        check_unserved(answers.result(60))
    assert len(asked(emulator, session)) == 1
    check_closed(emulator, proxy, session)


@pytest.mark.parametrize("ahead", [3600, 86400])
def test_clocks_disagree(ahead):
    """What the server calls expired or far away by its own clock is judged by how long it lasts."""
    with emulator_module.Emulator() as skewed:
        skewed.advance(ahead)
        with harness.Proxy(skewed) as proxy:
            session = proxy.open_session()
            assert agents.curl(proxy.agent(session), skewed.api_url + DOCUMENT).status == 200
            check_closed(skewed, proxy, session)
            assert proxy.stop() == 0
