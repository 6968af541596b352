"""Codes from files: read, checked, and told by a fingerprint where the settings that decide are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from retarget.engine.pools import Pool
from retarget.errors import BadInput
from retarget.rules.model import Rule
from streams.settings import Settings, fingerprint

CODES: Final = "offers.codes"
_LONGEST: Final = 64
_MADE_UP: Final = 10_000


def deciding(settings: Settings) -> dict[str, str]:
    """The settings that decide, with what is in files of codes instead of their paths. Raises BadInput."""
    said = settings.deciding()
    if settings.offers.codes:
        pools = read(settings.offers.codes)
        said[CODES] = ", ".join(f"{name}={_told(pools[name].codes)}" for name in sorted(pools))
    return said


def read(files: Mapping[str, str]) -> dict[str, Pool]:
    """The pool of each name, from its file: a code a line. Raises BadInput with every problem."""
    found: dict[str, Pool] = {}
    problems: list[str] = []
    for name, path in files.items():
        try:
            codes = _codes(Path(path))
        except BadInput as bad:
            problems += bad.problems
        else:
            found[name] = _pool(name, codes)
    if problems:
        raise BadInput(problems)
    return found


def as_shelved(bundle: str, said: str, files: Mapping[str, str]) -> dict[str, Pool]:
    """The pools as a bundle had them: of files that have grown since, the beginning. Raises BadInput."""
    told = {name: what for name, _, what in (one.strip().partition("=") for one in said.split(",")) if what}
    if missing := sorted(told.keys() - files.keys()):
        raise BadInput([f"bundle {bundle}: it takes codes from {missing[0]}, which {CODES} does not have"])
    pools = read({name: files[name] for name in told})
    for name, what in told.items():
        count = int(what.partition(":")[0])
        pools[name] = _pool(name, pools[name].codes[:count])
        if _told(pools[name].codes) != what:
            wanted = f"the {count:,} that it was shelved with"
            raise BadInput([f"bundle {bundle}: {CODES}: {files[name]} does not begin with {wanted}"])
    return pools


def made_up(rules: Iterable[Rule]) -> dict[str, Pool]:
    """Pools for all that these rules ask for, where nobody will use the codes."""
    names = {offer.codes for rule in rules for step in rule.steps for offer in step.offers if offer.codes}
    return {name: Pool(name, tuple(f"{name}-{n}" for n in range(_MADE_UP))) for name in names}


def require(rules: Iterable[Rule], pools: Mapping[str, Pool]) -> None:
    """Raise BadInput when a rule takes codes from a pool that is not there."""
    asked = {(rule.name, offer.codes) for rule in rules for step in rule.steps for offer in step.offers}
    if problems := [
        f"rule {rule}: its offer takes codes from {name}, which {CODES} does not have; add {name}=PATH there"
        for rule, name in sorted(asked)
        if name and name not in pools
    ]:
        raise BadInput(problems)


def _pool(name: str, codes: Sequence[str]) -> Pool:
    return Pool(f"{name}:{fingerprint(codes[0]) if codes else ''}", tuple(codes))


def _told(codes: Sequence[str]) -> str:
    digest = blake2b("\n".join(codes).encode(), digest_size=8, person=b"retarget.codes")
    return f"{len(codes)}:{digest.hexdigest()}"


def _codes(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as unread:
        detail = unread.strerror if isinstance(unread, OSError) else "it is not text in UTF-8"
        raise BadInput([f"{CODES}: {path}: cannot be read: {detail}"]) from None
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        code = line.strip()
        if not code:
            continue
        if code in found:
            said = f"the code stands there twice, first in line {found[code]}"
            raise BadInput([f"{CODES}: {path}, line {number}: {said}; remove one"])
        if len(code) > _LONGEST or not code.isprintable() or " " in code:
            said = f"that is no code; write one a line, of at most {_LONGEST} characters without spaces"
            raise BadInput([f"{CODES}: {path}, line {number}: {said}"])
        found[code] = number
    return list(found)
