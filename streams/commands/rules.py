"""`retarget rules`: rules published to all workers at once, and what was published."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from retarget.errors import BadInput
from retarget.times import format_time
from streams.clocks import now_ms
from streams.settings import Settings

if TYPE_CHECKING:
    from retarget.rules.model import Rule
    from streams.kafka.shelf import Shelf
    from streams.lanes.publication import Publication

# So much of an id is told from a word by its digits.
_LEAST: Final = 4


def add(parser: argparse.ArgumentParser) -> None:
    """What to do, with what."""
    parser.add_argument(
        "verb",
        choices=("publish", "list"),
        help="publish: check rules and their cases, then let workers with rules.source=topic take them; "
        "list: every bundle that was published or decided by, the newest last",
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="FILE",
        help="what to publish: rule files or folders, or the id of a bundle in the list; none: rules.dir",
    )
    parser.add_argument("--json", action="store_true", help="the list as a JSON object for each bundle")
    parser.set_defaults(settings=("kafka.bootstrap", "rules.dir"))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Publish or list. Raises BadInput, Unreachable."""
    if args.verb == "list":
        asyncio.run(_list(settings, as_json=args.json))
        return 0
    given = None if _is_id(args.what) else _checked(settings, args.what)
    asyncio.run(_publish(settings, args.what, given))
    return 0


async def _publish(settings: Settings, what: Sequence[str], given: Publication | None) -> None:
    """Without a publication that was `given`, `what` is the id of one."""
    from streams.lanes.publication import encode, id_of, rules_of, understood
    from streams.lanes.shelved import content_of

    async with shelf_of(settings) as shelf:
        if given is None:
            bundle = found_id(shelf, what[0])
            given = content_of(shelf, bundle)
            understood(bundle, given)
        else:
            bundle = id_of(given)
        before = shelf.published
        former = _former(shelf)
        if former is not None:
            _require_same_subjects(rules_of(bundle, former), rules_of(bundle, given))
        await shelf.put(bundle, encode(given))
        new = await shelf.publish(bundle, format_time(now_ms()))
        if not new:
            print(f"bundle {bundle} is published already, since {before.at if before else ''}")
            return
        print(f"bundle {bundle} is published, {len(given.rules)} rules")
        if former is not None:
            print(*_told(bundle, former, given), sep="\n")


def _checked(settings: Settings, what: Sequence[str]) -> Publication:
    """The rules as they are to be published. Raises BadInput with every problem of rules, cases and words."""
    from streams.cases.trying import try_rules
    from streams.lanes.publication import publication_of
    from streams.rulebook import no_rules, rules_dir

    paths = [Path(name) for name in what] or [rules_dir(settings)]
    tried = try_rules(paths)
    if tried.problems:
        raise BadInput(tried.problems)
    if not tried.documents:
        raise BadInput([no_rules(paths)])
    return publication_of(settings, tried.documents)


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


def _former(shelf: Shelf) -> Publication | None:
    """What is published now, if there is anything that this build can read."""
    from streams.lanes.publication import rules_of
    from streams.lanes.shelved import content_of

    if shelf.published is None:
        return None
    try:
        content = content_of(shelf, shelf.published.bundle)
        rules_of(shelf.published.bundle, content)
    except BadInput:
        return None
    return content


def _told(bundle: str, before: Publication, after: Publication) -> list[str]:
    """What the change means, in words."""
    from retarget.rules.changes import changes
    from streams.commands.diff import as_lines
    from streams.lanes.publication import rules_of, settings_changes

    new = rules_of(bundle, after)
    settings = settings_changes(before.settings, after.settings)
    return as_lines(changes(rules_of(bundle, before), new), settings, len(new))


async def _list(settings: Settings, *, as_json: bool) -> None:
    from streams.lanes.shelved import content_of

    async with shelf_of(settings) as shelf:
        current = shelf.published.bundle if shelf.published else None
        for bundle, shelved in shelf.shelved.items():
            try:
                content = content_of(shelf, bundle)
            except BadInput as unreadable:
                print(unreadable, file=sys.stderr)
                continue
            at = format_time(max(shelved.at, 0))
            if as_json:
                line = {"bundle": bundle, "at": at, "published": bundle == current, "rules": content.names}
                print(json.dumps(line, ensure_ascii=False))
            else:
                mark = "  published" if bundle == current else ""
                print(f"{bundle}  {at}  {len(content.rules)} rules, retarget {content.build[0]}{mark}")


def shelf_of(settings: Settings) -> Shelf:
    """The topic with the bundles, for `async with`, which raises BadInput without it, and Unreachable."""
    from streams.kafka.address import address_of
    from streams.kafka.shelf import Shelf

    return Shelf(address_of(settings))


def _is_id(what: Sequence[str]) -> bool:
    return len(what) == 1 and looks_like_id(what[0])


def looks_like_id(name: str) -> bool:
    """Whether a name is that of a bundle, or of the beginning of one, and of no file."""
    return not Path(name).exists() and len(name) >= _LEAST and set(name) <= set("0123456789abcdef")


def found_id(shelf: Shelf, beginning: str) -> str:
    """The one bundle whose id begins so. Raises BadInput."""
    found = [bundle for bundle in shelf.shelved if bundle.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    said = f"begins the ids of {', '.join(found)}; write more of it" if found else "is the id of no bundle"
    raise BadInput([f"{beginning} {said}; `retarget rules list` shows them"])
