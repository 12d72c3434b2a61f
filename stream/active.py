"""A tagger in use, with its name on what it tags and the golden posts that show that it works."""

from typing import Any

from models.core.errors import CheckpointError
from stream.records import Model
from stream.tagging import Golden, PostTagger


class ActiveModel:
    """Ready to tag: making it tags the golden posts, which warms the model up."""

    def __init__(self, tagger: PostTagger[Any]) -> None:
        """Raises CheckpointError where the tagger cannot tag its golden posts."""
        self.tagger = tagger
        self.model = Model(tagger.name, tagger.version)
        try:
            self.golden = Golden(tagger)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(
                f"the model {tagger.version} cannot tag its golden posts: {reason}"
            ) from error
