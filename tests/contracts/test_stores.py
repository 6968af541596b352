"""What every store promises: the same suite runs on the one in memory and on a real server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from retarget.engine.ceilings import Granted, Shortage
from streams.clocks import now_ms
from streams.embedded import EmbeddedStore
from streams.ports import Ask, Checkpoint, LaneImage, Portion
from streams.stores import Store, open_store
from tests.protocol.cluster import Cluster, ModelStore
from tests.protocol.steps import at_once
from tests.protocol.store import StoredImages

LANES = 8
ODD = [
    "",
    " ",
    "{}",
    "}{a}",
    "{retarget:8:1}:j:x",
    "a\r\nb",
    "\x00",
    "ä😀",
    "\ud800",
    ":" * 300,
    "-1",
    "(5",
    "*",
]


@pytest.fixture(params=["memory", pytest.param("server", marks=pytest.mark.embedded)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of an empty store, of each kind."""
    if request.param == "memory":
        return "memory://"
    server: EmbeddedStore = request.getfixturevalue("store")
    return server.url


@asynccontextmanager
async def opened(url: str, app_id: str = "retarget") -> AsyncIterator[Store]:
    """A store of LANES lanes, closed afterwards."""
    store = await open_store(url, app_id, LANES)
    try:
        yield store
    finally:
        await store.close()


def checkpoint(expected: int, **changes: Any) -> Checkpoint:  # noqa: ANN401 - the fields of a Checkpoint
    """A checkpoint whose meta names its sequence."""
    return Checkpoint(expected=expected, meta=b"meta %d" % (expected + 1), **changes)


async def test_a_lane_that_was_never_written_is_empty(url: str) -> None:
    """Sequence 0, no meta, no journeys, no waits."""
    async with opened(url) as store:
        assert await store.image(0) == LaneImage(0, b"")
        assert await store.load(0, ["ann", "bob"]) == (0, [None, None])
        assert await store.load(0, []) == (0, [])
        assert await store.waits(0, -1, 10**15, 10) == (0, [])


async def test_a_checkpoint_writes_all_it_holds_under_the_next_sequence(url: str) -> None:
    """Journeys, waits, meta and sequence are there afterwards, and the next one changes them."""
    async with opened(url) as store:
        first = checkpoint(0, journeys=[("ann", b"a1"), ("bob", b"b1")], waits=[("ann", 50), ("bob", 60)])
        assert await store.checkpoint(1, first) == 1
        assert await store.image(1) == LaneImage(1, b"meta 1")
        assert await store.load(1, ["bob", "eve", "ann", "bob"]) == (1, [b"b1", None, b"a1", b"b1"])
        assert await store.waits(1, 0, 100, 10) == (1, [(50, "ann"), (60, "bob")])
        second = checkpoint(
            1, journeys=[("ann", b"a2")], forgotten=["bob"], waits=[("ann", 70)], unwaited=["bob"]
        )
        assert await store.checkpoint(1, second) == 2
        assert await store.load(1, ["ann", "bob"]) == (2, [b"a2", None])
        assert await store.waits(1, 0, 100, 10) == (2, [(70, "ann")])


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_a_checkpoint_for_another_sequence_writes_nothing(url: str, expected: int) -> None:
    """At sequence 2, one that expects less or more leaves all as it is and says 2."""
    async with opened(url) as store:
        await store.checkpoint(1, checkpoint(0, journeys=[("ann", b"a1")], waits=[("ann", 5)]))
        await store.checkpoint(1, checkpoint(1))
        stale = checkpoint(
            expected, journeys=[("bob", b"b")], forgotten=["ann"], waits=[("bob", 6)], unwaited=["ann"]
        )
        assert await store.checkpoint(1, stale) == 2
        assert await store.image(1) == LaneImage(2, b"meta 2")
        assert await store.load(1, ["ann", "bob"]) == (2, [b"a1", None])
        assert await store.waits(1, 0, 10, 10) == (2, [(5, "ann")])


