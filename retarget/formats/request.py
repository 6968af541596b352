"""A request as a provider documents it; who carries it adds host and credentials."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`path` below the provider's host, or the whole address where each person has their own."""

    method: Literal["POST", "DELETE"] = "POST"
    path: str
    headers: dict[str, str] = {}
    body: dict[str, Any]

    def encoded(self) -> bytes:
        """The body as JSON."""
        return msgspec.json.encode(self.body)
