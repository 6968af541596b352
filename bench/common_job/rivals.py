"""Other programs on the same job: how each starts, and how many times its CPU must be ours."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from bench.common_job.measure import Program
from bench.common_job.peers import ROOT, Peers, PeersMissing

BUILT: Final = ROOT / ".peers"
_REMEDY: Final = "`make peers` installs the Python programs and builds those for the JVM"
_HEAP: Final = "-Xms2g -Xmx2g -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
# Flink looks into these on Java 17.
_OPENS: Final = " ".join(
    f"--add-opens=java.base/java.{part}=ALL-UNNAMED"
    for part in ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent",
                 "util.concurrent.atomic", "util.concurrent.locks")
) + " --add-opens=java.base/sun.nio.ch=ALL-UNNAMED"  # fmt: skip
_ROUTE: Final = '"$BOOTSTRAP" "$TOPIC" "$OUT" "$GROUP" "$STATE_DIR"'


class Rival(NamedTuple):
    """Another program on the job.

    `times`: how many times our CPU it must use. `copies`: the most of the data set it is given, for the slow
    ones. `warm`: it is given twice as many, and its start is a run over half of them, so that the figure is
    that of a warm JVM: what it takes to get warm varies by what half a million events cost.
    """

    name: str
    what: str
    module: str  # of Python; for the JVM the folder that it was built in
    command: str  # for a shell, in the run's environment
    times: float
    copies: int = 12
    warm: bool = False


_FAUST: Final = '"$PYTHON" -m faust -A {} --loop uvloop worker -l warn --without-web'
_BYTEWAX: Final = '"$PYTHON" -m bytewax.recovery "$STATE_DIR" 1 && exec "$PYTHON" -m bytewax.run'
_FLINK: Final = f'java {_HEAP} {_OPENS} -cp "$BUILT/fl/classes:$BUILT/fl/libs/*" peers.FlinkPeer {_ROUTE}'

# The settings are those that their own folder gives for them.
RIVALS: Final = (
    Rival("faust_redis_take", "stock Faust with Redis, batched by hand", "faust",
          "exec " + _FAUST.format("faust_redis_take"), 12, copies=3),
    Rival("faust_redis", "stock Faust with Redis, per event", "faust",
          "exec " + _FAUST.format("faust_redis"), 60, copies=1),
    Rival("bytewax_part", "Bytewax, exact timers", "bytewax",
          _BYTEWAX + ' -r "$STATE_DIR" -s 10 -b 0 bytewax_part', 2),
    Rival("quix_group", "Quix Streams with exact messages", "quixstreams",
          'exec "$PYTHON" quix_group.py', 5, copies=3),
    Rival("ks", "Kafka Streams exactly_once_v2", "ks",
          f'exec java {_HEAP} -cp "$BUILT/ks/classes:$BUILT/ks/libs/*" peers.KafkaStreamsPeer {_ROUTE} '
          "exactly_once_v2 64 default", 1 / 1.25, warm=True),
    Rival("flink_rocksdb", "Flink exactly-once, RocksDB state", "fl",
          f"exec {_FLINK} rocksdb exactly-once", 1, warm=True),
    Rival("flink_heap", "Flink exactly-once, heap state (wanted of the compiled core)", "fl",
          f"exec {_FLINK} hashmap exactly-once", 1 / 1.5, warm=True),
)  # fmt: skip


def rival(name: str) -> Rival:
    """The one of that name. Raises PeersMissing with the names that there are."""
    for one in RIVALS:
        if one.name == name:
            return one
    raise PeersMissing(f"no program {name!r}; known: {', '.join(one.name for one in RIVALS)}")


def program(peers: Peers, one: Rival) -> Program:
    """What to start for it. Raises PeersMissing where it is not installed, with the remedy."""
    if not _installed(one.module):
        raise PeersMissing(f"{one.name}: {one.module} is not installed; {_REMEDY}")
    command = ["sh", "-c", f'PYTHON="{_python()}" BUILT="{BUILT}"; {one.command}']
    return Program(one.name, command, peers.folder / "python", [f"messages-{one.name}"])


def _python() -> str:
    """The interpreter that has the Python programs' libraries."""
    own = BUILT / "venv" / "bin" / "python"
    return os.environ.get("RETARGET_PEERS_PYTHON") or (str(own) if own.is_file() else sys.executable)


@cache
def _installed(module: str) -> bool:
    if module in ("ks", "fl"):
        return Path(BUILT / module / "classes").is_dir()
    command = [_python(), "-c", f"import {module}, orjson"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
