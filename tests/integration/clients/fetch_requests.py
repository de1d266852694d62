"""Python's requests, pointed at the proxy by variables alone: fetch_requests.py METHOD URL [BODY-FILE [chunked]]."""
import base64
import json
import sys

import requests


def pieces(data, size=16384):
    for at in range(0, len(data), size):
        yield data[at:at + size]


method, url = sys.argv[1:3]
body = None
if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as file:
        body = file.read()
    if "chunked" in sys.argv[4:]:
        body = pieces(body)
answer = requests.request(method, url, data=body, timeout=60, allow_redirects=False)
json.dump({"status": answer.status_code, "headers": list(answer.headers.items()),
           "body": base64.b64encode(answer.content).decode()}, sys.stdout)