async def test_a_repeated_checkpoint_is_answered_as_the_first_was(url: str) -> None:
    """Sent again after an unknown outcome, it says expected + 1 and changes nothing."""
    async with opened(url) as store:
        again = checkpoint(0, journeys=[("ann", b"a")], waits=[("ann", 5)])
        assert [await store.checkpoint(1, again) for _ in range(3)] == [1, 1, 1]
        assert await store.image(1) == LaneImage(1, b"meta 1")


async def test_whoever_is_forgotten_or_unwaited_in_a_checkpoint_is_so_afterwards(url: str) -> None:
    """Removal wins over a write in the same checkpoint, and of two writes the later one."""
    async with opened(url) as store:
        both = checkpoint(
            0,
            journeys=[("ann", b"1"), ("bob", b"1"), ("bob", b"2")],
            forgotten=["ann", "ann", "eve"],
            waits=[("ann", 5), ("bob", 9), ("bob", 6)],
            unwaited=["ann", "ann", "eve"],
        )
        await store.checkpoint(1, both)
        assert await store.load(1, ["ann", "bob", "eve"]) == (1, [None, b"2", None])
        assert await store.waits(1, 0, 10, 10) == (1, [(6, "bob")])


@pytest.mark.parametrize(
    ("after", "until", "limit", "expected"),
    [
        (0, 100, 10, ["e", "a", "b", "c", "d"]),
        (0, 100, 1, ["e"]),
        (0, 100, 2, ["e", "a", "b", "c"]),
        (0, 100, 3, ["e", "a", "b", "c"]),
        (0, 100, 4, ["e", "a", "b", "c"]),
        (0, 100, 5, ["e", "a", "b", "c", "d"]),
        (10, 100, 2, ["a", "b", "c"]),
        (10, 20, 10, ["a", "b", "c"]),
        (10, 19, 10, []),
        (20, 30, 1, ["d"]),
        (30, 100, 1, []),
        (50, 20, 1, []),
    ],
)
async def test_a_page_of_waits_never_cuts_a_due_time_in_two(
    url: str, after: int, until: int, limit: int, expected: list[str]
) -> None:
    """From after to until, ordered by due and person, longer than the limit where a due time needs it."""
    async with opened(url) as store:
        waits = [("c", 20), ("d", 30), ("a", 20), ("e", 10), ("b", 20)]
        await store.checkpoint(1, checkpoint(0, waits=waits))
        sequence, page = await store.waits(1, after, until, limit)
        assert sequence == 1
        assert [person for _, person in page] == expected
        assert page == sorted((due, person) for person, due in waits if person in expected)


async def test_a_persons_id_may_hold_any_text(url: str) -> None:
    """Braces, line ends, NUL, emoji, lone surrogates: each a person of its own, in the order of the text."""
    async with opened(url) as store:
        written = checkpoint(
            0,
            journeys=[(person, person.encode("utf-8", "surrogatepass") + b"!") for person in ODD],
            waits=[(person, 7) for person in ODD],
        )
        await store.checkpoint(1, written)
        assert await store.load(1, ODD) == (1, [journey for _, journey in written.journeys])
        assert await store.waits(1, 0, 7, 1) == (1, [(7, person) for person in sorted(ODD)])
        await store.checkpoint(1, checkpoint(1, forgotten=ODD, unwaited=ODD))
        assert await store.load(1, ODD) == (2, [None] * len(ODD))
        assert await store.waits(1, 0, 7, 1) == (2, [])


@pytest.mark.parametrize("value", [b"", b"\x00", b"\r\n$3\r\n", bytes(range(256)), b"x" * 1_000_000])
async def test_journeys_and_meta_are_opaque(url: str, value: bytes) -> None:
    """Every byte comes back, also none at all: an empty journey is not an unknown one."""
    async with opened(url) as store:
        await store.checkpoint(1, Checkpoint(expected=0, meta=value, journeys=[("ann", value)]))
        assert await store.image(1) == LaneImage(1, value)
        assert await store.load(1, ["ann"]) == (1, [value])


