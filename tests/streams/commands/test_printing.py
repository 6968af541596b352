import base64
import json

import pytest

from streams.commands.printing import as_json, as_line
from streams.kafka.looking import Seen


def seen(topic: str, value: object) -> Seen:
    """A record at offset 7 of partition 1."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Seen(topic, 1, 7, 1_700_000_000_000, b"ann", raw, ())


MESSAGE = {
    "message_id": "m", "operation": "send", "channel": "push", "rule": "price_drop", "step": 1,
    "person": "ann", "subject": {"kind": "product", "id": "lamp"}, "why": "It got cheaper.",
}  # fmt: skip
DEAD = {
    "reason": "not_json", "detail": "no", "topic": "touchpoints", "partition": 1, "offset": 3,
    "raw": base64.b64encode(b"rubbish").decode(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "value", "said"),
    [
        ("retarget.push", MESSAGE, "send  push  price_drop step 1  ann  product lamp  It got cheaper."),
        ("retarget.dead", DEAD, "not_json  no  touchpoints[1] at 3  rubbish"),
        ("touchpoints", {"type": "view", "user_id": "ann", "time": 0, "id": "e"},
         "1970-01-01T00:00:00.000Z  view  ann  e"),
        ("touchpoints", b"\xff{", "not JSON: \\xff{"),
        ("touchpoints", [1, 2], "[1, 2]"),
        ("retarget.decisions", {"odd": 1}, '{"odd": 1}'),
        ("catalogue", {"product_id": "p"}, '{"product_id": "p"}'),
    ],
)  # fmt: skip
def test_each_kind_of_record_has_its_line(topic: str, value: object, said: str) -> None:
    """Time and place, then what matters; what is unknown as it stands."""
    assert as_line(seen(topic, value)).split("  ", 2)[2].strip() == said


def test_json_lines_are_always_json() -> None:
    """What is no JSON is wrapped."""
    assert json.loads(as_json(seen("touchpoints", b"rubbish"))) == {"raw": "rubbish"}
    assert json.loads(as_json(seen("touchpoints", {"a": "ü"}))) == {"a": "ü"}
