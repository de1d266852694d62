"""The local CA's name constraints, judged by two TLS stacks that had no part in making them.

A key stolen from the state directory is played here by the openssl command, which signs whatever it is told to. What it
signs for a host that is not protected must be rejected by OpenSSL and by GnuTLS; what it and the CA itself sign for a
protected one is accepted, so that the rejections are for the right reason.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("JITPROXY_BIN", "build/dev/bin"))
# Makes a CA for any list of names, and a leaf for each of them; see tests/unit/ca/export_test.cpp.
EXPORTER = BIN.parent / "tests" / "test_ca"

pytestmark = [
    pytest.mark.skipif(not EXPORTER.exists(), reason=f"{EXPORTER} is not built"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

STACKS = ["openssl", "gnutls"]


def run(*args, **kwargs):
    return subprocess.run(args, capture_output=True, text=True, timeout=60, **kwargs)


class Authority:
    def __init__(self, directory, names):
        self.directory = directory
        env = dict(os.environ, JITPROXY_CA_EXPORT=str(directory), JITPROXY_CA_NAMES=",".join(names))
        made = run(str(EXPORTER), "[export]", env=env)
        assert made.returncode == 0, made.stdout + made.stderr

    def request(self, subject):
        """A certificate request for a key in forged.key; made once a subject."""
        path = self.directory / f"{subject.strip('/')}.csr"
        if not path.exists():
            key = self.directory / "forged.key"
            source = ["-key", key] if key.exists() else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                                         "-nodes", "-keyout", key]
            made = run("openssl", "req", "-new", *source, "-subj", subject, "-out", path)
            assert made.returncode == 0, made.stderr
        return path

    def forge(self, extensions, subject="/O=thief"):
        """A certificate that the stolen key signs; the path of its PEM."""
        (self.directory / "ext.cnf").write_text(extensions)
        request, pem = self.request(subject), self.directory / "forged.pem"
        signed = run("openssl", "x509", "-req", "-in", request, "-CA", self.directory / "ca.pem", "-CAkey",
                     self.directory / "ca.key", "-days", "3", "-extfile", self.directory / "ext.cnf", "-out", pem)
        assert signed.returncode == 0, signed.stderr
        return pem

    def forge_for(self, name):
        return self.forge(f"subjectAltName={name}\nextendedKeyUsage=serverAuth\n")

    def verdict(self, stack, pem):
        """'accepted', 'constrained' (rejected for the CA's constraints), or whatever else the stack said."""
        if stack == "openssl":
            said = run("openssl", "verify", "-purpose", "sslserver", "-CAfile", self.directory / "ca.pem", pem)
            text = said.stdout + said.stderr
            if said.returncode == 0:
                return "accepted"
            return "constrained" if "subtree violation" in text else text
        said = run("certtool", "--verify", "--verify-profile", "low", "--load-ca-certificate",
                   self.directory / "ca.pem", "--infile", pem)
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


def test_a_stolen_key_makes_no_authority_below_itself(authority, stack):
    ca = authority("api.example.com")
    intermediate, leaf, ext = (ca.directory / name for name in ("below.pem", "leaf.pem", "leaf.cnf"))
    below = ca.forge("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n",
                     subject="/CN=below")
    intermediate.write_bytes(below.read_bytes())
    ext.write_text("subjectAltName=DNS:api.example.com\nextendedKeyUsage=serverAuth\n")
    signed = run("openssl", "x509", "-req", "-in", ca.request("/O=thief"), "-CA", intermediate, "-CAkey",
                 ca.directory / "forged.key", "-days", "2", "-extfile", ext, "-out", leaf)
    assert signed.returncode == 0, signed.stderr
    if stack == "openssl":
        said = run("openssl", "verify", "-CAfile", ca.directory / "ca.pem", "-untrusted", intermediate, leaf)
        assert said.returncode != 0
        assert "path length constraint exceeded" in said.stdout + said.stderr
    else:
        chain = ca.directory / "chain.pem"
        chain.write_bytes(leaf.read_bytes() + intermediate.read_bytes())
        said = run("certtool", "--verify", "--verify-profile", "low", "--load-ca-certificate",
                   ca.directory / "ca.pem", "--infile", chain)
        assert "violates the signer's constraints" in said.stdout + said.stderr


def test_openssl_reads_the_truststore(authority):
    ca = authority("api.example.com")
    said = run("openssl", "pkcs12", "-in", ca.directory / "trust.p12", "-passin", "pass:changeit", "-nokeys", "-info")
    assert said.returncode == 0, said.stderr
    assert (ca.directory / "ca.pem").read_text().strip() in said.stdout
    assert "PRIVATE" not in said.stdout
