"""The manual of the rule language, from the tables that the parser reads: `python -m streams.rule_manual`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from retarget.rules.declared import NAMES as NAMED
from retarget.rules.expressions.calls import DURATIONS
from retarget.rules.expressions.terms import Argument, Function, Name
from retarget.rules.grammar import RULE, SHOWN, STEP, VARIANT
from retarget.rules.parts import AUDIENCE, ENDING, PAUSE
from retarget.rules.records import Key, OrWord, Record, Short
from retarget.rules.sending import OFFER
from retarget.rules.shapes import Duration, Expression, Named, Number, OneOf, OrAll, Several, Text
from retarget.rules.telling import WORDS
from retarget.rules.triggers import CATALOGUE, COUNT, DATE, QUIET, SEQUENCE, TYPE
from retarget.rules.vocabulary import FUNCTIONS, NAMES

_INTRODUCTION: Final = """\
# Rules

A rule is a YAML document. It says what opens an episode, what ends it and what is sent; how often people may
be disturbed, when they sleep and what they agreed to is not its business: the gates see to that for all rules
alike. A file may hold several documents, parted by `---`. Workers load the folder `rules.dir`, or the rules
that ship.

`retarget check FILE` names every mistake with file, line and path, and runs the [test cases](cases.md) beside
the rule. Editors complete and check with `streams/schemas/rule.v1.json`. A rule's version is a hash of its
meaning: comments and layout do not change it.

[Writing a rule](writing-rules.md) goes from a wish to a rule with its cases.

```yaml
rule: abandoned_cart
subject: cart
quiet: {after: 30m, opens: [add, remove, cart], when: cart.size > 0}
unless: [purchase, {when: cart.size == 0}]
steps: [{channels: [push, email], template: cart-reminder-1}]
```

## How a rule comes to a decision

Each rule has exactly one trigger. An episode belongs to the rule, the person and the subject: of one cart,
one product or one order there is one at a time.

| trigger | decided |
|---|---|
| `count` | at each event by which enough of them, or of distinct values, lie in the window |
| `quiet` | when nothing touched the episode for so long; with `touches: []` so long after it opened |
| `event` | at each such event |
| `sequence` | at each event that follows another in time, with nothing forbidden between |
| `date` | at, before or after a date that a trait tells, or at which something is expected again |
| `catalogue` | when the shop changes a product's price or stock, for each person it interests |
| `becomes` | when the first state whose condition holds is another one than before |

- A window of length W at time t is `(t - W, t]`: what happened exactly W ago no longer counts.
- Steps count from the decision of step 1. While later steps wait, touches change nothing about their timing.
- A date without `every` is a day's midnight in UTC, or the time that was told, and `before` and `after` count
  from there: ten in the morning in Madrid is `after: 8h` in summer. What is to go by the person's clocks has
  quiet hours, or `every: year`.
- A date with `every: year` has one decision a year. Its times are those on the person's clocks: `before: 7d`
  is midnight a week earlier, `after: 10h` ten in the morning. 29 February is the 28th in other years. An
  ending before the day ends nothing, one after it ends the year's later steps.
- An ending event closes the episode, takes back what was sent for it and ends its audience at once. Rules by
  `event` and `becomes` may have one where something stays open: later steps, or an audience that is joined.
- `again` counts from the last decision of step 1 that it let pass. `never` means once per subject.
- A condition that does not hold is silent: no decision is recorded.
- `becomes` is about a person. With `by_state` the next state ends what still waits for the former one, and
  joins its own audience at once; such a rule has no `again`. Without it, nothing new is decided while later
  steps wait.
"""

_PRODUCT_SETS: Final = """
### Product sets

A product set says which products belong to it, by `product.id`, `product.category`, `product.price`,
`product.price_now` and `product.margin`. Those of a folder's rules stand in its files that end in
`.sets.yaml`, each declared once:

```text
outdoor: product.category in ["tents", "bags"]
dear: product.price >= 500
```

A rule names them (`sets: [outdoor, dear]`) or has sets of its own:

```yaml
rule: carted
subject: product
quiet: {after: 30m, opens: [add]}
unless: [{event: purchase, same: product}, {event: remove, same: product}]
steps:
  - audience:
      add: carted
      sets: {outdoor: 'product.category in ["tents", "bags"]', dear: product.price >= 500}
      expires: 14d
```

- The person joins `carted-outdoor` for a tent, `carted-dear` for a dear watch, both for a dear tent; each is
  a decision of its own. For a product of no set there is nothing, not even `carted`.
