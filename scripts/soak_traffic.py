"""The traffic of scripts/soak: what agents, origins and people do, well and badly."""
import collections
import http.client
import pathlib
import random
import socket
import struct
import threading
import time

import raw


class Wrong(Exception):
    """Something that no fault explains."""


def expect(condition, what):
    if not condition:
        raise Wrong(str(what)[:300])


def reset(wire):
    """Ends a connection with RST."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.socket.close()


class Resetting(raw.Origin):
    def _serve(self, connection):
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


class Echo(raw.Origin):
    def _serve(self, connection):
        with connection:
            try:
                while part := connection.recv(65536):
                    connection.sendall(part)
            except OSError:
                pass


BROKEN = {"/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nonly a part",
          "/garbage": b"SSH-2.0-OpenSSH\r\n\r\n", "/half": b"HTTP/1.1 200 OK\r\nX-Half:", "/nothing": None,
          "/chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nonly a part"}
FAULTS = [(endpoint, kind) for endpoint in ("request", "status", "jit_token", "task", "complete")
          for kind in ("status", "rate_limit", "reset_before", "reset_after", "truncate", "malformed", "delay")]


class Traffic:
    """One method for each kind of traffic; what it returns is counted, what it raises is a failure of the run."""

    CLIENTS = 16  # at the same time

    def __init__(self, proxy, emulator, stop):
        self.proxy, self.emulator, self.stop = proxy, emulator, stop
        self.counts = collections.Counter()
        self.wrong = []
        self.good = raw.Origin()
        self.broken = raw.Origin(lambda head: BROKEN[head.split(" ")[1]], answers=1)
        self.silent = raw.Origin(lambda head: None if stop.wait(4) else None)
        self.resetting = Resetting()
        self.echo = Echo()
        kinds = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        self.kinds = kinds + 3 * [self.do_plain, self.do_intercepted, self.do_escalation, self.do_tunnel]

    # ---- helpers
    def wire(self):
        return raw.Wire(self.proxy.port)

    def open_request(self, wire, origin, path):
        return wire.ask(f"GET http://open.localhost:{origin.port}{path} HTTP/1.1\r\nHost: x\r\n\r\n")

    def intercepted(self, wire, credentials=""):
        answer = wire.connect(f"localhost:{self.emulator.api_tls_port}", credentials)
        expect(answer.status == 200, answer)
        return wire.start_tls("localhost", pathlib.Path(self.proxy.config["state"]["directory"], "ca.pem"))

    def api(self, method, path, more="", body=b""):
        length = f"Content-Length: {len(body)}\r\n" if body or method not in ("GET", "DELETE") else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost:{self.emulator.api_tls_port}\r\n{length}{more}\r\n"
        return head.encode() + body

    def session(self):
        """A new one, or None where a fault at the authorization server is in the way."""
        status, session = self.proxy.api_call("POST", "/v1/sessions", {})
        return session if status in (200, 201) else None

    def in_session(self, act):
        session = self.session()
        if not session:
            return "no session"
        try:
            with self.wire() as wire:
                return act(self.intercepted(wire, raw.basic(session)))
        finally:
            self.proxy.close_session(session)

    # ---- what goes well
    def do_plain(self, chance):
        with self.wire() as wire:
            for _ in range(chance.randrange(1, 20)):
                answer = self.open_request(wire, self.good, "/")
                expect(answer.status == 200 and answer.body == b"hello", answer)

    def do_intercepted(self, chance):
        with self.wire() as wire:
            self.intercepted(wire)
            for _ in range(chance.randrange(1, 10)):
                size = chance.choice([0, 1, 1000, 100_000, 1_000_000])
                answer = wire.ask(self.api("GET", f"/v1/bytes?n={size}&chunked={chance.randrange(2)}"))
                expect(answer.status == 200 and len(answer.body) == size, answer.status)

    def do_tunnel(self, chance):
        with self.wire() as wire:
            expect(wire.connect(f"open.localhost:{self.echo.port}").status == 200, "CONNECT")
            for _ in range(chance.randrange(1, 5)):
                sent = chance.randbytes(chance.randrange(1, 100_000))
                wire.send(sent)
                got = b""
                while len(got) < len(sent):
                    part = wire.socket.recv(65536)
                    expect(part, "tunnel ended early")
                    got += part
                expect(got == sent, "other bytes came back")
            if chance.randrange(2):
                reset(wire)

    # ---- permission, where the authorization server may be in trouble
    def do_escalation(self, chance):
        def act(wire):
            body = chance.randbytes(chance.choice([0, 1, 5000, 400_000]))
            statuses = [wire.ask(self.api("GET", "/v1/documents/doc_9982")).status,
                        wire.ask(self.api("POST", "/v1/uploads", body=body)).status]
            return "granted" if statuses == [200, 201] else f"not granted {statuses}"
        return self.in_session(act)

    def do_human(self, chance):
        return self.in_session(lambda wire: wire.ask(self.api("DELETE", f"/v1/documents/doc_{chance.randrange(9)}",
                                                              "Prefer: wait=3\r\n")).status)

    def do_given_up(self, chance):
        def act(wire):
            wire.send(self.api("DELETE", "/v1/documents/doc_old"))
            self.stop.wait(chance.random() / 5)
            reset(wire)
        return self.in_session(act)

    # ---- faults of the client
    def do_aborted_upload(self, chance):
        with self.wire() as wire:
            self.intercepted(wire)
            wire.send(self.api("POST", "/v1/uploads", body=bytes(1_000_000))[:chance.randrange(50, 900_000)])
            reset(wire)

    def do_slow_reader(self, chance):
        with self.wire() as wire:
            self.intercepted(wire)
            wire.send(self.api("GET", "/v1/bytes?n=5000000"))
            for _ in range(chance.randrange(40)):
                wire.socket.recv(20_000)
                self.stop.wait(0.05)
            reset(wire)

    def do_stalled_head(self, chance):
        with self.wire() as wire:
            wire.send("GET http://open.localhost/ HTTP/1.1\r\nHost"[:chance.randrange(1, 40)])
            if chance.randrange(2):
                while wire.socket.recv(1000):
                    pass

    def do_no_handshake(self, chance):
        with self.wire() as wire:
            wire.connect(f"localhost:{self.emulator.api_tls_port}")
            wire.send(b"\x16\x03\x01\x02\x00\x01\x00"[:chance.randrange(8)])

    def do_left_stream(self, chance):
        def act(wire):
            wire.send(self.api("GET", "/v1/stream?n=50&interval_ms=20"))
            wire.socket.recv(chance.randrange(1, 2000))
            reset(wire)
        return self.in_session(act)

    # ---- faults of the origin
    def do_broken_origin(self, chance):
        with self.wire() as wire:
            path = chance.choice(list(BROKEN))
            try:
                return f"{path} {self.open_request(wire, self.broken, path).status}"
            except (OSError, ValueError, http.client.HTTPException):
                return f"{path} cut"

    def do_silent_origin(self, chance):
        with self.wire() as wire:
            if chance.randrange(2):
                wire.send(f"GET http://open.localhost:{self.silent.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")
                return reset(wire)
            return self.open_request(wire, self.silent, "/").status

    def do_resetting_origin(self, chance):
        with self.wire() as wire:
            return self.open_request(wire, self.resetting, "/").status

    # ---- all of it
    def run(self, seed, until):
        chance = random.Random(seed)
        while not self.stop.is_set() and time.monotonic() < until:
            kind = chance.choice(self.kinds)
            name = kind.__name__[3:]
            try:
                self.counts[f"{name}: {kind(chance) or 'done'}"] += 1
            except Exception as error:  # whatever it is: it has to be seen
                self.wrong.append(f"{name}: {type(error).__name__}: {error}")

    def trouble(self, until):
        """The human who decides, and the authorization server's bad moments."""
        chance = random.Random(0)
        while not self.stop.wait(0.1) and time.monotonic() < until:
            for request in self.emulator.pending():
                try:
                    self.emulator.decide(request["request_id"], chance.choice(["approve", "deny"]))
                except RuntimeError:
                    pass  # its session was closed meanwhile
            if chance.randrange(5) == 0:
                endpoint, kind = chance.choice(FAULTS)
                self.emulator.fault(endpoint, kind, delay_ms=300)

    def phase(self, seconds, seed, each):
        """Traffic for so long; calls each() every ten seconds."""
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=self.run, args=(f"{seed} {n}", until)) for n in range(self.CLIENTS)]
        threads.append(threading.Thread(target=self.trouble, args=(until,)))
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            threads[0].join(10)
            each()
            for thread in threads[1:] if not threads[0].is_alive() else []:
                thread.join(raw.PATIENCE)
        self.emulator.clear_faults()
