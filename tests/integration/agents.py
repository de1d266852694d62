"""Real clients as subprocesses: what an agent would use, pointed at the proxy the way a user would point it."""
import base64
import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile

CLIENTS = pathlib.Path(__file__).with_name("clients")
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"


@dataclasses.dataclass
class Answer:
    status: int
    headers: list  # of (name, value)
    body: bytes

    def header(self, name):
        """The first value of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)


class ClientFailed(Exception):
    """The client itself gave up: its exit status and what it wrote to stderr."""

    def __init__(self, code, stderr):
        super().__init__(f"exit {code}: {stderr}")
        self.code = code
        self.stderr = stderr


def environment(proxy_url=None, ca_file=None, bundle=None):
    """A clean environment that points every client at the proxy, and at nothing where there is none."""
    kept = ("PATH", "HOME", "LANG", "JAVA_HOME", "TMPDIR", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    if proxy_url:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            env[name] = proxy_url
    if ca_file:
        env["NODE_EXTRA_CA_CERTS"] = str(ca_file)
    if bundle:
        for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"):
            env[name] = str(bundle)
    env["NODE_PATH"] = "/usr/share/nodejs"
    return env


def _run(command, env, timeout=60, input=None):
    done = subprocess.run(command, env=env, capture_output=True, timeout=timeout, input=input)
    if done.returncode != 0:
        raise ClientFailed(done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


def _from_json(output):
    answer = json.loads(output)
    return Answer(answer["status"], [tuple(h) for h in answer["headers"]], base64.b64decode(answer["body"]))


def parse_head(text):
    """The last final head that curl's --dump-header wrote: those of CONNECT, 100 and 407 come before it."""
    last = [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()][-1]
    lines = last.strip().split("\n")
    return int(lines[0].split()[1]), [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]


def curl(env, url, *options, timeout=60, input=None):
    with tempfile.TemporaryDirectory(prefix="jp-curl-") as folder:
        body, head = pathlib.Path(folder, "body"), pathlib.Path(folder, "head")
        _run(["curl", "-q", "-sS", "-o", body, "-D", head, "--max-time", str(timeout), *options, url], env,
             timeout + 10, input)
        status, headers = parse_head(head.read_text())
        return Answer(status, headers, body.read_bytes() if body.exists() else b"")


def requests(env, url, method="GET", body=None, chunked=False):
    return _with_body([PYTHON, CLIENTS / "fetch_requests.py", method, url], env, body,
                      ["chunked"] if chunked else [])


def urllib(env, url):
    return _from_json(_run([PYTHON, CLIENTS / "fetch_urllib.py", url], env))


def node_fetch(env, url, method="GET", body=None, chunked=False):
    return _with_body(["node", CLIENTS / "fetch.js", method, url], env, body, ["chunked"] if chunked else [])


def node_connect(env, url, method="GET", body=None):
    return _with_body(["node", CLIENTS / "connect.js", method, url], env, body)


def java(env, url, *options):
    lines = _run(["java", "-XX:TieredStopAtLevel=1", *options, CLIENTS / "Fetch.java", url], env, 120).split(b"\n")
    return Answer(int(lines[0]), [], base64.b64decode(lines[1]))


def _with_body(command, env, body, more=()):
    if body is None:
        return _from_json(_run(command, env))
    with tempfile.NamedTemporaryFile(prefix="jp-body-") as file:
        file.write(body)
        file.flush()
        return _from_json(_run([*command, file.name, *more], env))
