"""JSON Schemas of all records and an AsyncAPI 3 page, generated from stream/messages.

`python -m stream.messages.schemas DIR` writes `post.json`, `entity.json`, `receipt.json`, `dead-headers.json` and
`asyncapi.json`. Descriptions come from the docstrings of the classes.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

from models.core.record import Record
from stream.config.kafka import Kafka
from stream.messages.events import EntityEvent
from stream.messages.posts import Post
from stream.messages.receipts import Receipt

DRAFT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: dict[str, tuple[type[Record], str]] = {
    "post": (Post, "id"),
    "entity": (EntityEvent, "TYPE:canonical"),
    "receipt": (Receipt, "topic:partition of the origin"),
}
"""Name -> (class, the record's key)."""
ADDED_LATER = {"entity": {"start_utf8", "end_utf8", "tagged_at", "lang"}, "receipt": {"group", "reason"}}
"""Record -> fields that were added later: optional, because older records are still on the topic. A new optional field
leaves the number in `schema` as it is; a removed or changed one raises it."""
DEAD_HEADERS = {
    "topic": "topic from which the post was read",
    "partition": "its partition, in digits",
    "offset": "its offset, in digits",
    "error": "class of the error",
    "message": "why the post could not be tagged",
    "model_version": "the model in use",
    "time": "epoch milliseconds, in digits",
}


def schemas() -> dict[str, dict[str, Any]]:
    """File name without its ending -> JSON Schema: a post as users may send it; the other records as
    they receive them."""
    found: dict[str, dict[str, Any]] = {}
    for name, (record, _) in RECORDS.items():
        document = {"$schema": DRAFT, **record.model_json_schema()}
        if record is not Post:
            later = ADDED_LATER.get(name, set())
            document["required"] = [key for key in document["properties"] if key not in later]
        found[name] = document
    found["dead-headers"] = {
        "$schema": DRAFT,
        "title": "DeadHeaders",
        "description": "Headers of a dead letter, UTF-8 text; key and value are the original's bytes.",
        "type": "object",
        "properties": {key: {"type": "string", "description": text} for key, text in DEAD_HEADERS.items()},
        "required": list(DEAD_HEADERS),
    }
    return found


def asyncapi(kafka: Kafka) -> dict[str, Any]:
    """The AsyncAPI 3 document of the topics in `kafka`; it refers to the schema files beside it."""
    channels = {
        "posts": (kafka.posts_topic, "post", "receive"),
        "entities": (kafka.entities_topic, "entity", "send"),
        "tagged": (kafka.tagged_topic, "receipt", "send"),
        "dead": (kafka.dead_topic, "dead", "send"),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "TriMod Stream", "version": "1", "description": "Posts in, entity events out."},
        "defaultContentType": "application/json",
        "channels": {
            channel: {"address": topic, "messages": {message: {"$ref": f"#/components/messages/{message}"}}}
            for channel, (topic, message, _) in channels.items()
        },
        "operations": {
            f"{action}_{channel}": {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
            for channel, (_, _, action) in channels.items()
        },
        "components": {"messages": _messages()},
    }


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {
        name: {
            "summary": (record.__doc__ or "").strip(),
            "payload": {"$ref": f"./{name}.json"},
            "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
        }
        for name, (record, key) in RECORDS.items()
    }
    messages["dead"] = {
        "summary": "A record that could not be tagged, with its original key and value.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "./dead-headers.json"},
        "payload": {},
    }
    return messages


def write(directory: Path) -> list[Path]:
    """Write every file into `directory`, which is created if missing; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, document in {**schemas(), "asyncapi": asyncapi(Kafka())}.items():
        path = directory / f"{name}.json"
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        paths.append(path)
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m stream.messages.schemas DIR")
    for written in write(Path(sys.argv[1])):
        sys.stdout.write(f"{written}\n")
