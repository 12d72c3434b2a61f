"""The record of the `posts` topic: `decode_post` reads it, or says why it is not a post.

The record itself is in models/posts/post_json.py, because `trimod label` and `Tagger.tag` read posts too.
"""

from models.posts.post_json import Post, PostImage, read_fields, to_post
from stream.errors import BadPost
from stream.messages.base import MAX_POST_BYTES

__all__ = ["Post", "PostImage", "decode_post"]


def decode_post(value: bytes | None) -> Post:
    """The post in a record's bytes. Raises BadPost if they are not a JSON object with a usable `id` and `text`."""
    if value is None:
        raise BadPost("post is empty (a tombstone)")
    if len(value) > MAX_POST_BYTES:
        raise BadPost(f"post has {len(value)} bytes; at most {MAX_POST_BYTES} are allowed")
    return to_post(read_fields(value))
