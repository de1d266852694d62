"""Whoever reads the daemon's standard error may stop to: nothing else stops."""
import fcntl
import os
import re
import select
import socket
import subprocess

import harness
import pytest
import raw

DOCUMENT = "/v1/documents/doc_9982"
PIPE = 65536  # bytes: a start alone does not fill it


class Unread(harness.Proxy):
    """A daemon whose standard error is a pipe that only the test reads. Its service manager is the test."""

    def __init__(self, emulator):
        super().__init__(emulator)
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.settimeout(harness.PATIENCE)
        self.manager.bind(str(self.dir / "notify"))
        self.variables["NOTIFY_SOCKET"] = str(self.dir / "notify")

    def __enter__(self):
        return self

    def start(self, wrapper=()):
        self.config_file.write_text(harness.toml(self.config))
        self.process = subprocess.Popen([*wrapper, harness.JITPROXY, "serve", "-c", self.config_file],
                                        env=self.environment(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.writer)
        while b"READY=1" not in self.manager.recv(4096).split(b"\n"):
            pass
        listeners = self.api_call("GET", "/v1/status")[1]["listeners"]
        self.port = int(next(at["address"] for at in listeners if at["kind"] == "proxy").rsplit(":", 1)[1])

    def __exit__(self, *_):
        super().__exit__()
        self.manager.close()
        os.close(self.reader)
        os.close(self.writer)

    def full(self):
        return not select.select([], [self.writer], [], 0)[1]

    def read(self):
        """What is in the pipe now."""
        text = b""
        while select.select([self.reader], [], [], 0)[0]:
            text += os.read(self.reader, 65536)
        return text.decode()

    def read_line(self, pattern):
        text = b""
        while not re.search(pattern, text):
            assert select.select([self.reader], [], [], harness.PATIENCE)[0], text
            text += os.read(self.reader, 65536)
        return text.decode()

    def ask(self, times=1):
        for _ in range(times):  # a connection each: whichever worker takes it
            with raw.Wire(self.port) as wire:
                url = self.emulator.api_url + DOCUMENT
                assert wire.ask(f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n\r\n").status == 200


@pytest.mark.parametrize("full_at_the_start", [False, True])
def test_a_log_that_nobody_reads_stops_nothing(emulator, full_at_the_start):
    with Unread(emulator) as proxy:
        if full_at_the_start:
            os.write(proxy.writer, b"." * PIPE)
        proxy.start()
        while not proxy.full():
            proxy.ask()
        proxy.ask(50)  # some lines still fit into its last page
        assert proxy.api_call("GET", "/v1/status")[0] == 200
        session = proxy.open_session()
        assert proxy.close_session(session)[1]["status"] == "completed"
        assert "were lost" not in proxy.read()
        proxy.ask(2)
        told = proxy.read_line(rb"lines were lost.* lines=(\d+)\n(.|\n)*request method=GET")
        assert int(re.search(r"lines=(\d+)", told).group(1)) >= 30
        assert told.count("were lost") == 1
        proxy.process.terminate()
        assert proxy.process.wait(harness.PATIENCE) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root sees the descriptors of a daemon")
def test_a_closed_standard_error_is_no_other_file(emulator):
    with Unread(emulator) as proxy:
        proxy.start(["sh", "-c", 'exec "$@" 2>&-', "sh"])
        assert os.readlink(f"/proc/{proxy.process.pid}/fd/2") == "/dev/null"
        proxy.ask()
