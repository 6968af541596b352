"""How settings are declared, and how a file, the environment and flags become values."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast, get_type_hints

from retarget.errors import BadInput
from streams.settings_kinds import Kind, kind_of

PREFIX: Final = "RETARGET_"
T = TypeVar("T")
CONFIG: Final = "RETARGET_CONFIG"
# Behind the variable of a secret: the file that holds it, as container platforms mount it.
_IN_FILE: Final = "_FILE"
DEFAULT: Final = "default"
NO_VALUE: Final = object()
_OPEN_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
# The path of the file, and what only the tests, benchmarks, the build and embedded servers look for.
_NOT_SETTINGS: Final = re.compile(
    r"RETARGET_(CONFIG|DATA|PEERS(_PYTHON)?|COMPILE|KAFKA_HOME|STORE_SERVER|TEST_.*)"
)
# Kubernetes puts these into every container beside a service whose name begins with `retarget`.
_SERVICE_LINK: Final = re.compile(r"RETARGET_(.*_)?(SERVICE_(HOST|PORT.*)|PORT_\d+_.*)|RETARGET_PORT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """One setting, or with `open` every key of its section that has no declaration of its own."""

    key: str
    attribute: str
    kind: Kind
    default: object
    sentence: str
    because: str
    mask: Callable[[str], str] | None
    open: bool
    names: re.Pattern[str]

    @property
    def environment(self) -> str:
        """The name of the variable that sets it."""
        return environment_name(self.key)

    def shown(self, value: object) -> str:
        """`value` as text, without its secret."""
        text = self.kind.write(value)
        return text if self.mask is None else self.mask(text)


class Found(NamedTuple):
    """A value that a source gives for a key; `place` is how the source names the key."""

    key: str
    value: object
    source: str
    place: str


class Gathered(NamedTuple):
    """The value of every key, open ones included, and the source it came from."""

    values: Mapping[str, object]
    sources: Mapping[str, str]


def setting(default: T, sentence: str, *, because: str = "", mask: Callable[[str], str] | None = None) -> T:
    """Declare one setting; its type says what may stand there."""
    return cast("T", _declare(lambda: default, sentence, because, mask, is_open=False))


def open_settings(default: T, sentence: str, *, because: str = "", names: re.Pattern[str] = _OPEN_NAME) -> T:
    """Declare that a section takes any further name of that form; the field maps those names to values."""
    return cast("T", _declare(lambda: default, sentence, because, None, is_open=True, names=names))


def _declare(
    default: Callable[[], Any],
    sentence: str,
    because: str,
    mask: Callable[[str], str] | None,
    *,
    is_open: bool,
    names: re.Pattern[str] = _OPEN_NAME,
) -> object:
    said = {"sentence": sentence, "because": because, "mask": mask, "open": is_open, "names": names}
    return field(default_factory=default, metadata=said, repr=mask is None)


def declared_in(sections: Mapping[str, type]) -> dict[str, Declared]:
    """Every declaration by its key, in the order of the sections; an open one has the key `section.*`."""
    return {
        declared.key: declared for name, section in sections.items() for declared in _declared(name, section)
    }


def _declared(section: str, of: type) -> Iterator[Declared]:
    hints = get_type_hints(of, include_extras=True)
    for each in dataclasses.fields(of):
        name = "*" if each.metadata["open"] else each.name.rstrip("_")
        factory = cast("Callable[[], object]", each.default_factory)
        yield Declared(
            key=f"{section}.{name}",
            attribute=each.name,
            kind=kind_of(hints[each.name]),
            default=factory(),
            **each.metadata,
        )


def environment_name(key: str) -> str:
    """`RETARGET_CLOCK_MAX_SKEW` of `clock.max_skew`."""
    return PREFIX + key.replace(".", "_").upper()


def of_file(path: Path) -> list[Found]:
    """What a TOML file sets. Raises BadInput when it cannot be read."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as unread:
        detail = unread.strerror if isinstance(unread, OSError) else unread
        raise BadInput([f"{path}: cannot be read as TOML: {detail}"]) from unread
    return [
        Found(key, value, str(path), f"{path}: {key}")
        for section, table in tables.items()
        for key, value in _flat(section, table)
    ]


def _flat(section: str, table: object) -> Iterator[tuple[str, object]]:
    if not isinstance(table, dict):
        yield section, table
        return
    for name, value in table.items():
        yield f"{section}.{name}", value


