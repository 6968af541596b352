"""`retarget explain PERSON --what-if …`: the person again, without one event or with one more."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from retarget.errors import BadInput, WrongUsage
from retarget.rules.names import unknown
from streams.commands.past import (
    add_catalogue,
    add_past,
    file_options,
    holding,
    require_sorted,
    told_by_files,
)
from streams.settings import Settings

if TYPE_CHECKING:
    from retarget.engine.policy import Policy
    from streams.lanes.bundle import Bundle
    from streams.what_if.changing import Changed
    from streams.what_if.running import Came
    from streams.what_if.story import Story

Said = Mapping[str, Any]
_STANDARD_INPUT: Final = "-"


def add(parser: argparse.ArgumentParser) -> None:
    """What is changed, and where the events come from."""
    group = parser.add_argument_group("what if")
    group.add_argument(
        "--what-if", metavar="CHANGE", action="append", default=[],
        help="what would be different: 'no add at 10:03', 'no EVENT-ID', "
        "'with purchase of tent at 10:20' (UTC); may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--events", nargs="+", metavar="FILE", help="the events, as replayed (default: the input topics)"
    )
    add_past(group)
    add_catalogue(group)


def require(args: argparse.Namespace) -> None:
    """Raises WrongUsage where an option stands alone that needs another."""
    needs = {
        "--events": args.events, "--rules": args.rules, "--lateness": args.lateness,
        "--assume-consent": args.assume_consent,
    }  # fmt: skip
    problems = [f"{name}: is for --what-if, which says what is changed" for name, value in needs.items()
                if value and not args.what_if]  # fmt: skip
    if not args.events:
        problems += [f"{name}: is for files; name them with --events" for name in file_options(args)]
    require_sorted(args)
    if args.what_if and args.decisions and not args.events:
        problems.append("--decisions: what was replayed is run again from its files; name them with --events")
    if problems:
        raise WrongUsage(problems)


def run(
    settings: Settings,
    args: argparse.Namespace,
    recorded: Callable[[Collection[str]], Sequence[Said]] | None,
) -> int:
    """Run it both ways and print what differs; `recorded` gives the decisions that a replay wrote of ids.

    Raises BadInput, Unreachable, and what reading a topic raises.
    """
    from retarget.rules.vocabulary import VOCABULARY
    from streams.known_names import found_names
    from streams.lanes.bundle import bundle_of
    from streams.replaying import TOPIC
    from streams.rulebook import load_rules, rules_dir
    from streams.what_if import read_change
    from streams.what_if.changing import changed
    from streams.what_if.running import run_story

    changes = [read_change(said) for said in args.what_if]
    settings = holding(settings, files=bool(args.events))
    rules = load_rules([rules_dir(settings)], VOCABULARY, found_names(settings))
    bundle = bundle_of(settings, rules, [TOPIC], lanes=0)
    if args.rule and args.rule not in bundle.matcher.rules:
        raise BadInput([unknown("rule", args.rule, bundle.matcher.rules)])
    policy = bundle.policy
    story = _of_files(settings, args, policy) if args.events else _of_topics(settings, args.person, policy)
    if not story.events:
        where = ", ".join(args.events or settings.kafka.input_topics)
        raise BadInput([f"{where}: no event of {args.person!r} is there; ids are compared exactly"])
    other = changed(story, changes)
    before = asyncio.run(run_story(story, args.person, bundle))
    if recorded is not None:
        _require_same(before.decisions, recorded(story.names))
    _print(args, before, asyncio.run(run_story(other.story, args.person, bundle)), other, bundle)
    return 0


def _of_files(settings: Settings, args: argparse.Namespace, policy: Policy) -> Story:
    from streams.backtest.reading import of_files
    from streams.backtest.reuniting import Kin
    from streams.what_if.story import StoryTeller

    kin = Kin(lambda _: 0)
    if _STANDARD_INPUT not in args.events:  # which can be read only once
        for told in of_files(told_by_files(settings, args, args.events)):
            if told.event is not None:
                kin.hear(told.event, policy)
    teller = StoryTeller(kin.family(args.person), by_time=not args.as_is, is_nobody=policy.is_nobody)
    for told in of_files(told_by_files(settings, args, args.events)):
        teller.add(told)
    return teller.close(ahead=settings.clock.lateness).of(args.person)


def _of_topics(settings: Settings, person: str, policy: Policy) -> Story:
    from streams.what_if.topics import story_of_topics

    return asyncio.run(story_of_topics(settings, person, policy))


def _require_same(mine: Sequence[Said], recorded: Sequence[Said]) -> None:
    """Says so when the events do not lead to the decisions that were written down."""
    ours, theirs = ({(one["decision_id"], one["outcome"], one["decided_at"]) for one in decisions}
                    for decisions in (mine, recorded))  # fmt: skip
    if ours != theirs:
        print(
            f"note: {len(ours - theirs)} decisions of this run are not in the file and {len(theirs - ours)} "
            "of the file are not in this run; rules, settings or events are not those of the replay",
            file=sys.stderr,
        )


def _print(args: argparse.Namespace, before: Came, after: Came, changed: Changed, bundle: Bundle) -> None:
    from streams.what_if import telling
    from streams.what_if.comparing import differences, waits_differ

    of_rule = [
        [one for one in came.decisions if args.rule in (None, one["rule"])] for came in (before, after)
    ]
    found, same = differences(*of_rule)
    waits = waits_differ(*([one for one in came.waits if args.rule in (None, one.rule)]
                           for came in (before, after)))  # fmt: skip
    if args.json:
        said = telling.as_json(found, same, waits, changed, bundle.matcher)
        print(json.dumps({"person": args.person, **said}, ensure_ascii=False, indent=1))
        return
    print(args.person, *(f"  {line}" for line in telling.changes(changed)), sep="\n")
    alike = f"{same} decision{' is' if same == 1 else 's are'} the same"
    print(f"\nwhat would be different{'' if found else ': nothing'}; {alike}")
    for one in found:
        print(*(f"  {line}" for line in telling.lines(one, changed, bundle.matcher)), sep="\n")
    print(f"\nwhat would wait at the end otherwise{'' if waits else ': nothing'}")
    for pair in waits:
        print(f"  {telling.wait_line(pair)}")
    for line in (line for line in after.dead if line not in before.dead):
        print(f"a rule fails: {line}", file=sys.stderr)
