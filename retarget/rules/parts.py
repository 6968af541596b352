"""Parts of a rule, each a record of its own: endings, ad audiences, pauses."""

from __future__ import annotations

from typing import Any, Final

from retarget.rules import checks
from retarget.rules.conditions import Condition
from retarget.rules.model import Audience, Ending, Pause
from retarget.rules.places import Place
from retarget.rules.product_sets import ProductSets
from retarget.rules.records import Key, Record, Values
from retarget.rules.shapes import Duration, Expression, Named, OneOf, Text
from retarget.rules.triggers import TYPE

NAME: Final = Text("a name: lower-case letters, digits and _, a letter first", "[a-z][a-z0-9_]*", 64)
LABEL: Final = Text(
    "a label: letters, digits and _ . / -", "[A-Za-z0-9][A-Za-z0-9_./-]*", checks.LONGEST_LABEL
)


def _ending(values: Values) -> Ending:
    return Ending(event=values.get("event"), same=values.get("same"), when=values.get("when"))


ENDING: Final = Record(
    what="an ending",
    build=_ending,
    check=checks.ending,
    exactly_one=("event", "when"),
    keys=(
        Key(name="event", shape=TYPE, says="An event of this type ends the episode.", example="purchase"),
        Key(
            name="same",
            shape=OneOf("word", ("subject", "product")),
            says="Only an event about the episode's own subject, or about a product that it is about.",
            example="subject",
        ),
        Key(
            name="when",
            shape=Expression(),
            says="This condition ends it at any event of the person, and opens none while it holds.",
            example="cart.size == 0",
        ),
    ),
)

AUDIENCE: Final = Record(
    what="an ad audience",
    build=lambda v: Audience(**v),
    check=checks.audience,
    exactly_one=("add", "remove", "by_state"),
    keys=(
        Key(name="add", shape=LABEL, says="The audience the person joins.", example="cart-left"),
        Key(
            name="remove",
            shape=LABEL,
            says="The audience the person leaves, whichever rule has put them in; of others nothing is told.",
            example="cart-left",
        ),
        Key(
            name="by_state",
            shape=Named(LABEL, NAME, "state: audience"),
            says="The audience for each state of `becomes`; the person is in exactly one, "
            "until an ending takes them out.",
            example={"viewed": "stage-viewed", "bought": "stage-bought"},
        ),
        Key(name="expires", shape=Duration(), says="How long the person stays in it.", example="7d"),
        Key(
            name="sets",
            shape=ProductSets(),
            says="Instead of `add` the audience `ADD-SET` of each set that one of the products belongs to.",
            example={"s1": 'product.category in ["tents", "bags"]', "s2": "product.price >= 500"},
        ),
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


class _States(Named, frozen=True):
    """Conditions in order of precedence, of which no two are the same: the second could never be reached."""

    def read(self, value: object, at: Place) -> Any:  # noqa: ANN401 - see Shape
        """The conditions by state."""
        states = super().read(value, at)
        first: dict[Condition, str] = {}
        for name, condition in states.items() if isinstance(states, dict) else ():
            if not isinstance(condition, Condition):
                continue
            if condition in first:
                at.child(name).problem(
                    f"found the condition of {first[condition]}, which comes before it, so that this state "
                    "is never reached; known: another condition"
                )
            first.setdefault(condition, name)
        return states


STATES: Final = _States(Expression(), NAME, "state: condition")
