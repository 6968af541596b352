"""The end of a transaction, sent once.

In Kafka's first transaction protocol a transaction has no number but its producer's epoch: an end that is
delayed and sent again may close the next transaction of that epoch. aiokafka sends it again after
a lost connection; here that is an unknown outcome, and the next claim raises the epoch.
"""

from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError
from aiokafka.producer.sender import EndTxnHandler, Sender
from aiokafka.producer.transaction_manager import TransactionResult


def end_once(producer: AIOKafkaProducer) -> None:
    """Let this transactional producer fail for good when the end of a transaction is not answered at once."""
    sender: Sender = producer._sender  # noqa: SLF001 - it has no other door

    async def end(result: TransactionResult) -> None:
        manager = sender._txn_manager  # noqa: SLF001
        await sender._message_accumulator.flush_for_commit()  # noqa: SLF001
        if manager.is_empty_transaction():
            manager.complete_transaction()
            return
        kind, name = CoordinationType.TRANSACTION, manager.transactional_id
        coordinator = await sender._find_coordinator(kind, name)  # noqa: SLF001
        if not await EndTxnHandler(sender, result).do(coordinator):
            manager.fatal_error(KafkaError("the end of the transaction was not acknowledged"))

    assert hasattr(sender, "_do_txn_commit"), "aiokafka has changed how it ends transactions"
    sender._do_txn_commit = end  # noqa: SLF001
