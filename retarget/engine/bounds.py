"""Bounds: how much is kept of one person, however much they do; the least recent goes first, and is counted.

A robot, a tester or a producer gone wrong may send any number of products, carts, orders and texts for one
person. These bounds are far above what people do. They are looked at when a journey is tidied: every second
day, and at once when it is crowded (`repeats.CROWDED`) with ids of the dedupe window or with products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, chain
from typing import Any, Final, TypeVar

from retarget.engine import caps, reach, recalls
from retarget.engine.moment import Moment
from retarget.engine.recalls import Undoing
from retarget.journeys import carts, repeats
from retarget.journeys.consents import EVERY
from retarget.journeys.model import ANYTHING, Consent, Deferred, Journey, Product
from retarget.journeys.texts import GEO_BYTES, TRAITS_BYTES, short, size
from retarget.rules.matcher import Matcher
from retarget.rules.model import NEVER
from retarget.rules.tallies import KEPT, width

PRODUCTS_KEPT: Final = 500
CART_LINES_KEPT: Final = 500
# Of one rule, or of one tally.
SUBJECTS_KEPT: Final = 200
# Of a rule that decides once for good; and what then stands for every subject.
NEVER_KEPT: Final = 1_000
TALLIED_KEPT: Final = 2_000
# So few subjects cannot have so many events, of KEPT at most each.
_FEW: Final = TALLIED_KEPT // KEPT
IDS_KEPT: Final = repeats.CROWDED // 2
SENDS_KEPT: Final = 500
DEFERRED_KEPT: Final = 200
OFFERS_KEPT: Final = 200
AUDIENCES_KEPT: Final = 200
ENDED_KEPT: Final = 500
CONSENTS_KEPT: Final = 100
_WHOLLY: Final = f"{EVERY}|{EVERY}"
_ADDRESSES: Final = frozenset(key for keys in reach.ADDRESSES.values() for key in keys)

_T = TypeVar("_T")


def keep_within(journey: Journey, matcher: Matcher, at: int, moment: Moment) -> None:
    """Bring every part of a journey within its bound; what is within it costs hardly anything."""
    found = chain(
        _of_shop(journey, moment), _of_rules(journey, matcher), _of_messages(journey, at, moment),
        _of_person(journey),
    )  # fmt: skip
    for kind, count in found:
        if count:
            moment.counts["dropped", kind] += count
    if len(journey.audiences) > AUDIENCES_KEPT:
        moment.counts["dropped", "audience"] += _audiences(journey, matcher, at, moment)


def _of_shop(journey: Journey, moment: Moment) -> Iterator[tuple[str, int]]:
    """What the person has had to do with."""
    if journey.carts and sum(map(len, journey.carts.values())) > CART_LINES_KEPT:
        yield "cart_line", _cart_lines(journey)
    for product in journey.products.values():
        if product.name is not None or product.url is not None or product.image_url is not None:
            _shorten(product)
    if len(journey.products) > PRODUCTS_KEPT:
        yield "product", _products(journey, moment)


def _of_rules(journey: Journey, matcher: Matcher) -> Iterator[tuple[str, int]]:
    """What rules have noted."""
    for name, by_subject in journey.tallies.items():
        if len(by_subject) > _FEW and (gone := _tally(by_subject, width(name))):
            yield "tally", gone
    for episodes in journey.episodes.values():
        if len(episodes) > SUBJECTS_KEPT:
            yield "episode", _oldest(episodes, SUBJECTS_KEPT, lambda episode: episode.touched)
    for rule, marks in journey.marks.items():
        if len(marks) > SUBJECTS_KEPT and (gone := _marks(marks, rule, matcher)):
            yield "mark", gone
    if len(journey.ended) > ENDED_KEPT:
        yield "ending", _oldest(journey.ended, ENDED_KEPT, lambda time: time)


def _of_messages(journey: Journey, at: int, moment: Moment) -> Iterator[tuple[str, int]]:
    """What has been sent, waits to be, or was promised."""
    if len(journey.sends) > SENDS_KEPT and (gone := _sends(journey, at, moment)):
        yield "send", gone
    if len(journey.deferred) > DEFERRED_KEPT:
        yield "deferred", _deferred(journey.deferred)
    if len(journey.offers) > OFFERS_KEPT:
        yield "offer", _cut(journey.offers, OFFERS_KEPT)


def _of_person(journey: Journey) -> Iterator[tuple[str, int]]:
    """What the person has said of themselves, and by which ids."""
    if len(journey.earlier) > IDS_KEPT:
        yield "id", _first(journey.earlier, IDS_KEPT)
    if len(journey.consents) > CONSENTS_KEPT:
        yield "consent", _consents(journey.consents)
    if journey.traits and (gone := _traits(journey.traits)):
        yield "trait", gone
    if journey.geo is not None and len(size(journey.geo)) > GEO_BYTES:
        journey.geo = None
        yield "geo", 1


def _oldest(kept: dict[str, _T], most: int, recent: Callable[[_T], int]) -> int:
    """Drop what has the smallest time beyond `most`; how many."""
    over = len(kept) - most
    for name in sorted(kept, key=lambda name: (recent(kept[name]), name))[:over]:
        del kept[name]
    return over


def _first(kept: dict[str, _T], most: int) -> int:
    """Drop what was put in first beyond `most`; how many."""
    over = len(kept) - most
    for name in list(kept)[:over]:
        del kept[name]
    return over


def _cut(kept: list[_T], most: int) -> int:
    over = len(kept) - most
    del kept[:over]
    return over


def _deferred(kept: list[Deferred]) -> int:
    """What was decided in shadow goes first."""
    over = len(kept) - DEFERRED_KEPT
    gone = {id(one) for one in sorted(kept, key=lambda one: not one.shadow)[:over]}
    kept[:] = [one for one in kept if id(one) not in gone]
    return over


def _marks(marks: dict[str, int], rule: str, matcher: Matcher) -> int:
    """Where `again` is never none is forgotten: with too many of them one holds for every subject."""
    if rule not in matcher.rules or matcher.rules[rule].rule.again != NEVER:
        return _oldest(marks, SUBJECTS_KEPT, lambda time: time)
    if len(marks) <= NEVER_KEPT:
        return 0
    latest = max(marks.values())
    gone = _oldest(marks, SUBJECTS_KEPT, lambda time: time)
    marks[ANYTHING] = latest
    return gone


def _sends(journey: Journey, at: int, moment: Moment) -> int:
    """What a cap still counts stays: the caps bound it. Of the rest what may be recalled goes last."""
    found = caps.counting(journey, moment.policy)
    free = [send for send in journey.sends if not caps.still_counts(send, found, at)]
    free.sort(key=lambda send: (send.until > at, send.at, send.message_id))
    gone = {id(send) for send in free[: len(journey.sends) - SENDS_KEPT]}
    journey.sends = [send for send in journey.sends if id(send) not in gone]
    return len(gone)


def _cart_lines(journey: Journey) -> int:
    over = sum(map(len, journey.carts.values())) - CART_LINES_KEPT
    lines = [(line.since, cart, name) for cart, held in journey.carts.items() for name, line in held.items()]
    for _, cart, name in sorted(lines)[:over]:
        carts.drop(journey, cart, name)
    return over


def _products(journey: Journey, moment: Moment) -> int:
    """What is in a cart goes last: the carts are bounded by themselves."""
    products = journey.products
    over = len(products) - PRODUCTS_KEPT
    order = sorted(products, key=lambda name: (bool(products[name].carted), products[name].seen, name))
    gone = [name for name in order[:over] if not products[name].carted]
    for name in gone:
        if products.pop(name).followed:
            moment.follow(name, journey.person, follows=False)
    return len(gone)


def _shorten(product: Product) -> None:
    for field in ("name", "url", "image_url"):
        setattr(product, field, short(getattr(product, field)))


def _tally(by_subject: dict[str, list[Any]], wide: int) -> int:
    """Whole subjects, so that what is counted of the others is right."""
    if len(by_subject) <= SUBJECTS_KEPT and sum(map(len, by_subject.values())) <= TALLIED_KEPT * wide:
        return 0
    latest = sorted(by_subject, key=lambda name: (by_subject[name][-1], name), reverse=True)
    sizes = accumulate(len(by_subject[name]) // wide for name in latest)
    gone = [
        name
        for number, (name, size) in enumerate(zip(latest, sizes, strict=True))
        if number >= SUBJECTS_KEPT or size > TALLIED_KEPT
    ]
    for name in gone:
        del by_subject[name]
    return len(gone)


def _audiences(journey: Journey, matcher: Matcher, at: int, moment: Moment) -> int:
    """Whoever is in too many leaves them in form: the channel must hear of it."""
    over = len(journey.audiences) - AUDIENCES_KEPT
    for membership in journey.audiences[:over]:
        recalls.leave(journey, membership, Undoing(recalls.rule_of(matcher, membership), at, ""), moment)
    return over


def _consents(words: dict[str, Consent]) -> int:
    """Grants go first. A denial is never forgotten, only widened: what goes becomes a no to everything."""
    over = len(words) - CONSENTS_KEPT
    order = sorted(words.keys() - {_WHOLLY}, key=lambda key: (not words[key].granted, words[key].at, key))
    gone = [words.pop(key) for key in order[:over]]
    latest = max((word.at for word in gone if not word.granted), default=0)
    if latest and (_WHOLLY not in words or words[_WHOLLY].at < latest):
        words[_WHOLLY] = Consent(granted=False, at=latest, basis="too many words")
    return over


def _traits(traits: dict[str, Any]) -> int:
    """Addresses go last; else what was told first."""
    sizes: Mapping[str, int] = {name: len(size(name)) + len(size(value)) for name, value in traits.items()}
    whole, before = sum(sizes.values()), len(traits)
    for name in sorted(sizes, key=lambda name: name in _ADDRESSES):
        if whole <= TRAITS_BYTES:
            break
        whole -= sizes[name]
        del traits[name]
    return before - len(traits)
