"""A real Kafka that lets nobody do anything without a right: SCRAM over TLS, and access control lists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from streams.embedded.processes import LOOPBACK, free_port
from streams.kafka import KafkaAddress
from tests.support.certificates import Certificates
from tests.support.kafka.processes import KafkaOnJava

USER: Final = "worker"
#: Another user, with the same password and rights of its own.
OTHER: Final = "other"
PASSWORD: Final = "scram-canary-7"  # noqa: S105 - of a broker that lives as long as a test
_KINDS: Final = {"topic": 2, "group": 3, "cluster": 4, "transactional id": 5}
_OPERATIONS: Final = {"read": 3, "write": 4, "create": 5, "describe": 8, "describe configs": 10}
_LITERAL, _PREFIXED, _ALLOW = 3, 4, 3


class Right(NamedTuple):
    """What a user may do with resources of this name, or whose names begin so."""

    kind: str
    name: str
    operation: str
    prefix: bool = False
    user: str = USER

    @property
    def words(self) -> tuple[int, str, int, str, str, int, int]:
        """The same as the protocol has it."""
        pattern = _PREFIXED if self.prefix else _LITERAL
        who = f"User:{self.user}"
        return (_KINDS[self.kind], self.name, pattern, who, "*", _OPERATIONS[self.operation], _ALLOW)


class GuardedKafka(KafkaOnJava):
    """Its plain door is for whoever sets the stage; by the other come two who may do nothing at first."""

    def __init__(self, folder: Path, classpath: str, made: Certificates) -> None:
        self._made, self._guarded_port = made, free_port()
        #: The door with SCRAM over TLS.
        self.guarded = f"{LOOPBACK}:{self._guarded_port}"
        super().__init__(folder, classpath)

    def further_properties(self) -> dict[str, str]:
        """The guarded door, and who may do everything."""
        return {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
            "listener.name.sasl_ssl.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.sasl_ssl.ssl.keystore.type": "PEM",
            "listener.name.sasl_ssl.ssl.keystore.location": str(self._made.both),
        }

    def further_doors(self) -> dict[str, int]:
        """Beside the plain ones."""
        return {"SASL_SSL": self._guarded_port}

    def format_arguments(self) -> list[str]:
        """The users are known from the beginning."""
        users = (f"SCRAM-SHA-512=[name={name},password={PASSWORD}]" for name in (USER, OTHER))
        return [word for user in users for word in ("--add-scram", user)]

    async def allow(self, rights: Iterable[Right]) -> None:
        """Give rights."""
        await self._ask([CreateAclsRequest(*right.words) for right in rights])

    async def forbid(self, right: Right) -> None:
        """Take one back."""
        await self._ask([DeleteAclsRequest(*right.words)])

    async def _ask(self, requests: list[CreateAclsRequest | DeleteAclsRequest]) -> None:
        admin = KafkaAddress(bootstrap=self.bootstrap).admin()
        await admin.start()
        try:
            for request in requests:
                answer = await admin._send_request(request)  # noqa: SLF001 - aiokafka has no call for rights
                assert "error_code=0" in str(answer), answer
        finally:
            await admin.close()
