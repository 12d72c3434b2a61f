"""The record of the `posts` topic: `decode_post` is the way in, and names the field of a bad post.

The record itself is in models/core/post_json.py, since `trimod label` reads posts too.
"""

from models.core.post_json import Post, PostImage, read_fields, to_post
from stream.errors import BadPost
from stream.messages.base import MAX_POST_BYTES

__all__ = ["Post", "PostImage", "decode_post"]


def decode_post(value: bytes | None) -> Post:
    """The post in a record's bytes. Raises BadPost naming the field that is wrong."""
    if value is None:
        raise BadPost("post is empty (a tombstone)")
    if len(value) > MAX_POST_BYTES:
        raise BadPost(f"post has {len(value)} bytes; at most {MAX_POST_BYTES} are taken")
    return to_post(read_fields(value))
