"""Merging: what two journeys know, put into one of them, as if one person had done it all, in order of time.

It does not matter which of several others comes first, nor whether something is known to both. What cannot be
told from what is kept stays as the known person had it.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from retarget.engine.episodes import EVIDENCE_KEPT
from retarget.journeys import carts, codes, repeats, scores, spending
from retarget.journeys.facts import ORDERS_KEPT, SESSION_GAP
from retarget.journeys.model import CartLine, Episode, Journey, Product, Session, Tally
from retarget.rules import tallies

_T = TypeVar("_T")


def merge(journey: Journey, other: Journey, window: int) -> None:
    """Put what another journey knows into this one. `window`: how long ids of events are known, ms."""
    repeats.unite(journey, other, window)
    _products(journey, other)
    _carts(journey, other)
    _orders(journey, other)
    _tallies(journey, other)
    _rules(journey, other)
    _said(journey, other)
    _visits(journey, other)


def _visits(journey: Journey, other: Journey) -> None:
    starts = [first for first in (journey.first, other.first) if first]
    journey.first, journey.last = min(starts, default=0), max(journey.last, other.last)
    journey.session = _session(*sorted((journey.session, other.session), key=lambda one: one.last))
    journey.tidied = min(journey.tidied, other.tidied)


def _session(earlier: Session, later: Session) -> Session:
    """The visit that goes on; both, where they are one."""
    if not earlier.last or later.started - earlier.last > SESSION_GAP:
        return later
    return Session(min(earlier.started, later.started), later.last, earlier.events + later.events)


def _products(journey: Journey, other: Journey) -> None:
    journey.products = dict(journey.products)  # without figures
    for name, theirs in other.products.items():
        mine = journey.products.get(name)
        journey.products[name] = theirs if mine is None else _product(mine, theirs)


def _product(mine: Product, theirs: Product) -> Product:
    """As it looked to them last; what that did not show is as the other look had it."""
    later, earlier = (mine, theirs) if mine.seen >= theirs.seen else (theirs, mine)
    return replace(
        later,
        viewed=max(mine.viewed, theirs.viewed),
        wished=max(mine.wished, theirs.wished),
        carted=max(mine.carted, theirs.carted),
        bought=max(mine.bought, theirs.bought),
        regarded=max(mine.regarded, theirs.regarded),
        category=_first(later.category, earlier.category),
        price=_first(later.price, earlier.price),
        name=_first(later.name, earlier.name),
        url=_first(later.url, earlier.url),
        image_url=_first(later.image_url, earlier.image_url),
        followed=mine.followed or theirs.followed,
        offer=_first(mine.offer, theirs.offer),
        priced=_priced(later, earlier),
        currency=later.currency if later.price is not None else earlier.currency,
        personalisation=_first(later.personalisation, earlier.personalisation),
    )


def _priced(later: Product, earlier: Product) -> int:
    """When the price that is kept was told."""
    if later.price is not None or earlier.price is None:
        return later.priced
    return earlier.priced if earlier.priced > 0 else earlier.seen


def _first(one: _T | None, another: _T | None) -> _T | None:
    return another if one is None else one


def _carts(journey: Journey, other: Journey) -> None:
    """Both contents, without what either side bought after it had been put in."""
    for cart_id, theirs in other.carts.items():
        mine = journey.carts.setdefault(cart_id, {})
        for product_id, line in theirs.items():
            mine[product_id] = _line(mine[product_id], line) if product_id in mine else line
    for cart_id in list(journey.carts):
        for product_id, line in list(journey.carts[cart_id].items()):
            product = journey.products.get(product_id)
            if product is not None and line.since < product.bought:
                carts.drop(journey, cart_id, product_id)


def _line(mine: CartLine, theirs: CartLine) -> CartLine:
    later, earlier = (mine, theirs) if mine.since >= theirs.since else (theirs, mine)
    return CartLine(mine.quantity + theirs.quantity, _first(later.price, earlier.price), later.since)


def _orders(journey: Journey, other: Journey) -> None:
    """An order that both know counts once; those of the other are numbered behind the known person's own."""
    common = sum(order in journey.orders for order in other.orders)
    number = journey.order_count
    for order in other.orders:
        if order not in journey.orders:
            number += 1
            journey.orders[order] = number
    journey.order_count += other.order_count - common
    for order in list(journey.orders)[: max(len(journey.orders) - ORDERS_KEPT, 0)]:
        del journey.orders[order]
    spending.unite(journey, other, ORDERS_KEPT)


