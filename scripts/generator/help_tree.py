"""A program's commands and options, as its own --help tells them."""
import dataclasses
import re
import subprocess


@dataclasses.dataclass
class Option:
    names: list       # ["-c", "--config"]
    value: str        # "FILE"; empty for a flag
    repeatable: bool
    text: str

    @property
    def choices(self):
        """The words that it takes, where its help lists them: "sh, fish, dotenv or json"."""
        listed = re.search(r"(?:^|: )((?:\w+, )*\w+ or \w+)$", self.text)
        return re.split(r", | or ", listed.group(1)) if listed and self.value in ("FORMAT", "LEVEL") else []


@dataclasses.dataclass
class Command:
    path: list        # ["session", "open"]; empty for the program itself
    text: str
    options: list
    positionals: list  # value names
    commands: list
    footer: str

    def walk(self):
        yield self
        for command in self.commands:
            yield from command.walk()


ENTRY = re.compile(r"  (\S.*?)(?:\s{2,}(\S.*))?$")


def entries(lines):
    """(head, description) of a section of CLI11's help; a long head has its description on the next line."""
    found = []
    for line in lines:
        if line.startswith(" " * 12):
            found[-1][1] = (found[-1][1] + " " + line.strip()).strip()
        else:
            found.append(list(ENTRY.fullmatch(line).groups(default="")))
    return found


def option(head, text):
    names, _, value = head.partition(" ")
    repeatable = value.endswith("...")
    return Option(names.split(","), value.removesuffix("...").strip(), repeatable and "repeatable" in text, text)


def version(program):
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]


def read(program, path=(), text=""):
    shown = subprocess.run([program, *path, "--help"], check=True, capture_output=True, text=True).stdout
    sections, name = {"": []}, ""
    for line in shown.splitlines():
        if re.fullmatch(r"(Options|Subcommands|Positionals):", line):
            name = line[:-1]
            sections[name] = []
        elif line.startswith("  ") or name == "":
            sections[name].append(line)
        elif line:
            name = "footer"
            sections.setdefault(name, []).append(line)
    commands = [read(program, (*path, head), told) for head, told in entries(sections.get("Subcommands", []))]
    return Command(list(path), text or sections[""][0], [option(*e) for e in entries(sections["Options"])],
                   [head.split()[1] for head, _ in entries(sections.get("Positionals", []))], commands,
                   "\n".join(sections.get("footer", [])))
