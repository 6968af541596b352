"""Two of our workers as one program of the common job, so that their CPU is counted together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def main() -> int:
    """Work until SIGTERM; the worse of the two exit codes."""
    environments = (
        {"RETARGET_APP_WORKER_ID": "one"},
        {"RETARGET_APP_WORKER_ID": "two", "METRICS_PORT": "0"},
    )
    command = [sys.executable, "-m", "bench.common_job.worker"]
    workers = [subprocess.Popen(command, env={**os.environ, **each}) for each in environments]

    def stop(_signal: int, _frame: object) -> None:
        for worker in workers:
            worker.terminate()

    signal.signal(signal.SIGTERM, stop)
    return max(worker.wait() for worker in workers)


if __name__ == "__main__":
    sys.exit(main())
