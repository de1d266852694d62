"""docs/clients.md, each example tried as written (with the emulator in the place of api.acme-corp.com), and git."""
import pathlib
import re
import shutil
import subprocess

import pytest

import agents
import harness
import raw

DOCUMENT = "/v1/documents/doc_9982"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "clients.md"


def example(language, containing):
    """The one fenced block of that language that contains the text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = [b for b in blocks if containing in b]
    return block


def here(text, emulator):
    return text.replace("https://api.acme-corp.com", emulator.api_tls_url)


def run(proxy, *command, env=None):
    words = [harness.JITPROXY, "run", "--", *map(str, command)]
    done = subprocess.run(words, env={**proxy.environment(), **(env or {})}, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    proxy.answers.append((done.stdout + done.stderr).encode())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_curl(proxy, emulator):
    lines = [line for line in example("sh", "JIT-Justification").splitlines() if "curl" in line]
    for line in lines:
        command = here(line.split("--", 1)[1], emulator)
        assert "Q4 revenue" in run(proxy, "sh", "-c", command)
    assert emulator.state()["requests"][1]["justification"] == "quarterly audit"


def test_curl_by_hand(proxy, emulator):
    script = here(example("sh", "session open --export"), emulator)
    script = script.replace("jitproxy", str(harness.JITPROXY)).replace("curl", "curl -sS")
    done = subprocess.run(["sh", "-euc", script], env=proxy.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Q4 revenue" in done.stdout, done.stdout + done.stderr
    assert emulator.state()["open_tasks"] == []


def test_python(proxy, emulator, tmp_path):
    (tmp_path / "agent.py").write_text(here(example("python", "requests"), emulator))
    assert "Q4 revenue" in run(proxy, agents.PYTHON, tmp_path / "agent.py")


def test_node(proxy, emulator, tmp_path):
    (tmp_path / "agent.js").write_text(here(example("js", "ProxyAgent"), emulator))
    assert "Q4 revenue" in run(proxy, "node", tmp_path / "agent.js", env={"NODE_PATH": "/usr/share/nodejs"})


@pytest.mark.skipif(not shutil.which("java"), reason="no JDK")
def test_java(proxy, emulator, tmp_path):
    snippet = example("java", "HttpClient")
    (tmp_path / "Agent.java").write_text(
        "public class Agent { public static void main(String[] args) throws Exception {\n" + snippet +
        "System.out.println(client.send(java.net.http.HttpRequest.newBuilder(java.net.URI.create(args[0])).build(),\n"
        "    java.net.http.HttpResponse.BodyHandlers.ofString()).body()); } }\n")
    assert "Q4 revenue" in run(proxy, "java", tmp_path / "Agent.java", emulator.api_tls_url + DOCUMENT)


@pytest.mark.skipif(not shutil.which("go"), reason="no Go")
def test_go(proxy, emulator, tmp_path):
    (tmp_path / "agent.go").write_text(
        'package main\nimport ("fmt"; "io"; "net/http"; "os")\nfunc main() {\n' + here(example("go", "http.Get"), emulator) +
        "if err != nil { fmt.Println(err); os.Exit(1) }\nbody, _ := io.ReadAll(resp.Body)\nfmt.Println(string(body))\n}\n")
    cache = {"GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod"}
    # Go never uses a proxy for localhost, whatever the variables say: the name below it is what it can be tried with.
    assert "Q4 revenue" in run(proxy, "go", "run", tmp_path / "agent.go", env=cache)


def test_urllib_by_variables_alone(proxy, emulator):
    assert agents.urllib(proxy.agent(proxy.open_session()), emulator.api_tls_url + DOCUMENT).status == 200


@pytest.fixture
def repository(tmp_path):
    """A bare repository, served by a plain file server (git's "dumb" protocol)."""
    work, bare = tmp_path / "work", tmp_path / "www" / "repo.git"
    env = {**agents.environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    me = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q", work], ["-C", work, *me, "commit", "-q", "--allow-empty", "-m", "first"],
                    ["clone", "-q", "--bare", work, bare], ["-C", bare, "update-server-info"]):
        subprocess.run(["git", *map(str, command)], env=env, check=True, timeout=30)

    def answer(head):
        file = tmp_path / "www" / head.split()[1].split("?")[0].lstrip("/")
        body = file.read_bytes() if file.is_file() else None
        status = "200 OK" if body is not None else "404 Not Found"
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body or b'')}\r\n\r\n".encode() + (body or b"")

    with raw.Origin(answer) as origin:
        origin.head = subprocess.run(["git", "-C", str(work), "rev-parse", "HEAD"], capture_output=True, text=True,
                                     timeout=30).stdout.strip()
        yield origin


def test_git(proxy, repository):
    """Through the proxy to a host that is no protected API; git waits for a 407 before it sends credentials."""
    listed = run(proxy, "git", "ls-remote", f"http://git.localhost:{repository.port}/repo.git")
    assert repository.head in listed and repository.heads


def test_git_where_a_session_is_required(make_proxy, repository):
    proxy = make_proxy(config={"session": {"default": "required"}})
    listed = run(proxy, "git", "ls-remote", f"http://git.localhost:{repository.port}/repo.git")
    assert repository.head in listed
