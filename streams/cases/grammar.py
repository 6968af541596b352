"""The form of test cases: every key declared once. Parser, JSON Schema and manual are derived from here."""

from __future__ import annotations

from typing import Any, Final, get_args

from retarget.engine import gates
from retarget.rules.model import Channel
from retarget.rules.records import Key, Record, Values
from retarget.rules.shapes import Named, Number, OneOf, Several, Text
from streams.cases import checks
from streams.cases.events import ANY_CHANNEL, EVENT, ID, LABEL, PRODUCT, SENTENCE
from streams.cases.model import NO_OFFER, Case, CaseFile, Expected, Kind, Waiting, worth
from streams.cases.shapes import DATE, FLAG, MOMENT, ZONE, Given, fields

# A Monday: nobody sleeps, and no clock is put forward or back in the weeks after it but one.
START: Final = "2024-03-04 10:00"

_RULE: Final = Text("the name of a rule", "[a-z][a-z0-9_]*", 64)
_CHANNEL: Final = OneOf(
    "channel",
    tuple(name for name in get_args(Channel) if name != "ads"),
    {"ads": "nothing is sent to ads; write `joined: AUDIENCE` or `left: AUDIENCE`"},
)
_GATE: Final = OneOf(
    "gate",
    tuple(name for name in gates.NAMES if name != "quiet_hours"),
    {"quiet_hours": "quiet hours put off; write `deferred: MOMENT`, when they end"},
)
_STEP: Final = Number(1, 100)
_OFFER: Final = Text("an offer such as 10 % or 5 EUR, or none", r"none|[0-9]+(\.[0-9]+)? (%|[A-Z]{3})", 20)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def _expected(values: Values) -> Expected:
    kind = next(kind for kind in KINDS if kind in values)
    same = {key: value for key, value in values.items() if key not in KINDS}
    if same.get("offer", NO_OFFER) != NO_OFFER:
        number, _, unit = same["offer"].partition(" ")
        same["offer"] = worth(float(number), unit)
    if kind == "deferred":
        return Expected(kind=kind, until=values[kind], **same)
    return Expected(kind=kind, name=values[kind], **same)


EXPECTED: Final = Record(
    what="an expectation",
    build=_expected,
    check=checks.expected,
    exactly_one=KINDS,
    keys=(
        Key(name="at", shape=MOMENT, required=True, says="When it comes, to the second.", example="10:40"),
        Key(name="sent", shape=_CHANNEL, says="A message on this channel.", example="push"),
        Key(name="recalled", shape=_CHANNEL, says="A message is called back there.", example="push"),
        Key(name="joined", shape=LABEL, says="The person joins this ad audience.", example="cart-left"),
        Key(name="left", shape=LABEL, says="The person leaves it.", example="cart-left"),
        Key(
            name="suppressed",
            shape=_GATE,
            says="Nothing comes, and this gate is why; of one step about one subject, for both its "
            "message and its audience.",
            example="cap",
        ),
        Key(
            name="deferred",
            shape=MOMENT,
            says="A message is put off until then, when the night or the window ends or a cap has room.",
            example="+1d 08:00",
        ),
        Key(name="step", shape=_STEP, says="The number of the step, from 1.", example=2),
        Key(
            name="channel",
            shape=ANY_CHANNEL,
            says="The channel of what was suppressed or deferred.",
            example="email",
        ),
        Key(name="template", shape=LABEL, says="The message's template.", example="cart-reminder-2"),
        Key(name="offer", shape=_OFFER, says="What the message offers; `none`: nothing.", example="10 %"),
        Key(name="good_until", shape=MOMENT, says="When the offer's code ends.", example="+2d 10:40"),
        Key(
            name="products",
            shape=Several(ID, "product", least=0, single=True),
            says="All products of the message, in any order.",
            example=["tent"],
        ),
        Key(
            name="about",
            shape=Text("the id of a subject", r"(?s).*", 256),
            says="The subject: a product, order or cart.",
            example="cart-1",
        ),
        Key(name="rule", shape=_RULE, says="Another rule, one of `with`, is to do it.", example="win_back"),
    ),
)  # fmt: skip

WAITING: Final = Record(
    what="a wait",
    build=lambda values: Waiting(**values),
    keys=(
        Key(name="due", shape=MOMENT, required=True, says="When it ends.", example="+24h"),
        Key(name="step", shape=_STEP, says="The step that is then decided.", example=2),
        Key(
            name="about",
            shape=Text("the id of a subject", r"(?s).*", 256),
            says="The subject: a product, order or cart.",
            example="cart-1",
        ),
        Key(name="rule", shape=_RULE, says="Another rule, one of `with`, waits.", example="win_back"),
    ),
)


