#!/usr/bin/python3
"""prove_run.py DIRECTORY: runs what docker/prove has unpacked there, as compose.yaml says: read-only root, its user, no
capabilities, process 1 of its own. Wants mounts and a network of its own."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml  # python3-yaml

WORK = pathlib.Path(sys.argv[1])
HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60
ADDRESSES = {"emulator": "172.20.0.2", "jitproxy": "172.20.0.3"}


def sh(*command):
    subprocess.run([str(word) for word in command], check=True)


class Container:
    def __init__(self, image, volumes=(), files=(), tmpfs=(), environment=(), name=None):
        """volumes: (mount point, directory, read-only); files: (mount point, file); tmpfs: (mount point, mode)."""
        self.root = WORK / (name or image)
        if name:
            sh("rm", "-rf", self.root)
            sh("cp", "-a", WORK / image, self.root)
        told = json.loads((WORK / f"{image}.json").read_text())
        self.config = (told.get("Docker") or told)["config"]
        self.environment = [*(self.config.get("Env") or []), *environment]
        self.user = self.config["User"]
        assert self.user == "65532:65532", self.user
        files = [*files, ("/etc/hosts", WORK / "hosts")]
        for point in [v[0] for v in volumes] + [t[0] for t in tmpfs] + ["/proc"]:
            self.at(point).mkdir(parents=True, exist_ok=True)
        for point, _ in files:
            self.at(point).parent.mkdir(parents=True, exist_ok=True)
            self.at(point).touch()
        sh("mount", "--bind", self.root, self.root)
        sh("mount", "-o", "remount,bind,ro", self.root)
        for point, source, read_only in volumes:
            sh("mount", "--bind", source, self.at(point))
            if read_only:
                sh("mount", "-o", "remount,bind,ro", self.at(point))
        for point, source in files:
            sh("mount", "--bind", source, self.at(point))
        for point, mode in tmpfs:
            sh("mount", "-t", "tmpfs", "-o", f"uid=65532,gid=65532,mode={mode}", "tmpfs", self.at(point))
        assert os.statvfs(self.root).f_flag & os.ST_RDONLY

    def at(self, path):
        return self.root / path.lstrip("/")

    def command(self, *words):
        return ["env", "-i", *self.environment, "setpriv", "--no-new-privs", "--bounding-set=-all,+sys_chroot,+setuid,+setgid",
                "/usr/sbin/chroot", f"--userspec={self.user}", "--groups=65532", str(self.root), *words]

    def start(self, arguments=None, **options):
        words = [*self.config["Entrypoint"], *(arguments or self.config["Cmd"])]
        print(f"prove: {' '.join(words)}")
        return subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={self.at('/proc')}",
                                 *self.command(*words)], stdin=subprocess.DEVNULL, **options)

    def healthy(self):
        test = self.config["Healthcheck"]["Test"]
        assert test[0] == "CMD", test
        return subprocess.run(self.command(*test[1:]), capture_output=True, timeout=PATIENCE).returncode == 0


def first_process(unshare):
    """Process 1 of its container, by its number outside."""
    return int(pathlib.Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()[0])


def wait_until(true, process):
    begin = time.monotonic()
    while not true():
        assert process.poll() is None and time.monotonic() - begin < PATIENCE, "it did not come about"
        time.sleep(0.05)
    return time.monotonic() - begin


def prepare():
    sh("ip", "link", "set", "lo", "up")
    for address in ADDRESSES.values():
        sh("ip", "address", "add", f"{address}/32", "dev", "lo")
    (WORK / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for n, a in ADDRESSES.items()))
    sh("mount", "--bind", WORK / "hosts", "/etc/hosts")
    for name in ("state", "ca", "emulator-ca"):
        sh("rm", "-rf", WORK / name)
        sh("install", "-d", "-o", "65532", "-g", "65532", "-m", "700" if name == "state" else "755", WORK / name)


def emulator_state():
    with urllib.request.urlopen("http://emulator:4000/emulator/state", timeout=PATIENCE) as answer:
        return json.load(answer)


def run_agent():
    service = yaml.safe_load((HERE / "compose.yaml").read_text())["services"]["agent"]
    environment = {k: v.replace("/ca/", f"{WORK}/ca/") for k, v in service["environment"].items()}
    done = subprocess.run(["/usr/bin/python3", HERE / "agent.py"], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def status_of(path):
    try:
        with urllib.request.urlopen(f"http://jitproxy:8081{path}", timeout=PATIENCE) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code
    except urllib.error.URLError:
        return None


def prove_pod(manifest):
    """jitproxy's container of a manifest, with its configuration and arguments, and what the kubelet asks it."""
    objects = [o for o in yaml.safe_load_all((HERE / manifest).read_text()) if o]
    specs = [o["spec"] if o["kind"] == "Pod" else o["spec"]["template"]["spec"]
             for o in objects if o["kind"] in ("Pod", "Deployment")]
    described = next(c for spec in specs for c in spec.get("initContainers", []) + spec["containers"]
                     if c["name"] == "jitproxy")
    config = next(o for o in objects if o["kind"] == "ConfigMap")["data"]["jitproxy.toml"]
    name = pathlib.Path(manifest).stem
    (WORK / f"{name}.toml").write_text(config)
    for volume in ("state", "ca"):  # as Kubernetes makes an emptyDir for an fsGroup
        sh("rm", "-rf", WORK / f"{name}-{volume}")
        sh("install", "-d", "-g", "65532", "-m", "2777", WORK / f"{name}-{volume}")
    pod = Container("jitproxy", name=name, tmpfs=[("/tmp", "1777")],
                    volumes=[("/var/lib/jitproxy", WORK / f"{name}-state", False), ("/ca", WORK / f"{name}-ca", False)],
                    files=[("/etc/jitproxy/jitproxy.toml", WORK / f"{name}.toml"),
                           ("/run/secrets/jitproxy/client_secret", HERE / "emulator_secret")],
                    environment=[*(f"{e['name']}={e['value']}" for e in described["env"]),
                                 "LUMOAUTH_URL=http://127.0.0.1:4000", "AGENT_CLIENT_ID=agt_demo"])
    running = pod.start(described["args"])
    try:
        wait_until(lambda: status_of(described["readinessProbe"]["httpGet"]["path"]) == 200, running)
        assert status_of(described["livenessProbe"]["httpGet"]["path"]) == 200
        assert status_of("/v1/status") == 401
        os.kill(first_process(running), signal.SIGTERM)
        assert running.wait(PATIENCE) == 0
    finally:
        running.kill()
    print(f"prove: {manifest}: ready, alive, nothing more without a token; exit 0")


