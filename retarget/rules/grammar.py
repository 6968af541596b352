"""The form of a rule: every key declared once. Parser, JSON Schema and manual are derived from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from retarget.rules import checks, contradictions
from retarget.rules.model import (
    NEVER,
    Audience,
    Becomes,
    Ceiling,
    Channel,
    Count,
    Date,
    Ending,
    Event,
    OnChange,
    OverCap,
    Pause,
    Purpose,
    Quiet,
    Rule,
    Step,
    SubjectKind,
    Succession,
    Variant,
)
from retarget.rules.places import Place
from retarget.rules.records import Key, Record, Short, Values
from retarget.rules.shapes import Duration, Expression, Limit, Named, Number, OneOf, Several, Text
from retarget.rules.triggers import COUNT, DATE, QUIET, SEQUENCE, TYPE, TYPE_LIST

_NAME: Final = Text("a name: lower-case letters, digits and _, a letter first", "[a-z][a-z0-9_]*", 64)
_LABEL: Final = Text("a label: letters, digits and _ . / -", "[A-Za-z0-9][A-Za-z0-9_./-]*", 128)
_SENTENCE: Final = Text("a sentence")

_CHANNEL: Final = OneOf(
    "channel",
    tuple(name for name in get_args(Channel) if name != "ads"),
    {"ads": "nothing is sent to ads; write `audience: {add: NAME}` in the step"},
)


class _Subject(OneOf, frozen=True):
    """The kind of subject; what the conditions of the document are about from then on."""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        subject = super().read(value, at)
        at.reading.subject = subject if isinstance(subject, str) else None
        return subject


def _ending(values: Values) -> Ending:
    return Ending(event=values.get("event"), same_subject="same" in values, when=values.get("when"))


ENDING: Final = Record(
    what="an ending",
    build=_ending,
    check=checks.ending,
    exactly_one=("event", "when"),
    keys=(
        Key(name="event", shape=TYPE, says="An event of this type ends the episode.", example="purchase"),
        Key(
            name="same",
            shape=OneOf("word", ("subject",)),
            says="Only an event about the episode's own subject.",
            example="subject",
        ),
        Key(name="when", shape=Expression(), says="This condition ends it.", example="cart.size == 0"),
    ),
)

AUDIENCE: Final = Record(
    what="an ad audience",
    build=lambda v: Audience(**v),
    check=checks.audience,
    exactly_one=("add", "by_state"),
    keys=(
        Key(name="add", shape=_LABEL, says="The audience the person joins.", example="cart-left"),
        Key(
            name="by_state",
            shape=Named(_LABEL, _NAME, "state: audience"),
            says="The audience for each state of `becomes`; the person is in exactly one.",
            example={"viewed": "stage-viewed", "bought": "stage-bought"},
        ),
        Key(name="expires", shape=Duration(), says="How long the person stays in it.", example="7d"),
    ),
)


VARIANT: Final = Record(
    what="a variant of a step",
    build=lambda v: Variant(**v),
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
            shape=Several(_CHANNEL, _CHANNEL.what),
            says="Instead of the step's.",
            example=["email"],
        ),
        Key(name="template", shape=_LABEL, says="Instead of the step's.", example="cart-reminder-warm"),
    ),
)


def _pause(values: Values) -> Pause:
    return Pause(purpose=values["purpose"], lasts=values["for"])


PAUSE: Final = Record(
    what="a pause",
    build=_pause,
    keys=(
        Key(
            name="purpose",
            shape=OneOf("purpose", ("marketing", "service")),
            default="marketing",
            says="What the person is spared.",
            example="marketing",
        ),
        Key(
            name="for",
            shape=Duration(),
            required=True,
            says="How long after the decision of step 1, whether its message left or not.",
            example="7d",
        ),
    ),
)


def _step(values: Values) -> Step:
    return Step(condition=values.get("if"), **{key: v for key, v in values.items() if key != "if"})


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
            shape=Several(_CHANNEL, _CHANNEL.what),
            says="The channels in order of choice; the first that can reach the person sends.",
            example=["push", "email"],
        ),
        Key(name="template", shape=_LABEL, says="What the channel sends.", example="cart-reminder-1"),
        Key(
            name="audience",
            shape=AUDIENCE,
            says="The ad audience that the person joins.",
            example={"add": "cart-left", "expires": "7d"},
        ),
        Key(name="if", shape=Expression(), says="The step is left out otherwise.", example="cart.value > 20"),
        Key(
            name="variants",
            shape=Named(VARIANT, _NAME, "variant: what is different in it"),
            says="Forms of the message; each person always gets the same one, by chance.",
            example={"plain": {"weight": 3}, "warm": {"template": "cart-reminder-warm"}},
        ),
    ),
)


def _trigger(values: Values) -> Count | Quiet | Event | Succession | Date | Becomes:
    if "event" in values:
        return Event(of=values["event"])
    if "becomes" in values:
        return Becomes(states=values["becomes"])
    named = (values[key] for key in ("count", "sequence", "date", "quiet") if key in values)
    trigger: Count | Quiet | Succession | Date = next(named)
    return trigger


_AS_NAMED: Final = ("description", "subject", "unless", "again", "priority", "purpose", "tags", "expires",
                    "over_cap", "ceiling", "hold_out", "why", "steps", "pauses", "on_change")  # fmt: skip


def _rule(values: Values) -> Rule:
    same: Mapping[str, Any] = {key: values[key] for key in _AS_NAMED if key in values}
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
        Key(name="rule", shape=_NAME, required=True, says="The rule's name.", example="abandoned_cart"),
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
            name="becomes",
            shape=Named(Expression(), _NAME, "state: condition"),
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
            shape=Several(_LABEL, "tag", least=0),
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
            name="steps",
            shape=Several(STEP, "step"),
            required=True,
            says="What is sent, in order of time.",
            example=[{"channels": ["push", "email"], "template": "cart-reminder-1"}],
        ),
    ),
)
