"""Where a token may go, and where nothing may go."""
import pytest

import agents
import raw

DOCUMENT = "/v1/documents/doc_9982"


def send(proxy, url, *lines, method="GET", target=None):
    authority = url.split("/")[2]
    head = "".join(line + "\r\n" for line in lines or [f"Host: {authority}"])
    with raw.Wire(proxy.port) as wire:
        return proxy.keep(wire.ask(f"{method} {target or url} HTTP/1.1\r\n{head}\r\n", method))


def test_unlisted_host_gets_no_token(proxy, emulator):
    """And what the client sends there passes as it is, its own Authorization too."""
    with raw.Origin() as other:
        url = f"http://other.localhost:{other.port}/x"
        assert send(proxy, url).status == 200
        assert send(proxy, url, f"Host: other.localhost:{other.port}", "Authorization: Bearer mine").status == 200
        assert not any("emu_" in head for head in other.heads)
        assert "authorization" not in other.heads[0].lower() and other.saw("Authorization: Bearer mine")


def test_redirect_to_another_host_carries_no_token(proxy, emulator):
    """The proxy follows no redirect, and the client that follows is somewhere else then."""
    with raw.Origin() as other:
        url = f"{emulator.api_url}/v1/redirect?to=http://other.localhost:{other.port}/stolen"
        answer = agents.curl(proxy.agent(proxy.open_session()), url, "-L")
        assert answer.status == 200 and answer.body == b"hello"
        assert [c["authorization"] for c in emulator.state()["api_calls"]] == ["agent"]
        assert other.heads and not other.saw("Authorization") and not other.saw("emu_")


def test_signal_from_an_unlisted_host_asks_for_nothing(proxy, emulator):
    signal = (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nInsufficient-Authorization-Details: "
              b"eyJ0eXBlIjogImRvY3VtZW50X2FjY2VzcyJ9\r\n\r\nno")
    with raw.Origin(lambda head: signal) as other:
        answer = send(proxy, f"http://other.localhost:{other.port}/")
        assert answer.status == 403 and answer.body == b"no" and answer.header("JIT-Request-Id") is None
        assert len(other.heads) == 1 and emulator.state()["counts"]["request"] == 0


def test_locations_of_a_foreign_origin_are_refused(proxy, emulator):
    """An API that names another origin's resource: {"type":"t","locations":["https://elsewhere.example/"]}."""
    named = b"eyJ0eXBlIjoidCIsImxvY2F0aW9ucyI6WyJodHRwczovL2Vsc2V3aGVyZS5leGFtcGxlLyJdfQ=="
    signal = (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nInsufficient-Authorization-Details: " + named +
              b"\r\n\r\nno")
    with raw.Origin(lambda head: signal) as api:
        proxy.stop()
        proxy.config["api"][0]["ports"].append(api.port)
        proxy.start()
        answer = send(proxy, f"http://localhost:{api.port}/")
        assert answer.status == 403 and answer.header("JIT-Request-Status") == "refused"
        assert emulator.state()["counts"]["request"] == 0


def test_agents_authorization_is_replaced(proxy, emulator):
    env = proxy.agent(proxy.open_session())
    assert agents.curl(env, emulator.api_tls_url + DOCUMENT, "-H", "Authorization: Bearer mine").status == 200
    assert [c["authorization"] for c in emulator.state()["api_calls"]] == ["agent", "jit"]


def test_agents_authorization_is_kept_where_configured(make_proxy, emulator):
    proxy = make_proxy(api={"authorization": "keep"})
    env = proxy.agent(proxy.open_session())
    answer = agents.curl(env, emulator.api_tls_url + DOCUMENT, "-H", "Authorization: Bearer mine")
    assert answer.status == 401
    assert [c["authorization"] for c in emulator.state()["api_calls"]] == ["unknown"]
    assert agents.curl(env, emulator.api_tls_url + DOCUMENT).status == 200  # none of its own: as ever


def test_upstream_tls_always(make_proxy, emulator):
    """The agent speaks plain HTTP, the API gets TLS: for clients that cannot be given a CA."""
    proxy = make_proxy(api={"upstream_tls": "always", "allow_plain_http": False})
    url = emulator.api_tls_url.replace("https:", "http:") + DOCUMENT
    answer = agents.curl(proxy.agent(proxy.open_session()), url)
    assert answer.status == 200
    assert {c["scheme"] for c in emulator.state()["api_calls"]} == {"https"}


def test_absolute_https_target_in_plain_text(proxy, emulator):
    """Some clients send https: URLs to the proxy in absolute form: TLS is used upstream."""
    answer = send(proxy, emulator.api_tls_url + DOCUMENT)
    assert answer.status == 200
    assert {c["scheme"] for c in emulator.state()["api_calls"]} == {"https"}


def test_no_bearer_over_plain_http_unless_allowed(make_proxy, emulator):
    proxy = make_proxy(api={"allow_plain_http": False})
    answer = send(proxy, emulator.api_url + DOCUMENT)
    assert answer.status in (403, 502) and answer.header("Proxy-Status").startswith("jitproxy; error=")
    assert emulator.state()["counts"]["api"] == 0


