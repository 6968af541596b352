"""Links that are followed: where they lead, what is told of it, and when they lead nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from retarget.errors import BadInput, Unreachable
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.personal.links import Link, encode, link_of
from retarget.times import DAY, MINUTE
from retarget.touchpoints import Touchpoint
from streams.collect import Delivery, Entrance, NotTaken
from streams.links import Seal
from streams.links.revocation import ByStore, Revoked, Untold
from streams.ports import UnknownOutcome
from streams.settings import load_settings

NOW: Final = 1_772_362_800_000
KEY: Final = "a secret of this test"
ID: Final = "0123456789abcdef" * 2
TARGET: Final = "https://shop.example/for-you?lang=de"
BROWSER: Final = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}


class Taken(Delivery):
    """A delivery that takes everything, or nothing."""

    def __init__(self) -> None:
        self.events: list[Touchpoint | bytes] = []
        self.trouble = ""

    async def deliver(self, events: Sequence[Touchpoint | bytes]) -> None:
        """Keep them."""
        if self.trouble:
            raise NotTaken
        self.events += events


def token(key: str = KEY, *, at: int = NOW, channel: str = "email", known: bool = True,
          products: Sequence[str] = ("p1", "p&2=ü")) -> str:  # fmt: skip
    """A link of u1, good for a day."""
    link = link_of(ID, "u1", known=known, channel=channel, products=products, at=at, lasts=DAY)
    return Seal(key)(encode(link))


async def nobody(_: Link) -> bool:
    """Nothing has been taken back."""
    return False


class Web:
    """A collector and a browser that follows no redirects."""

    def __init__(self, url: str, session: aiohttp.ClientSession, delivery: Taken) -> None:
        self.url, self.session, self.delivery = url, session, delivery

    async def get(
        self, path: str, headers: Mapping[str, str] = BROWSER, method: str = "GET"
    ) -> tuple[int, str]:
        """The status and where it leads."""
        answer = await self.session.request(method, self.url + path, headers=headers, allow_redirects=False)
        async with answer:
            await answer.read()
            return answer.status, answer.headers.get("Location", "")


@asynccontextmanager
async def web(*more: str, revoked: Revoked | None = nobody, now: int = NOW + 1) -> AsyncIterator[Web]:
    """An open one."""
    given = ["collect.port=0", f"purl.keys={KEY}", f"collect.purl_target={TARGET}", *more]
    delivery = Taken()
    settings = load_settings(overrides=given)
    entrance = Entrance(settings, delivery, CollectorRegistry(), now=lambda: now, revoked=revoked)
    async with entrance, aiohttp.ClientSession() as session:
        yield Web(f"http://127.0.0.1:{entrance.port}", session, delivery)


async def test_it_leads_to_the_products_and_tells_of_the_click() -> None:
    """The shop's page with its own parameters and the products; the event has the message's id."""
    async with web() as one:
        status, place = await one.get(f"/p/{token()}")
        assert status == 302
        assert place.startswith("https://shop.example/for-you?")
        assert parse_qsl(urlsplit(place).query) == [("lang", "de"), ("product", "p1"), ("product", "p&2=ü")]
        [event] = one.delivery.events
        assert isinstance(event, Touchpoint)
        assert (event.type, event.user_id, event.channel) == ("email_click", "u1", "email")
        assert event.campaign == {"message_id": ID}
        assert [item.product_id for item in event.items] == ["p1", "p&2=ü"]
        assert event.time == NOW + 1
        await one.get(f"/p/{token()}")
        ids = {event.id for event in one.delivery.events if isinstance(event, Touchpoint)}
        assert len(ids) == 2


async def test_other_channels_tell_of_a_click_on_an_ad() -> None:
    """Of a known or an anonymous person."""
    async with web() as one:
        await one.get(f"/p/{token(channel='direct_mail', known=False)}")
        [event] = one.delivery.events
        assert isinstance(event, Touchpoint)
        assert (event.type, event.user_id, event.anonymous_id) == ("ad_click", None, "u1")


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        (token("another secret, not ours"), ()),
        (token()[:-1], ()),
        (token() + "x", ()),
        (token(at=NOW - 3 * DAY), ()),
        (token(at=NOW - DAY - 2 * MINUTE), ()),
        (token(), (f"collect.purl_revoked={ID}",)),
        (token(), ("collect.purl_target=",)),
        ("..%2f..", ()),
        ("https:%2f%2fevil.example", ()),
        ("%00", ()),
        ("a" * 6000, ()),
    ],
    ids=["forged", "cut", "longer", "long ago", "just expired", "taken back", "no target", "path", "address",
         "null", "long"],
)  # fmt: skip
async def test_what_is_wrong_leads_nowhere(path: str, settings: tuple[str, ...]) -> None:
    """404, the same for all, and nobody is told to have clicked."""
    async with web(*settings) as one:
        answer = await one.session.get(f"{one.url}/p/{path}", allow_redirects=False)
        assert (answer.status, await answer.text()) == (404, "not found\n")
        assert one.delivery.events == []


async def test_a_link_is_good_to_its_last_minute() -> None:
    """And not a day shorter because a key is new."""
    keys = f"purl.keys=a new secret before the old,{KEY}"
    async with web(keys, now=NOW + DAY - 1) as one:
        assert (await one.get(f"/p/{token()}"))[0] == 302


async def test_parameters_of_the_request_lead_nowhere_else() -> None:
    """Nothing that a stranger adds to an address changes where it leads."""
    async with web() as one:
        plain = await one.get(f"/p/{token()}")
        for more in (
            "?url=https://evil.example",
            "?product=x",
            "?next=//evil.example",
            "#https://evil.example",
        ):
            assert await one.get(f"/p/{token()}{more}") == plain
        odd = token(products=["https://evil.example/", "\r\nLocation: https://evil.example"])
        status, place = await one.get(f"/p/{odd}")
        assert (status, urlsplit(place).netloc) == (302, "shop.example")


@pytest.mark.parametrize(
    "headers",
    [
        {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"}, {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
        {"User-Agent": "facebookexternalhit/1.1"}, {"User-Agent": "BarracudaCentral"},
    ],
    ids=str,
)  # fmt: skip
async def test_programs_do_not_click(headers: dict[str, str]) -> None:
    """They are led to the page, and nobody hears of it; a person behind them is heard."""
    async with web() as one:
        assert (await one.get(f"/p/{token()}", BROWSER | headers))[0] == 302
        assert one.delivery.events == []
        assert (await one.get(f"/p/{token()}"))[0] == 302
        assert len(one.delivery.events) == 1


@pytest.mark.parametrize(
    ("agent", "clicks"),
    [
        ("Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/96 Mobile Safari", 1),
        ("Mozilla/5.0 (Linux; U; Android 9; Cubot) AppleWebKit/533.1", 1),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 0),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", 0),
        ("AdsBot-Google (+http://www.google.com/adsbot.html)", 0),
        ("Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) (compatible; AdsBot-Google-Mobile)", 0),
        ("Twitterbot/1.0", 0), ("LinkedInBot/1.0 (compatible)", 0), ("bot", 0),
    ],
)  # fmt: skip
async def test_a_telephone_is_no_program(agent: str, clicks: int) -> None:
    """Not even one whose maker's name ends as those of programs do."""
    async with web() as one:
        await one.get(f"/p/{token()}", {"User-Agent": agent})
        assert len(one.delivery.events) == clicks