@pytest.mark.parametrize("people", [1999, 2000, 2001, 4000, 4001, 10_000])
async def test_one_call_takes_thousands_of_people(url: str, people: int) -> None:
    """Around and far above the size of the server's portions, nobody is lost or mixed up."""
    persons = [f"person {number:05}" for number in range(people)]
    journeys = [(person, f"journey of {person}".encode()) for person in persons]
    async with opened(url) as store:
        many = checkpoint(
            0, journeys=journeys, waits=[(person, 1000 + i) for i, person in enumerate(persons)]
        )
        assert await store.checkpoint(1, many) == 1
        assert await store.load(1, persons) == (1, [journey for _, journey in journeys])
        assert (await store.waits(1, 0, 10**6, 10**6))[1] == [(1000 + i, p) for i, p in enumerate(persons)]
        kept = persons[-1]
        most = checkpoint(1, journeys=[(kept, b"new")], forgotten=persons[:-1], unwaited=persons[:-1])
        assert await store.checkpoint(1, most) == 2
        assert await store.load(1, persons) == (2, [None] * (people - 1) + [b"new"])
        assert await store.waits(1, 0, 10**6, 10) == (2, [(999 + people, kept)])


async def test_listings_are_apart_from_journeys(url: str) -> None:
    """A product and a person of one name are two things; listings are read at the sequence that is named."""
    async with opened(url) as store:
        assert await store.listings(1, ["ann"]) == (0, [None])
        await store.checkpoint(
            1, checkpoint(0, journeys=[("ann", b"j")], listings=[("ann", b"l"), ("p", b"")])
        )
        assert await store.listings(1, ["p", "x", "ann", "p"]) == (1, [b"", None, b"l", b""])
        assert await store.load(1, ["ann", "p"]) == (1, [b"j", None])
        await store.checkpoint(1, checkpoint(1, forgotten=["ann"], listings=[("p", b"2"), ("p", b"3")]))
        assert await store.listings(1, ["ann", "p"]) == (2, [b"l", b"3"])
        assert await store.listings(2, ["ann"]) == (0, [None])


async def test_who_follows_a_product_is_told_in_order_behind_somebody(url: str) -> None:
    """A page of each product that is asked about; nobody twice, and whoever left is not in it."""
    async with opened(url) as store:
        pairs = [("p", name) for name in ("c", "a", "e", "b", "a", "d")]
        await store.checkpoint(1, checkpoint(0, following=[*pairs, ("q", "a")]))
        asked = [("p", ""), ("p", "b"), ("p", "e"), ("q", ""), ("none", ""), ("p", "bb")]
        found = [["a", "b"], ["c", "d"], [], ["a"], [], ["c", "d"]]
        assert await store.followers(1, asked, 2) == (1, found)
        assert await store.followers(1, [], 2) == (1, [])
        leaving = [("p", "a"), ("p", "d"), ("none", "a"), ("p", "a")]
        await store.checkpoint(1, checkpoint(1, following=[("p", "d")], unfollowing=leaving))
        assert await store.followers(1, [("p", ""), ("q", "")], 9) == (2, [["b", "c", "e"], ["a"]])
        assert await store.followers(2, [("p", "")], 9) == (0, [[]])


# Where one is cut off the other seems to begin.
LIKE_EACH_OTHER = [
    "a",
    "1:a",
    "3:1:a",
    "aa",
    "2:aa",
    "1",
    ":",
    "1:",
    "0:",
    "2:1:",
    "a\x00",
    "a\x00b",
    *ODD[1:],
]


