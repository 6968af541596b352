"""The producers' published examples, and what is kept of what becomes of each: nothing of their text.

`python -m tests.core.dialects.published_samples FOLDER` writes the golden files anew from the folder of the
public data sets; look at what `git diff` then shows before you believe it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from retarget.decode import encode_touchpoint
from retarget.dialects import decoder_for
from retarget.errors import Rejected

GOLDEN: Final = Path(__file__).parent / "published"
SAMPLES: Final = "payload-samples"
_BLOCK: Final = re.compile(r"^ *```js\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_CALL: Final = re.compile(r"\s*analytics\.track\('([^']+)', (\{.*\})\);?\s*", re.DOTALL)
# Three of the examples lack a comma at the end of a line.
_END_OF_VALUE: Final = re.compile(r"(['\d])\n")
# What the client library puts around each call, in our words.
_AROUND: Final = {"type": "track", "anonymousId": "a1", "timestamp": "2026-03-01T10:00:00Z"}

Given = Iterator[tuple[str, bytes]]


def segment_spec(folder: Path) -> Given:
    """The examples of Segment's specification that are whole calls."""
    for line in gzip.decompress((folder / "segment_spec_payloads.jsonl.gz").read_bytes()).splitlines():
        example = json.loads(line)
        yield example["source"], json.dumps(example["payload"]).encode()


def segment_ecommerce(folder: Path) -> Given:
    """Its e-commerce events, in JavaScript that reads as YAML, each as the library would send it."""
    text = gzip.decompress((folder / "segment_ecommerce_v2.md.gz").read_bytes()).decode()
    for number, block in enumerate(_BLOCK.findall(text)):
        call = _CALL.fullmatch(block)
        assert call, f"example {number} is no call of analytics.track"
        properties = yaml.safe_load(_END_OF_VALUE.sub(r"\1,\n", call[2]))
        sent = {**_AROUND, "messageId": f"m{number}", "event": call[1], "properties": properties}
        yield call[1], json.dumps(sent).encode()


def snowplow(folder: Path) -> Given:
    """The rows of a test shop, as the tracker and the enrichment wrote them."""
    text = gzip.decompress((folder / "snowplow_ecommerce_events.csv.gz").read_bytes()).decode()
    for row in csv.DictReader(io.StringIO(text)):
        record: dict[str, Any] = {name: cell for name, cell in row.items() if cell}
        record |= {name: json.loads(cell) for name, cell in record.items() if name.startswith("contexts_")}
        yield record.get("event_name", ""), json.dumps(record).encode()


SETS: Final[Mapping[str, tuple[str, Callable[[Path], Given]]]] = {
    "segment_spec": ("segment", segment_spec),
    "segment_ecommerce": ("segment", segment_ecommerce),
    "snowplow": ("snowplow", snowplow),
}


def outcomes(name: str, folder: Path) -> list[dict[str, Any]]:
    """What becomes of the samples: of all that become alike, how many, and a digest of all that they say."""
    dialect, read = SETS[name]
    decode = decoder_for(dialect)
    found: dict[str, tuple[dict[str, Any], Any]] = {}
    for at, value in read(folder):
        outcome, said = _outcome(decode, value)
        group, digest = found.setdefault(
            json.dumps([at, outcome]), ({"of": at, **outcome, "count": 0}, blake2b(digest_size=8))
        )
        group["count"] += 1
        digest.update(said)
    return [{**group, "digest": digest.hexdigest()} for group, digest in found.values()]


def _outcome(decode: Callable[[bytes], Any], value: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        touchpoint = decode(value)
    except Rejected as rejected:
        return {"rejected": rejected.reason}, b""
    said = msgspec.to_builtins(touchpoint)
    items = sorted({field for item in said.get("items", ()) for field in item})
    outcome = {"type": touchpoint.type, "fields": sorted(said)} | ({"of_items": items} if items else {})
    return outcome, encode_touchpoint(touchpoint)


def written(given: list[dict[str, Any]]) -> str:
    """A golden file, one outcome a line."""
    return "[\n" + ",\n".join(json.dumps(one) for one in given) + "\n]\n"


if __name__ == "__main__":
    for name in SETS:
        (GOLDEN / f"{name}.json").write_text(written(outcomes(name, Path(sys.argv[1]) / SAMPLES)))