def test_certificate_of_another_name_is_refused(proxy, emulator):
    """api.localhost is protected, but the API's certificate is not for it."""
    answer = send(proxy, f"https://api.localhost:{emulator.api_tls_port}{DOCUMENT}")
    assert answer.status == 502 and "error=tls_certificate_error" in answer.header("Proxy-Status")
    assert emulator.state()["counts"]["api"] == 0


def test_unknown_root_is_refused(make_proxy, emulator):
    proxy = make_proxy(api={"ca_file": ""})
    answer = send(proxy, emulator.api_tls_url + DOCUMENT)
    assert answer.status == 502 and "error=tls_certificate_error" in answer.header("Proxy-Status")


@pytest.mark.parametrize("host", [
    "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "192.168.1.1", "100.64.0.1", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "224.0.0.1", "0.0.0.0",
])
def test_addresses_that_are_refused(proxy, host):
    for answer in (send(proxy, f"http://{host}/latest/meta-data/"),
                   raw.Wire(proxy.port).connect(f"{host}:443")):
        assert answer.status == 403, answer
        assert "error=destination_ip_prohibited" in answer.header("Proxy-Status")
        assert answer.header("Content-Type") == "application/problem+json"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_loopback_is_refused_unless_named(make_proxy, emulator, host):
    proxy = make_proxy(config={"egress": {"allow_addresses": []}})
    with raw.Origin() as inside:
        assert send(proxy, f"http://{host}:{inside.port}/").status == 403
        assert inside.heads == []


def test_deny_by_default(make_proxy, emulator):
    proxy = make_proxy(config={"egress": {"default": "deny", "allow": ["good.localhost"],
                                          "allow_addresses": ["127.0.0.0/8"], "connect_ports": ["any"]}})
    with raw.Origin() as other:
        assert send(proxy, f"http://good.localhost:{other.port}/").status == 200
        assert send(proxy, f"http://bad.localhost:{other.port}/").status == 403
        assert raw.Wire(proxy.port).connect(f"bad.localhost:{other.port}").status == 403
        assert len(other.heads) == 1
    assert send(proxy, emulator.api_url + DOCUMENT).status == 200


def test_tunnel_ports(make_proxy, emulator):
    proxy = make_proxy(config={"egress": {"connect_ports": [443], "allow_addresses": ["127.0.0.0/8"]}})
    assert raw.Wire(proxy.port).connect("other.localhost:25").status == 403
    # A protected host is never tunnelled: not on a port that its API does not list either.
    assert raw.Wire(proxy.port).connect("localhost:443").status == 403


def tunnel(proxy, emulator, sni, host):
    session = proxy.open_session()
    with raw.Wire(proxy.port) as wire:
        assert wire.connect(f"localhost:{emulator.api_tls_port}", raw.basic(session)).status == 200
        wire.start_tls(sni, session["ca_file"])
        return wire.ask(f"GET {DOCUMENT} HTTP/1.1\r\nHost: {host}\r\n\r\n")


def test_host_that_is_not_the_tunnels_is_misdirected(proxy, emulator):
    answer = tunnel(proxy, emulator, "localhost", "other.example")
    assert answer.status == 421 and emulator.state()["counts"]["api"] == 0


def test_sni_that_is_not_the_tunnels_is_misdirected(proxy, emulator):
    try:
        answer = tunnel(proxy, emulator, "other.example", f"localhost:{emulator.api_tls_port}")
        assert answer.status == 421
    except raw.ssl.SSLError:
        pass  # refused in the handshake already
    assert emulator.state()["counts"]["api"] == 0


def test_received_host_is_replaced_beside_an_absolute_target(proxy):
    with raw.Origin() as other:
        answer = send(proxy, f"http://other.localhost:{other.port}/", "Host: evil.example")
        assert answer.status == 200
        assert other.saw(f"Host: other.localhost:{other.port}") and not other.saw("evil.example")


def test_the_proxy_is_not_its_own_upstream(proxy):
    answer = send(proxy, f"http://other.localhost:{proxy.port}/")
    assert answer.status in (400, 403, 502, 508), answer
    assert answer.header("Proxy-Status") is not None


def test_via_is_added_and_checked(proxy):
    with raw.Origin() as other:
        answer = send(proxy, f"http://other.localhost:{other.port}/", f"Host: other.localhost:{other.port}",
                      "Via: 1.0 before")
        assert answer.status == 200 and "jitproxy" in answer.header("Via")
        via = [line for line in other.heads[0].split("\r\n") if line.lower().startswith("via:")]
        assert via[0] == "Via: 1.0 before"
        pseudonym = via[-1].split()[-1]
        again = send(proxy, f"http://other.localhost:{other.port}/", f"Host: other.localhost:{other.port}",
                     f"Via: 1.1 {pseudonym}")
        assert again.status in (400, 502, 508) and "loop" in again.header("Proxy-Status")
        assert len(other.heads) == 1