async def test_a_product_is_taken_for_no_other(url: str) -> None:
    """Ids that look like parts of each other, NUL, lone surrogates, emoji: each has its own followers."""
    persons = sorted({*LIKE_EACH_OTHER}, key=lambda text: text.encode("utf-8", "surrogatepass"))
    pairs = [(product, person) for product in LIKE_EACH_OTHER for person in persons if person != product]
    async with opened(url) as store:
        await store.checkpoint(1, checkpoint(0, following=pairs))
        asked = [(product, "") for product in LIKE_EACH_OTHER]
        pages = [[person for person in persons if person != product] for product in LIKE_EACH_OTHER]
        assert await store.followers(1, asked, 1000) == (1, pages)
        await store.checkpoint(1, checkpoint(1, unfollowing=[pair for pair in pairs if pair[0] != "1:a"]))
        left = [
            page if product == "1:a" else [] for product, page in zip(LIKE_EACH_OTHER, pages, strict=True)
        ]
        assert await store.followers(1, asked, 1000) == (2, left)


async def test_ten_thousand_followers_come_page_by_page(url: str) -> None:
    """Each page goes on where the one before ended, by the bytes of the name, until one is not full."""
    persons = [f"{'äb😀z'[number % 4]}{number}" for number in range(10_000)]
    async with opened(url) as store:
        await store.checkpoint(1, checkpoint(0, following=[("p", person) for person in persons]))
        read: list[str] = []
        page = [""]
        while page:
            _, (page,) = await store.followers(1, [("p", read[-1] if read else "")], 1500)
            read += page
        assert read == sorted(persons, key=str.encode)
        leaving = [("p", person) for person in persons[1:]]
        await store.checkpoint(1, checkpoint(1, unfollowing=leaving))
        assert await store.followers(1, [("p", "")], 9) == (2, [persons[:1]])


@pytest.mark.parametrize("expected", [0, 2])
async def test_a_checkpoint_for_another_sequence_changes_no_listing_and_no_index(
    url: str, expected: int
) -> None:
    """Compare and set holds for the catalogue's part too."""
    async with opened(url) as store:
        await store.checkpoint(1, checkpoint(0, listings=[("p", b"1")], following=[("p", "ann")]))
        stale = checkpoint(
            expected, listings=[("p", b"2")], following=[("p", "bob")], unfollowing=[("p", "ann")]
        )
        assert await store.checkpoint(1, stale) == 1
        assert await store.listings(1, ["p"]) == (1, [b"1"])
        assert await store.followers(1, [("p", "")], 9) == (1, [["ann"]])


async def test_lanes_share_nothing(url: str) -> None:
    """The same person in two lanes has two journeys, and each lane its own sequence."""
    async with opened(url) as store:
        for lane in range(LANES):
            await store.checkpoint(
                lane, checkpoint(0, journeys=[("ann", b"%d" % lane)], waits=[("ann", lane)])
            )
        await store.checkpoint(3, checkpoint(1, forgotten=["ann"], unwaited=["ann"]))
        loaded = [await store.load(lane, ["ann"]) for lane in range(LANES)]
        assert loaded == [(1, [b"%d" % lane]) if lane != 3 else (2, [None]) for lane in range(LANES)]
        waits = [(await store.waits(lane, -1, 100, 5))[1] for lane in range(LANES)]
        assert waits == [[(lane, "ann")] if lane != 3 else [] for lane in range(LANES)]


async def test_a_load_beside_checkpoints_belongs_to_the_sequence_it_names(url: str) -> None:
    """Every journey and wait that is read at sequence n was written by checkpoint n."""
    persons = [f"p{number}" for number in range(300)]

    async def write(store: Store) -> None:
        for expected in range(100):
            value = b"%d" % (expected + 1)
            waits = [(person, expected + 1) for person in persons]
            await store.checkpoint(
                1, checkpoint(expected, journeys=[(p, value) for p in persons], waits=waits)
            )

    async with opened(url) as store:
        writing = asyncio.create_task(write(store))
        while not writing.done():
            sequence, journeys = await store.load(1, persons)
            assert set(journeys) == {b"%d" % sequence if sequence else None}
            sequence, page = await store.waits(1, 0, 1000, 1)
            assert {due for due, _ in page} == ({sequence} if sequence else set())
            await asyncio.sleep(0)  # the store in memory never gives way
        await writing


