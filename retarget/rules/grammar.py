"""The form of a rule: every key declared once. Parser, JSON Schema and manual are derived from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from retarget.rules import checks, contradictions
from retarget.rules.model import (
    NEVER,
    Becomes,
    Catalogue,
    Ceiling,
    Count,
    Date,
    Event,
    OnChange,
    OverCap,
    Purpose,
    Quiet,
    Rule,
    Shown,
    Step,
    SubjectKind,
    Succession,
    Trigger,
    Variant,
)
from retarget.rules.parts import AUDIENCE, ENDING, LABEL, NAME, PAUSE, STATES
from retarget.rules.places import Place
from retarget.rules.records import Key, Record, Short, Values
from retarget.rules.sending import CHANNELS, OFFER, OFFER_OR_SAME, with_channels
from retarget.rules.shapes import (
    Amount,
    Duration,
    Expression,
    Limit,
    Named,
    Number,
    OneOf,
    Several,
    Switch,
    Text,
)
from retarget.rules.triggers import CATALOGUE, CATEGORY, COUNT, DATE, QUIET, SEQUENCE, TYPE_LIST

_SENTENCE: Final = Text("a sentence")


class _Subject(OneOf, frozen=True):
    """The kind of subject; what the conditions of the document are about from then on."""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        subject = super().read(value, at)
        at.reading.subject = subject if isinstance(subject, str) else None
        return subject


def _variant(values: Values) -> Variant:
    return Variant(**with_channels(values))


VARIANT: Final = Record(
    what="a variant of a step",
    build=_variant,
    keys=(
        Key(
            name="weight",
            shape=Number(1, 1000),
            default=1,
            says="How many people get it, in proportion to the other weights.",
            example=3,
        ),
        Key(
            name="channels",
            shape=CHANNELS,
            says="Instead of the step's.",
            example=["email"],
        ),
        Key(name="template", shape=LABEL, says="Instead of the step's.", example="cart-reminder-warm"),
        Key(
            name="offer",
            shape=OFFER,
            says="Instead of the step's.",
            example={"percent": 5, "expires": "48h"},
        ),
    ),
)


SHOWN: Final = Record(
    what="a choice of products",
    build=lambda v: Shown(**v),
    keys=(
        Key(
            name="of",
            shape=TYPE_LIST,
            required=True,
            says="The touchpoint types whose products are shown; of those looked at, none bought since.",
            example="view",
        ),
        Key(
            name="within",
            shape=Duration(),
            required=True,
            says="How long before the step is due they may lie.",
            example="7d",
        ),
        CATEGORY,
        Key(
            name="most",
            shape=Number(1, 10),
            default=10,
            says="So many of them at most, that of the latest event first.",
            example=2,
        ),
    ),
)


def _step(values: Values) -> Step:
    same = {key: value for key, value in with_channels(values).items() if key != "if"}
    return Step(condition=values.get("if"), **same)


STEP: Final = Record(
    what="a step",
    build=_step,
    check=checks.step,
    keys=(
        Key(
            name="after",
            shape=Duration(zero=True),
            default=0,
            says="How long after the decision of step 1.",
            example="24h",
        ),
        Key(
            name="channels",
            shape=CHANNELS,
            says="The channels in order of choice; the first that can reach the person sends, or with `all` "
            "each that can.",
            example=["push", "email"],
        ),
        Key(name="template", shape=LABEL, says="What the channel sends.", example="cart-reminder-1"),
        Key(
            name="audience",
            shape=AUDIENCE,
            says="The ad audience that the person joins or leaves.",
            example={"add": "cart-left", "expires": "7d"},
        ),
        Key(
            name="offer",
            shape=OFFER_OR_SAME,
            says="A discount by the person's own code; `same`: what an earlier step offers, once more, and "
            "anew if that step did not come about: give both the same `if`.",
            example={"percent": 10, "expires": "48h"},
        ),
        Key(
            name="if",
            shape=Expression(),
            says="The step is left out otherwise, the first one too; the others come all the same.",
            example="cart.value > 20",
        ),
        Key(
            name="variants",
            shape=Named(VARIANT, NAME, "variant: what is different in it"),
            says="Forms of the message; each person always gets the same one, by chance.",
            example={"plain": {"weight": 3}, "warm": {"template": "cart-reminder-warm"}},
        ),
        Key(name="value", shape=Amount(), says="Instead of the rule's.", example="0.02 * cart.value"),
        Key(
            name="products",
            shape=SHOWN,
            says="What it shows. Else the product, cart or order, or what was last seen and not bought.",
            example={"of": "view", "category": "tv", "within": "7d", "most": 2},
        ),
    ),
)


def _trigger(values: Values) -> Trigger:
    if "event" in values:
        return Event(of=values["event"])
    if "becomes" in values:
        return Becomes(states=values["becomes"])
    named = (values[key] for key in ("count", "sequence", "date", "quiet", "catalogue") if key in values)
    trigger: Count | Quiet | Succession | Date | Catalogue = next(named)
    return trigger


_ASNAMED: Final = ("description", "subject", "unless", "again", "priority", "purpose", "tags", "expires",
                    "over_cap", "ceiling", "hold_out", "why", "steps", "pauses", "value",
                    "guarded", "on_change")  # fmt: skip


def _rule(values: Values) -> Rule:
    same: Mapping[str, Any] = {key: values[key] for key in _ASNAMED if key in values}
    return Rule(
        name=values["rule"],
        version="",
        trigger=_trigger(values),
        condition=values.get("if"),
        **{"description": "", **same},
    )


RULE: Final = Record(
    what="a rule",
    build=_rule,
    check=contradictions.rule,
    exactly_one=checks.TRIGGERS,
    keys=(
        Key(name="rule", shape=NAME, required=True, says="The rule's name.", example="abandoned_cart"),
        Key(
            name="description",
            shape=_SENTENCE,
            says="What it is for, in a sentence.",
            example="Somebody filled a cart and went away.",
        ),
        Key(
            name="subject",
            shape=_Subject("subject", get_args(SubjectKind)),
            required=True,
            says="What an episode is about; there is one per person and subject.",
            example="cart",
        ),
        Key(
            name="count",
            shape=COUNT,
            says="Decided when enough happened in a window.",
            example={"of": "view", "at_least": 3, "within": "24h"},
        ),
        Key(
            name="quiet",
            shape=QUIET,
            says="Decided when nothing more happened for a while.",
            example={"after": "30m", "opens": ["add", "cart"]},
        ),
        Key(name="event", shape=TYPE_LIST, says="Decided at every such event.", example="purchase"),
        Key(
            name="sequence",
            shape=SEQUENCE,
            says="Decided when one event follows another.",
            example={"first": "chat", "then": "add", "within": "2h", "without": "purchase"},
        ),
        Key(
            name="date",
            shape=DATE,
            says="Decided at, before or after a date that is known or expected.",
            example={"trait": "warranty_until", "before": "14d"},
        ),
        Key(
            name="catalogue",
            shape=CATALOGUE,
            says="Decided when the shop changes the price or stock of a product, for all it interests.",
            example={"of": "stock", "when": "listing.stock_before == 0 and listing.stock > 0"},
        ),
        Key(
            name="becomes",
            shape=STATES,
            says="Decided when the first state whose condition holds becomes another one.",
            example={"bought": 'person.stage == "bought"', "viewed": 'person.stage == "viewed"'},
        ),
        Key(
            name="if",
            shape=Expression(),
            says="Judged at the decision; nothing happens otherwise.",
            example="cart.size > 0",
        ),
        Key(
            name="unless",
            shape=Several(Short(ENDING, "event"), "ending"),
            says="What ends an open episode, or starts a count afresh.",
            example=["purchase", {"event": "checkout", "same": "subject"}, {"when": "cart.size == 0"}],
        ),
        Key(
            name="again",
            shape=Duration(zero=True, words={"never": NEVER}),
            default=0,
            says="How long after a decision the next one about the same subject may come.",
            example="24h",
        ),
        Key(
            name="priority",
            shape=Number(0, 100),
            default=50,
            says="Of several decisions at one moment the highest comes first.",
            example=80,
        ),
        Key(
            name="purpose",
            shape=OneOf("purpose", get_args(Purpose)),
            default="marketing",
            says="Why the person is written to; only marketing is capped.",
            example="marketing",
        ),
        Key(
            name="tags",
            shape=Several(LABEL, "tag", least=0),
            says="What caps and preferences can name.",
            example=["cart"],
        ),
        Key(
            name="expires",
            shape=Duration(),
            says="A message is worthless so long after its decision; every step comes sooner.",
            example="48h",
        ),
        Key(
            name="over_cap",
            shape=OneOf("word", get_args(OverCap)),
            default="drop",
            says="A message that a cap stops is dropped, waits for room, or takes the next channel.",
            example="defer",
        ),
        Key(
            name="ceiling",
            shape=Limit(Ceiling),
            says="At most so many messages to everybody together, in each such time by the UTC clock.",
            example="5000/1h",
        ),
        Key(
            name="hold_out",
            shape=Number(0, 1, whole=False),
            default=0,
            says="The share of people who get nothing, for comparison.",
            example=0.1,
        ),
        Key(
            name="why",
            shape=_SENTENCE,
            says="Why the person gets this, in a sentence for them.",
            example="You left something in your cart.",
        ),
        Key(
            name="pauses",
            shape=PAUSE,
            says="What the person is spared from then on, by all rules.",
            example={"purpose": "marketing", "for": "7d"},
        ),
        Key(
            name="on_change",
            shape=OneOf("word", get_args(OnChange)),
            default="anew",
            says="What becomes of open episodes when another version of the rule is published: "
            "evaluated anew by that one, or finished by the version that opened them.",
            example="finish",
        ),
        Key(
            name="value",
            shape=Amount(),
            says="What a message is expected to be worth; `arbitration.window` compares it with others.",
            example="0.05 * cart.value",
        ),
        Key(
            name="guarded",
            shape=Switch(),
            default=False,
            says="It pauses while no `purchase` is heard of for longer than `guard.purchase_silence`.",
            example=True,
        ),
        Key(
            name="steps",
            shape=Several(STEP, "step"),
            required=True,
            says="What is sent, in order of time.",
            example=[{"channels": ["push", "email"], "template": "cart-reminder-1"}],
        ),
    ),
)