def of_environment(environ: Mapping[str, str], known: Mapping[str, Declared]) -> list[Found]:
    """What variables set; an empty one counts as not set, since compose files pass them on like that."""
    names = {declared.environment: key for key, declared in known.items() if not declared.open}
    opened = {environment_name(key[:-1]): key[:-1] for key, declared in known.items() if declared.open}
    files = {f"{declared.environment}{_IN_FILE}": key for key, declared in known.items() if declared.mask}
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    return [
        _secret_in(name, value, files[name], given)
        if name in files
        else Found(_key_of(name, names, opened), value, f"environment {name}", f"environment {name}")
        for name, value in sorted(given.items())
        if not _is_other(name)
    ]


def _secret_in(name: str, path: str, key: str, given: Mapping[str, str]) -> Found:
    """What the file holds that a variable such as RETARGET_KAFKA_SASL_PASSWORD_FILE names."""
    place = f"environment {name}"
    if name.removesuffix(_IN_FILE) in given:
        raise BadInput([f"{place}: {name.removesuffix(_IN_FILE)} is set too; unset one of them"])
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as unread:
        # Not chained, and not quoted: an error of decoding holds bytes of the secret.
        detail = unread.strerror if isinstance(unread, OSError) else "it is not text in UTF-8"
        raise BadInput([f"{place}: {path}: cannot be read: {detail}"]) from None
    if not secret:
        raise BadInput([f"{place}: {path}: is empty; expected the secret and nothing else"])
    return Found(key, secret, place, place)


def _is_other(name: str) -> bool:
    return any(known.fullmatch(name) for known in (_NOT_SETTINGS, _SERVICE_LINK))


def _key_of(name: str, names: Mapping[str, str], opened: Mapping[str, str]) -> str:
    if name in names:
        return names[name]
    section = next((start for start in opened if name.startswith(start)), None)
    return name if section is None else opened[section] + name.removeprefix(section).lower()


def of_flags(overrides: Sequence[str]) -> list[Found]:
    """What `--set key=value` flags set."""
    cut = [flag.partition("=") for flag in overrides]
    return [
        Found(key.strip(), value if equals else NO_VALUE, "--set", f"--set {key.strip()}")
        for key, equals, value in cut
    ]


def of_presets(presets: Mapping[str, str]) -> list[Found]:
    """What a command sets for itself, weaker than everything a user says."""
    return [Found(key, value, "preset", f"preset {key}") for key, value in presets.items()]


def gather(known: Mapping[str, Declared], layers: Iterable[Callable[[], list[Found]]]) -> Gathered:
    """The last layer's word on every key. Raises BadInput with the problems of all layers."""
    values = {key: declared.default for key, declared in known.items() if not declared.open}
    for declared in filter(lambda one: one.open, known.values()):
        values |= {
            _within(declared, name): each
            for name, each in cast("dict[str, object]", declared.default).items()
        }
    sources = dict.fromkeys(values, DEFAULT)
    problems: list[str] = []
    for layer in layers:
        for found in _tried(layer, problems):
            try:
                values[found.key] = _read(found, known)
                sources[found.key] = found.source
            except BadInput as bad:
                problems += bad.problems
    if problems:
        raise BadInput(problems)
    return Gathered(values, sources)


def _tried(layer: Callable[[], list[Found]], problems: list[str]) -> list[Found]:
    try:
        return layer()
    except BadInput as bad:
        problems += bad.problems
        return []


def _within(declared: Declared, name: str) -> str:
    return declared.key.removesuffix("*") + name


def declaration_of(key: str, known: Mapping[str, Declared]) -> Declared | None:
    """The declaration that `key` falls under, its own or its section's open one."""
    section, _, name = key.partition(".")
    if name != "*" and key in known:
        return known[key]
    opened = known.get(f"{section}.*")
    return opened if opened is not None and opened.names.fullmatch(name) else None


def _read(found: Found, known: Mapping[str, Declared]) -> object:
    declared = declaration_of(found.key, known)
    if declared is None:
        raise BadInput([f"{found.place}: unknown{_nearest(found, known)}"])
    if found.value is NO_VALUE:
        raise BadInput([f"{found.place}: found no value, expected {found.key}=VALUE"])
    try:
        return declared.kind.read(found.value)
    except ValueError as refused:
        shown = "a value that is not shown" if declared.mask else repr(found.value)
        raise BadInput([f"{found.place}: found {shown}, expected {declared.kind.expects}"]) from refused


def _nearest(found: Found, known: Mapping[str, Declared]) -> str:
    keys = [declared.key for declared in known.values() if not declared.open]
    names = [environment_name(key) for key in keys] if found.source.startswith("environment") else keys
    near = get_close_matches(found.key, names, n=1, cutoff=0.5)
    if not near:
        same_name = [name for name in names if name.endswith("." + found.key.rpartition(".")[2])]
        near = same_name[:1]
    return f"; nearest known: {near[0]}" if near else "; `retarget settings` lists all"
