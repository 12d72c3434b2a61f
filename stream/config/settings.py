"""All settings: one section per file of this package. The docstring under each field is its documentation."""

from stream.config.base import Section
from stream.config.images import Fetch
from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.redis import Redis
from stream.config.worker import Worker


class Settings(Section):
    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    worker: Worker = Worker()
    fetch: Fetch = Fetch()
    local: Local = Local()
