"""The budget file: YAML with prices and limits; what is wrong with it is said by line, all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from retarget.errors import BadInput
from retarget.rules.names import nearest
from streams.backtest.budget import KINDS, Budget, Limit
from streams.rulebook import read_documents
from streams.topics import CHANNELS

Keys = tuple[str | int, ...]
_PARTS: Final = ("prices", "limits")


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
            yield Limit(self._place(keys), name, self._number(keys, value, share=KINDS[name].share))
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

    def _number(self, keys: Keys, value: object, *, share: bool = False) -> float:
        if share and isinstance(value, str) and value.endswith("%"):
            with_percent = value[:-1].strip()
            if with_percent.replace(".", "", 1).isdecimal():
                return float(with_percent) / 100
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return float(value)
        self._note(
            keys, f"found {value!r}, expected {'a share such as 5%' if share else 'a number from 0 on'}"
        )
        return 0.0

    def _note(self, keys: Keys, sentence: str) -> None:
        name = ".".join(map(str, keys))
        self._wrong.append((self._line(keys), f"{name}: {sentence}" if name else sentence))

    def _place(self, keys: Keys) -> str:
        return f"{self._file}:{self._line(keys)}"

    def _line(self, keys: Keys) -> int:
        return self._lines.get(keys, 1)
