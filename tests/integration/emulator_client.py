"""A client with the protocol in its own code, and the emulator that it talks to: what the emulator's own tests share."""
import base64
import json

import pytest
import requests

from emulator import Emulator


@pytest.fixture(scope="module")
def shared():
    with Emulator("--rate-limit", "0", "--agent", "agt_two:two", "--quiet") as emulator:
        yield emulator


@pytest.fixture(params=["tenant", "orgs"])
def emu(shared, request):
    shared.reset()
    shared.set_style(request.param)
    yield shared
    shared.reset()


class Client:
    """What an agent with the protocol in its own code does."""

    def __init__(self, emu, client_id=None, client_secret=None):
        self.emu = emu
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = emu.ca_file
        answer = self.http.post(emu.base_url + "/oauth/token", data={
            "grant_type": "client_credentials",
            "client_id": client_id or emu.client_id, "client_secret": client_secret or emu.client_secret})
        answer.raise_for_status()
        self.token = answer.json()["access_token"]

    def jit(self, method, path, body=None, token=None):
        url = path if path.startswith("http") else self.emu.base_url + "/jit/" + path
        return self.http.request(method, url, json=body, headers=self.bearer(token))

    def bearer(self, token=None):
        return {"Authorization": "Bearer " + (token or self.token)}

    def open_task(self, **members):
        return self.jit("POST", "task", members).json()["task_id"]

    def ask(self, task_id, details):
        return self.jit("POST", "request", {"task_id": task_id, "authorization_details": details,
                                            "justification": "a test", "requested_ttl": 300})

    def exchange(self, request_id):
        return self.jit("POST", f"request/{request_id}/token")

    def complete(self, task_id):
        return self.jit("POST", f"task/{task_id}/complete")

    def api(self, method, path, token=None, base=None, **more):
        headers = {**self.bearer(token), **more.pop("headers", {})}
        return self.http.request(method, (base or self.emu.api_url) + path, headers=headers,
                                 allow_redirects=False, **more)

    def grant(self, task_id, refused):
        """From a 403 to a token."""
        padded = refused.headers["Insufficient-Authorization-Details"]
        details = json.loads(base64.b64decode(padded))
        asked = self.ask(task_id, details).json()
        if asked["status"] == "pending":
            self.emu.decide(asked["request_id"], "approve")
        return self.exchange(asked["request_id"]).json()["access_token"]