def _case(values: Values) -> Case:
    same = {key: value for key, value in values.items() if key not in ("case", "with")}
    return Case(name=values["case"], companions=values.get("with", ()), **same)


CASE: Final = Record(
    what="a case",
    build=_case,
    check=checks.case,
    keys=(
        Key(
            name="case",
            shape=SENTENCE,
            required=True,
            says="What it shows, in a sentence; each case another.",
            example="A cart that was left is remembered after half an hour.",
        ),
        Key(
            name="events",
            shape=Several(EVENT, "event"),
            required=True,
            says="What one person does; taken in order of time.",
            example=[{"at": "10:00", "type": "add", "products": "tent"}],
        ),
        Key(
            name="expect",
            shape=Several(EXPECTED, "expectation", least=0),
            required=True,
            says="All that the rule does; `[]`: nothing.",
            example=[{"at": "10:30", "sent": "push"}],
        ),
        Key(
            name="until",
            shape=MOMENT,
            says="Where the clock stops. Else it runs on until the rule waits for nothing more.",
            example="+1h",
        ),
        Key(
            name="waits",
            shape=Several(WAITING, "wait", least=0),
            says="All that the rule still waits for at `until`; left out: not looked at.",
            example=[{"due": "+24h", "step": 2}],
        ),
        Key(
            name="person",
            shape=ID,
            says="Their id, else one of ours; who is held out hangs on it.",
            example="ann",
        ),
        Key(
            name="known",
            shape=FLAG,
            default=True,
            says="The person has a user id; `false`: an anonymous id alone.",
            example=False,
        ),
        Key(
            name="consent",
            shape=OneOf("answer", ("granted", "denied")),
            default="granted",
            says="What a person counts as having said before the first event.",
            example="denied",
        ),
        Key(
            name="traits",
            shape=fields("the person's traits"),
            says="What is known of the person before the first event.",
            example={"email": "ann@example.com"},
        ),
        Key(
            name="paused",
            shape=Several(LABEL, "rule or channel"),
            says="Kill switches that are on.",
            example=["push"],
        ),
        Key(
            name="with",
            shape=Several(_RULE, "rule"),
            says="Rules of the same folder that run beside it; what they do is looked at where you name it.",
            example=["browse_abandonment"],
        ),
        Key(name="start", shape=DATE, says="As above, for this case.", example="2024-12-24 20:00"),
        Key(name="zone", shape=ZONE, says="As above, for this case.", example="Europe/Berlin"),
        Key(
            name="settings",
            shape=Given(),
            says="As above, for this case.",
            example={"caps.total": "1/24h"},
        ),
    ),
)  # fmt: skip


def _file(values: Values) -> CaseFile:
    return CaseFile(**values)


CASES: Final = Record(
    what="a file of cases",
    build=_file,
    check=checks.file,
    keys=(
        Key(name="rule", shape=_RULE, required=True, says="The rule they try.", example="abandoned_cart"),
        Key(
            name="start",
            shape=DATE,
            default=START,
            says="When each case begins: `10:30` is that day, `+30m` counts from here.",
            example="2024-12-24 20:00",
        ),
        Key(
            name="zone",
            shape=ZONE,
            default="UTC",
            says="Where the person lives; all times are on the clocks there.",
            example="Europe/Berlin",
        ),
        Key(
            name="settings",
            shape=Given(),
            says="Settings that decide. The others have their defaults, whatever the shop has set.",
            example={"caps.total": "1/24h"},
        ),
        Key(
            name="products",
            shape=Named(PRODUCT, ID, "product: what it looks like"),
            says="The products that events can name.",
            example={"tent": {"category": "tents", "price": 199}},
        ),
        Key(
            name="cases",
            shape=Several(CASE, "case"),
            required=True,
            says="The cases.",
            example=[
                {
                    "case": "Nobody is reminded of an empty cart.",
                    "events": [
                        {"at": "10:00", "type": "add", "products": "tent"},
                        {"at": "10:10", "type": "remove", "products": "tent"},
                    ],
                    "expect": [],
                }
            ],
        ),
    ),
)


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a file of cases."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Test cases of a rule of retarget",
        **CASES.schema(),
    }
