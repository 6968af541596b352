"""The budget file: YAML with prices and limits; what is wrong with it is said by line, all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from retarget.errors import BadInput
from retarget.rules.names import nearest
from streams.backtest.budget import KINDS, Budget, Kind, Limit
from streams.rulebook import read_documents
from streams.topics import CHANNELS

Keys = tuple[str | int, ...]
_PARTS: Final = ("prices", "limits")
# Percent.
_WHOLE: Final = 100


def read_budget(path: Path) -> Budget:
    """The budget in a file. Raises BadInput with every problem, by line."""
    documents, problems = read_documents([path])
    if not problems and len(documents) != 1:
        problems = [f"{path}:1: found {len(documents)} documents; expected one with {' and '.join(_PARTS)}"]
    if problems:
        raise BadInput(problems)
    reading = _Reading(documents[0].file, documents[0].data, documents[0].lines)
    budget = reading.budget()
    if reading.problems:
        raise BadInput(reading.problems)
    return budget


class _Reading:
    """One file, read whole although something is wrong."""

    def __init__(self, file: str, data: object, lines: Mapping[Any, int]) -> None:
        self._file, self._data, self._lines = file, data, lines
        self._wrong: list[tuple[int, str]] = []

    @property
    def problems(self) -> list[str]:
        """What is wrong, by line."""
        return [f"{self._file}:{line}: {sentence}" for line, sentence in sorted(self._wrong)]

    def budget(self) -> Budget:
        data = self._mapping((), self._data, _PARTS)
        prices = self._mapping(("prices",), data.get("prices", {}), CHANNELS)
        limits = self._mapping(("limits",), data.get("limits", {}), KINDS)
        return Budget(
            {name: self._number(("prices", name), value) for name, value in prices.items()},
            tuple(limit for name, value in limits.items() for limit in self._limits(name, value)),
        )

    def _limits(self, name: str, value: object) -> Iterator[Limit]:
        if not KINDS[name].by_channel:
            keys: Keys = ("limits", name)
            kind = KINDS[name]
            most = self._share(keys, value, kind) if kind.share else self._number(keys, value)
            yield Limit(self._place(keys), name, most)
            return
        for channel, most in self._mapping(("limits", name), value, CHANNELS).items():
            keys = ("limits", name, channel)
            yield Limit(self._place(keys), name, self._number(keys, most), channel)

    def _mapping(
        self, keys: Keys, value: object, known: Mapping[str, Any] | tuple[str, ...]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._note(keys, f"found {value!r}, expected {', '.join(known)} with a value each")
            return {}
        for name in [name for name in value if name not in known]:
            self._note((*keys, name), f"unknown{nearest(name, set(known))}; known: {', '.join(known)}")
        return {name: one for name, one in value.items() if name in known}

    def _number(self, keys: Keys, value: object) -> float:
        found = _plain(value)
        if found is None:
            self._note(keys, f"found {value!r}, expected a number from 0 on")
        return found or 0.0

    def _share(self, keys: Keys, value: object, kind: Kind) -> float:
        found = _percent(value) if isinstance(value, str) else _plain(value)
        if found is None:
            self._note(keys, f"found {value!r}, expected a share such as 5%")
        elif found > 1 and not (kind.exceeds and isinstance(value, str)):
            self._note(keys, f"found {value!r}, {_too_much(found, value, kind)}")
        return found or 0.0

    def _note(self, keys: Keys, sentence: str) -> None:
        name = ".".join(map(str, keys))
        self._wrong.append((self._line(keys), f"{name}: {sentence}" if name else sentence))

    def _place(self, keys: Keys) -> str:
        return f"{self._file}:{self._line(keys)}"

    def _line(self, keys: Keys) -> int:
        return self._lines.get(keys, 1)


def _plain(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    return None


def _percent(text: str) -> float | None:
    number = text.removesuffix("%").strip()
    if not text.endswith("%") or not number.replace(".", "", 1).isdecimal():
        return None
    return float(number) / _WHOLE


def _too_much(share: float, value: object, kind: Kind) -> str:
    """Why a share above 1 is none, and what to write."""
    percent = f"{share:.15g}%"
    if kind.exceeds:
        return f"which may mean {percent} or {share * _WHOLE:.15g}%; expected one of them"
    meant = percent if share <= _WHOLE and not isinstance(value, str) else "a share such as 5%"
    return f"which is more than all, so it is never exceeded; expected {meant}"
