"""What conditions ask of third parties' scores and segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from retarget.journeys import scores
from retarget.rules.expressions.terms import Argument, Function
from retarget.rules.scene import Scene


def _score(source: str, key: str) -> Callable[[Scene], float | None]:
    return lambda scene: scores.number(scene.journey, source, key, scene.at)


def _no_score(source: str, key: str) -> Callable[[Scene], bool]:
    """Whether a segment holds under that name."""
    return lambda scene: scores.is_segment(scene.journey, source, key, scene.at)


def _segment(source: str, key: str) -> Callable[[Scene], str | None]:
    return lambda scene: scores.text(scene.journey, source, key, scene.at)


_ARGS: Final = (Argument(name="source", type="text"), Argument(name="key", type="text"))

FUNCTIONS: Final[Mapping[str, Function]] = {
    "score": Function(
        args=_ARGS,
        returns="number",
        doc="a third party's score that has not expired; unknown without one, or without consent",
        build=_score,
        misfit=_no_score,
    ),
    "segment": Function(
        args=_ARGS,
        returns="text",
        doc="the same as text: the segment that a third party puts the person into",
        build=_segment,
    ),
}
