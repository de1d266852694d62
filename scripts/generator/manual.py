"""Man pages: templates filled with what docs/ and --help say, the little Markdown that docs/ uses turned into roff."""
import re

INLINE = re.compile(r"`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)|\*\*([^*]+)\*\*|(?<!\*)\*([^*\s][^*]*)\*")

PAGES = {"configuration.md": "\\fBjitproxy.toml\\fP(5)"}  # what other pages are called here


def plain(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def inline(text):
    """One paragraph's text, on one line."""
    out, at = "", 0
    for hit in INLINE.finditer(text):
        out += plain(text[at:hit.start()]) if at == 0 else plain(text[at:hit.start()]).removeprefix("\\&")
        code, linked, target, strong, stressed = hit.groups()
        if code or strong:
            out += f"\\fB{plain(code or strong.replace('`', ''))}\\fP"
        elif stressed:
            out += f"\\fI{plain(stressed)}\\fP"
        else:
            out += PAGES.get(target) or inline(linked) + (f" ({plain(target)})" if target.startswith("http") else "")
        at = hit.end()
    rest = plain(text[at:])
    return out + (rest if at == 0 else rest.removeprefix("\\&"))


def cells(line):
    return [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def sentence(text):
    """What stands below a term: no full stop where it is a phrase, as in the tables."""
    return inline(text) if text else "\\&"


def table(lines):
    head, rows = cells(lines[0]), [cells(line) for line in lines[2:]]
    out = []
    for row in rows:
        row += [""] * (len(head) - len(row))
        if head == ["key", "kind", "default", "meaning"]:
            kind = row[1].strip("`").replace("|", " or ")
            out += [".TP 7", f"{inline(row[0])} = \\fI{plain(row[2].strip('`'))}\\fP ({plain(kind)})", sentence(row[3])]
        elif len(row) == 3 and head[1] == "default":
            out += [".TP 7", inline(row[0]) + (f" (default {inline(row[1])})" if row[1] else ""), sentence(row[2])]
        elif len(row) == 3:
            out += [".TP 7", inline(row[0]), sentence(row[2]) + (f" (for {inline(row[1])})" if row[1] else "")]
        else:
            out += [".TP 7", inline(row[0]), sentence(row[1])]
    return out


def blocks(text):
    """(kind, lines) of a Markdown text; list items are one block each."""
    kind, lines = "", []
    for line in [*text.split("\n"), ""]:
        if kind == "code":
            if line.startswith("```"):
                yield kind, lines
                kind, lines = "", []
            else:
                lines.append(line)
            continue
        begins = ("code" if line.startswith("```") else "item" if re.match(r"(\*|\d+\.) ", line) else
                  "table" if line.startswith("|") else "head" if line.startswith("#") else "text" if line else "")
        goes_on = begins and kind == begins and begins in ("text", "table") or kind == "item" and begins == "text"
        if goes_on:
            lines.append(line)
            continue
        if kind:
            yield kind, lines
        kind, lines = begins, [] if begins == "code" else [line]


def roff(text):
    out = []
    for kind, lines in blocks(text):
        if kind == "code":
            out += [".PP", ".in +4n", ".EX", *(plain(line) for line in lines), ".EE", ".in"]
        elif kind == "table":
            out += table(lines)
        elif kind == "head":
            out.append(".SS " + inline(lines[0].lstrip("# ")))
        elif kind == "item":
            mark, _, first = lines[0].partition(" ")
            sign = "\\(bu" if mark == "*" else mark
            out += [f".IP {sign} 3", inline(" ".join([first, *(line.strip() for line in lines[1:])]))]
        else:
            out += [".PP", inline(" ".join(lines))]
    return "\n".join(out)


def section(text, title):
    """What stands below the heading of that title; below the first heading of all for an empty one. "|": its tables."""
    if title == "|":
        return "\n".join(line for line in section(text, "").split("\n") if line.startswith("|"))
    level, found, fenced = 0, [], False
    for line in text.split("\n"):
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.*)", line)
        if level and heading and (len(heading[1]) <= level or not title):
            break
        if level:
            found.append(line)
        elif heading and (not title or heading[2] == title):
            level = len(heading[1])
    assert level, f"no section '{title}'"
    return "\n".join(found).strip("\n")


def option(o):
    kind, default = re.fullmatch(r"((?:(?!:INT|:NONNEG|=).)*)(?::[^=]*)?(?:=(.*))?", o.value).groups(default="")
    names = ", ".join(f"\\fB{plain(n)}\\fP" for n in o.names)
    return [".TP 7", names + (f" \\fI{plain(kind)}\\fP" if kind else ""),
            inline(o.text + (f" (default {default})" if default else ""))]


def options(command):
    return "\n".join(line for o in command.options for line in option(o))


def commands(tree):
    """One part a command; options that several commands share stand once, before them."""
    leaves = [c for c in tree.walk() if not c.commands]
    serve = next(c for c in leaves if c.path == ["serve"])
    shared = [(o.names, o.text) for o in serve.options]
    out = [".SS Options of several commands",
           "Of \\fBserve\\fP, \\fBrun\\fP, \\fBcheck\\fP, \\fBdoctor\\fP and \\fBca\\fP; the others know "
           "\\fB\\-\\-config\\fP and \\fB\\-\\-control\\fP where they speak to a daemon.",
           *(line for o in serve.options for line in option(o))]
    for c in leaves:
        more = " \\fR[\\fP\\-\\-\\fR]\\fP \\fICMD\\fP \\fR[\\fP\\fIARG\\fP...\\fR]\\fP" if c.path == ["run"] else ""
        title = "jitproxy " + " ".join(c.path)
        out += [f".SS {title}", f".B {title}", f"[\\fIOPTION\\fP...]{more}" + "".join(f" \\fI{p}\\fP" for p in c.positionals),
                ".PP", inline(c.text) + "."]
        out += [line for o in c.options if (o.names, o.text) not in shared for line in option(o)]
    return "\n".join(out)


def keys(configuration):
    """The reference of docs/configuration.md: one part a table."""
    titles = re.findall(r"^## (\[.*)$", configuration, re.M)
    return "\n".join(f".SS {plain(title)}\n{roff(section(configuration, title))}" for title in titles)


def verbatim(text):
    return "\n".join(plain(line) or "\\&" for line in text.rstrip("\n").split("\n"))


def fill(template, page, docs):
    """@NAME@ stands for a part of page, a line @FILE: TITLE@ for that section of docs/FILE."""
    def part(hit):
        name, _, title = hit[1].partition(":")
        text = page[name] if name in page else roff(section((docs / name).read_text(), title.strip()))
        return text
    filled = re.sub(r"@([a-z-]+(?:\.md:[^@\n]*)?)@", part, template)
    note = '.\\" Written by scripts/generate from packaging/man/*.in, docs/ and --help.\n'
    return note + re.sub(r"\n\n+", "\n", filled)