def _tallies(journey: Journey, other: Journey) -> None:
    for name, theirs in other.tallies.items():
        mine, wide = journey.tallies.setdefault(name, {}), tallies.width(name)
        for subject, tally in theirs.items():
            mine[subject] = _tally(mine[subject], tally, wide) if subject in mine else tally


def _tally(mine: Tally, theirs: Tally, wide: int) -> Tally:
    """Every event of both once, in order of time."""
    entries = {
        tuple(tally[at : at + wide]): None for tally in (mine, theirs) for at in range(0, len(tally), wide)
    }
    ordered = sorted(entries, key=lambda entry: entry[-1])
    return [part for entry in ordered[-tallies.KEPT :] for part in entry]


def _rules(journey: Journey, other: Journey) -> None:
    """What rules have noted, decided and sent."""
    for rule, theirs in other.episodes.items():
        mine = journey.episodes.setdefault(rule, {})
        for subject, episode in theirs.items():
            mine[subject] = _episode(mine[subject], episode) if subject in mine else episode
    for rule, marks in other.marks.items():
        latest(journey.marks.setdefault(rule, {}), marks)
    latest(journey.ended, other.ended)
    latest(journey.pauses, other.pauses)
    # The last year of a yearly rule; years are compared as they are written.
    journey.states = {
        rule: max(other.states.get(rule, ""), journey.states.get(rule, ""))
        for rule in other.states | journey.states
    }
    known = {send.message_id for send in journey.sends}
    sends = [*journey.sends, *(send for send in other.sends if send.message_id not in known)]
    journey.sends = sorted(sends, key=lambda send: (send.at, send.message_id))
    journey.deferred = [*journey.deferred, *(d for d in other.deferred if d not in journey.deferred)]
    codes.unite(journey, other)
    # The known person's own arm wins.
    journey.arms = other.arms | journey.arms


def latest(mine: dict[str, int], theirs: dict[str, int]) -> None:
    """Of each name the later time."""
    for name, time in theirs.items():
        mine[name] = max(time, mine.get(name, time))


def _episode(mine: Episode, theirs: Episode) -> Episode:
    """The one that has come further goes on; of two equal ones the earlier opening and the later due."""
    first, second = sorted((mine, theirs), key=lambda one: (-one.step, one.opened, one.opened_by))
    last = max(first, second, key=lambda one: one.touched)
    same = first.step == second.step
    return replace(
        first,
        touched=last.touched,
        due=max(first.due, second.due) if same else first.due,
        decided=max(first.decided, second.decided) if same else first.decided,
        counts={
            kind: first.counts.get(kind, 0) + second.counts.get(kind, 0)
            for kind in first.counts | second.counts
        },
        evidence=_evidence(first, second, last),
        trace=last.trace or first.trace or second.trace,
        products=last.products or first.products or second.products,
        about=list(dict.fromkeys([*first.about, *second.about])),
    )


def _evidence(first: Episode, second: Episode, last: Episode) -> list[str]:
    """The opening event and the latest touches."""
    other = second if last is first else first
    known = list(dict.fromkeys([*first.evidence[:1], *other.evidence, *last.evidence]))
    return [*known[:1], *known[1:][1 - EVIDENCE_KEPT :]]


def _said(journey: Journey, other: Journey) -> None:
    """What the person has said of themselves: the latest word of consent, the known person's own traits."""
    words = [*other.consents.items(), *journey.consents.items()]
    # A denial comes behind a grant of the same moment, and what comes behind decides.
    words.sort(key=lambda pair: (pair[1].at, not pair[1].granted))
    journey.consents = {}
    for key, word in words:
        before = journey.consents.pop(key, word)
        journey.consents[key] = replace(word, refused=max(word.last_refusal, before.last_refusal))
    journey.asked = other.asked | journey.asked
    told = scores.united(journey, other)
    journey.traits = other.traits | journey.traits | told
    if journey.geo is None or (other.geo is not None and other.last > journey.last):
        journey.geo = other.geo
    journey.bounced += [channel for channel in other.bounced if channel not in journey.bounced]
    journey.erased = journey.erased or other.erased
    journey.sender = journey.sender or other.sender
    chats = [chat for chat in (journey.chat, other.chat) if chat is not None]
    journey.chat = max(chats, default=None)
    journey.anonymous_id = journey.anonymous_id or other.anonymous_id or other.person
    for anonymous, at in other.joined.items():
        journey.joined[anonymous] = max(at, journey.joined.get(anonymous, at))
