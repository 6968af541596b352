"""`retarget replay` says which messages went without their code, and why."""

from pathlib import Path
from typing import Final

import pytest

from tests.streams.commands.conftest import Retarget

RULE: Final = """
rule: left
subject: cart
quiet: {after: 30m, opens: [add]}
why: It is still there.
steps:
  - {channels: [email], template: cart-reminder-1, offer: {percent: 10, expires: 48h, codes: spring}}
"""
EVENT: Final = (
    '{"type": "add", "user_id": "%s", "cart_id": "%s", "time": "2026-03-02T%s:00:00Z", "items": [%s]}\n'
)
ITEM: Final = '{"product_id": "p1"}'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "1  left sent without its code: open_code"),
        (("--set", "offers.open_codes=0"), "1  left sent without its code: no_code"),
    ],
)
def test_the_summary_tells_of_them(
    more: tuple[str, ...], said: str, retarget: Retarget, tmp_path: Path
) -> None:
    """Two carts of one person, another's cart after them, and two codes."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "left.yaml").write_text(RULE)
    (tmp_path / "codes").write_text("A-1\nA-2\n")
    carts = [("ann", "1", "10"), ("ann", "2", "11"), ("ben", "1", "12"), ("ben", "1", "13")]
    (tmp_path / "events.jsonl").write_text("".join(EVENT % (*cart, ITEM) for cart in carts))
    answer = retarget(
        "replay", tmp_path / "events.jsonl", "--rules", tmp_path / "rules", "--assume-consent", *more,
        "--set", f"offers.codes=spring={tmp_path / 'codes'}", "--messages", tmp_path / "messages.jsonl",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "3  left send email" in answer.err
    assert said in answer.err