async def test_a_head_request_does_not_click() -> None:
    """Mail scanners send it."""
    async with web() as one:
        assert (await one.get(f"/p/{token()}", method="HEAD"))[0] == 302
        assert (await one.get(f"/p/{token()}", method="POST"))[0] == 405
        assert one.delivery.events == []


async def test_no_click_is_lost() -> None:
    """While Kafka takes nothing the answer is 503: to come again, and be counted then."""
    async with web() as one:
        one.delivery.trouble = "down"
        assert (await one.get(f"/p/{token()}"))[0] == 503
        one.delivery.trouble = ""
        assert (await one.get(f"/p/{token()}"))[0] == 302


async def test_without_a_store_nobody_is_led_to_what_may_be_taken_back() -> None:
    """503 as long as nobody can say; 404 where there are no links at all."""

    async def silent(_: Link) -> bool:
        raise Untold

    async def slow(_: Link) -> bool:
        await asyncio.Event().wait()
        return False

    for revoked in (silent, slow):
        async with web("collect.patience=50ms", revoked=revoked) as one:
            assert (await one.get(f"/p/{token()}"))[0] == 503
    async with web(revoked=None) as one:
        assert (await one.get(f"/p/{token()}"))[0] == 404


class Journeys:
    """A store of these people."""

    def __init__(self, *journeys: Journey) -> None:
        self.kept = {journey.person: wire.encode(journey) for journey in journeys}
        self.revoked: set[str] = set()
        self.is_down = False

    async def link_is_revoked(self, message_id: str) -> bool:
        """As the real one."""
        if self.is_down:
            raise UnknownOutcome
        return message_id in self.revoked

    async def journey(self, lane: int, person: str) -> bytes | None:
        """As the real one."""
        assert 0 <= lane < 8
        if person == "down":
            raise UnknownOutcome
        if person == "not let in":
            raise Unreachable("store", "127.0.0.1:1", "store.url")
        return self.kept.get(person)


