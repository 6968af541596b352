"""A worker's bundles: shelved before they decide, found again by their id, taken up when published."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import pytest

from retarget.errors import BadInput, LaneRefused
from streams.embedded import EmbeddedBroker
from streams.kafka import KafkaAddress
from streams.kafka.sending import Outgoing, producing, send
from streams.kafka.shelf import PUBLISHED, Shelf
from streams.lanes.publication import Canary, Own, Publication, bundle_from, encode, id_of
from streams.lanes.shelved import ShelvedBundles, own_publication, shelved_bundles
from streams.links import Seal
from streams.settings import Settings, load_settings
from streams.topics import RULES
from tests.e2e.harness import until

_AT: Final = "2026-03-02T10:00:00.000Z"


@pytest.fixture
def address(engine: EmbeddedBroker) -> KafkaAddress:
    """Where an engine's topics are, for one test alone."""
    return KafkaAddress(bootstrap=engine.bootstrap)


def settings(*given: str) -> Settings:
    """The defaults, but for these."""
    return load_settings(None, {}, given)


def content(*given: str) -> Publication:
    """The rules that ship, with these settings."""
    found = own_publication(settings(*given))
    assert found is not None
    return found


async def published(shelf: Shelf, publication: Publication) -> str:
    """Publish it; its id."""
    bundle = id_of(publication)
    await shelf.put(bundle, encode(publication))
    await shelf.publish(bundle, _AT)
    return bundle


async def test_the_rules_of_a_folder_are_there_for_whoever_comes_after(address: KafkaAddress) -> None:
    """A worker shelves what it decides by; another one with other settings makes the same of it again."""
    async with shelved_bundles(settings(), address, content()) as one:
        first = one.newest()
    later = "clock.lateness=3s"
    async with shelved_bundles(settings(later), address, content(later)) as other:
        assert other.newest().id != first.id
        again = await other.named(first.id)
    assert (again.id, again.lateness) == (first.id, first.lateness)
    assert again.policy == first.policy
    assert {name: c.rule for name, c in again.matcher.rules.items()} == {
        name: c.rule for name, c in first.matcher.rules.items()
    }
    async with Shelf(address) as shelf:
        assert shelf.published is None, "a folder is not published for others"


def test_a_folder_knows_no_former_versions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A rule there that is to finish its episodes is told that it cannot."""
    keys = "rule: looks\nsubject: person\nevent: view\non_change: finish"
    rule = f"{keys}\nsteps: [{{channels: [push], template: t}}]"
    (tmp_path / "looks.yaml").write_text(rule)
    assert content(f"rules.dir={tmp_path}").rules[0]["on_change"] == "finish"
    assert "rule looks: on_change: finish has no effect on rules from a folder" in caplog.text


async def test_a_bundle_that_is_lost_is_refused_unless_told_otherwise(address: KafkaAddress) -> None:
    """The lane would come to other messages; with rules.unknown the newest stands in."""
    async with shelved_bundles(settings(), address, content()) as bundles:
        with pytest.raises(
            LaneRefused, match=r"bundle 0123456789abcdef is not in the topic of rules; .*runbook"
        ):
            await bundles.named("0123456789abcdef")
    async with shelved_bundles(settings("rules.unknown=newest"), address, content()) as bundles:
        assert await bundles.named("0123456789abcdef") is bundles.newest()


async def test_nothing_published_is_nothing_to_follow(address: KafkaAddress) -> None:
    """A worker does not start, and says what to do."""
    with pytest.raises(BadInput, match=r"rules.source: .*`retarget rules publish`"):
        async with shelved_bundles(settings("rules.source=topic"), address, None):
            pass


async def test_what_is_published_is_taken_up(address: KafkaAddress, caplog: pytest.LogCaptureFixture) -> None:
    """By a worker that follows, with a word on each setting of its own that is overruled; back again, too."""
    async with Shelf(address) as shelf:
        first = await published(shelf, content())
        async with following(address) as bundles:
            assert bundles.newest().id == first
            second = await published(shelf, content("quiet_hours.end=09:00"))
            await comes_to(bundles, second)
            assert bundles.newest().policy.quiet_hours.end == 9 * 60
            assert (
                "overrules a setting of this worker, quiet_hours.end: 09:00 instead of 08:00" in caplog.text
            )
            await shelf.publish(first, _AT)
            await comes_to(bundles, first)
            assert await bundles.named(second) is not bundles.newest()


async def test_what_cannot_be_read_is_not_taken_up(
    address: KafkaAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """Rules of a newer build, content under a wrong id, a stranger's record: the former rules go on."""
    newer = msgspec.structs.replace(content(), rules=[{"rule": "r", "telepathy": True}])
    async with Shelf(address) as shelf:
        first = await published(shelf, content())
        async with following(address) as bundles:
            for bundle, value in (
                ("00000000000000aa", encode(newer)),
                ("00000000000000bb", encode(content())),
            ):
                await shelf.put(bundle, value)
                await shelf.publish(bundle, _AT)
                await told(caplog, f"published, but not taken up: .*{bundle}")
            async with producing(address) as producer:
                await send(producer, [Outgoing(RULES, 0, PUBLISHED, b"no pointer")])
            await told(caplog, "does not say what is published")
            assert bundles.newest().id == first
            assert bundles.refused() == "00000000000000bb"
            last = await published(shelf, content("clock.lateness=5s"))
            await comes_to(bundles, last)
            assert bundles.refused() == ""


