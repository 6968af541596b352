"""Parts of rules in plain words, for people who read what a change of rules means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from retarget.rules.conditions import Condition, Formula
from retarget.rules.model import (
    NEVER,
    Audience,
    Becomes,
    Catalogue,
    Ceiling,
    Count,
    Date,
    Ending,
    Event,
    Offer,
    OnChange,
    OverCap,
    Pause,
    Quiet,
    Rule,
    Shown,
    Step,
    SubjectKind,
    Succession,
    Variant,
)
from retarget.times import DAY, HOUR, MINUTE, format_duration


def span(ms: int) -> str:
    """A duration as one says it: `30 min`, `36 h`, `7 days`."""
    for unit, word in ((DAY, "days"), (HOUR, "h")):
        if ms >= 2 * unit and ms % unit == 0:
            return f"{ms // unit} {word}"
    return f"{ms // MINUTE} min" if ms and ms % MINUTE == 0 else format_duration(ms)


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *before, end = names
    return f"{', '.join(before)} {last} {end}" if before else end


def again(ms: int) -> str:
    """How soon the same may be decided once more."""
    return {0: "every time", NEVER: "never"}.get(ms) or f"after {span(ms)}"


def subject(kind: SubjectKind) -> str:
    """What an episode is about."""
    return f"each {kind}"


def ending(one: Ending, kind: SubjectKind) -> str:
    """What ends an episode."""
    if one.when is not None:
        return f"the state {one.when.text}"
    same = kind if one.same == "subject" else one.same
    return f"{one.event} of the same {same}" if same else str(one.event)


def trigger(of: Rule) -> str:  # noqa: PLR0911 - one line for each trigger
    """When a rule is decided."""
    match of.trigger:
        case Quiet(after=after, opens=opens, touches=touches, when=when):
            since = f"the last {listed(touches, 'or')}" if touches else listed(opens, "or")
            return f"{span(after)} after {since}{_if(when)}"
        case Count(of=types, at_least=least, within=within, distinct=distinct, category=category):
            what = f"{least} events of {listed(types)}"
            if distinct:
                what = f"{least} different values of {distinct} in {listed(types)}"
            return f"at {what}{_in(category)} within {span(within)}"
        case Event(of=types):
            return f"at every {listed(types, 'or')}"
        case Becomes(states=states):
            turned = [f"{name} (if {condition.text})" for name, condition in states.items()]
            return f"when the state turns to {listed(turned, 'or')}"
        case Succession(first=first, then=then, within=within, without=without):
            between = f" with no {listed(without, 'or')} between" if without else ""
            return f"at every {listed(then, 'or')} within {span(within)} after {listed(first, 'or')}{between}"
        case Date():
            return _date(of.trigger)
        case Catalogue(of=changed, within=within, when=when):
            looked = f"of what was viewed, carted or wished for within {span(within)}"
            return f"when the {listed(changed, 'or')} changes{_if(when)}, {looked}"


def _if(when: Condition | None) -> str:
    return f" if {when.text}" if when is not None else ""


def _in(category: str | None) -> str:
    return f" of the category {category}" if category is not None else ""


def counted_category(category: str | None) -> str:
    """Which events of its types a count looks at."""
    return f"those{_in(category)} only" if category is not None else "those of any category"


def _date(of: Date) -> str:
    yearly = "each year, " if of.every else ""
    if of.trait is not None:
        return f"{yearly}{shift(of.shift)} the date in {of.trait}"
    else_after = f" (else {otherwise(of.otherwise)})" if of.otherwise else ""
    return f"{shift(of.shift)} the time when the next {listed(of.interval, 'or')} is expected{else_after}"


def shift(ms: int) -> str:
    """How far from a date."""
    return "at" if not ms else f"{span(abs(ms))} {'before' if ms < 0 else 'after'}"


def otherwise(of: Mapping[str, int]) -> str:
    """When something of a category is expected again, where the person's own interval is unknown."""
    return listed([f"{category} after {span(ms)}" for category, ms in of.items()]) if of else "nothing"


def beside(of: Rule) -> Iterable[str]:
    """What a rule says beside its trigger, condition and steps."""
    if of.unless:
        yield f"ended by {listed([ending(one, of.subject) for one in of.unless], 'or')}"
    yield f"again for the same: {again(of.again)}"
    yield f"priority {of.priority}, purpose {of.purpose}"
    said = {
        "tagged {}": listed(of.tags) if of.tags else None,
        "messages expire after {}": of.expires and span(of.expires),
        "capped messages are {}": of.purpose == "marketing" and over_cap(of.over_cap),
        "sends {}": of.ceiling and ceiling(of.ceiling),
        "{} of the people are held out": of.hold_out and share(of.hold_out),
        "stops {}": of.pauses and pauses(of.pauses),
        "is worth {}": of.value and of.value.text,
        "pauses by itself when no purchases are heard of: {}": of.guarded and "yes",
        "the person is told {}": of.why and quoted(of.why),
        "open episodes, at the next change: {}": of.on_change != "anew" and on_change(of.on_change),
    }
    yield from (form.format(words) for form, words in said.items() if words)


