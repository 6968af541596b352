"""Experiments: which arm a person is in, drawn once by a salted hash, and how likely it was."""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from retarget.engine.policy import Policy
from retarget.journeys.model import Journey
from retarget.rules.model import Rule, Step

EVERYTHING: Final = "global"
CONTROL: Final = "control"
TREATMENT: Final = "treatment"


class Arm(NamedTuple):
    """The variant of a step that a person gets, and its share among the variants when it was drawn."""

    experiment: str
    name: str
    share: float


def draw(policy: Policy, experiment: str, person: str) -> float:
    """The number by which a person is in an arm."""
    return number(policy.hold_out_salt, experiment, person)


def number(salt: str, experiment: str, person: str) -> float:
    """A number in [0, 1) that depends on the salt, the experiment and the person only."""
    text = f"{salt}|{experiment}|{person}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / 2**64


def held_out(rule: Rule, policy: Policy) -> dict[str, float]:
    """The share of people who get nothing, of this rule and of everything, by experiment."""
    return {rule.name: rule.hold_out, EVERYTHING: policy.hold_out}


def is_held_out(journey: Journey, policy: Policy, experiment: str, share: float) -> bool:
    """Whether the person is in the control group, as drawn at their first candidate."""
    arm = journey.arms.get(experiment)
    if arm is None:
        drawn = draw(policy, experiment, journey.person)
        arm = journey.arms[experiment] = CONTROL if drawn < share else TREATMENT
    return arm == CONTROL


def step_of(journey: Journey, rule: Rule, number: int, policy: Policy) -> tuple[Step, Arm | None]:
    """The step as this person gets it: in the variant that was drawn for them at their first candidate.

    A variant that has been taken out of the rule since is drawn anew.
    """
    step = rule.steps[number - 1]
    if not step.variants:
        return step, None
    experiment = f"{rule.name}.{number}"
    name, _, share = journey.arms.get(experiment, "").partition(" ")
    if name not in step.variants:
        name, share = _drawn(step, draw(policy, experiment, journey.person))
        journey.arms[experiment] = f"{name} {share}"
    variant = step.variants[name]
    mine = replace(
        step,
        template=variant.template or step.template,
        channels=variant.channels or step.channels,
        every=variant.every if variant.channels else step.every,
        offer=variant.offer or step.offer,
        variants={},
    )
    return mine, Arm(experiment, name, float(share))


def _drawn(step: Step, number: float) -> tuple[str, str]:
    names, weights = list(step.variants), [variant.weight for variant in step.variants.values()]
    total = sum(weights)
    place = min(bisect_right(list(accumulate(weights)), number * total), len(names) - 1)
    return names[place], f"{weights[place] / total:.6f}"


def told(journey: Journey, rule: Rule, arm: Arm | None, policy: Policy) -> dict[str, Any] | None:
    """The experiment a candidate belongs to, its arm, and how likely it was that this person is in it.

    Of a step with variants: its variant, times the share of people who are not held out.
    """
    if arm is None and not (rule.hold_out or policy.hold_out):
        return None
    shares = {name: share for name, share in held_out(rule, policy).items() if share > 0}
    arms = {name: journey.arms[name] for name in shares if name in journey.arms}
    held = next((name for name, drawn in arms.items() if drawn == CONTROL), None)
    if held is not None:
        return _experiment(held, CONTROL, shares[held])
    if arm is not None:
        treated = 1.0
        for share in shares.values():
            treated *= 1 - share
        return _experiment(arm.experiment, arm.name, arm.share * treated)
    return next((_experiment(name, drawn, 1 - shares[name]) for name, drawn in arms.items()), None)


def _experiment(name: str, arm: str, propensity: float) -> dict[str, Any]:
    return {"id": name, "arm": arm, "propensity": round(propensity, 6)}
