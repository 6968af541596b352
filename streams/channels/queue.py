"""What waits in one partition: until it is due, until it may be tried again, or until it is called back."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from retarget.decode import read_time
from retarget.errors import Rejected
from retarget.messages import Message
from streams.channels.outcomes import Outcome, dead
from streams.channels.state import FOREIGN_KEPT, State, Tries
from streams.kafka.headers import DESTINATION, RepeatFilter, decode_headers
from streams.sealing.records import read

_decode: Final = msgspec.json.Decoder(Message).decode
NEVER: Final = 2**62


class Parcel:
    """One message that waits. Times are epoch ms; `raw` is its record's value."""

    __slots__ = ("due", "expires", "is_sealed", "key", "message", "offset", "raw", "since", "tries")

    def __init__(self, offset: int, key: bytes, raw: bytes, tries: Tries) -> None:
        """Raises Rejected for what is no message."""
        self.offset, self.key, self.raw, self.tries = offset, key, raw, tries
        try:
            self.message = _decode(raw)
        except (ValueError, RecursionError) as error:
            raise Rejected("bad_field", str(error)) from error
        if not _is_id(self.message.message_id):
            found = repr(self.message.message_id)
            raise Rejected("bad_field", f"message_id: found {found}, expected visible ASCII")
        self.is_sealed = read(raw) is not None
        self.due = _time(self.message.not_before, 0)
        self.since = self.due or _time(self.message.decided_at, 0)  # when it could have gone
        self.expires = _end(self.message)

    @property
    def was_sealed(self) -> bool:
        """Whether it came sealed, opened meanwhile or not."""
        return read(self.raw) is not None

    def open(self, value: bytes) -> None:
        """Have the message as it was before it was sealed; `raw` stays. Raises Rejected."""
        message = _decode(value)
        self.expires = _end(message)
        self.message, self.is_sealed = message, False

    @property
    def person(self) -> tuple[str, str | None]:
        """Whose order must hold: the person's, in each audience."""
        return self.message.person, self.message.audience


class Unreadable(msgspec.Struct, frozen=True):
    """A record that is no message."""

    offset: int
    key: bytes
    raw: bytes
    outcome: Outcome


