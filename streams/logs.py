"""Structured log lines, for people or as JSON. Fields travel in `extra`; personal ones are withheld."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Final, Literal, TextIO

from retarget.times import format_time

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color", "data"}
# Logs are read by more people, and kept longer, than the topics are.
PERSONAL: Final = frozenset(
    {
        "address", "anonymous_id", "email", "first_name", "key", "last_name", "person", "persons", "phone",
        "record", "to", "token", "touchpoint", "traits", "user_id", "value",
    }
)  # fmt: skip
WITHHELD: Final = "(withheld)"
# Below a warning they speak about each fetch and each heartbeat of the group.
_QUIET: Final = ("aiohttp", "aiokafka", "faust", "mode")
# Services of Faust's kind speak of each start and stop under the name of their module.
_FAUST_PARTS: Final = "streams.transport"
_PAUSE_S: Final = 10.0


def configure_logs(
    form: Literal["text", "json"],
    level: Literal["debug", "info", "warning", "error"],
    stream: TextIO | None = None,
    hidden: Callable[[str], str] = str,
) -> None:
    """Send everything to `stream` (standard error) in this form; a second call replaces the first.

    Every line goes through `hidden`, whoever writes it, with its traceback.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Sparse())
    handler.setFormatter(JsonLines(hidden) if form == "json" else TextLines(hidden))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in (*_QUIET, _FAUST_PARTS):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class Sparse(logging.Filter):
    """A line per logger of our libraries in ten seconds: without a broker each retry has a complaint.

    The next line that passes says in `unsaid` how many did not. Critical ones always pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is shown."""
        name = record.name
        if name.partition(".")[0] not in _QUIET or record.levelno >= logging.CRITICAL:
            return True
        if record.created - self._last.get(name, -_PAUSE_S) < _PAUSE_S:
            self._unsaid[name] = self._unsaid.get(name, 0) + 1
            return False
        self._last[name] = record.created
        if unsaid := self._unsaid.pop(name, 0):
            record.unsaid = unsaid
        return True


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """What the caller put into `extra`, personal values withheld."""
    return {
        name: WITHHELD if name in PERSONAL else value
        for name, value in vars(record).items()
        if name not in _STANDARD and not name.startswith("_")
    }


def _time(record: logging.LogRecord) -> str:
    return format_time(round(record.created * 1000))


class _Lines(logging.Formatter):
    def __init__(self, hidden: Callable[[str], str] = str) -> None:
        super().__init__()
        self._hidden = hidden

    def format(self, record: logging.LogRecord) -> str:
        """What is shown of a record."""
        return self._hidden(self.line(record))

    def line(self, record: logging.LogRecord) -> str:
        """The same with everything."""
        raise NotImplementedError


class JsonLines(_Lines):
    """One JSON object a line: time, level, logger, event, the fields, and the traceback as one text."""

    def line(self, record: logging.LogRecord) -> str:
        """A line; whatever is no JSON value is written as text."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextLines(_Lines):
    """Time, level, logger, event and `field=value`; tracebacks follow on their own lines."""

    def line(self, record: logging.LogRecord) -> str:
        """A line, or several with a traceback."""
        fields = "".join(f" {name}={_shown(value)}" for name, value in fields_of(record).items())
        line = f"{_time(record)} {record.levelname:<7} {record.name}: {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _shown(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(mark in text for mark in ' ="\n') else text
