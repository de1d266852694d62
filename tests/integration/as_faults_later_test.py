"""Broken once: the endpoints for what was asked for already. See as_faults.py."""
import concurrent.futures

import pytest

from as_faults import (ANSWERED_LATE, DOCUMENT, asked, attempts, break_once, check_closed, check_unserved, emulator,
                       fault, known, proxy, world)


@pytest.mark.parametrize("shape", ["array", "forbidden"])
def test_pending(emulator, proxy, shape, fault):
    """The list that is looked at after an unclear answer is broken too."""
    emulator.variant(pending_list=shape, decision="pending")
    session = proxy.open_session()
    emulator.fault("request", "reset_after", times=1)
    break_once(emulator, "pending", fault)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answers = pool.submit(attempts, proxy, session, emulator.api_url + DOCUMENT, "-H", "Prefer: wait=20")
        emulator.wait_for(lambda _: answers.done() or known(proxy), "a request that is known")
        for request in asked(emulator, session):
            emulator.decide(request["request_id"], "approve")
        check_unserved(answers.result(60))
    # Where the list is not shown, what an agent asks for again is filed again: nobody could know.
    assert len(asked(emulator, session)) == (2 if shape == "forbidden" else 1)
    check_closed(emulator, proxy, session)


def test_status(emulator, proxy, fault):
    emulator.variant(decision="pending")
    session = proxy.open_session()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answers = pool.submit(attempts, proxy, session, emulator.api_url + DOCUMENT)
        request = emulator.wait_for(lambda state: [r for r in state["requests"] if r["status"] == "pending"])[0]
        break_once(emulator, "status", fault)
        emulator.wait_for(lambda state: not emulator.call("GET", "fault"), "the fault to be used up")
        emulator.decide(request["request_id"], "approve")
        assert len(answers.result(60)) == 1  # the agent sees nothing of it
    assert len(asked(emulator, session)) == 1
    check_closed(emulator, proxy, session)


@pytest.mark.parametrize("again", ["refused", "same"])
def test_exchange(emulator, proxy, again, fault):
    emulator.variant(second_exchange=again)
    session = proxy.open_session()
    break_once(emulator, "jit_token", fault)
    answers = attempts(proxy, session, emulator.api_url + DOCUMENT)
    check_unserved(answers)
    # A token that got lost cannot always be had again: then, and only then, the need is asked for anew.
    lost = fault in (*ANSWERED_LATE, "delay") and again == "refused"
    assert len(asked(emulator, session)) == (2 if lost else 1)
    assert len(answers) == (2 if lost else 1)
    check_closed(emulator, proxy, session)


def test_complete(emulator, proxy, fault):
    session = proxy.open_session()
    attempts(proxy, session, emulator.api_url + DOCUMENT)
    break_once(emulator, "complete", fault)
    check_closed(emulator, proxy, session)


def test_revoke(emulator, proxy, fault):
    session = proxy.open_session()
    attempts(proxy, session, emulator.api_url + DOCUMENT)
    break_once(emulator, "revoke", fault)
    check_closed(emulator, proxy, session)


def test_evaluate(emulator, proxy, fault):
    session = proxy.open_session()
    break_once(emulator, "evaluate", fault)
    emulator.wait_for(lambda state: not emulator.call("GET", "fault"), "the fault to be used up")
    before = emulator.counts()["evaluate"]
    emulator.wait_for(lambda state: state["counts"]["evaluate"] > before, "another evaluation")
    assert len(attempts(proxy, session, emulator.api_url + DOCUMENT)) == 1
    check_closed(emulator, proxy, session)
