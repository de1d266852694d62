"""check_files must be able to fail: one small tree for each rule."""
import pathlib
import subprocess
import sys

import pytest

CHECK = pathlib.Path(__file__).with_name("check_files.py")


def run(tmp_path, files):
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return subprocess.run([sys.executable, CHECK, tmp_path], capture_output=True, text=True, timeout=30)


def test_accepts(tmp_path):
    done = run(tmp_path, {
        "src/a.cpp": "int a;\n" * 300,
        "tests/integration/a_test.py": "a = 1\n" * 300,
        "tests/unit/a_test.cpp": "int a;\n" * 301,
        "docs/a.md": "# One `thing`, two\n[b](b.md#deep-down) [here](#one-thing-two) [out](https://example.com)\n"
                     "```\n[not](a-link.md)\n```\n",
        "docs/b.md": "## Deep down\n",
        "tests/fuzz/corpus/target/path": "GET /",
    })
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name,text,expected", [
    ("src/a.cpp", "int a;\n" * 301, "src/a.cpp: 301 lines"),
    ("tests/integration/a_test.py", "a = 1\n" * 301, "tests/integration/a_test.py: 301 lines"),
    ("src/a.cpp", "int a;  // TODO later\n", "src/a.cpp:1: left open"),
    ("tests/a_test.cpp", "std::this_thread::sleep_for(1s);\n", "waits by the clock"),
    ("tests/a.py", "time.sleep(1)\n", "waits by the clock"),
    ("docs/a.txt", "-----BEGIN EC PRIVATE KEY-----\n", "looks like a secret"),
    ("docs/a.md", "see [b](b.md)\n", "link to nothing: b.md"),
    ("docs/a.md", "# Top\n[x](#bottom)\n", "no such heading: #bottom"),
    ("docs/a.md", "in /root/thing\n", "names a path of one machine"),
    ("src/a.cpp", "int a; \n", "white space"),
    ("src/a.cpp", "int a;", "no newline"),
])
def test_refuses(tmp_path, name, text, expected):
    done = run(tmp_path, {name: text})
    assert done.returncode == 1, done.stdout
    assert expected in done.stderr
