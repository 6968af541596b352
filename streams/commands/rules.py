"""`retarget rules`: rules published to all workers at once, for all people or some; what was published."""

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
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.shelf import Shelf

# So much of an id is told from a word by its digits.
_LEAST: Final = 4


def add(parser: argparse.ArgumentParser) -> None:
    """What to do, with what."""
    parser.add_argument(
        "verb",
        choices=("publish", "promote", "withdraw", "list"),
        help="publish: check rules and their cases, then let workers with rules.source=topic take them; "
        "promote: the rules of the canary for everybody; withdraw: those from before it for everybody; "
        "list: every bundle that was published or decided by, the newest last",
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="FILE",
        help="what to publish: rule files or folders, or the id of a bundle in the list; none: rules.dir",
    )
    parser.add_argument(
        "--canary",
        metavar="SHARE",
        type=_share,
        help="publish for this share of the people, such as 10%%; for all others the rules that change "
        "decide in shadow: they leave decision records and have no effect",
    )
    parser.add_argument(
        "--anew",
        action="store_true",
        help="evaluate all open episodes anew, also those of rules that say `on_change: finish`",
    )
    parser.add_argument("--json", action="store_true", help="the list as a JSON object for each bundle")
    parser.set_defaults(settings=("kafka.bootstrap", "rules.dir"))


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Publish, end a canary or list. Raises BadInput, Unreachable."""
    if args.verb == "list":
        asyncio.run(_list(settings, as_json=args.json))
        return 0
    from streams.commands import publishing

    publishing.run(settings, args)
    return 0


def _share(text: str) -> float:
    """A share of the people: `10%` or 0.1."""
    number = text.removesuffix("%")
    try:
        share = float(number) / (100 if number != text else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(
            f"found {text}; expected a share such as 10%, above 0 % and below 100 %"
        )
    return share


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
                line = {"bundle": bundle, "at": at, "published": bundle == current, "rules": content.names,
                        "canary": content.canary.share if content.canary else None}  # fmt: skip
                print(json.dumps(line, ensure_ascii=False))
            else:
                canary = f", canary for {content.canary.share * 100:g} %" if content.canary else ""
                mark = "  published" if bundle == current else ""
                print(
                    f"{bundle}  {at}  {len(content.rules)} rules{canary}, retarget {content.build[0]}{mark}"
                )


def shelf_of(settings: Settings) -> Shelf:
    """The topic with the bundles, for `async with`, which raises BadInput without it, and Unreachable."""
    from streams.kafka.address import address_of
    from streams.kafka.shelf import Shelf

    return Shelf(address_of(settings))


def is_id(what: Sequence[str]) -> bool:
    """Whether these words are the id of one bundle."""
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
