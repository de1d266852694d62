"""TLS between a client and the proxy, inside an intercepted tunnel."""
import socket
import ssl

import pytest

import harness
import raw


def tunnel(proxy, authority):
    wire = raw.Wire(proxy.port)
    assert wire.connect(authority).status == 200
    return wire.socket


def ask(tls, authority):
    tls.sendall(f"GET /v1/public HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n".encode())
    return b"".join(iter(lambda: tls.recv(65536), b""))


@pytest.fixture
def authority(emulator):
    return f"localhost:{emulator.api_tls_port}"


@pytest.fixture
def context(proxy, authority):
    tunnel(proxy, authority).close()  # the CA is made at first need
    state = proxy.config["state"]["directory"]
    made = ssl.create_default_context(cafile=f"{state}/ca.pem")
    made.set_alpn_protocols(["h2", "http/1.1"])
    return made


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_resumes_its_session(proxy, authority, context, version):
    context.minimum_version = context.maximum_version = version
    session = None
    for resumed in (False, True, True):
        with context.wrap_socket(tunnel(proxy, authority), server_hostname="localhost", session=session) as tls:
            assert ask(tls, authority).startswith(b"HTTP/1.1 200")
            assert tls.session_reused == resumed
            assert tls.selected_alpn_protocol() == "http/1.1"
            session = tls.session  # with TLS 1.3 there is one after the first answer


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_versions_before_1_2_are_refused(proxy, authority, context):
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(tunnel(proxy, authority), server_hostname="localhost")


def test_an_answer_ends_with_close_notify(proxy, authority, context):
    """Cut TLS could be an attack; the end of an answer is said in TLS too."""
    with context.wrap_socket(tunnel(proxy, authority), server_hostname="localhost",
                             suppress_ragged_eofs=False) as tls:
        assert ask(tls, authority).startswith(b"HTTP/1.1 200")


def test_a_client_that_is_no_tls_client(proxy, authority, emulator):
    """The first byte says TLS, the rest is none: that connection ends, and no other."""
    s = tunnel(proxy, authority)
    s.settimeout(harness.PATIENCE)
    s.sendall(b"\x16 this is no ClientHello, whatever its first byte says\r\n\r\n")
    try:
        while s.recv(65536):
            pass
    except ConnectionResetError:
        pass
    s.close()
    with raw.Wire(proxy.port) as wire:
        assert wire.ask(f"GET {emulator.api_url}/v1/public HTTP/1.1\r\nHost: x\r\n\r\n").status == 200


def test_half_a_client_hello_holds_up_nobody(proxy, authority, emulator):
    s = tunnel(proxy, authority)
    s.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    with raw.Wire(proxy.port) as wire:
        assert wire.ask(f"GET {emulator.api_url}/v1/public HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    s.shutdown(socket.SHUT_RDWR)
    s.close()