def test_content_is_known_by_its_meaning() -> None:
    """The same rules in another order have one id; another setting, or another build, another one."""
    given = content()
    turned = msgspec.structs.replace(given, rules=given.rules[::-1])
    assert id_of(turned) == id_of(given)
    assert id_of(content("clock.lateness=5s")) != id_of(given)
    assert id_of(msgspec.structs.replace(given, build=["9", "9"])) != id_of(given)
    with pytest.raises(BadInput, match="understands it otherwise"):
        bundle_from("00000000000000aa", given, ["touchpoints"], 8)


def test_a_secret_is_not_shelved_but_known_again() -> None:
    """A fingerprint tells whether a worker works out the same codes; it matters where offers are made."""
    shelved = content("offers.secret=correct horse")
    assert b"correct horse" not in encode(shelved)
    bundle = id_of(shelved)
    assert bundle_from(bundle, shelved, ["touchpoints"], 8, Own("correct horse")).policy.offer_secret
    for other in ("", "battery staple"):
        with pytest.raises(BadInput, match=r"its codes are by another offers\.secret"):
            bundle_from(bundle, shelved, ["touchpoints"], 8, Own(other))
    without = [rule for rule in shelved.rules if rule["rule"] != "chat_follow_up"]
    harmless = msgspec.structs.replace(shelved, rules=without)
    assert bundle_from(id_of(harmless), harmless, ["touchpoints"], 8).id == id_of(harmless)


def test_a_new_key_for_links_leaves_old_bundles_alone() -> None:
    """Their batches are repeated with the former key, which stands behind the new one; not without it."""
    old, new = "the key of last year", "the key of this year"
    base = "purl.base=https://go.shop.example/p/"
    before, after = content(base, f"purl.keys={old}"), content(base, f"purl.keys={new},{old}")
    assert old.encode() not in encode(before)
    assert id_of(before) != id_of(after)
    assert id_of(after) == id_of(content(base, f"purl.keys={new}")), "what opens decides nothing"
    for shelved, key in ((before, old), (after, new)):
        made = bundle_from(id_of(shelved), shelved, ["touchpoints"], 8, Own(purl_keys=[new, old]))
        assert made.policy.seal == Seal(key)
        with pytest.raises(BadInput, match=r"its links are by none of purl\.keys; keep the former key"):
            bundle_from(id_of(shelved), shelved, ["touchpoints"], 8, Own(purl_keys=["yet another one"]))


@pytest.mark.parametrize("place", ["former", "canary"])
def test_the_secret_is_asked_for_by_versions_beside_the_rules(place: str) -> None:
    """Codes may also be given by a former version that finishes its episodes, and in a canary."""
    shelved = content("offers.secret=correct horse")
    offering = [rule for rule in shelved.rules if rule["rule"] == "chat_follow_up"]
    others = [rule for rule in shelved.rules if rule["rule"] != "chat_follow_up"]
    canary = Canary(share=0.1, rules=shelved.rules) if place == "canary" else None
    former = offering if place == "former" else []
    given = msgspec.structs.replace(shelved, rules=others, former=former, canary=canary)
    assert bundle_from(id_of(given), given, ["touchpoints"], 8, Own("correct horse")).policy.offer_secret
    with pytest.raises(BadInput, match=r"its codes are by another offers\.secret"):
        bundle_from(id_of(given), given, ["touchpoints"], 8)


# -- parts --


@asynccontextmanager
async def following(address: KafkaAddress) -> AsyncIterator[ShelvedBundles]:
    """The bundles of a worker that follows, at work."""
    async with shelved_bundles(settings("rules.source=topic"), address, None) as bundles:
        watching = asyncio.create_task(bundles.watch())
        try:
            yield bundles
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def comes_to(bundles: ShelvedBundles, bundle: str) -> None:
    """Wait until this one decides."""

    async def so() -> bool:
        return bundles.newest().id == bundle

    await until(so, f"bundle {bundle} taken up")


async def told(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Wait until a line of the log matches."""

    async def so() -> bool:
        return any(re.search(words, record.getMessage()) for record in caplog.records)

    caplog.set_level(logging.INFO)
    await until(so, words, lambda: caplog.text)
