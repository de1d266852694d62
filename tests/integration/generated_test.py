"""Completions and man pages are what scripts/generate makes of the programs' own --help, and shells understand them."""
import pathlib
import shutil
import subprocess
import sys

import harness
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPLETIONS = ROOT / "packaging/completions"
sys.path.insert(0, str(ROOT / "scripts"))
from generator import help_tree  # noqa: E402  (found by the line above)

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_jitproxy
printf '%s\\n' "${COMPREPLY[@]}"
"""
# The completion's own function with the two builtins of zsh's line editor that say what is offered.
ZSH = """
fpath=("$1" $fpath); shift
_arguments() { print -rl -- "$@" }
_describe() { :; }
autoload -Uz +X _jitproxy; eval "${functions[_jitproxy]%_jitproxy \\"*}"
"$1"
"""


@pytest.fixture(scope="module")
def tree():
    return help_tree.read(harness.JITPROXY)


def offered(shell, *words, cwd=None):
    """What a shell offers for the last word."""
    command = {"bash": ["bash", "--norc", "-c", BASH, "bash", COMPLETIONS / "jitproxy.bash", *words],
               "fish": ["fish", "--no-config", "-c", f"source {COMPLETIONS}/jitproxy.fish; complete -C \"$argv\"",
                        " ".join(words)]}[shell]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd=cwd)
    assert done.stderr == ""
    return {line.split("\t")[0] for line in done.stdout.splitlines() if line}


def needs(shell):
    return pytest.param(shell, marks=pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed"))


def test_nothing_is_out_of_date():
    done = subprocess.run([ROOT / "scripts/generate", "--check", harness.BIN], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", needs("fish")])
def test_each_command_is_offered_its_own_options_and_no_others(shell, tree, tmp_path):
    for command in tree.walk():
        options = {name for o in command.options for name in o.names if name.startswith("--")}
        shown = offered(shell, "jitproxy", *command.path, "--", cwd=tmp_path)
        assert {word for word in shown if word != "--"} == options, command.path


@pytest.mark.parametrize("shell", ["bash", needs("fish")])
def test_commands_are_offered(shell, tree, tmp_path):
    for command in tree.walk():
        if command.commands:
            shown = offered(shell, "jitproxy", *command.path, "", cwd=tmp_path)
            assert {word for word in shown if not word.startswith("-")} == {c.path[-1] for c in command.commands}


@pytest.mark.parametrize("shell", ["bash", needs("fish")])
def test_values_are_offered(shell, tmp_path):
    (tmp_path / "mine.toml").touch()
    assert offered(shell, "jitproxy", "env", "--format", "", cwd=tmp_path) == {"sh", "fish", "dotenv", "json"}
    assert offered(shell, "jitproxy", "serve", "--log-level", "de", cwd=tmp_path) == {"debug"}
    assert "mine.toml" in offered(shell, "jitproxy", "serve", "-c", "mi", cwd=tmp_path)
    assert offered(shell, "jitproxy", "session", "open", "--name", "show", "--pa", cwd=tmp_path) == {"--parent"}


@pytest.mark.parametrize("shell", ["bash", needs("fish")])
def test_the_command_of_run_is_another_one(shell, tmp_path):
    (tmp_path / "agent.py").touch()
    assert "python3" in offered(shell, "jitproxy", "run", "--name", "x", "pytho", cwd=tmp_path)
    assert "agent.py" in offered(shell, "jitproxy", "run", "--name", "x", "cat", "age", cwd=tmp_path)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_describes_each_option(tree):
    for command in tree.walk():
        function = "_".join(["_jitproxy", *command.path])
        done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", COMPLETIONS, function], capture_output=True, text=True,
                              timeout=30)
        specs = done.stdout.splitlines()
        options = {(name, o.text) for o in command.options for name in o.names}
        described = {(name, text) for name, text in options for spec in specs
                     if spec.replace("\\", "").partition(")")[2].lstrip("*").startswith(f"{name}[{text}]")
                     or spec.replace("\\", "").lstrip("*").startswith(f"{name}[{text}]")}
        assert done.stderr == "" and described == options, (command.path, done.stderr)


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize("page", ["jitproxy.1", "jitproxy.toml.5", "jitproxy-emulator.1"])
def test_a_man_page_is_set_without_complaint(page):
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", ROOT / "packaging/man" / page],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stderr == "", done.stderr
