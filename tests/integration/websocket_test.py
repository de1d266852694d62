"""Real WebSocket clients through the real proxy, to a real server that wants a permission at the handshake."""
import asyncio
import base64
import http
import json
import ssl
import subprocess
import threading

import pytest
import websockets

import agents
import harness

CLIENTS = {"python": [agents.PYTHON, agents.CLIENTS / "websocket.py"], "node": ["node", agents.CLIENTS / "websocket.js"]}


class Server:
    """Echoes to whoever comes with a scoped token; to "bye" it closes with 4001. Use as a context manager."""

    def __init__(self, action, tls=None):
        self.action, self.tls = action, tls
        self.bearers = []  # kind of what each handshake came with
        self.received = []
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(),), daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.started.wait(harness.PATIENCE)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(harness.PATIENCE)
        assert not self.thread.is_alive()

    async def _run(self):
        self.stop = asyncio.Event()
        async with websockets.serve(self._echo, "127.0.0.1", 0, ssl=self.tls, process_request=self._judge) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.origin = f"{'https' if self.tls else 'http'}://localhost:{self.port}"
            self.started.set()
            await self.stop.wait()

    async def _judge(self, _path, headers):
        bearer = headers.get("Authorization", "")
        self.bearers.append(bearer.removeprefix("Bearer emu_").partition("_")[0])
        if self.bearers[-1] == "jit":
            return None
        details = {"type": "document", "actions": [self.action], "identifier": "live", "locations": [self.origin]}
        return http.HTTPStatus.FORBIDDEN, {"Insufficient-Authorization-Details":
                     base64.b64encode(json.dumps(details).encode()).decode()}, b"not without a permission"

    async def _echo(self, ws):
        async for message in ws:
            self.received.append(message)
            if message == "bye":
                await ws.close(4001, "as you wish")
            else:
                await ws.send(message)


@pytest.fixture(params=["ws", "wss"])
def tls(request, tmp_path):
    """A context for the server and the file that its certificate is trusted by; nothing for ws."""
    if request.param == "ws":
        return None, None
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-days", "1",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def connect(client, proxy, server, session):
    done = subprocess.run([*CLIENTS[client], server.origin.replace("http", "ws", 1) + "/live"],
                          env=proxy.agent(session), capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr.decode()
    proxy.answers.append(done.stdout)
    return json.loads(done.stdout)


def start(make_proxy, server, certificate):
    api = {"name": "live", "hosts": ["localhost"], "ports": [server.port], "allow_plain_http": True}
    if certificate:
        api["ca_file"] = str(certificate)
    return make_proxy(config={"api": [api]})


@pytest.mark.parametrize("client", CLIENTS)
def test_escalated_at_the_handshake(make_proxy, emulator, tls, client):
    with Server("read", tls[0]) as server:
        proxy = start(make_proxy, server, tls[1])
        session = proxy.open_session()
        assert connect(client, proxy, server, session) == {
            "text": "grüße", "binary": True, "pong": True, "close": [4001, "as you wish"]}
        assert server.bearers == ["agent", "jit"]
        assert server.received == ["grüße", bytes(range(256)) * 1000, "bye"]
        assert [r["status"] for r in proxy.requests()] == ["granted"]
        assert connect(client, proxy, server, session)["pong"]  # the token serves the next handshake too
        assert server.bearers == ["agent", "jit", "jit"]
    assert emulator.counts()["request"] == 1 and emulator.violations() == []


@pytest.mark.parametrize("client", CLIENTS)
def test_denied_at_the_handshake(make_proxy, emulator, tls, client):
    with Server("delete", tls[0]) as server:  # what a human decides
        proxy = start(make_proxy, server, tls[1])
        session = proxy.open_session()
        human = threading.Thread(daemon=True, target=lambda: emulator.decide(
            emulator.wait_for_pending()[0]["request_id"], "deny", reason="not today"))
        human.start()
        seen = connect(client, proxy, server, session)
        human.join(harness.PATIENCE)
    assert seen["status"] == 403
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert headers["jit-request-status"] == "denied" and "not today" in headers["proxy-status"]
    assert server.bearers == ["agent"] and server.received == []
