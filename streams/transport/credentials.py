"""The shell's way through a secured broker's door: the address's options, as Faust wants them told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.auth import Credentials, SASLCredentials, SSLCredentials


def credentials_of(security: Mapping[str, Any]) -> Credentials | None:
    """What `broker_credentials` must be for aiokafka's options of a KafkaAddress; None: nothing to prove."""
    protocol = security.get("security_protocol", "PLAINTEXT")
    if protocol.startswith("SASL"):
        return SASLCredentials(
            username=security["sasl_plain_username"],
            password=security["sasl_plain_password"],
            mechanism=security["sasl_mechanism"],
            ssl_context=security.get("ssl_context"),
        )
    return SSLCredentials(security["ssl_context"]) if protocol == "SSL" else None
