"""check_rooms must be able to fail: each of these small trees has one thing wrong, or nothing."""
import pathlib
import subprocess
import sys

import pytest

CHECK = pathlib.Path(__file__).with_name("check_rooms.py")
CMAKE = """
function(jitproxy_room name)
endfunction()
jitproxy_room(base LIBRARIES jitproxy_boost)
jitproxy_room(http ROOMS base)
jitproxy_room(net ROOMS base http LIBRARIES PkgConfig::CARES)
jitproxy_room(store ROOMS base LIBRARIES SQLite::SQLite3)
jitproxy_room(app ROOMS base http net store
  LIBRARIES toml)
add_executable(jitproxy main/jitproxy.cpp)
target_link_libraries(jitproxy PRIVATE jitproxy_app)
"""
HEADERS = ["base/a.hpp", "http/a.hpp", "net/a.hpp", "store/a.hpp", "app/a.hpp"]


def run(tmp_path, files, cmake=CMAKE):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "CMakeLists.txt").write_text(cmake)
    for header in HEADERS:
        file = tmp_path / "include" / "jitproxy" / header
        file.parent.mkdir(parents=True)
        file.write_text("#pragma once\n")
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return subprocess.run([sys.executable, CHECK, tmp_path], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("name,text", [
    ("src/http/a.cpp", '#include "jitproxy/http/a.hpp"\n#include "jitproxy/base/a.hpp"\n#include <vector>\n'),
    ("src/base/stderr_sink.cpp", "#include <poll.h>\n"),
    ("src/store/a.cpp", "#include <sqlite3.h>\n"),
    ("src/net/a.cpp", '#include <boost/asio/ip/tcp.hpp>\n#include <ares.h>\n#include "jitproxy/http/a.hpp"\n'),
    ("src/main/jitproxy.cpp", '#include "jitproxy/app/a.hpp"\n'),
    ("src/http/a.cpp", '// #include "jitproxy/net/a.hpp"\n/*\n#include "jitproxy/net/a.hpp"\n*/\n'),
    ("tests/unit/http/a_test.cpp", '#include "catch.hpp"\n#include "jitproxy/http/a.hpp"\n'),
    ("tests/unit/http/a_test.cpp", '#include "../../../src/http/private.hpp"\n'),  # its own room's inside
])
def test_accepts(tmp_path, name, text):
    done = run(tmp_path, {name: text, "src/http/private.hpp": "#pragma once\n"})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name,text,expected", [
    ("src/http/a.cpp", '#include "jitproxy/net/a.hpp"\n', "src/http/a.cpp:1: room http may not use net"),
    ("src/http/a.cpp", '\n#  include <jitproxy/net/a.hpp>\n', "src/http/a.cpp:2: room http may not use net"),
    ("include/jitproxy/net/b.hpp", '#include "jitproxy/app/a.hpp"\n', "room net may not use app"),
    ("tests/unit/base/a_test.cpp", '#include "jitproxy/http/a.hpp"\n', "room base may not use http"),
    ("src/net/a.cpp", "#include <sqlite3.h>\n", "sqlite3.h belongs to room store"),
    ("src/http/a.cpp", "#include <boost/asio/ip/tcp.hpp>\n", "room http has no sockets"),
    ("src/base/log.cpp", "#include <poll.h>\n", "room base has no sockets"),
    ("src/http/a.cpp", '#include "jitproxy/http/missing.hpp"\n', "no such header"),
    ("src/http/a.cpp", '#include "../main/x.hpp"\n', "by way of its neighbours"),
    ("tests/unit/net/a_test.cpp", '#include "../../../src/main/x.hpp"\n', "by way of its neighbours"),
    ("src/main/jitproxy.cpp", '#include "jitproxy/net/a.hpp"\n', "room main may not use net"),
    ("src/kitchen/a.cpp", "#include <vector>\n", "belongs to no room"),
])
def test_refuses(tmp_path, name, text, expected):
    done = run(tmp_path, {name: text, "src/main/x.hpp": "#pragma once\n"})
    assert done.returncode == 1, done.stdout
    assert expected in done.stderr


def test_refuses_a_room_that_uses_a_later_one(tmp_path):
    cmake = "jitproxy_room(base ROOMS http)\njitproxy_room(http ROOMS base)\n"
    done = run(tmp_path, {"src/base/a.cpp": "#include <vector>\n"}, cmake)
    assert done.returncode == 1
    assert "base uses http, which is not listed before it" in done.stderr


def test_refuses_an_empty_tree(tmp_path):
    done = run(tmp_path, {}, "project(x)\n")
    assert done.returncode == 1
    assert "no jitproxy_room" in done.stderr
