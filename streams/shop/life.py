"""What becomes of people between their visits: habits, breaks, leaving, and all that is not the web shop."""

from __future__ import annotations

from random import Random
from typing import Final

from retarget.times import DAY, HOUR, MINUTE, SECOND
from retarget.touchpoints import Touchpoint
from streams.shop import account
from streams.shop.catalogue import Shelf
from streams.shop.draw import around, chance, pick
from streams.shop.funnel import FUNNEL
from streams.shop.people import meet, refill_gap
from streams.shop.presence import Presence
from streams.shop.timeline import Aside, Moment, Process
from streams.shop.visit import visit

_WITH_ACCOUNT: Final = 0.65
_PASSERS_BY_WITH_ACCOUNT: Final = 0.08
_FEELINGS: Final = ("positive", "positive", "neutral", "negative")
_NETWORKS: Final = ("photo-network", "short-video", "forum")
_LONG_BREAK: Final = (65 * DAY, 150 * DAY)
_COMES_BACK_TO_PAY_AFTER: Final = 9 * HOUR
_PAGES_OF_A_BOT: Final = (30, 90)
_SHORTEST_BREAK: Final = 40 * MINUTE


def regular(shelf: Shelf, rng: Random, now: int, opening_ms: int) -> Process:
    """One place among the regulars: somebody's life with the shop, and when they leave, the next one's."""
    while True:
        person = meet(rng, shelf.shop.categories, known=chance(rng, _WITH_ACCOUNT))
        guest = Presence(person=person, shelf=shelf, rng=rng)
        invited = opening_ms > 0 and person.habits.awake(now)
        if invited:
            guest.to_cart = FUNNEL.to_cart_at_opening
            now = yield round(rng.random() * opening_ms)
        else:
            now = yield _next_visit(guest, now)
        opening_ms = 0
        now = yield from _life(guest, now)


def _life(guest: Presence, now: int) -> Moment:
    """Visit after visit until the person stays away for good; gives back when that was."""
    rng = guest.rng
    refill = _Refill(guest)
    while not guest.gone:
        yield from refill.on_visit(now) if refill.wanted(now) else visit(guest)
        yield from _happenings(guest)
        guest.to_cart = FUNNEL.to_cart
        now = yield around(rng, _SHORTEST_BREAK)
        if chance(rng, FUNNEL.lapses):
            now = yield rng.randint(*_LONG_BREAK)
            guest.gone = guest.gone or not chance(rng, FUNNEL.returns)
        now = yield _next_visit(guest, now)
    return now


def _next_visit(guest: Presence, now: int) -> int:
    if guest.wants_to_pay:
        return around(guest.rng, _COMES_BACK_TO_PAY_AFTER)
    return guest.person.habits.next_visit(guest.rng, now)


class _Refill:
    """The one product that a household uses up and buys again; most have none."""

    def __init__(self, guest: Presence) -> None:
        self._guest = guest
        category = guest.person.staple
        self._product = guest.shelf.choose(guest.rng, category) if category else None
        self._due = 0

    def wanted(self, now: int) -> bool:
        """Whether it is used up."""
        return self._product is not None and now >= self._due

    def on_visit(self, now: int) -> Process:
        """A visit for this product; when it does not come to an order, the next one is for it again."""
        guest, product = self._guest, self._product
        assert product is not None
        if self._due == 0:  # the shop meets people at any point of what they have at home
            self._due = now + round(guest.rng.random() * refill_gap(guest.rng))
            yield from visit(guest)
            return
        yield from visit(guest, product)
        if product.product_id in guest.last_order:
            self._due = now + refill_gap(guest.rng)


def _happenings(guest: Presence) -> Process:
    """What people do now and then besides shopping online."""
    rng = guest.rng
    if guest.person.user_id is None and chance(rng, FUNNEL.registers):
        yield from account.register(guest)
    if chance(rng, FUNNEL.chat):
        yield around(rng, 20 * SECOND)
        yield guest.sign(Touchpoint(type="chat", channel="onsite", sentiment=pick(rng, _FEELINGS)))
    guest.session_id = ""
    if guest.known and chance(rng, FUNNEL.social):
        yield around(rng, 2 * HOUR)
        network, feeling = pick(rng, _NETWORKS), pick(rng, _FEELINGS)
        yield guest.sign(Touchpoint(type="social", channel=network, medium="earned", sentiment=feeling))
    if guest.known and chance(rng, FUNNEL.store_visit):
        yield around(rng, HOUR)
        store = f"S-{rng.randint(1, 6)}"
        yield guest.sign(
            Touchpoint(type="store_visit", store_id=store, geo={"country": guest.person.country})
        )


def passers_by(shelf: Shelf, rng: Random, regulars: int) -> Process:
    """Without end: people who come once, most of them never to be known."""
    per_ms = regulars * FUNNEL.passers_by / DAY
    while True:
        yield round(rng.expovariate(per_ms))
        yield Aside(_one_visit(shelf, rng))


def _one_visit(shelf: Shelf, rng: Random) -> Process:
    person = meet(rng, shelf.shop.categories, known=chance(rng, _PASSERS_BY_WITH_ACCOUNT))
    yield from visit(Presence(person=person, shelf=shelf, rng=rng))


def bot(shelf: Shelf, rng: Random) -> Process:
    """Without end: a program that reads the catalogue, page after page, at the speed of programs."""
    crawler = Presence(person=meet(rng, shelf.shop.categories, known=False), shelf=shelf, rng=rng)
    products, at = shelf.shop.products, 0
    while True:
        yield around(rng, FUNNEL.bot_visit_every)
        crawler.arrive()
        for _ in range(rng.randint(*_PAGES_OF_A_BOT)):
            at = (at + 1) % len(products)
            yield crawler.sign(Touchpoint(type="view", items=[shelf.item(products[at])]))
            yield around(rng, SECOND)