- A product is judged once, when its step is decided, as the person saw it last or the catalogue has it. What
  is left later is what was joined, whatever the product has become and whatever the set says by then.
- `same: product` ends the audiences of that product's sets alone. Whom another product keeps in an audience
  stays there until the last of them lets go; only then there is a removal.
- Platforms see the name and nothing of the condition, so a name is best a code that tells nobody anything:
  they refuse audiences that hint at health or money.
- An audience by stage and set is a rule about products for each stage: `viewed`, `carted`, `bought`.
"""

_KNOWN_NAMES: Final = """
### Templates and audiences

What rules may name is declared in files that end in `.names.yaml` beside them, for a folder as a whole:

```text
{example}```

Then a template that one of its channels does not have, or an audience that nobody knows, is a mistake like
any other: `check`, `rules publish`, `run`, `replay` and the rest refuse it with file, line and the nearest
name. Known without being declared:

- for `email`, `push` and `sms` the templates that ship and those in the folder `channel.templates`, for
  `whatsapp` those in `whatsapp.templates`;
- the audiences of `ads.meta_lists` and `ads.google_lists`, and whatever the rules that ship name.

Beside rules for which there is no such file `check` warns of names that nobody knows, and nothing is refused.
"""

_CONDITIONS: Final = """\
## Conditions

What stands after `if`, `when` and a state of `becomes`. The form is Python's, but nothing is ever run: the
text is parsed, checked for names and types, and turned into comparisons when the rules are loaded.

- Compare with `== != < <= > >=` and `in`, `not in` a list such as `["a", "b"]`; join with `and`, `or`, `not`.
- Calculate with `+ - * /`; durations are written {durations}.
- `exists(name)` asks whether a value is known, and `exists(trait("vip"))` whether a trait is. A comparison
  with an unknown value does not hold, not even `!=`; a calculation with one is unknown.
- Where a trait or score was told as another type than is asked for, such as `old` for `trait_number("age")`,
  the whole condition does not hold, whatever `not` or `or` stands beside it. The metric
  `retarget_conditions_misfit_total` counts this by rule.
- A `value` is written likewise, and gives a number: `0.05 * cart.value`. Where it is unknown it counts as 0.
- Numbers compare as on paper: `18.90 * 0.9` is `17.01`, and three prices that make 100 are no less. Times and
  durations are whole milliseconds.
- Types must fit: a duration is not compared with a number, nor a text with one it can never be.
"""

_WINDOWS: Final = """
`distinct` takes {words}. Of
items those with a product count, of everything else what the event itself names; one that does not name it
counts nothing. `sum` takes `value`, what the event is worth as a whole; `quantity`, the pieces of its items,
1 where none are told; and `worth`, the prices that it tells times these. Where the subject is a product or
category, the last two are of its own items alone.

What looks back on a window also takes

- `category="tv"`: only events with a product of that category, as the event itself says, and of these only
  such products: `distinct("product", "view", category="tv", within=days(7)) >= 2`;
- `about="person"`: the person's events, whatever they are about, where the rule's subject is a cart, a
  product or the like: `count("refund", about="person", within=days(30)) == 0`.

A subject's last 256 events of these types are known.
"""

_CUSTOM: Final = """
Events of the shop's own have the type `custom` and a `name`. `custom:NAME` stands wherever a type may stand,
in triggers, endings, `products` and functions, for those of exactly this name; `custom` for all of them:

