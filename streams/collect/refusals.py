"""What a producer is told when its request is not taken: a status, and JSON that names field and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from retarget.errors import Rejected

_FIELD: Final = re.compile(r"[A-Za-z_][\w.\-]*(?:\[\d+\][\w.\-]*)*")
# What the reader calls its fields, and what Segment's callers know them as.
SEGMENT: Final[Mapping[str, str]] = {
    "id": "messageId",
    "time": "timestamp",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
}
_REMEDY: Final = "mend the field and send the event again"


class Refusal(Exception):
    """A request that is not taken. `retry_after`: seconds after which it may be sent again."""

    def __init__(
        self, status: int, field: str, problem: str, remedy: str, *, reason: str = "", retry_after: int = 0
    ) -> None:
        super().__init__(f"{status} {field}: {problem}; {remedy}")
        self.status, self.field, self.problem, self.remedy = status, field, problem, remedy
        self.reason, self.retry_after = reason, retry_after

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer has beside its body."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        return headers | ({"WWW-Authenticate": 'Basic realm="write key"'} if self.status == 401 else {})  # noqa: PLR2004

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        error = {"field": self.field, "problem": self.problem, "remedy": self.remedy}
        return {"success": False, "error": {"reason": self.reason} | error if self.reason else error}


def of_event(rejected: Rejected, place: str = "", names: Mapping[str, str] = SEGMENT) -> Refusal:
    """The refusal of one event; `place` is where it stands in the request, such as `batch[3]`.

    `names` are the producer's own for our fields.
    """
    if rejected.reason == "no_person":
        user, other = names.get("user_id", "user_id"), names.get("anonymous_id", "anonymous_id")
        remedy = f"write {user}, or {other} as long as the person is not known"
        return Refusal(400, _joined(place, user), "nobody is named", remedy, reason=rejected.reason)
    if rejected.reason == "too_large":
        said = "send fewer or shorter fields"
        return Refusal(413, place or "body", rejected.detail, said, reason=rejected.reason)
    problem, _, remedy = rejected.detail.partition("; ")
    found = _FIELD.match(problem) if rejected.reason in ("bad_field", "bad_time") else None
    field = names.get(found[0], found[0]) if found else ""
    return Refusal(400, _joined(place, field), problem, remedy or _REMEDY, reason=rejected.reason)


def told(refusal: Refusal) -> dict[str, str]:
    """The same as an entry of a list, for an event of a batch of which the rest was taken."""
    said: dict[str, str] = refusal.body()["error"]
    return said


def _joined(place: str, field: str) -> str:
    return ".".join(part for part in (place, field) if part) or "body"
