"""The manual of test cases, from the tables that their parser reads: `python -m streams.case_manual`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from retarget.rules.records import Record
from streams.cases.events import CONSENT, EVENT, ITEM, PRODUCT
from streams.cases.grammar import CASE, CASES, EXPECTED, START, WAITING
from streams.rule_manual import table

_INTRODUCTION: Final = """\
# Test cases

Beside a rule `abandoned_cart.yaml` lies `abandoned_cart.cases.yaml`: what a person does at which times, and
what must come of it. `retarget check` runs every case through the engine itself, with a clock that moves as
fast as it can: two months pass in no time. Editors complete and check with `streams/schemas/cases.v1.json`.

```yaml
rule: abandoned_cart
products:
  tent: {{category: tents, price: 199}}
cases:
  - case: A cart that was left is remembered after half an hour.
    events:
      - {{at: 10:00, type: add, products: tent}}
    until: 11:00
    expect:
      - {{at: 10:30, sent: push, step: 1, products: tent}}
      - {{at: 10:30, joined: cart-left}}
    waits:
      - {{due: +1d 10:30, step: 2}}

  - case: A purchase in the last second ends it.
    events:
      - {{at: 10:00, type: add, products: tent}}
      - {{at: 10:29:59, type: purchase, products: tent}}
    expect: []
```

- **All that the rule does must be expected**: each message, recall and audience, and all that a gate stopped.
  What an expectation does not name, such as the step or the products, may be anything.
- The clock runs on until the rule waits for nothing more, or stops at `until`; `waits` is what is left then.
  What waits for a date more than a year ahead needs `until`.
- Each case has one person, who has a user id and agreed to everything, unless it says `known: false` or
  `consent: denied`.
- Only this rule runs, and those that `with` names; what they send counts towards the caps.
- Settings are the defaults, so that a case says the same in every shop. But an event is worked off at once
  (`clock.lateness: 0s`), now is the lane's clock (`clock.now: event`), and the night ends for everybody at
  the same moment (`quiet_hours.spread: 0s`).

## Moments

| written | means |
|---|---|
| `10:30`, `10:30:15` | that time on the first day |
| `+30m`, `+1d 12h` | so long after the start of the case |
| `+2d 10:30` | that time two days later, whatever the clocks did in between |
| `2024-12-24 20:00` | that date and time |

The first day is that of `start`, {start} if not said. All of them are on the clocks of `zone`.

## Differences

A case that comes out otherwise is shown with the line of what was expected, what came instead, and the gate
that made it so, with the value it saw and its limit:

```text
{shown}```

Where nothing came instead, the case runs again without one of the rule's own demands after the other, and
you read what it would have taken, such as "it would come with `at_least: 2`".
"""

# What `retarget check` says of a cart that is filled at nine in the evening; a test has it say so.
DIFFERENCE: Final = """\
abandoned_cart.cases.yaml:6: A cart is remembered after half an hour, at any time.
    expected  2024-03-04 21:30 (+11h 30m)  sent push, step 1
    got       2024-03-04 21:30 (+11h 30m)  deferred until 2024-03-05 08:00 (+22h), step 1, channel push
    because   quiet_hours  night until 2024-03-05T08:00:00.000Z, seen at 2024-03-04T21:30:00.000Z
"""

_SECTIONS: Final[Sequence[tuple[str, Record]]] = (
    ("A file of cases", CASES),
    ("`products`: a product", PRODUCT),
    ("`cases`: a case", CASE),
    ("`events`: an event", EVENT),
    ("`items`: an item", ITEM),
    ("`consent`: a word on consent", CONSENT),
    ("`expect`: an expectation", EXPECTED),
    ("`waits`: a wait", WAITING),
)


def manual() -> str:
    """The text of docs/cases.md."""
    parts = [_INTRODUCTION.format(start=f"Monday, {START}", shown=DIFFERENCE)]
    parts += [f"## {title}\n\n{table(record)}" for title, record in _SECTIONS]
    parts.append("Made by `python -m streams.case_manual > docs/cases.md`.\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(manual())
