"""What a node of the store does with a command: the five scripts and the one plain read, on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from retarget.engine.ceilings import Shortage
from streams.ports import Ask, Checkpoint
from streams.stores import scripts
from streams.stores.keys import follower, follower_prefix, person_bytes, person_text
from streams.stores.link import Argument
from tests.protocol.store import StoredImages

_ALL: Final = (scripts.CHECKPOINT, scripts.FOLLOWERS, scripts.GRANT, scripts.LOAD, scripts.WAITS)
_NAMES: Final = dict(zip(_ALL, ("checkpoint", "followers", "grant", "load", "waits"), strict=True))
_BY_DIGEST: Final = {script.digest: script for script in _ALL}
_BY_TEXT: Final = {script.text: script for script in _ALL}
_JOURNEY: Final = b"j:"


class Command(NamedTuple):
    """One command on its way to a node."""

    name: str
    keys: tuple[bytes, ...]
    rest: tuple[Any, ...]
    script: scripts.Script | None = None
    whole: bool = True  # not only a script's digest

    @property
    def slot(self) -> bytes:
        """What stands in the braces of its keys: what has the same lies on the same node."""
        return slot_of(self.keys[0])

    @property
    def changes(self) -> bool:
        """Whether it leaves something behind."""
        return self.script in (scripts.CHECKPOINT, scripts.GRANT)


def slot_of(key: bytes) -> bytes:
    """What stands in the braces of a key."""
    return key.partition(b"}")[0]


def asks_for_lane(command: Command) -> int | None:
    """Which lane asks for a portion of a ceiling, whose key belongs to none; None: it is something else."""
    return int(command.rest[0]) if command.script is scripts.GRANT else None


def understood(words: tuple[Argument, ...]) -> Command:
    """The command of these words."""
    verb, first, *rest = words
    if verb == b"HMGET":
        assert isinstance(first, bytes)
        return Command("image", (first,), ())
    script = (_BY_DIGEST if verb == b"EVALSHA" else _BY_TEXT)[first]  # type: ignore[index]
    count, values = int(rest[0]), rest[1:]
    keys: Any = tuple(values[:count])
    return Command(_NAMES[script], keys, tuple(values[count:]), script, verb == b"EVAL")


def carried_out(command: Command, images: StoredImages) -> Any:  # noqa: ANN401 - the script's header says what
    """The answer, once it has had its effect."""
    if command.script is None:
        now = images.now
        return [b"%d" % now.sequence, now.meta] if now.sequence else [None, None]
    return _EFFECTS[command.script](command, images)


def _checkpoint(command: Command, images: StoredImages) -> int:
    expected, after, meta, writing, waiting, unwaiting, following = command.rest[:7]
    rest = iter(command.rest[7:])
    named = [_named(key) for key in command.keys[3:]]
    written = [(kind, name, next(rest)) for kind, name in named[:writing]]
    waits = [(next(rest), next(rest)) for _ in range(waiting)]
    unwaited = [person_text(next(rest)) for _ in range(unwaiting)]
    followers = [(next(rest), follower(next(rest)))[1] for _ in range(following)]
    return images.write(
        Checkpoint(
            expected=expected,
            then=after,
            meta=meta,
            journeys=[(name, value) for kind, name, value in written if kind == _JOURNEY],
            listings=[(name, value) for kind, name, value in written if kind != _JOURNEY],
            forgotten=[name for kind, name in named[writing:] if kind == _JOURNEY],
            unlisted=[name for kind, name in named[writing:] if kind != _JOURNEY],
            waits=[(person_text(person), due) for due, person in waits],
            unwaited=unwaited,
            following=followers,
            unfollowing=[follower(entry) for entry in rest],
        )
    )


def _load(command: Command, images: StoredImages) -> list[Any]:
    now = images.now
    held: Mapping[bytes, Mapping[str, bytes]] = {_JOURNEY: now.journeys}
    named = map(_named, command.keys[1:])
    return [now.sequence, *[held.get(kind, now.listings).get(name) for kind, name in named]]


def _waits(command: Command, images: StoredImages) -> list[Any]:
    after, until, limit = command.rest
    page = images.now.page(after, until, limit)
    told = [part for due, person in page for part in (person_bytes(person), b"%d" % due)]
    return [images.now.sequence, told]


def _followers(command: Command, images: StoredImages) -> list[Any]:
    limit, *asked = command.rest
    pages = []
    for prefix, after in zip(asked[::2], asked[1::2], strict=True):
        product, person = follower(prefix + after)
        found = images.now.followers_of(product, person, limit)
        pages.append([follower_prefix(product) + person_bytes(one) for one in found])
    return [images.now.sequence, *pages]


def _grant(command: Command, images: StoredImages) -> list[int]:
    lane, has, wanted, most, lanes, _ = command.rest
    within, window, rule = command.keys[0].partition(b":c:")[2].decode().split(":", 2)
    ask = Ask(rule, Shortage(int(window), int(within), most, wanted), lane, has, lanes)
    granted = images.grant(ask)
    return [granted.most, int(not granted.last)]


def _named(key: bytes) -> tuple[bytes, str]:
    """The kind of a key, and whose it is."""
    own = key.partition(b"}:")[2]
    return own[:2], person_text(own[2:])


_EFFECTS: Final[Mapping[scripts.Script, Callable[[Command, StoredImages], Any]]] = {
    scripts.CHECKPOINT: _checkpoint,
    scripts.FOLLOWERS: _followers,
    scripts.GRANT: _grant,
    scripts.LOAD: _load,
    scripts.WAITS: _waits,
}
