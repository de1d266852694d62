"""Processes of a measurement: on which cores they run, what they use, and what everybody else uses meanwhile."""
import os
import platform
import signal
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE = {CORES[-1]}                          # the proxy under test has it to itself
OTHER_CORES = set(CORES) - PROXY_CORE or PROXY_CORE  # client and origin


def spawn(command, cores, log, **more):
    """Starts a process in a group of its own; what it says goes to the file `log`."""
    with open(log, "ab") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                preexec_fn=lambda: os.sched_setaffinity(0, cores), **more)


def start_client(command):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, OTHER_CORES))


def stop(processes):
    """Ends process groups, with force where they do not go within two seconds."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                os.killpg(process.pid, how)
            except ProcessLookupError:
                pass
        end = time.monotonic() + 2
        for process in processes:
            try:
                process.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass


def wait_for_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _stat(pid):
    """Parent, and CPU seconds of a process, those of children that it has waited for included."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / TICKS


def tree(processes):
    """The processes and all that descend from them."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = _stat(name)[0]
            except OSError:
                pass
    found = {p.pid for p in processes}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            total += _stat(pid)[1]
        except OSError:
            pass
    return total


def thread_seconds(pid):
    """CPU seconds of each thread."""
    out = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            out[thread] = int(f.read().split()[0]) / 1e9
    return out


def memory_kib(pids):
    """Proportional set size: shared pages count once."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total


def busy_seconds():
    """CPU seconds that the whole machine has used (guests' stolen time is not use)."""
    with open("/proc/stat") as f:
        values = list(map(int, f.readline().split()[1:8]))
    return (sum(values) - values[3] - values[4]) / TICKS


def describe():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return f"{len(CORES)} cores, {model}, Linux {platform.release()}"
