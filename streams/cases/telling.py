"""A difference as its author reads it: what was expected, what came instead, and the gate that made it so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retarget.times import format_duration
from streams.cases.comparing import Difference
from streams.cases.model import Expected, Prepared, Waiting, local_of, moment_of
from streams.cases.outcomes import Outcome, Wait
from streams.explaining import gate_line

_ON_THE_CHANNEL = ("paused", "no_consent", "unreachable")


def told(difference: Difference, prepared: Prepared, waits: Sequence[Wait]) -> list[str]:
    """The lines below the name of the case; `waits` are what is left when the clock stops."""
    one, got = difference.expected, difference.got
    wanted = _expected(one, prepared) if one is not None else "nothing more"
    lines = [f"expected  {wanted}"]
    if got is None:
        lines.append(f"got       {_nothing(one, prepared, waits)}")
    else:
        lines.append(f"got       {_got(got, prepared, one)}")
        lines += [f"because   {line}" for line in _gates(one, got)]
    return lines


def _expected(one: Expected | Waiting, prepared: Prepared) -> str:
    if isinstance(one, Waiting):
        due = _moment(prepared.moment(one.due), prepared)
        return _joined(due, "a wait's end", _about(one.step, one.about))
    until = f" until {_moment(prepared.moment(one.until), prepared)}" if one.until is not None else ""
    what = f"{one.kind} {one.name or ''}".rstrip() + until
    about = _about(one.step, one.about)
    if one.channel is not None:
        about.append(f"channel {one.channel}")
    if one.template is not None:
        about.append(f"template {one.template}")
    if one.offer is not None:
        about.append(f"offer {one.offer}")
    if one.good_until is not None:
        about.append(f"good until {_moment(prepared.moment(one.good_until), prepared)}")
    if one.products is not None:
        about.append(_products(one.products))
    if one.rule is not None:
        about.append(f"rule {one.rule}")
    return _joined(_moment(prepared.moment(one.at), prepared), what, about)


def _got(got: Outcome | Wait, prepared: Prepared, one: Expected | Waiting | None) -> str:
    if isinstance(got, Wait):
        return _joined(_moment(got.due, prepared), "a wait's end", _about(got.step, got.about))
    until = f" until {_moment(got.until, prepared)}" if got.until is not None else ""
    name = "" if got.kind == "deferred" else got.name
    about = _about(got.step, got.about)
    if got.kind in ("suppressed", "deferred") and got.channel is not None:
        about.append(f"channel {got.channel}")
    if got.template is not None and isinstance(one, Expected) and one.template is not None:
        about.append(f"template {got.template}")
    if isinstance(one, Expected) and one.offer is not None:
        about.append(f"offer {got.offer}")
    if isinstance(one, Expected) and one.good_until is not None and got.good_until is not None:
        about.append(f"good until {_moment(got.good_until, prepared)}")
    if got.kind == "sent" and (one is None or (isinstance(one, Expected) and one.products is not None)):
        about.append(_products(got.products))
    if isinstance(one, Expected) and one.rule is not None:
        about.append(f"rule {got.rule}")
    return _joined(_moment(got.at, prepared), f"{got.kind} {name}".rstrip() + until, about)


def _nothing(one: Expected | Waiting | None, prepared: Prepared, waits: Sequence[Wait]) -> str:
    """Nothing, and where the author may look for the reason."""
    if isinstance(one, Waiting) or not waits:
        return "nothing"
    first = waits[0]
    return f"nothing; step {first.step} waits until {_moment(first.due, prepared)}"


def _gates(one: Expected | Waiting | None, got: Outcome | Wait) -> Iterator[str]:
    """The gates that tell why: the one that stopped it, or those that chose another channel."""
    if isinstance(got, Wait):
        return
    telling = {got.name} if got.kind in ("suppressed", "deferred") else set[str]()
    if got.kind == "sent" and isinstance(one, Expected) and one.name != got.name:
        telling = {*_ON_THE_CHANNEL}
    for gate in got.gates:
        if gate["gate"] in telling and (gate["gate"] != "paused" or gate.get("value")):
            yield gate_line(gate["gate"], gate.get("value"), gate.get("limit"))


def _about(step: int | None, about: str | None) -> list[str]:
    said = [] if step is None else [f"step {step}"]
    return said if not about else [*said, f"about {about}"]


def _products(products: Sequence[str]) -> str:
    return f"products {' '.join(sorted(products))}" if products else "no products"


def _joined(moment: str, what: str, about: Sequence[str]) -> str:
    return ", ".join([f"{moment}  {what}", *about])


def _moment(moment: int, prepared: Prepared) -> str:
    """On the clocks of the case, and how long after its start."""
    local = local_of(moment, prepared.zone)
    exact = "%Y-%m-%d %H:%M" if not (local.second or local.microsecond) else "%Y-%m-%d %H:%M:%S"
    after = moment - moment_of(prepared.start, prepared.zone)
    said = f"+{format_duration(after)}" if after >= 0 else f"-{format_duration(-after)}"
    return f"{local.strftime(exact)} ({said})"
