"""What the local CA's key is worth to a thief, judged by TLS stacks and clients that had no part in making it.

A key stolen from the state directory is played here by the openssl command, which signs whatever it is told to, and the
thief's server by impostor.py. What the key signs for a host that is not protected must be rejected by OpenSSL, by GnuTLS
and by every client; what it and the CA itself sign for a protected one is accepted, so that the rejections are for the
right reason. Only the root is trusted; the issuing certificate is sent along, as jitproxy does it.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import agents
import harness
import impostor

# Makes a CA for any list of names, and a leaf for each of them; see tests/unit/ca/export_test.cpp.
EXPORTER = harness.BIN.parent / "tests" / "test_ca"

pytestmark = [
    pytest.mark.skipif(not EXPORTER.exists(), reason=f"{EXPORTER} is not built"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

STACKS = ["openssl", "gnutls"]
SERVER = "extendedKeyUsage=serverAuth\n"
SIGNER = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"


def run(*args, **kwargs):
    return subprocess.run(args, capture_output=True, text=True, timeout=60, **kwargs)


class Authority:
    """A CA's state directory in the hands of a thief."""

    def __init__(self, directory, names):
        self.directory = directory
        env = dict(os.environ, JITPROXY_CA_EXPORT=str(directory), JITPROXY_CA_NAMES=",".join(names))
        made = run(str(EXPORTER), "[export]", env=env)
        assert made.returncode == 0, made.stdout + made.stderr
        self.root = directory / "ca.pem"
        self.issuing = directory / "ca-issuing.pem"
        self.forged_key = directory / "forged.key"

    def request(self, subject):
        """A certificate request for a key in forged.key; made once a subject."""
        path = self.directory / f"{re.sub(r'[^A-Za-z]', '_', subject)}.csr"
        if not path.exists():
            source = ["-key", self.forged_key] if self.forged_key.exists() else [
                "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.forged_key]
            made = run("openssl", "req", "-new", *source, "-subj", subject, "-out", path)
            assert made.returncode == 0, made.stderr
        return path

    def sign(self, extensions, subject, issuer, key, name):
        (self.directory / "ext.cnf").write_text(extensions)
        pem = self.directory / name
        signed = run("openssl", "x509", "-req", "-in", self.request(subject), "-CA", issuer, "-CAkey", key, "-days", "3",
                     "-extfile", self.directory / "ext.cnf", "-out", pem)
        assert signed.returncode == 0, signed.stderr
        return pem

    def forge(self, extensions, subject="/O=thief", name="forged.pem"):
        """A certificate that the stolen key signs; the path of its PEM."""
        return self.sign(extensions, subject, self.issuing, self.directory / "ca.key", name)

    def forge_for(self, name):
        return self.forge(f"subjectAltName={name}\n{SERVER}")

    def forge_below(self, subject, name):
        """A leaf for that name by a CA that the stolen key has signed, and that CA."""
        below = self.forge(SIGNER, subject, "below.pem")
        return self.sign(f"subjectAltName={name}\n{SERVER}", "/O=thief", below, self.forged_key, "leaf.pem"), below

    def own_subject(self):
        said = run("openssl", "x509", "-in", self.issuing, "-noout", "-subject", "-nameopt", "oneline,-space_eq")
        return "".join("/" + part for part in said.stdout.partition("=")[2].strip().split(", "))

    def chain(self, *certificates):
        """What a server sends: these and the issuing certificate."""
        path = self.directory / "chain.pem"
        path.write_bytes(b"".join(pem.read_bytes() for pem in (*certificates, self.issuing)))
        return path

    def verdict(self, stack, *certificates):
        """'accepted', 'constrained' (rejected for a CA's constraints), or whatever else the stack said."""
        chain = self.chain(*certificates)
        if stack == "openssl":
            said = run("openssl", "verify", "-purpose", "sslserver", "-CAfile", self.root, "-untrusted", chain, chain)
            text = said.stdout + said.stderr
            if said.returncode == 0:
                return "accepted"
            return "constrained" if re.search("subtree violation|path length constraint exceeded", text) else text
        said = run("certtool", "--verify", "--verify-profile", "low", "--load-ca-certificate", self.root,
                   "--infile", chain)
        text = said.stdout + said.stderr
        if "Chain verification output: Verified. The certificate is trusted." in text:
            return "accepted"
        return "constrained" if "violates the signer's constraints" in text else text


@pytest.fixture(params=STACKS)
def stack(request):
    if request.param == "gnutls" and shutil.which("certtool") is None:
        pytest.skip("certtool (gnutls-bin) is not installed")
    return request.param


@pytest.fixture
def authority(tmp_path):
    tmp_path.chmod(0o700)
    return lambda *names: Authority(tmp_path, names)


def test_own_leaves_are_accepted(authority, stack):
    ca = authority("api.example.com", ".files.example.com", "10.0.0.1", "fd00::1")
    for host in ("api.example.com", "below.files.example.com", "10.0.0.1", "fd00::1"):
        assert ca.verdict(stack, ca.directory / f"leaf.{host}.pem") == "accepted", host


@pytest.mark.parametrize(
    "permitted, accepted, rejected",
    [
        (["api.example.com"], ["DNS:api.example.com"],
         ["DNS:example.com", "DNS:www.example.com", "DNS:xapi.example.com", "DNS:evil.org", "IP:10.0.0.1", "IP:::1",
          "DNS:api.example.com,DNS:evil.org", "DNS:api.example.com,IP:10.0.0.1"]),
        ([".files.example.com"], ["DNS:a.files.example.com", "DNS:a.b.files.example.com"],
         ["DNS:example.com", "DNS:xfiles.example.com", "DNS:evil.org", "IP:10.0.0.1", "IP:::1"]),
        (["10.0.0.1"], ["IP:10.0.0.1"],
         ["IP:10.0.0.2", "IP:::1", "IP:::ffff:10.0.0.1", "DNS:evil.org", "DNS:localhost", "IP:10.0.0.1,DNS:evil.org"]),
        (["fd00::1"], ["IP:fd00::1"], ["IP:fd00::2", "IP:10.0.0.1", "DNS:evil.org", "DNS:localhost"]),
        (["localhost", "127.0.0.1"], ["DNS:localhost", "IP:127.0.0.1", "DNS:localhost,IP:127.0.0.1"],
         ["IP:127.0.0.2", "IP:::1", "DNS:evil.org", "DNS:xlocalhost"]),
        ([], [], ["DNS:api.example.com", "DNS:localhost", "IP:127.0.0.1", "IP:::1"]),
    ],
    ids=["host", "suffix", "ipv4", "ipv6", "localhost", "nothing"],
)
def test_a_stolen_key_signs_for_protected_hosts_only(authority, stack, permitted, accepted, rejected):
    ca = authority(*permitted)
    for name in accepted:
        assert ca.verdict(stack, ca.forge_for(name)) == "accepted", name
    for name in rejected:
        assert ca.verdict(stack, ca.forge_for(name)) == "constrained", name


def test_a_name_in_the_subject_only_is_constrained_too(authority, stack):
    ca = authority("api.example.com")
    forged = ca.forge("extendedKeyUsage=serverAuth\n", subject="/CN=evil.org")
    assert ca.verdict(stack, forged) == "constrained"


@pytest.mark.parametrize("subject", ["/CN=below", None], ids=["new-name", "own-name"])
def test_a_stolen_key_makes_no_authority_below_itself(authority, stack, subject):
    """One of the issuing CA's own name counts for no path length (RFC 5280 4.2.1.9); the constraints above it hold."""
    ca = authority("api.example.com")
    forged = ca.forge_below(subject or ca.own_subject(), "DNS:evil.org")
    assert ca.verdict(stack, *forged) == "constrained"
    if subject:
        assert ca.verdict(stack, *ca.forge_below(subject, "DNS:api.example.com")) == "constrained"


def jdks():
    """Every JDK here by its version: that of PATH and those beside it."""
    found = [pathlib.Path(shutil.which("java") or "/none"), *pathlib.Path("/usr/lib/jvm").glob("*/bin/java")]
    homes = {java.resolve().parents[1] for java in found if java.exists()}
    versions = {home: re.search(r'JAVA_VERSION="([^"]+)"', (home / "release").read_text()) for home in homes}
    return {f"java-{version.group(1)}": home for home, version in sorted(versions.items()) if version}


def git(env, url):
    done = run("git", "ls-remote", url, env={**env, "GIT_TERMINAL_PROMPT": "0"})
    raise agents.ClientFailed(done.returncode, done.stderr)  # there is no repository, if it comes that far


def java(env, url):
    store = f"-Djavax.net.ssl.trustStore={env['TRUSTSTORE']}"
    return agents.java(env, url, store, "-Djavax.net.ssl.trustStorePassword=changeit")


JDKS = jdks()
OPENSSL = "permitted subtree violation"
# How each is started, and how it says that a certificate is outside name constraints.
CLIENTS = {
    "curl": (agents.curl, OPENSSL), "urllib": (agents.urllib, OPENSSL), "requests": (agents.requests, OPENSSL),
    "node_fetch": (agents.node_fetch, OPENSSL), "node_connect": (agents.node_connect, OPENSSL),
    "git": (git, "certificate verification failed"),
    **{name: (java, "name constraints check failed") for name in JDKS or ["java"]},
}


@pytest.fixture(params=CLIENTS)
def client(request):
    """Shows a client the chain that a thief's server sends for a URL: what it said, or None where it believed it."""
    if request.param.startswith("java") and not JDKS:
        pytest.skip("no JDK")
    start, complaint = CLIENTS[request.param]

    def believes(ca, url, *certificates):
        with impostor.Impostor(ca.chain(*certificates), ca.forged_key) as thief:
            env = agents.environment(thief.url, ca.root, ca.directory / "ca-bundle.pem")
            env["TRUSTSTORE"] = ca.directory / "truststore.p12"
            if request.param in JDKS:
                env["PATH"] = f"{JDKS[request.param] / 'bin'}:{env['PATH']}"
            try:
                start(env, url)
                said = ""
            except agents.ClientFailed as failed:
                said = failed.stderr
        print(f"{request.param}, {url}: {'believed' if thief.heads else said.strip()}")
        return None if thief.heads else said

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


def test_the_proxy_sends_leaf_and_issuing_certificate(proxy, emulator):
    state = pathlib.Path(proxy.config["state"]["directory"])
    said = run("openssl", "s_client", "-proxy", f"127.0.0.1:{proxy.port}", "-connect",
               f"localhost:{emulator.api_tls_port}", "-servername", "localhost", "-verify_hostname", "localhost",
               "-CAfile", state / "ca.pem", "-verify_return_error", "-showcerts", stdin=subprocess.DEVNULL)
    assert "Verify return code: 0 (ok)" in said.stdout, said.stdout + said.stderr
    sent = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", said.stdout, re.DOTALL)
    assert sent[1:2] == [(state / "ca-issuing.pem").read_text()]
    assert (state / "ca.pem").read_text() not in sent


def test_show_and_rotate(proxy):
    state = pathlib.Path(proxy.config["state"]["directory"])
    root = (state / "ca.pem").read_text()
    shown = proxy.run("ca", "show")
    assert shown.returncode == 0 and shown.stdout.endswith(root), shown.stdout + shown.stderr
    assert shown.stdout.count("BEGIN CERTIFICATE") == 1  # to trust the issuing one would lift its constraints
    for part in ("pathlen:1", "pathlen:0", "CN = jitproxy issuing CA for", str(state / "ca-issuing.pem")):
        assert part in shown.stdout, part
    again = proxy.run("ca", "init")
    assert again.returncode == 0 and "a new CA" not in again.stderr and (state / "ca.pem").read_text() == root
    rotated = proxy.run("ca", "rotate")
    assert rotated.returncode == 0 and "a new CA" in rotated.stderr and (state / "ca.pem").read_text() != root


def test_other_hosts_make_another_ca_unless_the_reload_is_refused(proxy, emulator):
    """Agents have to be restarted for a new CA, so nothing that can fail may fail after it is made."""
    root = pathlib.Path(proxy.config["state"]["directory"], "ca.pem")
    before, url = root.read_bytes(), f"{emulator.api_tls_url}/v1/public"
    proxy.api["hosts"] += ["more.localhost"]
    proxy.api["ca_file"] = str(proxy.dir / "missing.pem")
    proxy.config_file.write_text(harness.toml(proxy.config))
    proxy.process.send_signal(signal.SIGHUP)
    proxy.log.wait_for("reload refused.*missing.pem")
    assert root.read_bytes() == before and agents.curl(proxy.agent(), url).status == 200

    proxy.api["ca_file"] = str(emulator.ca_file)
    proxy.config_file.write_text(harness.toml(proxy.config))
    proxy.process.send_signal(signal.SIGHUP)
    proxy.log.wait_for("the local CA was made anew.*the protected hosts have changed")
    proxy.log.wait_for("configuration reloaded")
    assert root.read_bytes() != before and agents.curl(proxy.agent(), url).status == 200


def test_openssl_reads_the_truststore(authority):
    ca = authority("api.example.com")
    said = run("openssl", "pkcs12", "-in", ca.directory / "truststore.p12", "-passin", "pass:changeit", "-nokeys", "-info")
    assert said.returncode == 0, said.stderr
    assert ca.root.read_text().strip() in said.stdout
    assert ca.issuing.read_text().strip() not in said.stdout
    assert "PRIVATE" not in said.stdout
