"""Settings of the local Kafka, Redis and workers that `trimod up` starts."""

from pathlib import Path

from pydantic import (
    Field,
)

from models.core.places import DATA
from stream.config.base import Section


class Local(Section):
    directory: Path = DATA
    """Directory for data and logs of the local servers, and for logs of workers that `trimod up` starts."""
    kafka_port: int = Field(9092, ge=1, le=65534)
    """Port of the local broker. Its controller uses the next port."""
    kafka_heap: str = Field("512m", pattern=r"^\d+[mMgG]$")
    """Java heap of the local broker, such as 512m."""
    redis_port: int = Field(6379, ge=1, le=65535)
    """Port of the local Redis."""
    workers: int = Field(2, ge=0)
    """Number of workers that `trimod up` starts."""
    metrics_port: int = Field(6066, ge=0, le=65535)
    """Port of the first worker's /metrics; worker N uses this port plus N. With 0, each worker picks a free port."""
