"""Settings of the local Kafka, Redis and workers that `trimod up` starts."""

from pathlib import Path

from pydantic import (
    Field,
)

from models.core.places import DATA
from stream.config.base import Section


class Local(Section):
    directory: Path = DATA
    """Folder of the local servers' data and logs, and of the logs of workers that `trimod up` starts."""
    kafka_port: int = Field(9092, ge=1, le=65534)
    """Broker's port; the controller takes the next one."""
    kafka_heap: str = Field("512m", pattern=r"^\d+[mMgG]$")
    """Heap of the local broker, as Java writes it."""
    redis_port: int = Field(6379, ge=1, le=65535)
    """Port of the local Redis."""
    workers: int = Field(2, ge=0)
    """Workers that `trimod up` starts."""
    metrics_port: int = Field(6066, ge=0, le=65535)
    """Port of the first worker's /metrics; worker N takes this plus N; 0 lets each take a free one."""
