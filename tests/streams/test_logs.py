"""Log lines that people and machines can read, without personal data."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from streams.logs import configure_logs

LOG = logging.getLogger("streams.test")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The root logger of the test run is given back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


def test_a_json_line_holds_the_event_and_its_fields() -> None:
    """A log store can search by lane without a pattern."""
    out = io.StringIO()
    configure_logs("json", "info", out)

    LOG.info("claimed", extra={"lane": 3, "cause": "rebalance"})

    line = json.loads(out.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "streams.test",
        "event": "claimed",
        "lane": 3,
        "cause": "rebalance",
    }


def test_a_json_line_stays_one_line_with_a_traceback() -> None:
    """A traceback is a field, so that it is not torn into forty lines."""
    out = io.StringIO()
    configure_logs("json", "info", out)

    try:
        raise ValueError("so\nbad")  # noqa: TRY301
    except ValueError:
        LOG.exception("failed", extra={"odd": object})

    (line,) = out.getvalue().splitlines()
    assert "ValueError: so\nbad" in json.loads(line)["exception"]


def test_a_text_line_quotes_what_would_be_ambiguous() -> None:
    """Fields can be told apart even when they hold spaces."""
    out = io.StringIO()
    configure_logs("text", "info", out)

    LOG.warning("waiting for the %s", "store", extra={"detail": "no route", "lane": 1})

    text = out.getvalue()
    assert text.endswith('WARNING streams.test: waiting for the store detail="no route" lane=1\n')


@pytest.mark.parametrize("form", ["text", "json"])
def test_personal_fields_are_withheld(form: str) -> None:
    """Whoever logs a person by mistake does not publish them."""
    out = io.StringIO()
    configure_logs("json" if form == "json" else "text", "info", out)

    LOG.info("sent", extra={"person": "u-1", "email": "a@example.com", "rule": "abandoned_cart"})

    assert "u-1" not in out.getvalue()
    assert "example.com" not in out.getvalue()
    assert "(withheld)" in out.getvalue()


def test_a_second_call_replaces_the_first() -> None:
    """No line comes twice."""
    first, second = io.StringIO(), io.StringIO()
    configure_logs("text", "info", first)
    configure_logs("text", "error", second)

    LOG.info("hidden")
    LOG.error("shown")

    assert first.getvalue() == ""
    assert second.getvalue().count("\n") == 1


def test_libraries_say_a_line_in_ten_seconds_each() -> None:
    """An outage does not fill the disk, what is critical is always said, and we are never cut short."""
    out = io.StringIO()
    configure_logs("text", "info", out)
    (handler,) = logging.getLogger().handlers

    def said(name: str, at: float, level: int = logging.ERROR) -> None:
        record = logging.LogRecord(name, level, "", 0, f"at {at:g}", (), None)
        record.created = at
        handler.handle(record)

    for at in (0, 1, 9.9, 10, 11):
        said("aiokafka.client", at)
    said("aiokafka.fetcher", 1)
    said("aiokafka.client", 12, logging.CRITICAL)
    said("retarget.lane", 0)
    said("retarget.lane", 1)

    lines = [line.split(" ERROR   ")[-1].split(" CRITICAL ")[-1] for line in out.getvalue().splitlines()]
    assert lines == [
        "aiokafka.client: at 0",
        "aiokafka.client: at 10 unsaid=2",
        "aiokafka.fetcher: at 1",
        "aiokafka.client: at 12",
        "retarget.lane: at 0",
        "retarget.lane: at 1",
    ]
