"""Which variant of a step a person gets."""

from hashlib import blake2b

from .model import Step, Variant

SALT = "retarget"


def experiment_of(step: Step) -> str:
    """The name under which people are divided."""
    return f"{step.rule.name}.{step.number}"


def variant_of(step: Step) -> Variant | None:
    """The person's place among 2**64 is told by the hash; the variants share these places by weight."""
    variants = step.rule.variants
    if not variants:
        return None
    text = f"{SALT}|{experiment_of(step)}|{step.person}"
    place = int(blake2b(text.encode(), digest_size=8).hexdigest(), 16)
    total = sum(variant.weight for variant in variants)
    before = 0
    for variant in variants:
        before += variant.weight
        if place * total < before * 2**64:
            return variant
    return variants[-1]


def channels_of(step: Step) -> tuple[str, ...]:
    """The variant's own channels, else the rule's."""
    variant = variant_of(step)
    return (variant.channels if variant else ()) or step.rule.channels


def told_of(step: Step) -> tuple[str, str, float] | None:
    """The experiment, the arm and how likely it was; None without variants."""
    variant = variant_of(step)
    if variant is None:
        return None
    return experiment_of(step), variant.name, variant.weight / sum(one.weight for one in step.rule.variants)
