"""A thief of the local CA's key: the openssl command, which signs whatever it is told to with the key that was stolen."""
import os
import re
import shutil
import subprocess

import pytest

import harness

# Makes a CA for any list of names, and a leaf for each of them; see tests/unit/ca/export_test.cpp.
EXPORTER = harness.BIN.parent / "tests" / "test_ca"

possible = [
    pytest.mark.skipif(not EXPORTER.exists(), reason=f"{EXPORTER} is not built"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

SERVER = "extendedKeyUsage=serverAuth\n"
SIGNER = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"


def run(*args, **kwargs):
    return subprocess.run(args, capture_output=True, text=True, timeout=120, **kwargs)


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
