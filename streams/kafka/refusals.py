"""Which right is missing, in words: the broker says only that something is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

_REMEDY: Final = "grant it to the user of kafka.sasl_user, as docs/security.md lists"
#: What is said of a topic that is not seen, to those who prove who they are.
UNSEEN: Final = ", or the user of kafka.sasl_user has no right on it, see docs/security.md"


Needed = Literal["Describe", "DescribeConfigs", "Read", "Write", "Delete"]


def refusal(error: BaseException | None, right: Needed, topics: str = "") -> str:
    """A sentence with the missing right; of an error about something else what Python says of it."""
    match error:
        case TopicAuthorizationFailedError():
            what = f"topic {topics or _names(error)}"
        case GroupAuthorizationFailedError():
            what, right = f"group {_names(error)}", "Read"
        case TransactionalIdAuthorizationFailed():
            what, right = f"transactional id {_names(error)}", "Write"
        case TimeoutError():
            return str(error) or "no answer in time"
        case _:
            return repr(error)
    return f"the right {right} on {what} is missing; {_REMEDY}"


def is_refusal(error: BaseException | None) -> bool:
    """Whether it is about a missing right."""
    kinds = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed)
    return isinstance(error, kinds)


def _names(error: KafkaError) -> str:
    found: list[str] = []
    for part in error.args:
        found += [part] if isinstance(part, str) or not isinstance(part, Iterable) else sorted(map(str, part))
    return ", ".join(map(str, found)) or "unnamed"