def over_cap(word: OverCap) -> str:
    """What becomes of a message for which a cap has no room."""
    return {"drop": "dropped", "defer": "put off", "next_channel": "moved to the next channel"}[word]


def ceiling(of: Ceiling | None) -> str:
    """What a rule may send to everybody together."""
    return (
        "without a ceiling" if of is None else f"at most {of.most} messages in {span(of.within)} to everybody"
    )


def pauses(of: Pause | None) -> str:
    """What a rule spares a person."""
    return "nothing else" if of is None else f"all {of.purpose} to the person for {span(of.lasts)}"


def shown(of: Shown | None) -> str:
    """Which products a message shows."""
    if of is None:
        return "what the subject says"
    seen = f"{listed(of.of, 'or')}{_in(of.category)} within {span(of.within)}"
    return f"at most {of.most} products of {seen}"


def variants(of: Mapping[str, Variant]) -> str:
    """The forms of a step, each with its share and with what is its own."""
    total = sum(one.weight for one in of.values())
    return listed([f"{name} ({_variant(one, total)})" for name, one in of.items()]) if of else "none"


def _variant(of: Variant, total: int) -> str:
    where = channels(of) if of.channels else None
    sent = f"template {quoted(of.template)}" if of.template else None
    promised = f"offering {offer(of.offer)}" if of.offer is not None else None
    own = [words for words in (where, sent, promised) if words]
    return ", ".join([f"{of.weight} of {total}", *own])


def on_change(word: OnChange) -> str:
    """What becomes of open episodes when a rule changes."""
    return {"finish": "finished as they began", "anew": "evaluated anew"}[word]


def channels(of: Step | Variant) -> str:
    """Where a step goes."""
    if of.every:
        return f"on each of {listed(of.channels)} that may be used"
    return f"on {', else '.join(of.channels)}" if of.channels else "on no channel"


def audience(of: Audience | None) -> str:
    """Which ad audience a step puts people into, or takes them out of."""
    if of is None:
        return "no audience"
    if of.remove is not None:
        return f"out of the audience {of.remove}"
    stated = [f"{name} in the state {state}" for state, name in of.by_state.items()]
    names = listed(stated) if stated else str(of.add)
    until = f" for {span(of.expires)}" if of.expires else ""
    parted = f", by product set: {listed(_product_sets(of))}" if of.sets else ""
    return f"into the audience {names}{until}{parted}"


def _product_sets(of: Audience) -> list[str]:
    return [f"{name} ({condition.text})" for name, condition in of.sets.items()]


def offer(of: Offer | str | None) -> str:
    """What a step offers."""
    if of is None:
        return "nothing"
    if isinstance(of, str):
        return "the same as before"
    what = f"{_number(of.percent)} %" if of.percent is not None else _money(of.amount, of)
    basket = f" from {_money(of.minimum_basket, of)} on" if of.minimum_basket is not None else ""
    least = of.least_margin
    left = f" while {_money(least, of)} of the margin are left" if least is not None else ""
    pool = f" by codes of the pool {of.codes}" if of.codes else ""
    return f"{what} off{basket} for {span(of.expires)}{left}{pool}"


def _money(amount: float | None, of: Offer) -> str:
    return f"{_number(amount or 0)} {of.currency}"


def _number(number: float) -> str:
    """All of its digits, so that what differs reads differently."""
    short = f"{number:.15g}"
    return short if float(short) == number else repr(number)


def share(of: float) -> str:
    """A share of people as one says it."""
    return f"{of * 100:.15g} %" if float(f"{of:.15g}") == of else f"a share of {of!r}"


def step(of: Step) -> str:
    """A whole step: when and where it goes, and on what condition."""
    when = f"{span(of.after)} after step 1, " if of.after else ""
    into = f", {audience(of.audience)}" if of.audience else ""
    only = f", only if {of.condition.text}" if of.condition else ""
    promised = f", offering {offer(of.offer)}" if of.offer is not None else ""
    showing = f", showing {shown(of.products)}" if of.products else ""
    drawn = f", in the variants {variants(of.variants)}" if of.variants else ""
    worth = f", worth {of.value.text}" if of.value else ""
    return f"{when}{channels(of)}{into}{promised}{showing}{drawn}{worth}{only}"


def quoted(text: str) -> str:
    """A text of the author's, or that there is none."""
    return f"“{text}”" if text else "nothing"


def generic(value: Any) -> str:  # noqa: ANN401 - whatever a rule holds
    """Any part of a rule for which there are no words of its own."""
    if value is None or value in ((), "", {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    found = _plain(value)
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a rule holds
    if isinstance(value, Condition | Formula):
        return value.text
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value
