"""From the settings to the way to the Kafka cluster."""

from __future__ import annotations

import ssl
from typing import Any

from retarget.errors import BadInput
from streams.kafka.connection import KafkaAddress
from streams.settings import Settings


def address_of(settings: Settings) -> KafkaAddress:
    """Where the cluster is and how it is secured. Raises BadInput for an address or a file that is none."""
    kafka = settings.kafka
    _require_hosts(kafka.bootstrap)
    security: dict[str, Any] = {}
    if kafka.security != "plaintext":
        security["security_protocol"] = kafka.security.upper()
    if kafka.security.endswith("ssl"):
        security["ssl_context"] = tls_context(kafka.ca_file)
    if kafka.security.startswith("sasl"):
        security["sasl_mechanism"] = kafka.sasl_mechanism
        security["sasl_plain_username"] = kafka.sasl_user
        security["sasl_plain_password"] = kafka.sasl_password
    return KafkaAddress(bootstrap=kafka.bootstrap, security=security)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Trust in the authority of `ca_file`, or in the machine's own when it is empty. Raises BadInput."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise BadInput([f"kafka.ca_file: {ca_file}: cannot be read as certificates: {error}"]) from None


def _require_hosts(bootstrap: str) -> None:
    for place in bootstrap.split(","):
        host, colon, port = place.strip().rpartition(":")
        if colon and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            raise BadInput(
                [f"kafka.bootstrap: found {place.strip()!r}, expected HOST:PORT, several with commas"]
            )