```yaml
rule: quiz_left
subject: person
quiet: {after: 1h, opens: custom:quiz_started}
unless: [custom:quiz_finished]
if: count("custom:quiz_started", within=days(7)) >= 2
again: 7d
steps: [{channels: [email], template: quiz-reminder}]
```
"""

_SECTIONS: Final[Sequence[tuple[str, str, Record]]] = (
    ("rule", "A rule", RULE),
    ("count", "`count`", COUNT),
    ("quiet", "`quiet`", QUIET),
    ("sequence", "`sequence`", SEQUENCE),
    ("date", "`date`", DATE),
    ("catalogue", "`catalogue`", CATALOGUE),
    ("unless", "`unless`: an ending", ENDING),
    ("steps", "`steps`: a step", STEP),
    ("products", "`products`", SHOWN),
    ("audience", "`audience`", AUDIENCE),
    ("offer", "`offer`", OFFER),
    ("variants", "`variants`: a variant", VARIANT),
    ("pauses", "`pauses`", PAUSE),
)
# What a table alone does not say.
_EXAMPLE: Final = "".join(f"{key.name}: {msgspec.json.encode(key.example).decode()}\n" for key in NAMED.keys)
_BELOW: Final = {"steps": _KNOWN_NAMES.format(example=_EXAMPLE), "audience": _PRODUCT_SETS}


def manual() -> str:
    """The text of docs/rules.md."""
    parts = [_INTRODUCTION]
    parts += [f"## {title}\n\n{table(record)}{_BELOW.get(key, '')}" for key, title, record in _SECTIONS]
    written = ", ".join(f"`{unit}(n)`" for unit in DURATIONS)
    parts += [_CONDITIONS.format(durations=written), _names(NAMES), _functions(FUNCTIONS)]
    parts.append(f"## Touchpoint types\n\n{_listed(TYPE.known)}.\n{_CUSTOM}")
    parts.append("Made by `python -m streams.rule_manual > docs/rules.md`.\n")
    return "\n".join(parts)


def table(record: Record) -> str:
    """The keys of a record, a row for each."""
    one = f"Exactly one of {_listed(record.exactly_one)}.\n\n" if record.exactly_one else ""
    return one + _rows(("key", "form", "default", "meaning", "example"), map(_key, record.keys))


def _key(key: Key) -> Sequence[str]:
    required = "required" if key.required else "-"
    default = f"`{_yaml(key.default)}`" if key.default is not None else required
    return f"`{key.name}`", _form(key.shape), default, key.says, f"`{_yaml(key.example)}`"


def _form(shape: Any) -> str:  # noqa: ANN401, C901, PLR0911 - one line for each kind of shape
    match shape:
        case Text(form=form):
            return form.partition(":")[0]
        case Number(least=least, most=most):
            return f"{least} to {most}"
        case Duration(zero=zero, words=words):
            return " or ".join(["a duration", *(["0"] if zero else []), *(f"`{word}`" for word in words)])
        case OneOf(what=what, known=known):
            return f"a {what}" if len(known) > _SHOWN else " ".join(f"`{one}`" for one in known)
        case Several(item=item, what=what, single=single):
            return f"one {what} or a list" if single else f"a list: {_inner(item, what)}"
        case Named(what=what):
            return f"a mapping of {what}"
        case Expression():
            return "a condition"
        case OrAll(several=several):
            return f"{_form(several)}; `all` of them: `{{all: [...]}}`; `all`: every one but `service`"
        case OrWord(record=record, word=word):
            return f"{record.what}, see below, or `{word}`"
        case Record(what=what):
            return f"{what}, see below"
    return str(shape.form)  # all other shapes say it themselves


# More than these stand in the schema; the table would be nothing but touchpoint types.
_SHOWN: Final = 12


def _inner(item: Any, what: str) -> str:  # noqa: ANN401 - a shape
    if isinstance(item, (Record, Short)):
        return f"{what}s, see below"
    return _form(item) if isinstance(item, OneOf) else f"{what}s"


def _names(names: Mapping[str, Name]) -> str:
    head = ("name", "type", "for", "meaning")
    return "### Names\n\n" + _rows(head, (_name(*pair) for pair in names.items()))


def _name(name: str, found: Name) -> Sequence[str]:
    subjects = ", ".join(sorted(found.subjects)) if found.subjects else "any subject"
    where = f"{subjects}; only at an event" if found.event_only else subjects
    few = found.choices if found.choices and len(found.choices) <= _SHOWN else ()
    choices = f": {_listed(few)}" if few else ""
    return f"`{name}`", found.type, where, found.doc + choices


def _functions(functions: Mapping[str, Function]) -> str:
    rows = ((f"`{_call(name, found)}`", found.returns, found.doc) for name, found in functions.items())
    below = _WINDOWS.format(words=_listed(WORDS))
    return "### Functions\n\n" + _rows(("call", "type", "meaning"), rows) + below


def _call(name: str, function: Function) -> str:
    return f"{name}({', '.join(_argument(argument) for argument in function.args if argument.required)})"


def _argument(argument: Argument) -> str:
    if argument.type == "duration":
        return f"{argument.name}=hours(48)"
    if argument.many:
        return '"view", …'
    return f'"{argument.choices[-1] if argument.choices else argument.name}"'


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_lines(head, rows)) + "\n"


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _yaml(value: object) -> str:
    """A value as an author may write it; JSON is a part of YAML."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


if __name__ == "__main__":
    sys.stdout.write(manual())
