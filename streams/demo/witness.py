"""What the demo itself knows of the input: every record in the order of its lane, noted before it is sent."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from retarget.decode import decode_canonical
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

# Longer ago than any evidence that a demo shows.
_EVENTS_KEPT: Final = 200_000
_OF_THE_TILL: Final = frozenset({"add", "remove", "cart", "checkout", "payment_failed", "purchase"})


class Deed(NamedTuple):
    """One person's step towards an order: where it stands in its lane, when Kafka got it (epoch s)."""

    nth: int
    handed_over: float
    event: Touchpoint

    def is_about(self, kind: str, subject: str) -> bool:
        """Whether it touches this cart or checkout."""
        if kind == "checkout":
            return self.event.type in ("checkout", "payment_failed") and self.event.checkout_id == subject
        in_cart = self.event.type in ("add", "remove", "cart")
        return kind == "cart" and in_cart and (self.event.cart_id or "") == subject


class Witness:
    """Remembers the input. `lateness` (ms) is how far clocks stay behind."""

    def __init__(self, lanes: int, lateness: int) -> None:
        self.records = 0
        self.sent = [0] * lanes
        self._lateness = lateness
        self._people: set[str] = set()
        self._told = [array("q") for _ in range(lanes)]  # the latest time told, after each record
        self._events: dict[str, Touchpoint] = {}
        self._deeds: defaultdict[str, list[Deed]] = defaultdict(list)
        self._joined: defaultdict[str, set[str]] = defaultdict(set)
        self._stocks: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)

    @property
    def people(self) -> int:
        """How many people have been seen, by their keys."""
        return len(self._people)

    def note(self, lane: int, value: bytes, now: float) -> None:
        """One more record of a lane, about to be sent at `now` (s)."""
        nth, told = self.sent[lane], self._told[lane]
        latest = told[-1] if told else -1
        self.sent[lane] += 1
        try:
            event = decode_canonical(value)
        except Rejected:
            told.append(latest)
            return
        told.append(max(latest, event.time))
        if event.type != "heartbeat":
            self._remember(event, Deed(nth, now, event))

    def _remember(self, event: Touchpoint, deed: Deed) -> None:
        if event.id is None or event.id in self._events:
            return
        self._events[event.id] = event
        if len(self._events) > _EVENTS_KEPT:
            del self._events[next(iter(self._events))]
        if event.person:
            self._people.add(event.person)
        if event.type == "stock_change":
            self._restock(event)
        if event.user_id and event.anonymous_id:
            self._joined[event.user_id].add(event.anonymous_id)
            self._joined[event.anonymous_id].add(event.user_id)
        if event.type in _OF_THE_TILL:
            self._deeds[event.person].append(deed)

    def _restock(self, event: Touchpoint) -> None:
        for item in event.items:
            if item.product_id and item.quantity is not None:
                self._stocks[item.product_id].append((event.time, item.quantity))

    def stock_before(self, product: str, time: int) -> float | None:
        """How many there were until `time`, by what the shop has told; None when it had not."""
        told = [one for one in self._stocks.get(product, ()) if one[0] < time]
        return max(told)[1] if told else None

    def events(self, ids: Iterable[str]) -> list[Touchpoint]:
        """Those of these events that are still remembered, in the order of their times."""
        found = (self._events.get(name) for name in ids)
        return sorted((event for event in found if event is not None), key=lambda event: event.time)

    def deeds(self, person: str) -> list[Deed]:
        """What this person did under this key, in the order of the lane."""
        return self._deeds.get(person, [])

    def others(self, person: str) -> frozenset[str]:
        """The keys that have been joined to this one so far."""
        return frozenset(self._joined.get(person, ()))

    def moved_by(self, lane: int, time: int) -> int:
        """The index of the record that moved the lane's clock to `time`; what stands before it was known."""
        return bisect_left(self._told[lane], time + self._lateness)

    def pieces(self, person: str, cart: str, until: int) -> Counter[str]:
        """How many of each product lay in a cart at `until`."""
        held: Counter[str] = Counter()
        for deed in sorted(self.deeds(person), key=lambda deed: deed.event.time):
            if deed.event.time <= until and deed.is_about("cart", cart):
                _apply(held, deed.event)
        return held


def _apply(held: Counter[str], event: Touchpoint) -> None:
    if event.type == "cart":
        held.clear()
    for item in event.items:
        product = item.product_id or ""
        if event.type != "remove":
            held[product] += int(item.quantity or 1)
        elif item.quantity is None or item.quantity >= held[product]:
            del held[product]
        else:
            held[product] -= int(item.quantity)
