"""Our worker as a program of the common job: one process with all lanes, told by environment variables.

BOOTSTRAP, TOPIC, GROUP and REDIS are those of the peers' protocol. Messages leave to our own channel topics,
so OUT is not used; METRICS_PORT says where the worker's page is, STAGES where a table of CPU by stage goes.
"""

from __future__ import annotations

import os
import sys

from bench.common_job.engine import CONFIG, RULES
from streams import cli


def arguments() -> list[str]:
    """The command line of `retarget run` for this job."""
    given = {
        "app.id": os.environ["GROUP"],
        "kafka.bootstrap": os.environ["BOOTSTRAP"],
        "kafka.input_topics": os.environ["TOPIC"],
        "store.url": os.environ["REDIS"],
        "rules.dir": str(RULES),
        "web.port": os.environ.get("METRICS_PORT", "0"),
    }
    sets = [f"--set={key}={value}" for key, value in given.items()]
    return ["run", "--config", str(CONFIG), *sets]


def main() -> int:
    """Work until SIGTERM."""
    if "STAGES" not in os.environ:
        return cli.main(arguments())
    from bench.stage_timing import measured  # noqa: PLC0415 - only when it is asked for

    with measured(os.environ["STAGES"]):
        return cli.main(arguments())


if __name__ == "__main__":
    sys.exit(main())
