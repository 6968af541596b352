"""The producers' published examples become what the golden files beside this say, without their text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.dialects.published_samples import GOLDEN, SAMPLES, SETS, outcomes

_TYPES = {
    "segment_spec": {"identify", "page", "alias", "custom"},
    "segment_ecommerce": {
        "search", "list_view", "promo", "view", "add", "remove", "cart_view", "checkout", "purchase",
        "refund", "cancel", "coupon", "wishlist", "wishlist_remove", "share", "review",
    },
    "snowplow": {"view", "list_view", "add", "remove", "checkout", "purchase", "refund", "promo"},
}  # fmt: skip
_COUNTS = {"segment_spec": 13, "segment_ecommerce": 28, "snowplow": 834}


def golden(name: str) -> list[dict[str, Any]]:
    """What is to become of one set of examples."""
    outcome: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text())
    return outcome


@pytest.mark.data
@pytest.mark.parametrize("name", SETS)
def test_published_examples(name: str, data_dir: Path) -> None:
    """Each of them: its type, which fields it has, and by the digest what stands in them."""
    assert outcomes(name, data_dir / SAMPLES) == golden(name)


@pytest.mark.parametrize("name", SETS)
def test_golden_files_say_what_comes_of_the_examples(name: str) -> None:
    """Without the data: what is turned away is about nobody, and the shop's actions have types of ours."""
    told = golden(name)
    assert {one["rejected"] for one in told if "rejected" in one} <= {"no_person"}
    assert {one["type"] for one in told if "type" in one} >= _TYPES[name]
    assert sum(one["count"] for one in told) == _COUNTS[name]
