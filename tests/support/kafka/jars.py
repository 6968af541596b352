"""Apache Kafka's own jars, fetched once by Maven and kept in a cache folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "4.1.0"
_POM: Final = Path(__file__).with_name("pom.xml")
_MAVEN_S: Final = 600.0


class KafkaMissing(Exception):
    """No real Kafka can be had on this machine; the sentence says what is missing."""


def classpath() -> str:
    """The Java class path of Kafka's server. Raises KafkaMissing when Java is, or its jars cannot be had."""
    if shutil.which("java") is None:
        raise KafkaMissing("no Docker engine answers, and there is no java on the PATH")
    libs = _home() / "libs"
    if not libs.is_dir():
        _fetch(libs)
    return f"{libs}/*"


def _home() -> Path:
    """A Kafka installation, or our cache that looks like one; RETARGET_KAFKA_HOME overrides it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("RETARGET_KAFKA_HOME") or cache / "retarget" / f"kafka-{VERSION}")


def _fetch(libs: Path) -> None:
    if shutil.which("mvn") is None:
        raise KafkaMissing(f"no Docker engine answers, there is no mvn on the PATH, and no jars in {libs}")
    libs.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=libs.parent) as folder:
        target = Path(folder) / "libs"
        command = [
            "mvn",
            "-q",
            "-B",
            "-f",
            str(_POM),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={target}",
        ]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_MAVEN_S, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            raise KafkaMissing(f"Maven could not fetch Kafka's jars:\n{done.stdout[-2000:]}")
        # All or nothing: a folder that is there is complete. Another run may have been quicker.
        if not libs.is_dir():
            target.rename(libs)