async def test_the_view_for_explain_shows_one_person(url: str) -> None:
    """A journey and a wait by lane and person; None for what is not there."""
    async with opened(url) as store:
        await store.checkpoint(1, checkpoint(0, journeys=[("ann", b"a")], waits=[("ann", 1_732_255_000_123)]))
        assert (await store.journey(1, "ann"), await store.wait_of(1, "ann")) == (b"a", 1_732_255_000_123)
        assert (await store.journey(1, "bob"), await store.wait_of(2, "ann")) == (None, None)


async def test_pauses_are_set_changed_and_ended_by_name(url: str) -> None:
    """They stand outside of the lanes and keep the time since when they are in force."""
    async with opened(url) as store:
        assert await store.pauses() == {}
        await store.set_pause("channel:email", 1_732_255_000_000)
        await store.set_pause("rule:ärger {x}", 5)
        await store.set_pause("rule:ärger {x}", 6)
        assert await store.pauses() == {"channel:email": 1_732_255_000_000, "rule:ärger {x}": 6}
        await store.set_pause("channel:email", None)
        await store.set_pause("never set", None)
        assert await store.pauses() == {"rule:ärger {x}": 6}


async def test_a_link_is_taken_back_until_it_expires_or_is_given_again(url: str) -> None:
    """Outside of the lanes; what has expired is not kept."""
    soon = now_ms() + 400
    async with opened(url) as store:
        await store.revoke_link("m1", now_ms() + 60_000)
        await store.revoke_link("m2", soon)
        assert [await store.link_is_revoked(one) for one in ("m1", "m2", "m3")] == [True, True, False]
        await store.revoke_link("m1", None)
        assert not await store.link_is_revoked("m1")
        while await store.link_is_revoked("m2"):
            assert now_ms() < soon + 5_000
            await asyncio.sleep(0.02)
        assert now_ms() >= soon


_PERSONS = ["ann", "bob", "eve", *ODD]
# Few values, so that dues meet each other and the ends of pages.
_DUES = [0, 1, 2, 3, 0, 1, 2, 3, -(2**53), 2**53]
_CALLS = ("next", "next", "checkpoint", "image", "load", "waits", "waits", "listings", "followers")
_BESIDE = ("journey", "wait_of", "set_pause", "pauses", "grant")
_LENGTH = 40


class _Drawn:
    """Arguments of calls, by chance; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)

    def script(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Calls one after the other."""
        return [self._call(self._chance.choice(names)) for _ in range(_LENGTH)]

    def _call(self, name: str) -> tuple[Any, ...]:
        chance = self._chance
        arguments: dict[str, Callable[[], tuple[Any, ...]]] = {
            "load": lambda: (self._some(_PERSONS, 5),),
            "waits": lambda: (
                chance.choice([-1, 0, 1, 2, *_DUES]),
                chance.choice(_DUES),
                chance.randint(1, 5),
            ),
            "listings": lambda: (self._some(LIKE_EACH_OTHER, 4),),
            "followers": lambda: (self._pairs(_PERSONS, 4), chance.randint(1, 4)),
            "journey": lambda: (chance.choice(_PERSONS),),
            "wait_of": lambda: (chance.choice(_PERSONS),),
        }
        if name in ("next", "checkpoint"):
            return name, chance.randint(0, 1), self._checkpoint()
        if name == "set_pause":
            return name, chance.choice(_PERSONS), chance.choice([None, chance.randrange(2**53)])
        if name == "grant":
            return name, _ask(chance.randint(0, 2), chance.randint(0, 5), chance.randint(0, 4))
        if name == "pauses":
            return (name,)
        return name, chance.randint(0, 1), *arguments.get(name, tuple)()

    def _checkpoint(self) -> Checkpoint:
        chance = self._chance
        # Nobody is called nothing who follows something.
        named = [person for person in _PERSONS if person]
        return Checkpoint(
            expected=chance.randint(0, 3),
            meta=chance.randbytes(chance.randint(0, 4)),
            journeys=[(person, chance.randbytes(3)) for person in self._some(_PERSONS, 6)],
            forgotten=self._some(_PERSONS, 3),
            waits=[(person, chance.choice(_DUES)) for person in self._some(_PERSONS, 9)],
            unwaited=self._some(_PERSONS, 3),
            listings=[(product, chance.randbytes(3)) for product in self._some(LIKE_EACH_OTHER, 3)],
            following=self._pairs(named, 6),
            unfollowing=self._pairs(named, 3),
        )

    def _some(self, values: Sequence[str], most: int) -> list[str]:
        return self._chance.choices(values, k=self._chance.randint(0, most))

    def _pairs(self, persons: Sequence[str], most: int) -> list[tuple[str, str]]:
        return [(self._chance.choice(LIKE_EACH_OTHER), person) for person in self._some(persons, most)]


