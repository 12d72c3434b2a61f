"""One producer serves all partitions: what its end does to those that send by it meanwhile."""

import asyncio

import pytest

from stream.config.settings import Settings
from stream.errors import PassingFault
from stream.kafka.publisher import OutgoingRecord, Publisher, RecordTooLarge
from tests.support.running_stack import set_limit
from tests.support.worker_processes import read_all

pytestmark = pytest.mark.integration


def test_a_refused_record_leaves_no_other_sender_waiting_for_ever(settings: Settings) -> None:
    """One that was still asking where its topic is: aiokafka answers it no more, and its partition stood still."""
    kafka = settings.kafka
    set_limit(kafka, kafka.dead_topic, 10_000)
    absent = OutgoingRecord(f"{kafka.tagged_topic}.absent", None, b"a receipt")

    async def publish_both() -> tuple[object, ...]:
        publisher = Publisher(kafka)
        try:
            return await asyncio.wait_for(
                asyncio.gather(
                    publisher.publish([absent]),
                    publisher.publish([OutgoingRecord(kafka.dead_topic, None, b"x" * 20_000)]),
                    return_exceptions=True,
                ),
                20,
            )
        finally:
            await publisher.publish([OutgoingRecord(kafka.tagged_topic, None, b"after it")])
            await publisher.close()

    other, refused = asyncio.run(publish_both())
    assert isinstance(refused, RecordTooLarge)
    assert isinstance(other, PassingFault)
    assert "their producer was stopped after another error" in str(other)
    assert [b"after it"] == [record.value for record in read_all(kafka, kafka.tagged_topic)]
