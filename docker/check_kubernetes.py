#!/usr/bin/python3
"""check_kubernetes.py FILE...: Kubernetes manifests against the schemas, and what docs/container.md says of them.

The schemas are those of the npm package kubernetes-models, installed below build/prove. That the check can fail is
checked too.
"""
import copy
import json
import pathlib
import subprocess
import sys

import yaml  # python3-yaml

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "build/prove/npm"
VERSION = "5.1.0"


def install():
    if not (MODELS / "node_modules/kubernetes-models").is_dir():
        MODELS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", MODELS,
                        f"kubernetes-models@{VERSION}"], check=True, stdin=subprocess.DEVNULL)


def complaints(objects):
    done = subprocess.run(["node", HERE / "check_kubernetes.js", MODELS], input=json.dumps(objects), text=True,
                          capture_output=True)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return done.stdout.splitlines()


def pod_spec(o):
    return o["spec"] if o["kind"] == "Pod" else o.get("spec", {}).get("template", {}).get("spec", {})


def containers(objects):
    return {c.get("name"): c for o in objects for kind in ("initContainers", "containers")
            for c in pod_spec(o).get(kind, [])}


def mounts(container):
    return {m["name"]: m.get("readOnly", False) for m in container.get("volumeMounts", [])}


def check_meaning(objects):
    """The agent has the certificate, read-only, and neither the key nor the secret; the proxy is confined."""
    named = containers(objects)
    agent, proxy = named["agent"], named["jitproxy"]
    shared = set(mounts(agent)) & set(mounts(proxy))
    assert shared <= {"ca"} and all(mounts(agent)[name] for name in shared), shared
    assert not any("secretKeyRef" in json.dumps(e) for e in agent.get("env", []))
    context = proxy["securityContext"]
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"]["drop"] == ["ALL"]
    assert proxy["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert proxy["livenessProbe"]["httpGet"]["path"] == "/healthz"
    for o in objects:
        for c in pod_spec(o).get("initContainers", []):
            assert c["name"] != "jitproxy" or c["restartPolicy"] == "Always"


def check_itself(objects):
    """Three mistakes that must be found."""
    for spoil, found in ((lambda c: c.update(imag="x"), "imag is unknown"),
                         (lambda c: c.update(image=3), 'image type {"type":"string"}'),
                         (lambda c: c.pop("name"), 'required {"missingProperty":"name"}')):
        spoilt = copy.deepcopy(objects)
        spoil(containers(spoilt)["jitproxy"])
        assert any(found in line for line in complaints(spoilt)), found


def main():
    install()
    for name in sys.argv[1:]:
        objects = [o for o in yaml.safe_load_all(pathlib.Path(name).read_text()) if o]
        wrong = complaints(objects)
        assert not wrong, "\n".join(wrong)
        check_itself(objects)
        check_meaning(objects)
        print(f"check_kubernetes: {name}: {len(objects)} objects are as the schemas want them")


if __name__ == "__main__":
    main()
