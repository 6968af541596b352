"""What one run decided against what the other did: the same, moved, decided otherwise, added, removed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, NamedTuple, TypeVar

from streams.cases.outcomes import Wait
from streams.what_if.running import Said

_T = TypeVar("_T")
Kind = Literal["added", "removed", "moved", "changed"]


class Difference(NamedTuple):
    """A decision that one of the runs alone made, or that both made, but not alike."""

    before: Said | None
    after: Said | None

    @property
    def kind(self) -> Kind:
        """`moved` is the same outcome at another time."""
        if self.before is None or self.after is None:
            return "added" if self.before is None else "removed"
        return "moved" if _came_out(self.before) == _came_out(self.after) else "changed"

    @property
    def at(self) -> str:
        """When it is, or was, decided."""
        said = self.after or self.before
        assert said is not None  # a difference has a side
        return str(said["decided_at"])


def differences(before: Sequence[Said], after: Sequence[Said]) -> tuple[list[Difference], int]:
    """All differences by time, and how many decisions are the same."""
    pairs, ours, theirs = _paired(before, after, [
        lambda said: (*_about(said), said["due"], said["decided_at"], *_came_out(said)),
        lambda said: said["decision_id"],
        lambda said: (*_about(said), *_came_out(said)),
        _about,
    ])  # fmt: skip
    unlike = [Difference(*pair) for pair in pairs if not _alike(*pair)]
    alone = [*(Difference(one, None) for one in ours), *(Difference(None, one) for one in theirs)]
    return sorted([*unlike, *alone], key=lambda one: one.at), len(pairs) - len(unlike)


def waits_differ(before: Sequence[Wait], after: Sequence[Wait]) -> list[tuple[Wait | None, Wait | None]]:
    """The same for what waits at the end."""
    pairs, ours, theirs = _paired(before, after, [lambda wait: wait, lambda wait: (wait.rule, wait.about)])
    unlike = [pair for pair in pairs if pair[0] != pair[1]]
    return [*unlike, *((one, None) for one in ours), *((None, one) for one in theirs)]


def _about(said: Said) -> tuple[str, ...]:
    return said["rule"], str(said["step"]), said["subject"]["id"], said.get("operation", "send")


def _came_out(said: Said) -> tuple[str, ...]:
    return said["outcome"], said.get("reason") or "", said.get("channel") or "", str(said.get("message"))


def _alike(before: Said, after: Said) -> bool:
    return before["decided_at"] == after["decided_at"] and _came_out(before) == _came_out(after)


def _paired(
    before: Sequence[_T], after: Sequence[_T], keys: Sequence[Callable[[_T], Hashable]]
) -> tuple[list[tuple[_T, _T]], list[_T], list[_T]]:
    """Pairs by the first key that both have, in their order; then what is left of each side."""
    pairs: list[tuple[_T, _T]] = []
    ours, theirs = list(before), list(after)
    for key in keys:
        by_key: dict[Hashable, list[_T]] = defaultdict(list)
        for one in theirs:
            by_key[key(one)].append(one)
        rest: list[_T] = []
        for one in ours:
            others = by_key.get(key(one))
            if others:
                pairs.append((one, others.pop(0)))
            else:
                rest.append(one)
        ours, theirs = rest, [one for others in by_key.values() for one in others]
    return pairs, ours, theirs
