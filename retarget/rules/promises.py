"""What is wrong with offers: amounts of no currency, codes that end too soon, advice that is for sale.

As in `checks`, values may be missing or BAD: their problems have been noted already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from retarget.rules.checks import drafts, several
from retarget.rules.model import SAME
from retarget.rules.places import Place
from retarget.rules.records import Draft, Values
from retarget.times import format_duration

_ADVICE: Final = "advice"
_IN_MONEY: Final = ("amount", "minimum_basket", "least_margin")


def offer(values: Values, at: Place) -> None:
    """Money has a currency."""
    for key in _IN_MONEY:
        if key in values and "currency" not in values:
            at.child("currency").problem(f"missing; known: {key} is in a currency, such as EUR")
            return
    if "currency" in values and not any(key in values for key in _IN_MONEY):
        known = ", ".join(_IN_MONEY)
        at.child("currency").problem(f"found currency without an amount; known: beside one of {known}")


def of_rule(values: Values, at: Place) -> None:
    """Offers go with a message, never with advice, and last as long as what says them."""
    for place, _, step in drafts(values, "steps", at):
        for here, _ in _offers(place, step):
            if "channels" not in step:
                here.problem("found offer without channels; known: channels: [push, email] and a template")
            elif _ADVICE in several(values, "tags"):
                here.problem(
                    f"found an offer in a rule tagged {_ADVICE}, which helps to choose and sells nothing by "
                    "price; known: another tag, or no offer"
                )
    _expiries(values, at)


def _offers(place: Place, step: Values) -> Iterator[tuple[Place, Any]]:
    """Every offer of a step, those of its variants too, and where it stands."""
    if "offer" in step:
        yield place.child("offer"), step["offer"]
    variants = step.get("variants")
    for name, draft in variants.items() if isinstance(variants, Mapping) else ():
        if isinstance(draft, Draft) and "offer" in draft.values:
            yield place.child("variants").child(name).child("offer"), draft.values["offer"]


class _Series:
    """The offers of one step, and the last step that says them once more."""

    def __init__(self, place: Place, step: Values) -> None:
        found = [
            (here, one.values.get("expires")) for here, one in _offers(place, step) if isinstance(one, Draft)
        ]
        self.codes = [(here.child("expires"), good) for here, good in found if isinstance(good, int)]
        self.offers = bool(found)
        self.begins = self.ends = _after(step)
        self.last = place

    def goes_on(self, place: Place, step: Values) -> None:
        """Another step says them."""
        self.ends, self.last = max(self.ends, _after(step)), place

    def judge(self, lasts: int) -> None:
        """Note each code that ends before the last message that says it does, `lasts` ms after its due."""
        later = self.ends - self.begins
        for here, good in self.codes:
            if good < later + lasts or (later and good <= later):
                here.problem(
                    f"found {format_duration(good)}, when {_whose(self.last, later)} may still come; known: "
                    f"{_least(later, lasts)}"
                )


def _expiries(values: Values, at: Place) -> None:
    """A code outlives the message that says it, and every later one that says it once more."""
    said, series = values.get("expires"), None
    found: list[_Series] = []
    for place, _, step in drafts(values, "steps", at):
        if step.get("offer") == SAME:
            if series is None:
                place.child("offer").problem(
                    f"found {SAME}, but no step before this one offers anything; known: an offer"
                )
            else:
                series.goes_on(place, step)
        own = _Series(place, step)
        if own.offers:
            series = own
            found.append(own)
    for one in found:
        one.judge(said if isinstance(said, int) else 0)


def _after(step: Values) -> int:
    after = step.get("after")
    return after if isinstance(after, int) else 0


def _whose(last: Place, later: int) -> str:
    number = int(last.path[-1]) + 1
    return f"step {number}, which says it {format_duration(later)} later," if later else "the message"


def _least(later: int, lasts: int) -> str:
    if lasts:
        return f"at least {format_duration(later + lasts)}, as the message's own expires"
    return f"longer than {format_duration(later)}"
