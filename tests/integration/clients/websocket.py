"""The `websockets` client through a proxy: python3 websocket.py URL. Prints one JSON object."""
import asyncio
import base64
import json
import os
import socket
import ssl
import sys
import urllib.parse

import websockets


def tunnel(url):
    """Through the proxy, whatever the scheme (RFC 6455 4.1): this version of the library leaves that to its user."""
    proxy = urllib.parse.urlsplit(os.environ["https_proxy"])
    to = urllib.parse.urlsplit(url)
    connected = socket.create_connection((proxy.hostname, proxy.port), 30)
    credentials = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password)}".encode()
    connected.sendall(f"CONNECT {to.netloc} HTTP/1.1\r\nHost: {to.netloc}\r\nProxy-Authorization: Basic "
                      f"{base64.b64encode(credentials).decode()}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += connected.recv(1)
    assert head.split()[1] == b"200", head
    return connected


async def main(url):
    tls = {"ssl": ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]),
           "server_hostname": urllib.parse.urlsplit(url).hostname} if url.startswith("wss:") else {}
    seen = {}
    try:
        async with websockets.connect(url, sock=tunnel(url), **tls) as ws:
            await ws.send("grüße")
            seen["text"] = await ws.recv()
            await ws.send(bytes(range(256)) * 1000)
            seen["binary"] = await ws.recv() == bytes(range(256)) * 1000
            await (await ws.ping(b"are you there?"))
            seen["pong"] = True
            await ws.send("bye")
            await ws.wait_closed()
            seen["close"] = [ws.close_code, ws.close_reason]
    except websockets.InvalidStatusCode as refused:
        seen["status"] = refused.status_code
        seen["headers"] = list(refused.headers.raw_items())
    print(json.dumps(seen))

asyncio.run(main(sys.argv[1]))