def main():
    prepare()
    emulator = Container("emulator", volumes=[("/ca", WORK / "emulator-ca", False)])
    emulating = emulator.start(["--quiet", *emulator.config["Cmd"]], stdout=subprocess.PIPE, text=True)
    while emulating.stdout.readline() != "ready\n":
        assert emulating.poll() is None, "the emulator ended"
    proxy = Container("jitproxy", tmpfs=[("/run/jitproxy", "0700"), ("/tmp", "1777")],
                      volumes=[("/var/lib/jitproxy", WORK / "state", False), ("/ca", WORK / "ca", False),
                               ("/emulator-ca", WORK / "emulator-ca", True)],
                      files=[("/etc/jitproxy/jitproxy.toml", HERE / "jitproxy.toml"),
                             ("/run/secrets/client_secret", HERE / "emulator_secret")])
    assert not proxy.at("/bin/sh").exists() and not proxy.at("/usr/bin/sh").exists()
    assert not proxy.healthy(), "healthy before it runs"
    running = proxy.start()
    try:
        print(f"prove: healthy after {wait_until(proxy.healthy, running):.1f} s")
        first = first_process(running)
        status = pathlib.Path(f"/proc/{first}/status").read_text()
        assert "\nNSpid:\t" + f"{first}\t1\n" in status and "\nUid:\t65532\t" in status and "CapEff:\t0000000000000000" in status
        print(f"prove: agent: {run_agent()}")
        assert [t for t in emulator_state()["live_tokens"] if t["kind"] == "jit"], "no permission was needed"
        shown = {path.name for path in (WORK / "ca").iterdir()}
        assert shown == {"ca.pem", "ca-bundle.pem", "truststore.p12"}, shown
        assert not any(b"PRIVATE KEY" in path.read_bytes() for path in (WORK / "ca").iterdir())
        begin = time.monotonic()
        os.kill(first, signal.SIGTERM)
        assert running.wait(PATIENCE) == 0, running.returncode
        state = emulator_state()
        assert state["live_tokens"] == [] and state["open_tasks"] == [] and state["violations"] == [], state
        print(f"prove: SIGTERM: exit 0 after {time.monotonic() - begin:.2f} s; live tokens: 0, open tasks: 0")
        assert not proxy.healthy(), "healthy after its end"
        prove_pod("kubernetes.yaml")
        prove_pod("kubernetes-two-pods.yaml")
        os.kill(first_process(emulating), signal.SIGTERM)
        assert emulating.wait(PATIENCE) == 0
    finally:
        running.kill()
        emulating.kill()


if __name__ == "__main__":
    main()
