"""What the local CA's key is worth to a thief, judged by TLS stacks that had no part in making it.

What a stolen key (thief.py) signs for a host that is not protected must be rejected by OpenSSL and by GnuTLS; what it and
the CA itself sign for a protected one is accepted, so that the rejections are for the right reason. Only the root is
trusted; the issuing certificate is sent along, as jitproxy does it. The same with real clients: ca_clients_test.py.
"""
import shutil

import pytest

import thief

pytestmark = thief.possible


@pytest.fixture(params=["openssl", "gnutls"])
def stack(request):
    if request.param == "gnutls" and shutil.which("certtool") is None:
        pytest.skip("certtool (gnutls-bin) is not installed")
    return request.param


@pytest.fixture
def authority(tmp_path):
    tmp_path.chmod(0o700)
    return lambda *names: thief.Authority(tmp_path, names)


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
    forged = ca.forge(thief.SERVER, subject="/CN=evil.org")
    assert ca.verdict(stack, forged) == "constrained"


@pytest.mark.parametrize("subject", ["/CN=below", None], ids=["new-name", "own-name"])
def test_a_stolen_key_makes_no_authority_below_itself(authority, stack, subject):
    """One of the issuing CA's own name counts for no path length (RFC 5280 4.2.1.9); the constraints above it hold."""
    ca = authority("api.example.com")
    forged = ca.forge_below(subject or ca.own_subject(), "DNS:evil.org")
    assert ca.verdict(stack, *forged) == "constrained"
    if subject:
        assert ca.verdict(stack, *ca.forge_below(subject, "DNS:api.example.com")) == "constrained"


def test_openssl_reads_the_truststore(authority):
    ca = authority("api.example.com")
    said = thief.run("openssl", "pkcs12", "-in", ca.directory / "truststore.p12", "-passin", "pass:changeit", "-nokeys", "-info")
    assert said.returncode == 0, said.stderr
    assert ca.root.read_text().strip() in said.stdout
    assert ca.issuing.read_text().strip() not in said.stdout
    assert "PRIVATE" not in said.stdout
