"""Many connections, few descriptors, much data: nobody is harmed, and nothing is kept."""
import resource
import socket
import threading
import time

import agents
import harness
import raw

DOCUMENT = "/v1/documents/doc_9982"


def resident(proxy):
    """Bytes of memory that the daemon holds."""
    with open(f"/proc/{proxy.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def until(condition, what):
    """Asks again until it is so; each question is a call to the daemon."""
    end = time.monotonic() + harness.PATIENCE
    while not condition():
        assert time.monotonic() < end, what


def open_connections(proxy):
    return proxy.api_call("GET", "/v1/status")[1]["counters"]["open_connections"]


def served(proxy, emulator):
    return agents.curl(proxy.agent(), emulator.api_url + DOCUMENT).status == 200


def test_ten_thousand_idle_connections(make_proxy, emulator):
    count = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000)
    proxy = make_proxy(config={"limits": {"connections": count + 10}})
    assert served(proxy, emulator)
    until(lambda: open_connections(proxy) == 0, "the first client's connection stays")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    before = resident(proxy)
    idle = [socket.create_connection(("127.0.0.1", proxy.port), harness.PATIENCE) for _ in range(count)]
    until(lambda: open_connections(proxy) == count, "not all of them were accepted")
    assert served(proxy, emulator)
    each = (resident(proxy) - before) / count
    assert each < 4096 or harness.SANITIZED, f"{each:.0f} bytes each"
    with idle.pop() as one, idle.pop() as other:  # and any of them can be used
        for s in (one, other):
            s.sendall(f"GET {emulator.api_url}/v1/public HTTP/1.0\r\n\r\n".encode())
        for s in (one, other):
            assert s.recv(12) == b"HTTP/1.1 200"
    for s in idle:
        s.close()
    until(lambda: open_connections(proxy) == 0, "closed connections are still counted")


def test_no_descriptors_left(proxy, emulator):
    """accept() fails with EMFILE: the daemon waits until there are some again, and does not spin meanwhile."""
    assert served(proxy, emulator)
    pid = proxy.process.pid
    whole = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, whole[1]))
    crowd = [socket.create_connection(("127.0.0.1", proxy.port), harness.PATIENCE) for _ in range(100)]
    proxy.log.wait_for("accept failed", count=3)
    assert len(proxy.log.text().split("accept failed")) < 100
    for s in crowd:
        s.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, whole)
    assert served(proxy, emulator)


def test_more_connections_than_allowed(make_proxy, emulator):
    proxy = make_proxy(config={"limits": {"connections": 5}})
    with raw.Wire(proxy.port) as kept:
        assert kept.ask(f"GET {emulator.api_url}/v1/public HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        crowd = [socket.create_connection(("127.0.0.1", proxy.port), harness.PATIENCE) for _ in range(4)]
        until(lambda: open_connections(proxy) == 5, "five were to be accepted")
        with raw.Wire(proxy.port) as refused:
            answer = refused.read()
            assert answer.status == 503 and answer.header("Retry-After") == "5"
            assert "connection_limit_reached" in answer.header("Proxy-Status")
        assert kept.ask(f"GET {emulator.api_url}/v1/public HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        for s in crowd:
            s.close()
    until(lambda: open_connections(proxy) == 0, "closed connections are still counted")
    assert served(proxy, emulator)


def test_a_gibibyte_through_a_tunnel(proxy):
    size, block = 1 << 30, bytes(1 << 20)

    def give(listener):
        connection, _ = listener.accept()
        with connection:
            for _ in range(size // len(block)):
                connection.sendall(block)

    with socket.create_server(("127.0.0.1", 0)) as listener, raw.Wire(proxy.port) as wire:
        giver = threading.Thread(target=give, args=(listener,), daemon=True)
        giver.start()
        assert wire.connect(f"other.localhost:{listener.getsockname()[1]}").status == 200
        got, room, highest = 0, bytearray(1 << 20), 0
        before = resident(proxy)
        while more := wire.reader.readinto1(room):  # what came with the head, too
            got += more
            highest = max(highest, resident(proxy))
        giver.join(harness.PATIENCE)
    assert got == size
    assert highest - before < 4 << 20 or harness.SANITIZED
