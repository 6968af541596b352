"""How much memory a demo took, over all its processes."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_KIB = 1024


def peak_bytes(children: Iterable[int]) -> int:
    """The sum of the peaks of this process and of these: no less than they ever had at one time."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB here, macOS bytes.
    return (own if sys.platform == "darwin" else own * _KIB) + sum(map(_of_child, children))


def _of_child(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _present(pid)
    peaks = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(next(peaks, "0")) * _KIB


def _present(pid: int) -> int:
    """What a process has at the moment, where no peak is to be had."""
    if not Path("/bin/ps").exists():
        return 0
    asked = ["/bin/ps", "-o", "rss=", "-p", str(pid)]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return int(said) * _KIB if said.isdigit() else 0
