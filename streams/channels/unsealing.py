"""Messages opened before they are handed over; what becomes of those that are not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from retarget.errors import Rejected
from streams.channels.outcomes import Outcome, What, dead
from streams.channels.queue import Parcel
from streams.sealing.opening import Unopened

Open = Callable[[Sequence[bytes]], Awaitable[list[bytes | Unopened]]]
ERASED: Final[What] = "erased"
# So long the store is given to come to the batch of a message, ms.
UNSEEN_FOR: Final = 200


async def unsealed(
    opening: Open | None, portion: Sequence[Parcel], now: int
) -> list[tuple[Parcel, Outcome | What | None]]:
    """Open what is sealed; which are not, with what ends them: None where they are to be tried again."""
    sealed = [parcel for parcel in portion if parcel.is_sealed]
    if not sealed:
        return []
    if opening is None:
        no_key = dead("no_key", "it is sealed, and privacy.keys is not set")
        return [(parcel, no_key) for parcel in sealed]
    found = await opening([parcel.raw for parcel in sealed])
    fates = ((parcel, _fate(parcel, one, now)) for parcel, one in zip(sealed, found, strict=True))
    return [(parcel, fate) for parcel, fate in fates if parcel.is_sealed]


def _fate(parcel: Parcel, found: bytes | Unopened, now: int) -> Outcome | What | None:
    if isinstance(found, bytes):
        try:
            parcel.open(found)
        except Rejected as rejected:
            return dead("bad_message", rejected.detail)
    elif found is Unopened.GONE:
        return ERASED
    elif found is Unopened.FOREIGN:
        return dead("no_key", found.value)
    else:
        parcel.tries.failed += 1
        parcel.tries.since = parcel.tries.since or now
    return None
