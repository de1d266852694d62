"""Fixtures of the integration tests. Every proxy of a test is searched for leaked secrets when the test is over."""
import pytest

import emulator as emulator_module
import harness


@pytest.fixture(scope="module")
def shared_emulator():
    with emulator_module.Emulator() as running:
        yield running


@pytest.fixture
def emulator(shared_emulator):
    """An emulator as it is after its start."""
    shared_emulator.reset()
    return shared_emulator


@pytest.fixture
def make_proxy(emulator):
    """Starts daemons; at the end none of them may have shown a secret or died by itself."""
    made = []

    def make(**options):
        proxy = harness.Proxy(emulator, **options)
        made.append(proxy)
        return proxy.__enter__()

    yield make
    problems = []
    for proxy in made:
        if proxy.process and proxy.process.poll() is None:
            code = proxy.stop()
            if code != 0:
                problems.append(f"exit {code}:\n{proxy.log.text()[-3000:]}")
        if proxy.process:
            problems += proxy.leaks()
        proxy.__exit__()
    assert not problems, "\n".join(problems)


@pytest.fixture
def proxy(make_proxy):
    return make_proxy()
