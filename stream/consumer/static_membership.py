"""Static membership (`worker.instance_id`): a worker that finds its name taken by another one stops.

Kafka gives the name to the last worker that joins with it, and fences the one before (KIP-345). But aiokafka 0.14 does
not send the name with heartbeats and commits. So the worker before is only told that its member ID is unknown. It joins
again and takes the name back, and both tag all posts, forever. Therefore a worker that lost its membership first asks
who has its name.
"""

import asyncio
import logging
from typing import Any

from aiokafka import errors as kafka_errors

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.consumer.group import FENCED, described

ASK_AGAIN = 1.0
"""Seconds until the broker is asked again if it did not answer."""

log = logging.getLogger("trimod.worker")


class FencedInstanceIdError(kafka_errors.BrokerResponseError):  # type: ignore[misc]
    """The broker's error 82, for which aiokafka has no class; also raised by this file."""

    errno = FENCED
    message = "FENCED_INSTANCE_ID"
    description = "Another member has joined with the same group.instance.id."


kafka_errors.kafka_errors.setdefault(FencedInstanceIdError.errno, FencedInstanceIdError)


class StaticMembership:
    """Watches the membership of `app`, a faust.App with a `consumer_group_instance_id`; create it before the app is
    started."""

    def __init__(self, app: Any, kafka: Kafka) -> None:
        self._kafka = kafka
        self._forgotten = ""
        thread = app.consumer._thread
        create = thread._create_consumer

        def create_watched(*arguments: Any, **options: Any) -> Any:
            consumer = create(*arguments, **options)
            start = consumer.start

            async def start_and_watch() -> None:
                await start()
                self.watch(consumer._coordinator)

            consumer.start = start_and_watch
            return consumer

        thread._create_consumer = create_watched

    def watch(self, coordinator: Any) -> None:
        """Let aiokafka's `coordinator` ask before it joins again after it was forgotten."""
        reset, rejoin = coordinator.reset_generation, coordinator._do_rejoin_group

        def reset_and_note() -> None:
            self._forgotten = coordinator.member_id or self._forgotten
            reset()

        async def ask_and_rejoin(subscription: Any) -> Any:
            if self._forgotten:
                try:
                    await asyncio.to_thread(self._check, coordinator._group_instance_id, self._forgotten)
                except TrimodError as error:
                    log.warning("not joining the group yet: %s", error)
                    await asyncio.sleep(ASK_AGAIN)
                    return False
                self._forgotten = ""
            return await rejoin(subscription)

        coordinator.reset_generation, coordinator._do_rejoin_group = reset_and_note, ask_and_rejoin

    def _check(self, name: str, member_id: str) -> None:
        """Raise FencedInstanceIdError if another member has the name."""
        for member in described(self._kafka)["members"]:
            if member["group_instance_id"] == name and member["member_id"] != member_id:
                raise FencedInstanceIdError(f"{member['client_id']} at {member['client_host'].lstrip('/')}")
