"""Who is compared, and how each is started. Everything lives in one directory that is made for the run."""
import os
import pathlib
import shutil
import subprocess
import time

import machine

HERE = pathlib.Path(__file__).resolve().parent
BIN = HERE.parent / "build/release/bin"
ORIGIN = {"plain": "http://localhost:18080", "tunnel": "https://127.0.0.1:18443",
          "intercepted": "https://localhost:18443"}


class Peer:
    """ports: role -> port. A reverse proxy is connected to as if it were the origin; a forward proxy as a proxy is."""

    def __init__(self, commands, reverse=False, **ports):
        self.commands, self.reverse, self.ports = commands, reverse, ports


MITMPROXY = ["mitmdump", "-q", "--listen-host", "127.0.0.1", "--set", "confdir={dir}/mitmproxy", "--set",
             "ssl_verify_upstream_trusted_ca={dir}/origin-ca.crt", "--set", "connection_strategy=lazy", "--set",
             "stream_large_bodies=1", "--modify-headers", "/~q/Authorization/Bearer bench", "-p"]
PEERS = {
    "direct": Peer([], plain=None, tunnel=None, intercepted=None),
    "haproxy": Peer([["haproxy", "-db", "-f", "{dir}/haproxy.cfg"]], True,
                    plain=18103, tunnel=18102, intercepted=18104),
    "nginx": Peer([["nginx", "-c", "{dir}/nginx.conf"]], True, plain=18111, intercepted=18112),
    "squid": Peer([["squid", "-N", "-f", "{dir}/squid.conf"]], plain=18121, tunnel=18121, intercepted=18122),
    "tinyproxy": Peer([["tinyproxy", "-d", "-c", "{dir}/tinyproxy.conf"]], plain=18131, tunnel=18131),
    "privoxy": Peer([["privoxy", "--no-daemon", "{dir}/privoxy-18151.conf"],
                     ["privoxy", "--no-daemon", "{dir}/privoxy-18152.conf"]],
                    plain=18151, tunnel=18151, intercepted=18152),
    "trafficserver": Peer([["traffic_server", "--run-root={dir}/trafficserver/runroot.yaml"]],
                          plain=18161, tunnel=18161),
    "mitmproxy": Peer([MITMPROXY + ["18171"], MITMPROXY + ["18172", "--ignore-hosts", "127.0.0.1"]],
                      plain=18171, tunnel=18172, intercepted=18171),
    "jitproxy": Peer([[str(BIN / "jitproxy"), "serve", "-c", "{dir}/jitproxy.toml"]],
                     plain=18201, tunnel=18201, intercepted=18201),
}


