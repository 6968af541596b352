"""The catalogue: what the shop says of its products, apart from what people do with them."""

from retarget.catalogue.listing import UNLISTED, Listing, News, decode, encode, relist
from retarget.catalogue.records import (
    TYPE,
    Fanned,
    as_record,
    pack,
    read_fanned,
    read_record,
    records_of,
    unpack,
)

__all__ = [
    "TYPE", "UNLISTED", "Fanned", "Listing", "News", "as_record", "decode", "encode", "pack", "read_fanned",
    "read_record", "records_of", "relist", "unpack",
]  # fmt: skip
