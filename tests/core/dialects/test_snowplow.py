"""Snowplow's fields are named after schemas: whatever they are called, both readers find the same in them."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from retarget.dialects import snowplow
from retarget.dialects.strict import snowplow as strict
from retarget.dialects.strict.snowplow import MOST_FORMS

_SHOP: Final = "contexts_com_snowplowanalytics_snowplow_ecommerce"
_ACTED: Final = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"
_EVENT: Final = {
    "event_id": "e1", "collector_tstamp": "2026-03-01T10:00:00.900Z", "event": "unstruct",
    "derived_tstamp": "2026-03-01 10:00:00.000", "user_id": "u1", "event_name": "snowplow_ecommerce_action",
    _ACTED: {"type": "add_to_cart"}, f"{_SHOP}_product_1": [{"id": "p1", "price": 3.5}],
}  # fmt: skip


def both(value: bytes) -> tuple[Any, Any]:
    """What the strict reader says, and the tolerant one."""
    return strict.read(value), snowplow.from_record(snowplow.parse(value))


def written(**more: Any) -> bytes:  # noqa: ANN401 - JSON
    """The event with other fields."""
    return json.dumps({**_EVENT, **more}).encode()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {f"{_SHOP}_cart_1": [{"cart_id": "c1", "total_value": 9, "currency": "EUR"}]},
        {"contexts_com_snowplowanalytics_snowplow_web_page_1": [{"id": "w"}], "contexts_com_acme_x_1": [{}]},
        {"mkt_campaign": "spring", "mkt_medium": "cpc", "geo_country": "DE", "geo_latitude": "52.5"},
        {_ACTED: {"type": "list_view", "terms": ["a", "b"]}, f"{_SHOP}_page_1": [{"type": "search"}]},
    ],
)
def test_what_is_usual_is_read_strictly_and_alike(more: dict[str, Any]) -> None:
    """Products, what happened and the other entities, beside fields that nobody needs."""
    strictly, tolerantly = both(written(**more))
    assert strictly is not None
    assert strictly == tolerantly


@pytest.mark.parametrize(
    "value",
    [
        written().replace(b'"unstruct_event_com', b'"\\u0075nstruct_event_com'),
        written(**{f"{_SHOP}_product_2": [{"id": "p2"}]}),
        written(unstruct_event_com_acme_x_1={"type": "refund"}),
        written(page_title=f'"{_SHOP}_cart_1" in quotes'),
        written(**{_ACTED: '{"type": "add_to_cart"}'}),
    ],
)
def test_what_hides_or_doubles_a_name_is_left_to_the_tolerant_reader(value: bytes) -> None:
    """An escape in a name, two schemas of one kind, JSON as text."""
    assert strict.read(value) is None
    assert snowplow.from_record(snowplow.parse(value)).type in ("add", "refund")


def test_a_name_within_something_else_is_no_field_of_the_event() -> None:
    """What stands in a free-form object is the producer's."""
    inner = {f"{_SHOP}_cart_1": [{"cart_id": "inner"}]}
    strictly, tolerantly = both(written(**{_ACTED: {"type": "add_to_cart", "traits": inner}}))
    assert strictly is not None
    assert strictly == tolerantly
    assert (strictly.cart_id, strictly.traits) == (None, inner)


@pytest.mark.parametrize(
    "more",
    [
        {_ACTED: {"type": "add_to_cart", " source": "x"}},
        {_ACTED: {"type": "add_to_cart", " campaign": {"name": "x"}}},
        {_ACTED: {"type": "add_to_cart", " items": [{"product_id": "x"}]}},
        {" happened": {"cart_id": "x"}, " cart": [{"cart_id": "x"}], "product": [{"id": "x"}]},
    ],
)
def test_what_a_field_is_called_within_is_no_name_of_one(more: dict[str, Any]) -> None:
    """Whoever sends the names that only the struct has says nothing by it."""
    strictly, tolerantly = both(written(**more))
    assert strictly in (None, tolerantly)
    assert (tolerantly.source, tolerantly.campaign, tolerantly.cart_id) == (None, None, None)


@pytest.mark.parametrize(
    "more",
    [
        {f"{_SHOP}_transaction_1": [{}], f"{_SHOP}_refund_1": [{"transaction_id": "o2"}]},
        {f"{_SHOP}_transaction_1": [{"transaction_id": "o1"}], f"{_SHOP}_refund_1": []},
        {f"{_SHOP}_refund_1": [{"transaction_id": "o1", "refund_amount": 3}]},
        {f"{_SHOP}_transaction_error_1": [{"transaction_id": "o1", "currency": ""}],
         f"{_SHOP}_cart_1": [{"currency": "EUR", "total_value": 0}]},
        {f"{_SHOP}_checkout_step_1": [{"coupon_code": "TEN"}], f"{_SHOP}_page_1": [{"type": None}]},
        {f"{_SHOP}_cart_1": [{"cart_id": ""}, {"cart_id": "c2"}]},
        {"unstruct_event_": {"type": "refund"}, "contexts_com_snowplowanalytics_snowplow_": [{"id": "x"}]},
    ],
)  # fmt: skip
def test_entities_say_the_same_to_both(more: dict[str, Any]) -> None:
    """Which of several orders counts, and what is empty, is for the tolerant reader to weigh."""
    strictly, tolerantly = both(written(**more))
    assert strictly in (None, tolerantly)


@pytest.mark.parametrize("kept", [{"unstruct_event_": {"type": "refund"}}, {}])
def test_a_schema_without_a_name_is_not_taken_for_none(kept: dict[str, Any]) -> None:
    """One after the other, so that what was learned of the one is not used for the other."""
    event = {name: one for name, one in _EVENT.items() if name != _ACTED}
    others: list[dict[str, Any]] = [kept, {"contexts_com_snowplowanalytics_snowplow_": []}, {}]
    for more in others:
        strictly, tolerantly = both(json.dumps({**event, **kept, **more}).encode())
        assert strictly in (None, tolerantly)


def test_names_beyond_the_most_that_are_learned_are_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever sends ever new names fills no memory; what is known stays quick."""
    monkeypatch.setattr(strict, "_forms", {})
    for number in range(MOST_FORMS + 3):
        value = written(**{f"contexts_com_snowplowanalytics_snowplow_x{number}_1": [{}]})
        strictly, tolerantly = both(value)
        assert (strictly is None) == (number >= MOST_FORMS)
        assert tolerantly == (strictly or tolerantly)
    assert len(strict._forms) == MOST_FORMS  # noqa: SLF001 - what must not grow
    assert strict.read(written(contexts_com_snowplowanalytics_snowplow_x0_1=[{}])) is not None
