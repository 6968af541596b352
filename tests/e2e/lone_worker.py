"""`retarget run`, but without a group, as the demo does it: a start takes a second instead of a rebalance."""

import argparse
import asyncio

from streams.commands.run import work
from streams.settings import load_settings

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", action="append", default=[])
    asyncio.run(work(load_settings(None, {}, parser.parse_args().set), alone=True))
