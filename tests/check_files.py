#!/usr/bin/env python3
"""Fails where a tracked file breaks one of the project's small rules: see RULES and check_links below."""
import pathlib
import re
import subprocess
import sys

MAX_LINES = 300  # but for unit tests: a table may be as long as what it covers
CODE = {".cpp", ".hpp", ".py", ".js", ".mjs", ".java", ".go"}
HERE = "tests/check_files"  # names what it looks for, so it is not looked at
BYTES = "tests/fuzz/corpus/"  # inputs, kept byte for byte

# (what is wrong, where it is looked for, pattern)
RULES = [
    ("left open", re.compile(r"^(src|include|tests|scripts|bench|\.ci)/"),
     re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|not implemented|(?i:unimplemented)")),
    ("waits by the clock", re.compile(r"^tests/"),
     re.compile(r"\bsleep_for\b|\bsleep_until\b|\busleep\(|(?<![\w.])sleep\(|time\.sleep\(|Thread\.sleep\(")),
    ("looks like a secret", re.compile(r""),
     re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(\s*$|(\\n)?[A-Za-z0-9+/]{40})|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}"
                r"|\beyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.|\bxox[abpr]-[A-Za-z0-9-]{10,}")),
    ("names a path of one machine", re.compile(r""), re.compile(r"(?<![\w.])/(work|root|farm|home/\w+)/")),
    ("has white space at the end of a line", re.compile(r"\.(cpp|hpp|py|md|txt|json|toml|yaml)$"),
     re.compile(r"[ \t]+$")),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$")


def tracked(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
    else:  # a source archive
        names = [str(p.relative_to(root)) for p in sorted(root.rglob("*")) if "build" not in p.parts]
    return sorted(name for name in set(names) if (root / name).is_file())


def prose_lines(text):
    """Lines outside fenced code blocks, with their numbers."""
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(text):
    """The anchors that GitHub and GitLab make of headings."""
    found = set()
    for _, line in prose_lines(text):
        heading = HEADING.match(line)
        if heading:
            plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1)).lower()
            found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def check_links(root, name, text):
    for number, line in prose_lines(text):
        for link in LINK.findall(line):
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            target, _, anchor = link.partition("#")
            file = (root / name).parent / target if target else root / name
            if not file.exists():
                yield f"{name}:{number}: link to nothing: {link}"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                yield f"{name}:{number}: no such heading: {link}"


def check(root):
    problems = []
    names = [name for name in tracked(root) if not name.startswith(HERE)]
    for name in names:
        try:
            text = (root / name).read_text()
        except UnicodeDecodeError:
            continue
        lines = text.split("\n")
        suffix = pathlib.PurePath(name).suffix
        if suffix in CODE and not name.startswith("tests/unit/") and len(lines) - 1 > MAX_LINES:
            problems.append(f"{name}: {len(lines) - 1} lines, more than {MAX_LINES}: is there a second idea inside?")
        if text and not text.endswith("\n") and not name.startswith(BYTES):
            problems.append(f"{name}: no newline at the end")
        for what, where, pattern in RULES:
            if where.search(name):
                problems += [f"{name}:{n}: {what}: {line.strip()[:80]}"
                             for n, line in enumerate(lines, 1) if pattern.search(line)]
        if suffix == ".md":
            problems += check_links(root, name, text)
    if not names:
        problems.append("no files found")
    return len(names), problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1]).resolve()
    count, problems = check(root)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"check_files: {count} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
