#!/usr/bin/env python3
"""Fails where docs/troubleshooting.md quotes a message that no source has. What is looked for: every `quoted` text in
the first column of the tables whose head begins with "| message". "…" in it stands for what differs from time to time.
"""
import pathlib
import re
import sys

HEAD = re.compile(r"^\| *message\b")
LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*')  # adjacent ones are one text
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
SHORTEST = 4  # of a piece between two "…"; shorter ones would be found everywhere


def texts(root):
    """Every string literal of the sources, as the compiler reads it (escapes other than quotes stay)."""
    found = []
    for directory in ("src", "include"):
        for file in sorted((root / directory).rglob("*.[ch]pp")):
            for run in LITERALS.findall(file.read_text(encoding="utf-8")):
                found.append("".join(LITERAL.findall(run)).replace('\\"', '"').replace("\\\\", "\\"))
    return found


def quoted(page):
    """(line number, message) of the tables' first columns."""
    inside = False
    for number, line in enumerate(page.split("\n"), 1):
        if not line.startswith("|"):
            inside = False
        elif HEAD.match(line):
            inside = True
        elif inside:
            first = re.split(r"(?<!\\)\|", line)[1].replace("\\|", "|")
            for message in re.findall(r"`([^`]+)`", first):
                yield number, message


def main(root):
    known = texts(root)
    page = root / "docs" / "troubleshooting.md"
    problems, count = [], 0
    for number, message in quoted(page.read_text(encoding="utf-8")):
        count += 1
        for piece in filter(None, (piece.strip() for piece in message.split("…"))):
            if len(piece) < SHORTEST:
                problems.append(f"{page.name}:{number}: {piece!r} is too short to be looked for")
            elif not any(piece in text for text in known):
                problems.append(f"{page.name}:{number}: no source says {piece!r}")
    if count == 0:
        problems.append(f"{page.name}: no message was found in it")
    print("\n".join([*problems, f"check_messages: {count} messages, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])))
