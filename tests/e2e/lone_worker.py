"""`retarget run`, but without a group, as the demo does it: a start takes a second instead of a rebalance."""

import argparse
import asyncio

from streams.kafka.address import address_of
from streams.lanes.shelved import own_publication, shelved_bundles
from streams.logs import configure_logs
from streams.settings import Settings, load_settings
from streams.stores import open_store
from streams.worker import Worker


async def main(settings: Settings) -> None:
    """Work until told to stop."""
    address, own = address_of(settings), own_publication(settings)
    async with shelved_bundles(settings, address, own) as bundles:
        store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
        await Worker(settings, bundles, store, address, alone=True).run()
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", action="append", default=[])
    chosen = load_settings(None, {}, parser.parse_args().set)
    configure_logs(chosen.log.format, chosen.log.level)
    asyncio.run(main(chosen))