class Queue:
    """The messages of one partition that have not been settled, and where reading goes on."""

    def __init__(self, topic: str, partition: int, state: State, destination: str = "") -> None:
        """Go on from `state`; what waits there is given by `again`.

        Of what is redriven only that is taken which is for this `destination`.
        """
        self._place, self._destination = (topic, partition), destination.encode()
        self.read = state.read
        self.tries = dict(state.waiting)
        self._foreign = dict.fromkeys(state.foreign)
        marks = {(topic, partition, lane): mark for lane, mark in state.marks.items()}
        self._repeats = RepeatFilter(marks)
        self._parcels: dict[int, Parcel] = {}
        self._by_id: dict[str, int] = {}
        self._heap: list[tuple[int, int]] = []
        self.repeated = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._parcels)

    @property
    def state(self) -> State:
        """To be put down."""
        return State(
            read=self.read,
            waiting=dict(self.tries),
            marks={lane: mark for (_, _, lane), mark in self._repeats.marks.items()},
            foreign=list(self._foreign)[-FOREIGN_KEPT:],
        )

    def again(self, offset: int, key: bytes | None, raw: bytes | None) -> Unreadable | None:
        """Take up a message that was waiting when the state was put down."""
        return self._put(offset, key or b"", raw or b"", self.tries[offset])

    def take(
        self, offset: int, key: bytes | None, raw: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> Unreadable | None:
        """Take a record that is new; repeats are dropped and counted. Gives back what is no message."""
        if offset < self.read:
            return None
        self.read = offset + 1
        if dict(headers).get(DESTINATION, self._destination) != self._destination:
            return None
        if not self._repeats.is_new(*self._place, headers):
            self.repeated += 1
            return None
        return self._put(offset, key or b"", raw or b"", Tries(), foreign=decode_headers(headers) is None)

    def _put(
        self, offset: int, key: bytes, raw: bytes, tries: Tries, *, foreign: bool = False
    ) -> Unreadable | None:
        self.tries[offset] = tries
        try:
            parcel = Parcel(offset, key, raw, tries)
        except Rejected as rejected:
            return Unreadable(offset, key, raw, dead("bad_message", rejected.detail))
        if foreign and self._is_known(parcel.message.message_id):
            self.repeated += 1
            del self.tries[offset]
            return None
        self._parcels[offset] = parcel
        self._by_id[parcel.message.message_id] = offset
        heapq.heappush(self._heap, (parcel.due, offset))
        return None

    def _is_known(self, message_id: str) -> bool:
        """Whether a record without headers said so before; it is remembered."""
        if message_id in self._foreign:
            return True
        self._foreign[message_id] = None
        if len(self._foreign) > 2 * FOREIGN_KEPT:
            self._foreign = dict.fromkeys(list(self._foreign)[-FOREIGN_KEPT:])
        return False

    def target(self, recall: Message) -> Parcel | None:
        """The message that a recall means, while it waits."""
        offset = self._by_id.get(recall.recall_of or "")
        return None if offset is None else self._parcels.get(offset)

    def next_due(self) -> int | None:
        """When the next one is due; None without any."""
        while self._heap and not self._is_current(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: int, most: int, *, in_order: bool) -> list[Parcel]:
        """At most so many that are due, by their time; they stay until they are settled or put off."""
        if in_order:
            return list(self._in_order(now, most))
        found: dict[int, Parcel] = {}  # put off and back again, one may stand there twice
        while len(found) < most and (due := self.next_due()) is not None and due <= now:
            _, offset = heapq.heappop(self._heap)
            found[offset] = self._parcels[offset]
        for parcel in found.values():  # what is not handed over after all is found again
            heapq.heappush(self._heap, (parcel.due, parcel.offset))
        return list(found.values())

    def _in_order(self, now: int, most: int) -> Iterator[Parcel]:
        """By offset; nobody's later message goes before, or beside, an earlier one that must wait."""
        held: set[tuple[str, str | None]] = set()
        given = 0
        for offset in sorted(self._parcels):
            parcel = self._parcels[offset]
            if parcel.due > now:
                held.add(parcel.person)
            elif parcel.person not in held:
                held.add(parcel.person)
                given += 1
                yield parcel
            if given >= most:
                return

    def in_doubt(self) -> Iterable[list[Parcel]]:
        """The portions that were handed over without an answer, each whole and in its order."""
        portions: dict[str, list[Parcel]] = defaultdict(list)
        for one in self.parcels():
            if one.tries.doubts and one.tries.portion:
                portions[one.tries.portion].append(one)
        return portions.values()

    def put_off(self, parcel: Parcel, until: int) -> None:
        """Not before this time, epoch ms."""
        parcel.due = until
        heapq.heappush(self._heap, (until, parcel.offset))

    def settle(self, offset: int) -> None:
        """It is done with."""
        self.tries.pop(offset, None)
        parcel = self._parcels.pop(offset, None)
        if parcel is not None and self._by_id.get(parcel.message.message_id) == offset:
            del self._by_id[parcel.message.message_id]

    def give_up(self, parcel: Parcel) -> None:
        """It is done with, and taken again when it is sent again."""
        self._foreign.pop(parcel.message.message_id, None)
        self.settle(parcel.offset)

    def forget(self, message_id: str) -> None:
        """It is a dead letter: what comes once more under this id is no repeat, it has been redriven."""
        self._foreign.pop(message_id, None)

    def lost(self, offsets: Iterable[int]) -> None:
        """What waited and is in its topic no more."""
        for offset in offsets:
            self.tries.pop(offset, None)

    def parcel(self, offset: int) -> Parcel | None:
        """The message that waits at this offset."""
        return self._parcels.get(offset)

    def parcels(self) -> list[Parcel]:
        """All that wait, in order."""
        return [self._parcels[offset] for offset in sorted(self._parcels)]

    def _is_current(self, entry: tuple[int, int]) -> bool:
        due, offset = entry
        parcel = self._parcels.get(offset)
        return parcel is not None and parcel.due == due


def _is_id(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _end(message: Message) -> int:
    """When it is worth nothing any more: by its own expiry, or by that of the code which it promises.

    Who is added to an audience is in it as long as that lasts.
    """
    own, offer = _time(message.expires_at, NEVER), message.offer
    if offer is None or message.operation != "send":
        return own
    return min(own, read_time(offer.expires_at, "offer.expires_at"))


def _time(given: str | None, otherwise: int) -> int:
    return otherwise if given is None else read_time(given)
