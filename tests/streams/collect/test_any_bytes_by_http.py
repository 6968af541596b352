"""Whatever is posted, the collector answers with a status of its own, and goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzz import seeds
from bench.fuzz.mutating import ODD_WORDS, broken
from tests.support.collecting import Collector

ANSWERS: Final = frozenset({200, 204, 400, 401, 403, 404, 405, 411, 413, 415, 429, 431})
POSTED: Final = (
    "/v1/track", "/v1/identify", "/v1/batch", "/v1/alias", "/v1/m", "/v1/nothing", "/cloudevents", "/",
)  # fmt: skip
ASKED: Final = (
    "/v1/pixel/track?data=", "/pixel.gif?type=", "/pixel.gif?user_id=", "/p/", "/v1/projects/",
    "/sourceConfig?",
)  # fmt: skip
NAMES: Final = ("Authorization", "ce-id", "ce-type", "ce-specversion", "ce-time", "Origin", "Cookie")
KINDS: Final = (
    "application/json", "text/plain", "application/cloudevents+json", "application/cloudevents-batch+json",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/json; charset=klingon", "",
)  # fmt: skip
PACKED: Final = ("", "gzip", "deflate", "br", "gzip, gzip", "identity", "\x01")


@pytest.fixture(scope="module")
def collector_of_all(collector: Callable[..., Collector]) -> Collector:
    """One that asks for no key."""
    return collector()


@given(draw=st.randoms(use_true_random=True))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bodies_and_headers_that_are_nearly_right(collector_of_all: Collector, draw: Random) -> None:
    """Broken calls, batches and events, packed or not, under any kind of content."""
    body = broken(draw, [*seeds.segment(), *seeds.BATCHES, *seeds.canonical()])
    packed = draw.choice(PACKED) if draw.random() < 0.3 else ""
    if packed.startswith("gzip") and draw.random() < 0.8:
        body = gzip.compress(body)
    headers = {"Content-Type": draw.choice(KINDS) if draw.random() < 0.5 else KINDS[0]}
    if packed:
        headers["Content-Encoding"] = packed
    if draw.random() < 0.3:
        odd = draw.choice(ODD_WORDS)[:200].decode("latin-1")
        name = draw.choice(NAMES)
        headers[name] = "".join(one for one in odd if one not in "\r\n\0")
    status, told = asked(collector_of_all, "POST", draw.choice(POSTED), body, headers)
    assert status in ANSWERS, (status, told)
    if status >= 400 and b"{" in told:
        assert json.loads(told)["error"]["remedy"]


@given(draw=st.randoms(use_true_random=True))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_addresses_that_are_nearly_right(collector_of_all: Collector, draw: Random) -> None:
    """What stands in an address: pixels, links, settings of browsers' libraries."""
    told = broken(draw, seeds.PIXELS)[:2_000] if draw.random() < 0.7 else draw.choice(ODD_WORDS)[:500]
    path = draw.choice(ASKED) + quote(told)
    status, answer = asked(collector_of_all, draw.choice(("GET", "HEAD", "OPTIONS", "PUT")), path, b"", {})
    assert status in ANSWERS, (status, answer)


def test_afterwards_it_takes_events(collector_of_all: Collector) -> None:
    """And nothing of ours is behind the answers but what was refused."""
    call = {"type": "track", "event": "Product Viewed", "userId": "ann", "properties": {"product_id": "tent"}}
    assert collector_of_all.send("/v1/track", call).status == 200


def asked(
    collector: Collector, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes]:
    """The answer; 400 where the connection ends because what was sent is no HTTP."""
    connection = HTTPConnection("127.0.0.1", collector.port, timeout=30)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (HTTPException, ConnectionError, ValueError):
        return 400, b""
    finally:
        connection.close()