def _ask(lane: int, has: int, wanted: int) -> Ask:
    """A lane of two asks for more of nine."""
    return Ask("rule", Shortage(7, 3_600_000, 9, wanted), lane, has, 2)


@pytest.mark.parametrize("seed", range(30))
def test_any_calls_have_the_same_answers_in_memory_and_on_a_server(
    store_server: EmbeddedStore, seed: int
) -> None:
    """The store in memory can stand for the real one: no sequence of calls tells them apart."""
    calls = _Drawn(seed).script(_CALLS + _BESIDE)
    app_id = uuid.uuid4().hex
    assert asyncio.run(_answers(store_server.url, app_id, calls)) == asyncio.run(
        _answers("memory://", app_id, calls)
    )


class Images(StoredImages):
    """What the model of the store holds, whatever the meta says."""

    def _compare(self) -> None:
        """See StoredImages: bytes that nobody wrote have no positions in them."""


class Modelled:
    """The store of the fault simulator, a cluster for each lane; nothing fails."""

    def __init__(self) -> None:
        self._lanes = [ModelStore(Cluster(Images()), LANES) for _ in range(LANES)]

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        """The call of that name, carried out."""
        return lambda lane, *arguments: at_once(getattr(self._lanes[lane], name)(lane, *arguments))


@pytest.mark.parametrize("seed", range(30))
def test_any_calls_have_the_same_answers_of_the_model_and_on_a_server(
    store_server: EmbeddedStore, seed: int
) -> None:
    """What the fault simulator takes for the store behaves as one."""
    calls = _Drawn(seed).script(_CALLS)
    assert asyncio.run(_answers(store_server.url, uuid.uuid4().hex, calls)) == asyncio.run(
        _answers_of(Modelled(), calls)
    )


async def _answers(url: str, app_id: str, calls: list[tuple[Any, ...]]) -> list[object]:
    async with opened(url, app_id) as store:
        return await _answers_of(store, calls)


async def _answers_of(store: Store | Modelled, calls: list[tuple[Any, ...]]) -> list[object]:
    answers: list[object] = []
    for name, *arguments in calls:
        if name == "next":
            lane, drawn = arguments
            fitting = Checkpoint(
                expected=(await store.image(lane)).sequence,
                meta=drawn.meta,
                journeys=drawn.journeys,
                forgotten=drawn.forgotten,
                waits=drawn.waits,
                unwaited=drawn.unwaited,
                listings=drawn.listings,
                following=drawn.following,
                unfollowing=drawn.unfollowing,
            )
            answers.append(await store.checkpoint(lane, fitting))
        else:
            answers.append(await getattr(store, name)(*arguments))
    for lane in range(2):
        answers += [
            await store.image(lane),
            await store.load(lane, ODD),
            await store.waits(lane, -(2**54), 2**54, 99),
            await store.listings(lane, LIKE_EACH_OTHER),
            await store.followers(lane, [(product, "") for product in LIKE_EACH_OTHER], 99),
        ]
    return answers


