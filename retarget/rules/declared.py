"""Templates and audiences that are declared for a folder of rules, and rules that name others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from retarget.rules.checks import drafts
from retarget.rules.conditions import Vocabulary
from retarget.rules.names import KnownNames, unknown
from retarget.rules.parts import LABEL
from retarget.rules.places import Document, Place, Reading
from retarget.rules.records import Draft, Key, Record, Values, within
from retarget.rules.sending import OF_MESSAGES, channels_named
from retarget.rules.shapes import Several, Shape

_MOST: Final = 10_000


def _labels(what: str) -> Shape:
    return Several(LABEL, what, least=0, most=_MOST, single=True)


def _of_channel(channel: str) -> Key:
    says = f"Templates that the channel {channel} has, beside those that are found without this."
    return Key(name=channel, shape=_labels("template"), says=says, example=["cart-reminder-4"])


TEMPLATES: Final = Record(
    what="templates by channel",
    build=dict,
    keys=tuple(map(_of_channel, OF_MESSAGES)),
)
NAMES: Final = Record(
    what="what rules may name",
    build=dict,
    keys=(
        Key(
            name="templates",
            shape=TEMPLATES,
            says="The templates of each channel.",
            example={"email": ["tvs-compared"], "direct_mail": ["brochure"]},
        ),
        Key(
            name="audiences",
            shape=_labels("audience"),
            says="The ad audiences; with `sets`, what `add` says, or each `ADD-SET`.",
            example=["cart-left"],
        ),
    ),
)


def read_names(documents: Iterable[Document]) -> tuple[KnownNames, list[str]]:
    """All that the documents declare, and a line for each problem."""
    found = KnownNames()
    problems: list[str] = []
    for document in documents:
        reading = Reading(document, Vocabulary({}))
        draft = NAMES.read(document.data, reading.root)
        problems += reading.lines
        if isinstance(draft, Draft):
            found |= _read(draft.values)
    return found, problems


def _read(values: Values) -> KnownNames:
    templates = {channel: _texts(listed) for channel, listed in within(values, "templates").items()}
    return KnownNames(templates, _texts(values.get("audiences")))


def _texts(listed: object) -> frozenset[str]:
    found = listed if isinstance(listed, tuple) else ()
    return frozenset(one for one in found if isinstance(one, str))


def of_rule(values: Values, at: Place) -> None:
    """Templates that one of their channels does not have, and audiences that nobody knows."""
    known = at.reading.document.names
    if known is None:
        return
    for place, _, found in drafts(values, "steps", at):
        for here, channels, template in _templates(found, place):
            _template(template, channels, known, here)
        for here, audiences in _audiences(within(found, "audience"), place.child("audience")):
            _audience(audiences, known, here)


def _templates(step: Values, at: Place) -> Iterator[tuple[Place, tuple[str, ...], str]]:
    """Each template of a step, and of its variants, with the channels that send it, where it is written."""
    own, variants = channels_named(step), step.get("variants")
    senders = set(own) if not isinstance(variants, Mapping) else set()
    for name, draft in variants.items() if isinstance(variants, Mapping) else ():
        form = draft.values if isinstance(draft, Draft) else {}
        channels, template = channels_named(form) or own, form.get("template")
        if isinstance(template, str):
            yield at.child("variants").child(name).child("template"), channels, template
        elif template is None:
            senders.update(channels)
    if isinstance(step.get("template"), str):
        yield at.child("template"), tuple(one for one in OF_MESSAGES if one in senders), step["template"]


def _template(name: str, channels: Iterable[str], known: KnownNames, at: Place) -> None:
    missing = [channel for channel in channels if name not in known.templates.get(channel, ())]
    if missing:
        there = {one for channel in missing for one in known.templates.get(channel, ())}
        said = unknown(f"template of {', '.join(missing)}", name, there)
        at.problem(f"{said}; else declare it in a file *.names.yaml beside the rule")


def _audiences(audience: Values, at: Place) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """Each audience, where it is written; one by sets with those of its sets, which may be known instead."""
    add, by_state = audience.get("add"), audience.get("by_state")
    if isinstance(add, str):
        yield at.child("add"), (add, *_by_sets(add, audience.get("sets")))
    if isinstance(audience.get("remove"), str):
        yield at.child("remove"), (audience["remove"],)
    for state, name in by_state.items() if isinstance(by_state, Mapping) else ():
        if isinstance(name, str):
            yield at.child("by_state").child(state), (name,)


def _by_sets(add: str, sets: object) -> Iterator[str]:
    return (f"{add}-{name}" for name in (sets if isinstance(sets, Mapping) else ()))


def _audience(names: tuple[str, ...], known: KnownNames, at: Place) -> None:
    own, *of_sets = names
    if own in known.audiences or (of_sets and known.audiences.issuperset(of_sets)):
        return
    missing = next((name for name in of_sets if name not in known.audiences), own)
    said = unknown("audience", missing if known.audiences.intersection(of_sets) else own, known.audiences)
    at.problem(f"{said}; else declare it in a file *.names.yaml beside the rule")
