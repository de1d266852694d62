#!/usr/bin/env python3
"""Fails where a room includes what it may not use.

The rooms and what each may use are read from the jitproxy_room(...) calls in src/CMakeLists.txt, so that the build
and this check cannot disagree. Linking alone does not catch a header-only use; this does.
"""
import pathlib
import re
import sys

ROOM_CALL = re.compile(r"^jitproxy_room\(\s*(\w+)([^)]*)\)", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
SUFFIXES = {".cpp", ".hpp"}

# Third parties that belong to one room each, and sockets, which the deciding rooms must not have.
THIRD_PARTIES = {
    "sqlite3.h": {"store"},
    "toml++/": {"app"},
    "ares.h": {"net"},
}
SOCKET_ROOMS = {"net", "lumoauth", "proxy", "control", "app", "emulator"}
SOCKETS = ("sys/socket.h", "netinet/", "sys/epoll.h", "poll.h", "boost/asio/ip/tcp.hpp",
           "boost/asio/ip/udp.hpp", "boost/asio/local/", "boost/asio/ssl", "boost/asio.hpp", "boost/asio/connect.hpp")

# Standard error may be a pipe that nobody reads; only poll can tell.
ALLOWED = {("src/base/stderr_sink.cpp", "poll.h")}


def read_rooms(cmake):
    """Room -> the rooms it may use, in the order of the file."""
    rooms, problems = {}, []
    for name, arguments in ROOM_CALL.findall(cmake):
        words = arguments.split()
        used = []
        if "ROOMS" in words:
            for word in words[words.index("ROOMS") + 1:]:
                if word == "LIBRARIES":
                    break
                used.append(word)
        for room in used:
            if room not in rooms:
                problems.append(f"src/CMakeLists.txt: {name} uses {room}, which is not listed before it")
        rooms[name] = set(used)
    if not rooms:
        problems.append("src/CMakeLists.txt: no jitproxy_room(...) call found")
    return rooms, problems


def without_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)


def main_rooms(cmake):
    """src/main/NAME.cpp -> the rooms that its executable links."""
    sources = {target: source for target, source in re.findall(r"add_executable\(([\w-]+)\s+main/(\w+)\.cpp\)", cmake)}
    linked = {}
    for target, libraries in re.findall(r"target_link_libraries\(([\w-]+)\s+PRIVATE\s+([^)]*)\)", cmake):
        if target in sources:
            linked[sources[target]] = set(re.findall(r"jitproxy_(\w+)", libraries))
    return linked


def room_of(path, rooms):
    """The room that a file belongs to and the rooms that it may include, or None for a file that is in none."""
    parts = path.parts
    for prefix in (("src",), ("include", "jitproxy"), ("tests", "unit")):
        if parts[:len(prefix)] == prefix and len(parts) > len(prefix) + 1 and parts[len(prefix)] in rooms:
            return parts[len(prefix)]
    return None


def check_include(root, path, room, allowed, bracket, name):
    """What is wrong with this include, or None."""
    own = re.match(r"jitproxy/(\w+)/", name)
    if own:
        if own.group(1) != room and own.group(1) not in allowed:
            return f"room {room} may not use {own.group(1)} ({name})"
        if not (root / "include" / name).is_file():
            return f"no such header: {name}"
        return None
    for prefix, owners in THIRD_PARTIES.items():
        if name.startswith(prefix) and room not in owners:
            return f"{name} belongs to room {', '.join(sorted(owners))}, not to {room}"
    if room not in SOCKET_ROOMS and path.parts[0] != "tests" and name.startswith(SOCKETS) and \
            (path.as_posix(), name) not in ALLOWED:
        return f"room {room} has no sockets ({name})"
    if bracket == '"':
        target = (root / path.parent / name).resolve()
        if target.is_file() and not target.is_relative_to((root / path.parent).resolve()) and \
                not (path.parts[0] == "tests" and target.is_relative_to(root / "src" / room)):
            return f"includes by way of its neighbours ({name})"
    return None


def check(root):
    cmake = re.sub(r"#.*", "", (root / "src" / "CMakeLists.txt").read_text())
    rooms, problems = read_rooms(cmake)
    mains = main_rooms(cmake)
    files = 0
    for folder in ("src", "include", "tests/unit"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            path = file.relative_to(root)
            room = room_of(path, rooms)
            allowed = rooms.get(room, set())
            if path.parts[:2] == ("src", "main"):
                room, allowed = "main", mains.get(path.stem, set())
            elif room is None:
                if path.parts[:2] not in (("src", "boost"), ("tests", "unit")):
                    problems.append(f"{path}: belongs to no room of src/CMakeLists.txt")
                continue
            files += 1
            text = without_comments(file.read_text())
            for match in INCLUDE.finditer(text):
                problem = check_include(root, path, room, allowed, match.group(1), match.group(2))
                if problem:
                    line = text.count("\n", 0, match.start(2)) + 1
                    problems.append(f"{path}:{line}: {problem}")
    if files == 0:
        problems.append("no sources found")
    return rooms, files, problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1]).resolve()
    rooms, files, problems = check(root)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"check_rooms: {len(rooms)} rooms, {files} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
