"""What is measured of every peer, and how one cell of the table comes about."""
import collections
import json
import time

import machine
import peers

QUIET = 0.25   # cores that others may use in a cell that counts as quiet
TRIES = 3      # of one cell, until one is quiet

# metric: what the client sees; beside it there is always the proxy's CPU a request
Scenario = collections.namedtuple("Scenario", "role path options metric text")


def small(role, connections, text, metric="requests/s", *more):
    return Scenario(role, "/small.json", ["-c", connections, "--expect", 100, *more], metric, text)


def mebibyte(role, up=False):
    path, options = ("/upload", ["--upload", 1 << 20]) if up else ("/1m", ["--expect", 1 << 20])
    text = f"1 MiB {'up' if up else 'down'}, {role}, 4 connections"
    return Scenario(role, path, ["-c", 4, *options], "MiB/s", text)


def stream(role):
    return Scenario(role, "/stream", ["-c", 4], "first byte, µs", f"a stream, {role}, 4 connections")


SCENARIOS = {
    "plain-1": small("plain", 1, "plain GET of 100 B, 1 connection", "p50, µs"),
    "plain-16": small("plain", 16, "plain GET of 100 B, 16 connections"),
    "plain-64": small("plain", 64, "plain GET of 100 B, 64 connections"),
    "intercepted-1": small("intercepted", 1, "intercepted GET of 100 B, 1 connection", "p50, µs"),
    "intercepted-16": small("intercepted", 16, "intercepted GET of 100 B, 16 connections"),
    "intercepted-64": small("intercepted", 64, "intercepted GET of 100 B, 64 connections"),
    "connect": small("intercepted", 8, "a new CONNECT and TLS for each GET, 8 at a time", "requests/s", "--fresh"),
    "tunnel": small("tunnel", 16, "GET of 100 B in blind tunnels, 16 connections"),
    "plain-down": mebibyte("plain"),
    "plain-up": mebibyte("plain", up=True),
    "intercepted-down": mebibyte("intercepted"),
    "intercepted-up": mebibyte("intercepted", up=True),
    "plain-stream": stream("plain"),
    "intercepted-stream": stream("intercepted"),
}
VALUES = {  # metric -> the value of one run
    "p50, µs": lambda run: run["p50_us"],
    "requests/s": lambda run: run["answers"] / run["seconds"],
    "MiB/s": lambda run: run["answers"] / run["seconds"],
    "first byte, µs": lambda run: run["first_byte_us"],
}


def run_client(command, read):
    """One run of the load client. read() gives counters, at the two moments between which answers count."""
    client = machine.start_client(command)
    try:
        if client.stdout.readline().strip() != "begin":
            raise RuntimeError("the load client did not begin: " + client.stderr.read()[-300:])
        before = read()
        run = json.loads(client.stdout.readline())
        after = read()
    finally:
        client.kill()
        client.communicate()
    used = {name: after[name] - before.get(name, 0) for name in after}
    used["foreign"] = max(0.0, used["machine"] - used["proxy"] - used["origin"] - run["client_cpu"])
    return run, used


def counters(place, name):
    """What run_client reads: CPU seconds of the peer, of the origin, and of the whole machine."""
    proxy, origin = place.pids(name), place.pids("origin")
    return lambda: {"proxy": machine.cpu_seconds(proxy), "origin": machine.cpu_seconds(origin),
                    "machine": machine.busy_seconds()}


def measure(place, name, scenario, seconds):
    """One cell; where others used the machine it is tried again, and the quietest is kept."""
    command = place.client("load", name, scenario.role, scenario.path, *scenario.options, "-d", seconds)
    best = None
    for _ in range(TRIES):
        run, used = run_client(command, counters(place, name))
        run["foreign"] = used["foreign"] / run["seconds"]
        run["cpu_us"] = used["proxy"] * 1e6 / max(1, run["answers"])
        run["value"] = VALUES[scenario.metric](run)
        if best is None or run["foreign"] < best["foreign"]:
            best = run
        if best["foreign"] <= QUIET:
            break
    return best


def rounds(place, names, chosen, count, seconds):
    """Every round visits every scenario, every scenario every peer, each time beginning with another one."""
    cells, begin = collections.defaultdict(list), time.monotonic()
    for number in range(count):
        for scenario_id in chosen:
            scenario = SCENARIOS[scenario_id]
            first = number % len(names)
            for name in names[first:] + names[:first]:
                if scenario.role in peers.PEERS[name].ports:
                    cells[scenario_id, name].append(measure(place, name, scenario, seconds))
        print(f"round {number + 1} of {count}: {time.monotonic() - begin:.0f} s", flush=True)
    return cells
