"""All settings, typed: flags (`--set section.key=value`) over environment over one TOML file over defaults.

An environment variable is `TRIMOD_SECTION__KEY` (`TRIMOD_KAFKA__PARTITIONS=16`); the file is what
`--config FILE` or `TRIMOD_CONFIG` names. The docstring under each field is its documentation. An unknown key, a bad
value or a combination that cannot work (stream/config) stops the start with the key's name. Secrets are
never shown, and not taken from flags, which every user of the machine can read.
"""

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
