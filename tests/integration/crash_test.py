"""Twenty kills in the middle of a busy run; scripts/crash-test makes two hundred."""
import pytest

import crashing
import emulator as emulator_module


@pytest.fixture(scope="module")
def shared_emulator():
    with emulator_module.Emulator(*crashing.EMULATOR_FLAGS) as running:
        yield running


def test_nothing_outlives_twenty_kills(emulator):
    summary, problems = crashing.crash(emulator, kills=20, seed=1)
    assert not problems, "\n".join([str(summary), *problems])
    assert summary["answers"].get(200, 0) > 0
