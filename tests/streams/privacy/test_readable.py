from __future__ import annotations

import typing

import msgspec
import pytest

from retarget.journeys.model import (
    Bid,
    CartLine,
    Consent,
    Deferred,
    Episode,
    Given,
    Journey,
    Membership,
    Paid,
    Product,
    Send,
)
from retarget.journeys.repeats import admit
from retarget.times import DAY, HOUR, format_time
from streams.privacy.people import Kept, Person
from streams.privacy.readable import (
    MOMENTS_BY_NAME,
    NUMBERS,
    THOUSANDTHS,
    TIMES,
    kept_as_plain,
    person_as_plain,
)
from tests.factories import NOON


def test_every_part_of_a_journey_is_told_by_its_name() -> None:
    """Carts, products, counts, waits, deferred messages, sends, audiences, offers, consents with grounds."""
    ann = Journey(
        person="ann", user_id="ann", first=NOON, last=NOON + HOUR, traits={"email": "a@example.org"}
    )
    admit(ann, "e1", NOON, DAY)
    ann.carts = {"": {"lamp": CartLine(2, 10.0, NOON)}}
    ann.products = {"lamp": Product(seen=NOON, viewed=NOON, name="Lamp")}
    ann.tallies = {
        "view.product": {"lamp": ["e1", NOON]},
        "view.person:product": {"ann": ["lamp", "e1", NOON]},
    }
    ann.episodes = {"abandoned_cart": {"": Episode("e1", NOON, NOON, NOON + DAY, step=2)}}
    ann.marks = {"abandoned_cart": {"": NOON}}
    ann.sends = [Send(NOON, "r", "", "e1", 1, "push", "marketing", [], "m1", "d1", 0, bid=Bid(1.0, 5, NOON))]
    ann.deferred = [Deferred(NOON + DAY, "win_back", "ann", "e1", 1, NOON)]
    ann.audiences = [Membership("cart-left", "r", "", "e1", NOON, 0, "m2")]
    ann.offers = [Given("CODE", "r", "", "e1", 1, NOON, NOON + DAY, percent=5.0)]
    ann.consents = {"marketing|email": Consent(granted=True, at=NOON, basis="form", text_version="3")}
    ann.joined, ann.ended = {"a7": NOON}, {"purchase": NOON}
    ann.paid, ann.spent = {"o1": Paid("EUR", 12_500)}, {"EUR": 990_000}
    told, noon = kept_as_plain(Kept(3, ann, NOON + DAY)), format_time(NOON)
    assert (told["lane"], told["waits_until"], told["first"]) == (3, format_time(NOON + DAY), noon)
    assert told["events"] == [{"id": "e1", "time": noon}]
    assert told["counted"]["view.product"] == {"lamp": [{"id": "e1", "time": noon}]}
    assert told["counted"]["view.person:product"]["ann"] == [{"value": "lamp", "id": "e1", "time": noon}]
    assert told["carts"] == {"": {"lamp": {"quantity": 2, "price": 10.0, "since": noon}}}
    assert told["episodes"]["abandoned_cart"][""]["due"] == format_time(NOON + DAY)
    assert told["deferred"][0]["release"] == format_time(NOON + DAY)
    assert told["sends"][0]["bid"] == {"value": 1.0, "priority": 5, "due": noon}
    assert told["audiences"][0]["audience"] == "cart-left"
    assert told["offers"][0] | {"code": "CODE", "expires": format_time(NOON + DAY)} == told["offers"][0]
    word = {"granted": True, "at": noon, "basis": "form", "text_version": "3"}
    assert told["consents"] == {"marketing|email": word}
    assert (told["decided_last"], told["joined"]) == ({"abandoned_cart": {"": noon}}, {"a7": noon})
    assert told["ended"] == {"purchase": noon}
    assert (told["paid"]["o1"]["gross"], told["spent"]) == (12.5, {"EUR": 990.0})


def test_of_a_device_that_went_on_nothing_is_told_of_who_else_had_it() -> None:
    """Neither their names, nor how the device is pushed to: whoever asks hears when it was theirs."""
    tokens = {"push_tokens": ["of the device"]}
    device = Journey(person="a1", last=NOON + 5, moved=[(NOON, "ann"), (NOON + HOUR, "bob")], traits=tokens)
    left = Journey(person="a1", last=NOON, moved=[(NOON + HOUR, "bob")], erased=True, erased_at=NOON + 9)
    kept = [Kept(0, Journey(person=name, user_id=name), None) for name in ("ann", "bob")]
    since, until = format_time(NOON), format_time(NOON + HOUR)
    for one, mine, has_it in (
        (kept[0], {"person": "ann", "since": since, "until": until}, False),
        (kept[1], {"person": "bob", "since": until}, True),
    ):
        person = Person(one.name, [one.name, "a1"], [one, Kept(0, device, NOON + DAY)])
        _, told = person_as_plain(person, NOON, "shop")["stored"]
        assert told["is_since"] == [mine]
        assert told.keys() == {"lane", "person", "is_since", "session"} | ({"traits"} if has_it else set())
    (told,) = person_as_plain(Person("bob", ["bob", "a1"], [Kept(0, left, NOON)]), NOON, "shop")["stored"]
    assert told.keys() == {"lane", "person", "is_since", "session"}


@pytest.mark.parametrize("kind", TIMES, ids=lambda kind: kind.__name__)
def test_every_whole_number_of_a_journey_is_known_to_be_a_moment_or_a_number(kind: type) -> None:
    """Whoever adds a field says which of both it is, so that no export shows a moment as a number."""
    hints = typing.get_type_hints(kind)
    whole = {name for name, hint in hints.items() if hint in (int, dict[str, int])}
    named = MOMENTS_BY_NAME | {"earlier"} if kind is Journey else frozenset[str]()
    assert whole == TIMES[kind] | NUMBERS.get(kind, frozenset()) | THOUSANDTHS.get(kind, frozenset()) | named


def test_every_record_of_a_journey_is_told_apart() -> None:
    """Each kind of record that a journey may hold has its moments declared."""
    model = typing.get_type_hints(Journey)
    held = {part for hint in model.values() for part in _parts(hint)}
    inner = {part for kind in held for hint in typing.get_type_hints(kind).values() for part in _parts(hint)}
    assert held | inner | {Journey, Bid} == set(TIMES)


def _parts(hint: object) -> set[type]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return {hint}
    return {part for one in typing.get_args(hint) for part in _parts(one)}
