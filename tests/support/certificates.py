"""An authority and a certificate for this machine, made by openssl for one test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.support.missing import unavailable


class Certificates(NamedTuple):
    """PEM files: the authority's, the server's key with its certificate, and both apart."""

    authority: Path
    both: Path
    key: Path
    certificate: Path


def certificates(folder: Path) -> Certificates:
    """New ones for 127.0.0.1; skips without openssl."""
    if shutil.which("openssl") is None:
        unavailable("there is no openssl on the PATH")
    authority, key, certificate = (folder / name for name in ("ca.pem", "key.pem", "cert.pem"))
    _openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", str(authority),
        "-days", "2", "-subj", "/CN=an authority for a test",
    )  # fmt: skip
    _openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", "server.csr",
        "-subj", "/CN=127.0.0.1",
    )  # fmt: skip
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl(
        folder, "x509", "-req", "-in", "server.csr", "-CA", str(authority), "-CAkey", "ca.key",
        "-CAcreateserial", "-out", str(certificate), "-days", "2", "-extfile", "names",
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return Certificates(authority, both, key, certificate)


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder, timeout=60)
