"""What takes more than a row of runs: memory of idle connections, a second worker, a whole escalation."""
import json
import os
import statistics
import subprocess
import time

import machine
import peers
import scenarios

IDLE = 2000  # connections
ESCALATIONS = 300
WORKER_LOAD = ["-c", 256, "--expect", 100]


def disk_us(place):
    """What the disk below the state directory takes to keep a few bytes, median: the journal waits for it."""
    times = []
    with open(place.dir / "disk", "ab", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            begin = time.monotonic()
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - begin) * 1e6)
    return statistics.median(times)


def idle(place, name, role):
    """KiB of memory that each kept connection costs after its one request, in a process that did nothing else."""
    place.start(name)
    warm_up = place.client("load", name, role, "/small.json", "-c", 4, "-d", 0.1)
    subprocess.run(warm_up, check=True, stdout=subprocess.DEVNULL)
    before = machine.memory_kib(place.pids(name))
    client = machine.start_client(place.client("idle", name, role, "/small.json", "-c", IDLE))
    try:
        opened = int(client.stdout.readline())
        time.sleep(0.5)  # what is given back after the last answer
        after = machine.memory_kib(place.pids(name))
        held, _ = client.communicate(timeout=60)
    finally:
        client.kill()
    return {"wanted": IDLE, "held": int(held), "kib": (after - before) / max(1, opened)}


def workers(place, seconds, count):
    """Two workers against one, where client and origin run on the same cores as they do.

    Two cores do not suffice to keep two workers, a client and an origin busy. So beside the rate it is counted how much
    the workers could carry: the CPU a request of one worker, against what the busier of two spends on a request."""
    out = {"rate": [], "capacity": [], "foreign": []}
    for _ in range(count):
        rate, cost = {}, {}
        for number in (1, 2):
            place.start("jitproxy", number, set(machine.CORES))
            pid, read = place.running["jitproxy"][0].pid, scenarios.counters(place, "jitproxy")
            command = place.client("load", "jitproxy", "intercepted", "/small.json", *WORKER_LOAD, "-d", seconds)
            run, used = scenarios.run_client(command, lambda: {**read(), **machine.thread_seconds(pid)})
            rate[number] = run["answers"] / run["seconds"]
            cost[number] = max(cpu for thread, cpu in used.items() if thread.isdigit()) / max(1, run["answers"])
            out["foreign"].append(used["foreign"] / run["seconds"])
        out["rate"].append(rate[2] / rate[1])
        out["capacity"].append(cost[1] / cost[2])
    return out


def escalation(place, role):
    """Times of escalations through the proxy and of their four calls by hand, in µs; see client/escalation.hpp."""
    place.start("jitproxy")
    url = {"plain": "http://localhost:18302", "intercepted": "https://localhost:18303"}[role] + "/v1/documents/"
    command = [peers.BIN / "jitproxy-bench-client", "escalation", url, "--ca", place.dir / "both-cas.crt",
               "--proxy", 18201, "-n", ESCALATIONS, "--as", "http://127.0.0.1:18301/t/acme-corp/api/v1",
               "--credentials", "agt_demo:demo-secret", "--by-hand-core", *machine.PROXY_CORE]
    client = machine.start_client(list(map(str, command)))
    text, trouble = client.communicate(timeout=120)
    if client.returncode != 0:
        raise RuntimeError(trouble)
    times = json.loads(text)
    by_hand = [sum(four) for four in zip(*(times[call] for call in ("refused", "request", "token", "served")))]
    above = [whole - parts for whole, parts in zip(times["through"], by_hand)]
    return {"through": times["through"], "by_hand": by_hand, "above": above}
