"""Succession: the publication that follows on the one in force, so that open episodes find their version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from retarget.errors import BadInput
from retarget.rules.model import Rule
from streams.lanes.publication import Canary, Publication, parse, rules_of, settings_changes
from streams.lanes.rollout import changed

# So many versions of a rule beside the one in force; episodes of older ones are evaluated anew, and counted.
VERSIONS_KEPT: Final = 3
_NO_CANARY: Final = "no canary is under way; `retarget rules publish --canary 10%` begins one"


def following(before: Publication | None, after: Publication, *, anew: bool = False) -> Publication:
    """`after`, with the versions that have episodes to finish; `anew`: with none.

    Raises BadInput when this build refuses a rule of either.
    """
    if anew:
        return replace(after, former=[])
    if before is None:
        return after
    said = [*_versions(after.former), *_all(before)]
    in_force = {*map(_key, _rules(after.rules))} | {
        *map(_key, _rules(after.canary.rules if after.canary else []))
    }
    names = {name for name, _ in in_force}
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for rule, data in said:
        if rule.on_change == "finish" and rule.name in names and _key(rule) not in in_force:
            kept.pop(_key(rule), None)
            kept[_key(rule)] = data
    return replace(after, former=_latest(kept))


def as_canary(before: Publication | None, after: Publication, share: float) -> Publication:
    """The rules in force, and those of `after` for a share of the people.

    Raises BadInput where there is nothing to compare, or where settings differ, which are everybody's.
    """
    if before is None:
        raise BadInput(["no rules are published that a canary could be beside; publish without --canary"])
    differing = settings_changes(before.settings, after.settings)
    if differing:
        raise BadInput(
            [f"a canary changes rules only; publish the settings first: {one}" for one in differing]
        )
    old, new = rules_of("published", before), rules_of("to be published", after)
    if not (changed(old, new) or changed(new, old)):
        raise BadInput(["these are the rules that are published: a canary would change nothing"])
    return replace(before, canary=Canary(share=share, rules=after.rules))


def promoted(before: Publication | None) -> Publication:
    """The canary's rules for everybody. Raises BadInput without one."""
    if before is None or before.canary is None:
        raise BadInput([_NO_CANARY])
    return replace(before, rules=before.canary.rules, canary=None)


def withdrawn(before: Publication | None) -> Publication:
    """The rules from before the canary, for everybody. Raises BadInput without one."""
    if before is None or before.canary is None:
        raise BadInput([_NO_CANARY])
    return replace(before, canary=None)


def _all(publication: Publication) -> Iterator[tuple[Rule, dict[str, Any]]]:
    """Every version of a rule in it, the oldest first."""
    yield from _versions(publication.former)
    yield from _versions(publication.rules)
    if publication.canary is not None:
        yield from _versions(publication.canary.rules)


def _versions(rules: list[dict[str, Any]]) -> Iterator[tuple[Rule, dict[str, Any]]]:
    for data in rules:
        yield parse("published", data), data


def _rules(rules: list[dict[str, Any]]) -> list[Rule]:
    return [rule for rule, _ in _versions(rules)]


def _key(rule: Rule) -> tuple[str, str]:
    return rule.name, rule.version


def _latest(kept: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """The latest versions of each rule, in their order."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for (name, _), data in kept.items():
        by_name.setdefault(name, []).append(data)
    return [data for name in sorted(by_name) for data in by_name[name][-VERSIONS_KEPT:]]