def shell(*command):
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Place:
    """The directory with certificates, bodies and configurations, and the processes that run from it."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.chmod(0o755)  # some peers change their user
        self.running = {}
        self.certificates()
        self.bodies()
        for name in ("origin.conf", "nginx.conf", "haproxy.cfg", "squid.conf", "tinyproxy.conf"):
            self.configure(name)
        self.prepare_peers()

    # ---- files
    def configure(self, template, to=None, **values):
        text = (HERE / "conf" / template).read_text().replace("@DIR@", str(self.dir))
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (self.dir / (to or template)).write_text(text)

    def certificates(self):
        """Two CAs, for the origin and for the peers that make certificates, and a leaf for localhost of each."""
        extensions = self.dir / "leaf.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        for ca, leaf in (("origin-ca", "origin"), ("peer-ca", "leaf")):
            ca, leaf = self.dir / ca, self.dir / leaf
            shell("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{ca}.key",
                  "-out", f"{ca}.crt", "-days", 30, "-subj", f"/CN=bench {ca.name}",
                  "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
            shell("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", f"{leaf}.key", "-out", f"{leaf}.csr", "-subj", "/CN=localhost")
            shell("openssl", "x509", "-req", "-in", f"{leaf}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key",
                  "-CAcreateserial", "-days", 30, "-out", f"{leaf}.crt", "-extfile", extensions)
            for key in (ca, leaf):
                os.chmod(f"{key}.key", 0o644)
        self.join("leaf.pem", "leaf.crt", "leaf.key")

    def join(self, to, *parts):
        (self.dir / to).write_text("".join(pathlib.Path(self.dir, part).read_text() for part in parts))

    def bodies(self):
        www = self.dir / "www"
        www.mkdir()
        (www / "small.json").write_text('{"id":"msg_01","ok":true,"text":"hello from the origin"}'.ljust(99) + "\n")
        (www / "1m").write_bytes(os.urandom(1 << 20))
        event = "echo 'data: {\"n\":%d,\"delta\":\"some token text\"}'; echo ''; echo_flush;"
        (self.dir / "stream.inc").write_text(" echo_sleep 0.02; ".join(event % n for n in range(5)))

    def prepare_peers(self):
        for port, actions in ((18151, "+add-header{Authorization: Bearer bench}"),
                              (18152, "+https-inspection +add-header{Authorization: Bearer bench}")):
            (self.dir / "privoxy/certs").mkdir(parents=True, exist_ok=True)
            (self.dir / f"privoxy/{port}.action").write_text(f"{{{actions}}}\n/\n")
            self.configure("privoxy.conf", f"privoxy-{port}.conf", PORT=port, ACTIONS=f"{port}.action")
        (self.dir / "mitmproxy").mkdir()
        self.join("mitmproxy/mitmproxy-ca.pem", "peer-ca.key", "peer-ca.crt")
        (self.dir / "squid").mkdir()
        certificates = "/usr/lib/squid/security_file_certgen"
        if os.path.exists(certificates):
            shell(certificates, "-c", "-s", self.dir / "squid/ssl_db", "-M", "4MB")
        self.prepare_trafficserver()
        if os.geteuid() == 0:
            for name, user in (("squid", "proxy"), ("trafficserver", "trafficserver")):
                subprocess.run(["chown", "-R", user, self.dir / name], stderr=subprocess.DEVNULL)

    def prepare_trafficserver(self):
        root = self.dir / "trafficserver"
        shutil.copytree(HERE / "conf/trafficserver", root / "etc")
        for name in ("run", "log", "cache"):
            (root / name).mkdir()
        (root / "etc/storage.config").write_text(f"{root}/cache 16M\n")
        places = {"prefix": root, "exec_prefix": "/usr", "bindir": "/usr/bin", "sbindir": "/usr/sbin",
                  "includedir": "/usr/include", "libdir": "/usr/lib/trafficserver",
                  "libexecdir": "/usr/lib/trafficserver/modules", "sysconfdir": root / "etc",
                  "datadir": root / "cache", "cachedir": root / "cache", "localstatedir": root / "run",
                  "runtimedir": root / "run", "logdir": root / "log"}
        (root / "runroot.yaml").write_text("".join(f"{name}: {place}\n" for name, place in places.items()))

    # ---- processes
    def log(self, name):
        return self.dir / f"{name}.log"

    def start_servers(self):
        """The origin, and the authorization server with an API that answers 403."""
        self.running["origin"] = [machine.spawn(["nginx", "-c", self.dir / "origin.conf"], machine.OTHER_CORES,
                                                self.log("origin"))]
        self.running["emulator"] = [machine.spawn(
            [BIN / "jitproxy-emulator", "--listen", "127.0.0.1:18301", "--api", "127.0.0.1:18302", "--api-tls",
             "127.0.0.1:18303", "--state-dir", self.dir / "emulator", "--rate-limit", "0", "--quiet"],
            machine.OTHER_CORES, self.log("emulator"))]
        for port in (18080, 18443, 18301, 18303):
            if not machine.wait_for_port(port):
                raise RuntimeError(f"nothing listens on {port}; see {self.dir}/*.log")
        self.join("api-cas.crt", "origin-ca.crt", "emulator/emulator-ca.pem")
        (self.dir / "client_secret").write_text("demo-secret\n")
        (self.dir / "client_secret").chmod(0o600)

    def start(self, name, workers=1, cores=machine.PROXY_CORE):
        """A peer, fresh: what ran of it before is ended."""
        self.stop(name)
        peer = PEERS[name]
        if name == "jitproxy":
            self.configure("jitproxy.toml", WORKERS=workers)
        for command in peer.commands:
            command = [part.replace("{dir}", str(self.dir)) for part in command]
            self.running.setdefault(name, []).append(machine.spawn(command, cores, self.log(name)))
        for port in filter(None, peer.ports.values()):
            if not machine.wait_for_port(port):
                raise RuntimeError(f"{name} does not listen on {port}; see {self.log(name)}")
        if name == "jitproxy":
            self.join("both-cas.crt", "jitproxy/ca.pem", "emulator/emulator-ca.pem")
        for _ in range(20):  # some listen before they can do anything
            if self.curl(name, "plain", "/small.json").startswith(b'{"id"'):
                return
            time.sleep(0.2)

    def roles(self, name):
        return list(PEERS[name].ports)

    def leave_out(self, name, role):
        del PEERS[name].ports[role]

    def stop(self, name):
        machine.stop(self.running.pop(name, []))

    def stop_all(self):
        machine.stop([process for group in self.running.values() for process in group])
        self.running.clear()

    def pids(self, name):
        return machine.tree(self.running.get(name, []))

    # ---- how a client reaches it
    def ca(self, name, role):
        if role == "tunnel" or name == "direct":
            return self.dir / "origin-ca.crt"
        return self.dir / ("jitproxy/ca.pem" if name == "jitproxy" else "peer-ca.crt")

    def client(self, mode, name, role, path, *options):
        """The load client's command line."""
        port = PEERS[name].ports[role]
        command = [BIN / "jitproxy-bench-client", mode, ORIGIN[role] + path, "--ca", self.ca(name, role), *options]
        if port:
            command += ["--server" if PEERS[name].reverse else "--proxy", port]
        return list(map(str, command))

    def curl(self, name, role, path, *options):
        port, reverse = PEERS[name].ports[role], PEERS[name].reverse
        command = ["curl", "-sS", "-m", "10", "--cacert", self.ca(name, role),
                   "--noproxy", "*" if not port or reverse else ""]
        if port:
            command += ["--connect-to", f"::127.0.0.1:{port}"] if reverse else ["-x", f"http://127.0.0.1:{port}"]
        done = subprocess.run(list(map(str, [*command, *options, ORIGIN[role] + path])), capture_output=True)
        return done.stdout if done.returncode == 0 else done.stderr

    def check(self, name, role):
        """What is wrong with the answers, or None."""
        for file in ("small.json", "1m"):
            got = self.curl(name, role, "/" + file)
            if got != (self.dir / "www" / file).read_bytes():
                return f"wrong body: {got[:80]!r}"
        got = self.curl(name, role, "/upload", "--data-binary", f"@{self.dir}/www/1m", "-H", "Expect:")
        if got.strip() not in (b"got 1048576", b"got"):  # without a length where it was sent on in chunks
            return f"upload: {got[:80]!r}"
        if self.curl(name, role, "/stream").count(b"data:") != 5:
            return "stream: not whole"
        if name == "jitproxy" and role != "tunnel" and not self.curl(name, role, "/auth").startswith(b"Bearer "):
            return "no bearer was put in"
        return None
