"""check_messages must be able to fail: a small source, and pages that quote it well or badly."""
import pathlib
import subprocess
import sys

import pytest

CHECK = pathlib.Path(__file__).with_name("check_messages.py")
SOURCE = '''
auto a = make_error(errc::x, "the disk of " + name +
                                 " is full, and nothing "
                                 "can be \\"written\\"");
'''
HEAD = "| message | why |\n| --- | --- |\n"


def run(tmp_path, page):
    (tmp_path / "src").mkdir()
    (tmp_path / "include").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "src" / "a.cpp").write_text(SOURCE)
    (tmp_path / "docs" / "troubleshooting.md").write_text(page)
    done = subprocess.run([sys.executable, CHECK, tmp_path], capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("page", [
    HEAD + "| `the disk of … is full` | `foreign` words |\n",
    HEAD + '| `nothing can be "written"` | it runs over two literals |\n',
    HEAD + "| `is full` or `the disk of …` | |\n\n| what a client says | |\n| --- | --- |\n| `connection reset` | |\n",
])
def test_good(tmp_path, page):
    code, out = run(tmp_path, page)
    assert code == 0, out


@pytest.mark.parametrize("page,said", [
    (HEAD + "| `the disk is full` | |\n", "troubleshooting.md:3: no source says 'the disk is full'"),
    (HEAD + "| `the disk of … was full` | |\n", "no source says 'was full'"),
    (HEAD + "| `is full` | |\n| `is empty` | |\n", "troubleshooting.md:4"),
    (HEAD + "| `is … full, and` | |\n", "too short"),
    ("nothing is quoted\n", "no message was found"),
])
def test_bad(tmp_path, page, said):
    code, out = run(tmp_path, page)
    assert code == 1 and said in out
