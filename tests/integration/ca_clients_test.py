"""Real clients in front of a thief's server (impostor.py), which has the local CA's key (thief.py).

Each has the root to trust, is sent the issuing certificate as jitproxy does it, and must reject what the key signs for a
host that is not protected, for that reason; with a leaf for a protected host the same server is believed.
"""
import functools
import pathlib
import re
import shutil
import tempfile

import pytest

import agents
import impostor
import thief
from thief import SERVER

pytestmark = thief.possible


@pytest.fixture
def authority(tmp_path):
    tmp_path.chmod(0o700)
    return lambda *names: thief.Authority(tmp_path, names)


def jdks():
    """Every JDK here by its version: that of PATH and those beside it."""
    found = [pathlib.Path(shutil.which("java") or "/none"), *pathlib.Path("/usr/lib/jvm").glob("*/bin/java")]
    homes = {java.resolve().parents[1] for java in found if java.exists() and java.resolve().with_name("javac").exists()}
    versions = {home: re.search(r'JAVA_VERSION="([^"]+)"', (home / "release").read_text()) for home in homes}
    return {f"java-{version.group(1)}": home for home, version in sorted(versions.items()) if version}


def git(env, url):
    done = thief.run("git", "ls-remote", url, env={**env, "GIT_TERMINAL_PROMPT": "0"})
    raise agents.ClientFailed(done.returncode, done.stderr)  # there is no repository, if it comes that far


JDKS = jdks()


@functools.cache
def compiled(home):
    """Where Fetch.class is; each start would compile the source anew, which takes longer than all the rest."""
    classes = tempfile.TemporaryDirectory(prefix="jp-java-")
    done = thief.run(home / "bin" / "javac", "-d", classes.name, agents.CLIENTS / "Fetch.java")
    assert done.returncode == 0, done.stderr
    return classes


def java(name):
    def start(env, url):
        store = [f"-Djavax.net.ssl.trustStore={env['TRUSTSTORE']}", "-Djavax.net.ssl.trustStorePassword=changeit"]
        done = thief.run(JDKS[name] / "bin" / "java", "-XX:TieredStopAtLevel=1", *store, "-cp",
                         compiled(JDKS[name]).name, "Fetch", url, env=env)
        if done.returncode != 0:
            raise agents.ClientFailed(done.returncode, done.stderr)
    return start


OPENSSL = "permitted subtree violation"
# How each is started, and how it says that a certificate is outside name constraints.
CLIENTS = {
    "curl": (agents.curl, OPENSSL), "urllib": (agents.urllib, OPENSSL), "requests": (agents.requests, OPENSSL),
    "node_fetch": (agents.node_fetch, OPENSSL), "node_connect": (agents.node_connect, OPENSSL),
    "git": (git, "certificate verification failed"),
    **{name: (java(name), "name constraints check failed") for name in JDKS or ["java"]},
}


@pytest.fixture(params=CLIENTS)
def client(request):
    """Shows a client the chain that a thief's server sends for a URL: what it said, or None where it believed it."""
    if request.param.startswith("java") and not JDKS:
        pytest.skip("no JDK")
    start, complaint = CLIENTS[request.param]

    def believes(ca, url, *certificates):
        with impostor.Impostor(ca.chain(*certificates), ca.forged_key) as server:
            env = agents.environment(server.url, ca.root, ca.directory / "ca-bundle.pem")
            env["TRUSTSTORE"] = ca.directory / "truststore.p12"
            try:
                start(env, url)
                said = ""
            except agents.ClientFailed as failed:
                said = failed.stderr
        print(f"{request.param}, {url}: {'believed' if server.heads else said.strip()}")
        return None if server.heads else said

    believes.complaint = complaint
    return believes


def test_a_client_believes_a_stolen_key_for_protected_hosts_only(authority, client):
    ca = authority("api.example.com")
    assert client(ca, "https://api.example.com/", ca.forge_for("DNS:api.example.com")) is None
    assert client.complaint in client(ca, "https://evil.example.org/", ca.forge_for("DNS:evil.example.org"))
    assert client.complaint in client(ca, "https://192.0.2.7/", ca.forge_for("IP:192.0.2.7"))
    assert client(ca, "https://evil.example.org/", ca.forge(SERVER, "/CN=evil.example.org"))
    below = ca.forge_below(ca.own_subject(), "DNS:evil.example.org")
    assert client.complaint in client(ca, "https://evil.example.org/", *below)


@pytest.mark.parametrize("protected, foreign", [("192.0.2.7", "192.0.2.8"), ("2001:db8::7", "2001:db8::8")])
def test_a_client_believes_a_stolen_key_for_protected_addresses_only(authority, client, protected, foreign):
    ca = authority(protected)
    url = "https://[{}]/" if ":" in protected else "https://{}/"
    assert client(ca, url.format(protected), ca.forge_for(f"IP:{protected}")) is None
    assert client.complaint in client(ca, url.format(foreign), ca.forge_for(f"IP:{foreign}"))
    assert client.complaint in client(ca, "https://evil.example.org/", ca.forge_for("DNS:evil.example.org"))
