"""Goals and tables, in Markdown."""
import statistics

from scenarios import QUIET, SCENARIOS


def summary(runs):
    """Medians over the quiet runs of a cell, or over all where none was quiet."""
    runs = [run for run in runs if run["foreign"] <= QUIET] or runs
    median = lambda key: statistics.median(run[key] for run in runs)
    return {**{key: median(key) for key in ("value", "cpu_us", "p50_us", "p99_us", "foreign")},
            "failed": sum(run["failed"] for run in runs), "why": next((run["why"] for run in runs if run["why"]), ""),
            "quiet": all(run["foreign"] <= QUIET for run in runs)}


def figure(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "| --- " + "| ---: " * (len(head) - 1) + "|",
                      *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


class Goals:
    """Each: what, the measured figure, the limit, whether it is met; left out where a part was not measured."""

    def __init__(self, results):
        self.cells, self.results = {key: summary(runs) for key, runs in results["cells"].items()}, results
        self.rows = []
        for scenario, factor, other, key in (
                ("plain-64", 1.0, "haproxy", "cpu_us"), ("plain-64", 0.5, "squid", "cpu_us"),
                ("intercepted-16", 1.0, "haproxy", "cpu_us"), ("intercepted-64", 1.0, "haproxy", "cpu_us"),
                ("plain-1", 1.1, "nginx", "p50_us"), ("intercepted-1", 1.1, "nginx", "p50_us"),
                ("connect", 1.3, "nginx", "cpu_us"),
                ("plain-stream", 1.2, "haproxy", "value"), ("intercepted-stream", 1.2, "haproxy", "value")):
            self.against(scenario, factor, other, key)
        for scenario in ("plain-down", "plain-up", "intercepted-down", "intercepted-up"):
            self.against(scenario, 1.0, "haproxy", "value", at_least=True)
        for role, limit in (("plain", 4), ("intercepted", 22)):
            if found := results["idle"].get(f"{role} jitproxy"):
                self.add(f"memory of an idle connection, {role}", found["kib"], limit, "KiB", False,
                         good=found["held"] == found["wanted"])
        if found := results["workers"]:
            carried = statistics.median(found["capacity"])
            self.add("two workers against one: what they could carry", carried, 1.7, "x", True)
        for role, found in results["escalation"].items():
            above = statistics.median(found["above"]) / 1000
            self.add(f"escalation above its round trips, {role}", above, 0.5, "ms", False)

    def against(self, scenario, factor, other, key, at_least=False):
        ours, theirs = self.cells.get((scenario, "jitproxy")), self.cells.get((scenario, other))
        if ours and theirs and theirs[key]:
            what = {"cpu_us": "CPU", "p50_us": "p50", "value": SCENARIOS[scenario].metric.split(",")[0]}[key]
            text = f"{SCENARIOS[scenario].text}: {what} against {other}"
            self.add(text, ours[key] / theirs[key], factor, "x", at_least, good=not ours["failed"])

    def add(self, text, measured, limit, unit, at_least, good=True):
        met = measured >= limit if at_least else measured <= limit
        self.rows.append({"goal": text, "measured": measured, "unit": unit, "limit": limit, "at_least": at_least,
                          "met": met and good})


def write(results):
    goals = Goals(results)
    names, cells = results["names"], goals.cells
    measured = [scenario for scenario in SCENARIOS if any((scenario, name) in cells for name in names)]
    loud = sorted({f"{scenario} {name}" for (scenario, name), cell in cells.items() if not cell["quiet"]})
    out = [f"{results['when']}, {results['machine']}; jitproxy {results['version']}; {results['rounds']} rounds of "
           f"{results['seconds']} s. Of {len(cells)} cells {len(loud)} have no quiet run: others used "
           f"more than {QUIET} of a core in each.\n"]
    out.append("### Goals\n\n" + table(["goal", "measured", "limit", "met"], [
        [row["goal"], f"{row['measured']:.2f} {row['unit']}",
         f"{'at least' if row['at_least'] else 'at most'} {row['limit']}", "yes" if row["met"] else "**no**"]
        for row in goals.rows]))

    def cpu(scenario, name):
        cell = cells.get((scenario, name))
        if not cell or scenario.endswith("stream"):  # too few requests for the clock that counts CPU
            return ""
        return figure(cell["cpu_us"]) + (" ✗" if cell["failed"] else "")

    def seen(scenario, name):
        cell, direct = cells.get((scenario, name)), cells.get((scenario, "direct"))
        if not cell:
            return ""
        ratio = f" ({cell['value'] / direct['value']:.2f})" if direct and name != "direct" and direct["value"] else ""
        return figure(cell["value"]) + ratio

    others = [name for name in names if name != "direct"]
    out.append("### The proxy's CPU, µs a request\n\n" + table(["", *others], [
        [SCENARIOS[scenario].text, *(cpu(scenario, name) for name in others)] for scenario in measured]))
    out.append("### What the client sees (and how many times that of no proxy)\n\n" + table(["", "", *names], [
        [SCENARIOS[scenario].text, SCENARIOS[scenario].metric,
         *(seen(scenario, name) for name in names)] for scenario in measured]))
    if results["idle"]:
        idle = lambda role, name: results["idle"].get(f"{role} {name}")
        rows = [[role, *(figure(idle(role, name)["kib"]) if idle(role, name) else "" for name in others)]
                for role in ("plain", "intercepted")]
        out.append("### Memory of an idle connection, KiB\n\n" + table(["", *others], rows))
    if found := results["workers"]:
        out.append("### Two workers against one\n\n" + table(["", "times one worker"], [
            ["requests that they could carry (CPU of the busier one a request)",
             figure(statistics.median(found["capacity"]))],
            ["requests/s, with client and origin on the same cores", figure(statistics.median(found["rate"]))]]))
    if results["escalation"]:
        median = lambda values: figure(statistics.median(values))
        head = ["", "through the proxy", "its four calls by hand", "above"]
        out.append("### An escalation, µs (medians)\n\n" + table(head, [
            [role, median(found["through"]), median(found["by_hand"]), median(found["above"])]
            for role, found in results["escalation"].items()]) +
            f"\nOne fdatasync of the disk below the state directory: {figure(results['disk_us'])} µs.\n")
    failures = [f"* {scenario}, {name}: {cell['failed']} failed: {cell['why']}"
                for (scenario, name), cell in cells.items() if cell["failed"]]
    failures += [f"* idle, {key}: {found['held']} of {found['wanted']} connections held"
                 for key, found in results["idle"].items() if found["held"] < found["wanted"]]
    out += ["### Failed requests (✗)\n\n" + "\n".join(failures) + "\n"] if failures else []
    out += [f"* {trouble}" for trouble in results["left_out"]]
    return goals.rows, "\n".join(out)
