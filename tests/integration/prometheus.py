"""Prometheus' text format 0.0.4, read strictly: what is not exactly as it should be is an error."""
import dataclasses
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
KINDS = {"counter", "gauge", "histogram"}


@dataclasses.dataclass
class Family:
    kind: str
    samples: dict  # (name, sorted labels) -> value

    def labels(self):
        """The names of its labels, without that of buckets."""
        return {label for _, labels in self.samples for label, _ in labels} - {"le"}

    def values(self, label):
        return {dict(labels)[label] for _, labels in self.samples}

    def value(self, suffix="", **labels):
        """The sum of the samples that have these labels."""
        return sum(value for (name, got), value in self.samples.items()
                   if name.endswith(suffix) and labels.items() <= dict(got).items())


def labels_of(text, line):
    labels, rest = [], text or ""
    while rest:
        match = LABEL.match(rest)
        assert match, f"labels of {line!r}"
        labels.append((match.group(1), re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1),
                                              match.group(2))))
        rest = rest[match.end():]
        assert bool(rest) == (match.group(3) == ","), f"a comma too many or too few: {line!r}"
    assert len({name for name, _ in labels}) == len(labels), f"a label twice: {line!r}"
    return tuple(sorted(labels))


def belongs(name, family, kind):
    suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
    return name in [family + suffix for suffix in suffixes]


def parse(text):
    """Family by name."""
    assert text.endswith("\n")
    families, current = {}, None
    lines = text[:-1].split("\n")
    for number, line in enumerate(lines):
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert re.fullmatch(NAME, name) and name not in families, f"the second HELP of {name}, or no name"
            assert lines[number + 1].startswith(f"# TYPE {name} "), f"no TYPE behind {line!r}"
            assert len(line.split(" ", 3)[3]) > 0, line
        elif line.startswith("# TYPE "):
            _, _, current, kind = line.split(" ")
            assert kind in KINDS and lines[number - 1].startswith(f"# HELP {current} "), line
            assert kind != "counter" or current.endswith("_total"), line
            families[current] = Family(kind, {})
        else:
            match = SAMPLE.fullmatch(line)
            assert match and current, f"no sample: {line!r}"
            name, labels, value = match.group(1), labels_of(match.group(2), line), float(match.group(3))
            assert belongs(name, current, families[current].kind), f"{name} stands among those of {current}"
            assert (name, labels) not in families[current].samples, f"twice: {line!r}"
            assert value >= 0, line
            families[current].samples[name, labels] = value
    for name, family in families.items():
        assert family.samples, f"{name} has no sample"
        if family.kind == "histogram":
            check_histogram(name, family)
    return families


def check_histogram(name, family):
    series = {}
    for (sample, labels), value in family.samples.items():
        if sample.endswith("_bucket"):
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
    assert series, f"{name} has no buckets"
    for labels, buckets in series.items():
        assert buckets == sorted(buckets), f"{name}{labels}: bounds out of order"
        counts = [count for _, count in buckets]
        assert counts == sorted(counts), f"{name}{labels}: buckets are not cumulative"
        assert buckets[-1][0] == float("inf") and counts[-1] == family.samples[name + "_count", labels], name
        assert (family.samples[name + "_sum", labels] > 0) == (counts[-1] > 0), name
