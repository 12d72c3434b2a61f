"""What bytes that are not a post probably are, for the reason of their rejection."""

from typing import Any

MAGIC = (
    (b"\x1f\x8b", "gzip data"),
    *((b"BZh%d1AY&SY" % level, "bzip2 data") for level in range(1, 10)),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    *(
        (bytes([first]) + b"\x2a\x4d\x18", "Zstandard data") for first in range(0x50, 0x60)
    ),  # a skippable frame
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x04\x22\x4d\x18", "LZ4 data"),
    (b"\xff\x06\x00\x00sNaPpY", "Snappy data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"Obj\x01", "an Avro file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF-", "a PDF file"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\x00\x00\xfe\xff", "UTF-32 text"),
)
"""First bytes -> what has them."""
WRAPPERS = ("payload", "after", "data", "value", "record", "message", "post", "status", "tweet")
"""Fields in which other systems put a record."""


def magic(data: bytes) -> str:
    """What format the first bytes are of; empty if none is known."""
    for first, name in MAGIC:
        if data.startswith(first):
            return name
    if data[1:2] == b"\0" != data[:1] or (data[:1] == b"\0" != data[1:2] and data[2:3] == b"\0"):
        return "UTF-16 text"
    return ""


def bytes_hint(data: bytes) -> str:
    """A clause to add to `not valid JSON: ...`; empty if nothing is known."""
    if data[:1] == b"\0" and len(data) > 5:
        number = int.from_bytes(data[1:5], "big")
        return (
            f" (it begins with Confluent's magic byte and schema id {number}: produce plain JSON, "
            "without a Schema Registry serializer)"
        )
    found = magic(data)
    return f" (it looks like {found})" if found else ""


def envelope_hint(value: Any) -> str:
    """A clause to add to the reason for JSON that has no usable `id` or `text`; empty if nothing is known."""
    if isinstance(value, str):
        return " (JSON in a string: serialize the post once)" if value.lstrip()[:1] == "{" else ""
    if isinstance(value, list):
        return " (send each of its items as a record)" if value and isinstance(value[0], dict) else ""
    if not isinstance(value, dict):
        return ""
    if "payload" in value and "schema" in value:
        inner = value["payload"]
        if isinstance(inner, dict) and ("after" in inner or "before" in inner):
            return f" (Debezium's envelope of Kafka Connect: {_UNWRAP}, and {_NO_SCHEMAS})"
        return f" (Kafka Connect's schema envelope: {_NO_SCHEMAS})"
    if "after" in value and ("op" in value or "before" in value):
        return f" (Debezium's envelope: {_UNWRAP})"
    for name in WRAPPERS:
        if _has_post(value.get(name)):
            return f" (the post seems to be in field '{name}')"
    return ""


_NO_SCHEMAS = "set value.converter.schemas.enable=false"
_UNWRAP = "add the transform ExtractNewRecordState"


def _has_post(value: Any) -> bool:
    if isinstance(value, list):
        value = value[0] if value else None
    return isinstance(value, dict) and "text" in value
