"""Addresses that a message does not have are asked for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web

from retarget.messages import Message
from streams.channels.addresses import Addresses
from streams.channels.outcomes import Outcome
from tests.streams.channels.conftest import message

EXTERNAL = {"to": {"external": "a/b 1"}}


async def asked(answer: web.Response | None, **more: Any) -> tuple[Any, list[str]]:  # noqa: ANN401 - fields
    """What comes of a message when the shop's service answers so, and what it was asked."""
    paths: list[str] = []

    async def tell(request: web.Request) -> web.StreamResponse:
        paths.append(request.raw_path)
        assert answer is not None
        return answer

    app = web.Application()
    app.router.add_get("/{rest:.*}", tell)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place = f"http://127.0.0.1:{runner.addresses[0][1]}/people/{{user_id}}" if answer is not None else ""
    addresses = Addresses(place)
    found = await addresses.of(msgspec.convert(message(1, **more), Message), ("email",))
    await addresses.close()
    await runner.cleanup()
    return found, paths


async def test_the_messages_own_address_goes_first() -> None:
    """Nobody is asked then."""
    found, paths = await asked(web.json_response({"email": "other@mail.example"}))
    assert (found["email"], paths) == ("p1@mail.example", [])


async def test_the_shops_service_knows_it() -> None:
    """Asked with the id as it is, whatever is in it."""
    found, paths = await asked(web.json_response({"email": "ann@mail.example"}), **EXTERNAL)
    assert (found, paths) == ({"email": "ann@mail.example"}, ["/people/a%2Fb%201"])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (None, "dead"),
        (web.Response(status=404), "dead"),
        (web.json_response({"phone": "+49"}), "dead"),
        (web.json_response(["nonsense"]), "dead"),
        (web.Response(status=503), "later"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "later"),
        (web.Response(text="no json"), "later"),
    ],
)
async def test_what_is_not_known_and_what_is_not_answered(answer: web.Response | None, kind: str) -> None:
    """Nobody knows: a dead letter. No sense in the answer: another time. It leads us nowhere else."""
    found, _ = await asked(answer, **EXTERNAL)
    assert isinstance(found, Outcome)
    assert found.kind == kind
    assert kind == "later" or found.reason == "no_address"
