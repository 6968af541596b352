"""`retarget diff`: what a change of rules means, rule by rule, in words."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from retarget.errors import BadInput
from retarget.rules.changes import Change, changes
from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY
from streams.lanes.rollout import NOTHING, Rollout
from streams.rulebook import load_rules
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.shelf import Shelf

PUBLISHED: Final = "published"


class Side(NamedTuple):
    """Rules, and the settings published with them; None of a folder, which has none of its own."""

    rules: tuple[Rule, ...]
    settings: Mapping[str, str] | None
    rollout: Rollout = NOTHING


def add(parser: argparse.ArgumentParser) -> None:
    """Which two, and in which form."""
    forms = f"a folder or file with rules, an id of `retarget rules list`, or {PUBLISHED}"
    parser.add_argument("before", metavar="A", help=f"the rules as they are: {forms}")
    parser.add_argument("after", metavar="B", help="the rules as they will be, in the same forms")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(settings=("kafka.bootstrap",))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print what differs; 0 whether or not anything does. Raises BadInput, and Unreachable for ids."""
    before, after = asyncio.run(_sides(settings, args.before, args.after))
    found = changes(before.rules, after.rules)
    decides = _settings(settings, before, after)
    if args.json:
        print(as_json(found, decides, after))
        return 0
    canary = canary_lines(after.rules, after.rollout, ended=bool(before.rollout.canary))
    print(*canary, *as_lines(found, decides, len(after.rules)), sep="\n")
    return 0


def as_json(found: Sequence[Change], settings: Sequence[str], after: Side) -> str:
    """One object with all changes; those of a canary apart."""
    tried, share = changes(after.rules, after.rollout.canary), after.rollout.share
    canary = {"share": share, "rules": tried} if after.rollout.canary else None
    said = msgspec.json.encode({"rules": found, "settings": settings, "canary": canary})
    return msgspec.json.format(said, indent=1).decode()


def canary_lines(rules: Sequence[Rule], rollout: Rollout, *, ended: bool) -> list[str]:
    """What some people get instead of these rules; `ended`: the side before had a canary."""
    if not rollout.canary:
        return ["canary: ended, everybody gets the same rules"] if ended else []
    *told, _ = as_lines(changes(rules, rollout.canary), [], 0)
    share = f"{rollout.share * 100:g} %"
    return [f"canary: for {share} of the people, in shadow for all others", *(f"  {line}" for line in told)]


def as_lines(found: Sequence[Change], settings: Sequence[str], rules: int) -> list[str]:
    """A block for each rule that changed, one for settings, and the sum; `rules` there are in the end."""
    lines: list[str] = []
    for change in found:
        lines += [f"{change.rule}: {change.change}", *(f"  {sentence}" for sentence in change.says)]
    if settings:
        lines += ["settings: changed", *(f"  {sentence}" for sentence in settings)]
    kinds = Counter(change.change for change in found)
    told = [f"{kinds[kind]} {kind}" for kind in ("new", "gone", "changed") if kinds[kind]]
    alike = rules - sum(change.after is not None for change in found)
    return [*lines, f"rules: {', '.join([*told, f'{alike} alike'])}"]


def _settings(ours: Settings, before: Side, after: Side) -> list[str]:
    """Settings that decide otherwise, if one side was published; the other's are those given here."""
    from streams.lanes.pools import deciding
    from streams.lanes.publication import settings_changes

    if before.settings is None and after.settings is None:
        return []
    own = deciding(ours)
    return settings_changes(before.settings or own, after.settings or own)


async def _sides(settings: Settings, *names: str) -> list[Side]:
    """Every side; Kafka is asked only when one of them lies there."""
    from streams.commands.rules import looks_like_id, shelf_of

    async with AsyncExitStack() as stack:
        shelf: Shelf | None = None
        if any(_is_published(name) or looks_like_id(name) for name in names):
            shelf = await stack.enter_async_context(shelf_of(settings))
        return [_side(name, shelf) for name in names]


def _is_published(name: str) -> bool:
    return name == PUBLISHED and not Path(name).exists()


def _side(name: str, shelf: Shelf | None) -> Side:
    from streams.commands.rules import found_id, looks_like_id
    from streams.lanes.publication import rollout_of, rules_of
    from streams.lanes.shelved import content_of

    if shelf is None or not (_is_published(name) or looks_like_id(name)):
        return Side(load_rules([Path(name)], VOCABULARY), None)
    if not _is_published(name):
        bundle = found_id(shelf, name)
    elif shelf.published is not None:
        bundle = shelf.published.bundle
    else:
        raise BadInput(["no rules are published; `retarget rules publish` does it"])
    content = content_of(shelf, bundle)
    return Side(rules_of(bundle, content), content.settings, rollout_of(bundle, content))