def link(person: str) -> Link:
    """A link made at NOW."""
    return link_of(ID, person, known=True, channel="email", products=[], at=NOW, lasts=DAY)


async def test_a_link_that_was_taken_back_by_hand_leads_nowhere() -> None:
    """Whoever its person is; others of theirs lead on; while the store does not answer nobody can tell."""
    store = Journeys(Journey(person="here", first=NOW - DAY))
    asked = ByStore(store, 8)
    assert not await asked(link("here"))
    store.revoked.add(ID)
    assert await asked(link("here"))
    store.is_down = True
    with pytest.raises(Untold):
        await asked(link("here"))


async def test_erasing_a_person_takes_their_links_back() -> None:
    """Those made before it, also of a device that leads to them; not what is made afterwards."""
    store = Journeys(
        Journey(person="here", first=NOW - DAY),
        Journey(person="erased", erased=True, erased_at=NOW + 1),
        Journey(person="again", first=NOW - DAY, erased=True, erased_at=NOW - DAY),
        Journey(person="device", moved=[(NOW, "here")]),
        Journey(person="phone", moved=[(NOW, "erased")]),
        Journey(person="handed on", first=NOW + DAY),
        Journey(person="went on", moved=[(NOW + 2, "here")], erased=True, erased_at=NOW + 1),
        Journey(person="circle", moved=[(NOW, "circle")]),
    )
    asked = ByStore(store, 8)
    found = {person: await asked(link(person)) for person in (*store.kept, "nobody")}
    assert found == {
        "here": False, "erased": True, "again": False, "device": False, "phone": True, "handed on": True,
        "went on": True, "circle": True, "nobody": True,
    }  # fmt: skip
    for person in ("down", "not let in"):
        with pytest.raises(Untold):
            await asked(link(person))


@pytest.mark.parametrize(
    "given",
    ["purl.base=https://g\u00f6.example/p/", "collect.purl_target=https://shop.example/f\u00fcr-dich"],
)
def test_an_address_that_no_header_and_no_push_can_say_is_refused(given: str) -> None:
    """Pushes and letters would go without a link, and where a browser is led would be a guess."""
    with pytest.raises(BadInput, match=r"expected https://… in ASCII"):
        load_settings(overrides=[given, f"purl.keys={KEY}"])