async def test_a_ceiling_is_given_in_portions_until_all_of_it_is(url: str) -> None:
    """A share of what is left, at least what is lacking; to all lanes together never more than there is."""
    async with opened(url) as store:
        assert await store.grant(_ask(0, 0, 1)) == Granted(7, 3, last=False)  # a quarter of 9, for two lanes
        assert await store.grant(_ask(1, 0, 5)) == Granted(7, 5, last=False)
        assert await store.grant(_ask(0, 2, 1)) == Granted(7, 3, last=False)  # it has more than it knows of
        assert await store.grant(_ask(0, 3, 9)) == Granted(7, 4, last=True)
        assert await store.grant(_ask(1, 5, 1)) == Granted(7, 5, last=True)
        assert await store.grant(_ask(0, 3, 1)._replace(rule="other")) == Granted(7, 5, last=False)


async def test_a_grant_whose_answer_was_lost_is_given_once(url: str) -> None:
    """Asked again unchanged, the answer is the same."""
    async with opened(url) as store:
        assert (
            await store.grant(_ask(0, 0, 3)) == await store.grant(_ask(0, 0, 3)) == Granted(7, 3, last=False)
        )


async def test_what_a_lane_has_counts_when_the_store_has_lost_it(url: str) -> None:
    """It tells so when it asks; then nobody is given what has been given already."""
    async with opened(url) as store:
        assert await store.grant(_ask(0, 8, 0)) == Granted(7, 8, last=False)
        assert await store.grant(_ask(1, 0, 4)) == Granted(7, 1, last=True)


async def test_a_lane_at_rest_is_given_as_a_whole(url: str) -> None:
    """In portions, nobody's else, whatever the ids are; something may come twice."""
    products = [*ODD, "1:a", "12:b"]
    async with opened(url) as store, opened(url, "retarget*") as other:
        for one, lane in ((store, 0), (store, 1), (other, 1)):
            written = [(name, b"%d %b" % (lane, name.encode("utf-8", "surrogatepass"))) for name in ODD]
            await one.checkpoint(
                lane,
                checkpoint(
                    0,
                    journeys=written,
                    waits=[(name, lane + n) for n, name in enumerate(ODD)],
                    listings=written[1:],
                    following=[(product, name) for product in products for name in ODD[:3]],
                ),
            )
        parts = [portion async for portion in store.portions(1, 3)]
        assert {one for part in parts for one in part.journeys} == {
            (name, b"1 " + name.encode("utf-8", "surrogatepass")) for name in ODD
        }
        assert {one for part in parts for one in part.waits} == {(name, 1 + n) for n, name in enumerate(ODD)}
        assert {name for part in parts for name, _ in part.listings} == {*ODD[1:]}
        assert {one for part in parts for one in part.following} == {
            (product, name) for product in products for name in ODD[:3]
        }
        assert [portion async for portion in store.portions(5)] == []


async def test_a_lane_may_be_emptied_and_numbered_anew(url: str) -> None:
    """A checkpoint may take everything out, and name the sequence that comes after it, below 0 as well."""
    async with opened(url) as store:
        await store.checkpoint(
            1,
            checkpoint(
                0,
                journeys=[("ann", b"a")],
                waits=[("ann", 5)],
                listings=[("p", b"l"), ("ann", b"q")],
                following=[("p", "ann")],
            ),
        )
        emptied = checkpoint(
            1, then=-(2**52), forgotten=["ann"], unwaited=["ann"], unlisted=["p"], unfollowing=[("p", "ann")]
        )
        assert await store.checkpoint(1, emptied) == -(2**52)
        assert await store.checkpoint(1, emptied) == -(2**52)
        parts = [portion async for portion in store.portions(1)]
        assert parts == [Portion(listings=[("ann", b"q")])]
        assert await store.load(1, ["ann"]) == (-(2**52), [None])
        assert await store.checkpoint(1, checkpoint(-(2**52), then=77)) == 77
        assert (await store.image(1)).sequence == 77
