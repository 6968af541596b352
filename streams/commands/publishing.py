"""Publishing: what `retarget rules` puts in force, for everybody or as a canary, and what that means."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from retarget.errors import BadInput
from retarget.rules.model import Rule
from retarget.times import format_time
from streams.clocks import now_ms
from streams.commands.rules import found_id, is_id, shelf_of
from streams.lanes import succession
from streams.lanes.publication import (
    Publication,
    encode,
    id_of,
    publication_of,
    rollout_of,
    rules_of,
    understood,
)
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.shelf import Shelf

# What is to be in force, from what is shelved and what is published now.
_Next: TypeAlias = Callable[["Shelf", Publication | None], Publication]


def run(settings: Settings, args: argparse.Namespace) -> None:
    """Put in force what the arguments say. Raises BadInput, Unreachable."""
    if args.verb != "publish" and (args.what or args.canary):
        raise BadInput([f"rules {args.verb} takes no files and no share: it is about the canary under way"])
    asyncio.run(_publish(settings, _next(settings, args), anew=args.anew))


def _next(settings: Settings, args: argparse.Namespace) -> _Next:
    if args.verb != "publish":
        end = succession.promoted if args.verb == "promote" else succession.withdrawn
        return lambda _, before: end(before)
    given = None if is_id(args.what) else _checked(settings, args.what)

    def found(shelf: Shelf, before: Publication | None) -> Publication:
        after = given or _shelved(shelf, args.what[0])
        return succession.as_canary(before, after, args.canary) if args.canary else after

    return found


async def _publish(settings: Settings, following: _Next, *, anew: bool) -> None:
    async with shelf_of(settings) as shelf:
        pointer, before = shelf.published, _published(shelf)
        after = succession.following(before, following(shelf, before), anew=anew)
        bundle = id_of(after)
        if before is not None:
            _require_same_subjects(_everything(before), _everything(after))
        await shelf.put(bundle, encode(after))
        new = await shelf.publish(bundle, format_time(now_ms()))
        if not new:
            print(f"bundle {bundle} is published already, since {pointer.at if pointer else ''}")
            return
        print(f"bundle {bundle} is published, {len(after.rules)} rules")
        if before is not None:
            print(*_told(bundle, before, after), sep="\n")


def _shelved(shelf: Shelf, beginning: str) -> Publication:
    from streams.lanes.shelved import content_of

    bundle = found_id(shelf, beginning)
    content = content_of(shelf, bundle)
    understood(bundle, content)
    return content


def _checked(settings: Settings, what: Sequence[str]) -> Publication:
    """The rules as they are to be published. Raises BadInput with every problem of rules, cases and words."""
    from streams.cases.trying import try_rules
    from streams.known_names import found_names
    from streams.rulebook import no_rules, rules_dir

    paths = [Path(name) for name in what] or [rules_dir(settings)]
    tried = try_rules(paths, found_names(settings))
    if tried.problems:
        raise BadInput(tried.problems)
    if not tried.documents:
        raise BadInput([no_rules(paths)])
    return publication_of(settings, tried.documents)


def _everything(publication: Publication) -> tuple[Rule, ...]:
    rollout = rollout_of("published", publication)
    return *rules_of("published", publication), *rollout.canary


def _require_same_subjects(before: Sequence[Rule], after: Sequence[Rule]) -> None:
    """Open episodes are about what their rule was about: as something else they would make no sense."""
    kinds = {rule.name: rule.subject for rule in before}
    problems = [
        f"rule {rule.name}: is about each {rule.subject}, and what is published is about each "
        f"{kinds[rule.name]}; give it another name"
        for rule in after
        if kinds.get(rule.name, rule.subject) != rule.subject
    ]
    if problems:
        raise BadInput(problems)


def _published(shelf: Shelf) -> Publication | None:
    """What is published now, if there is anything that this build can read."""
    from streams.lanes.shelved import content_of

    if shelf.published is None:
        return None
    try:
        content = content_of(shelf, shelf.published.bundle)
        rollout_of(shelf.published.bundle, content)
        rules_of(shelf.published.bundle, content)
    except BadInput:
        return None
    return content


def _told(bundle: str, before: Publication, after: Publication) -> list[str]:
    """What the change means, in words."""
    from retarget.rules.changes import changes
    from streams.commands.diff import as_lines, canary_lines
    from streams.lanes.publication import settings_changes

    new = rules_of(bundle, after)
    settings = settings_changes(before.settings, after.settings)
    found = changes(rules_of(bundle, before), new)
    canary = canary_lines(new, rollout_of(bundle, after), ended=bool(before.canary))
    return [*canary, *as_lines(found, settings, len(new))]
