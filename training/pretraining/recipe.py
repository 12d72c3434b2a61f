"""How a text encoder is trained further: one dataclass, and the learning-rate schedule that it describes."""

from collections.abc import Callable
from dataclasses import dataclass

HEAD_WARMUP = 50
"""Steps in which the head's rate rises."""


@dataclass(frozen=True)
class MaskedLanguageRecipe:
    """The encoder, what of it is trained, and how."""

    text_encoder: str
    """A package, folder or hub name (models/text/pretrained.py)."""
    adapters: int = 0
    """Rank of the low-rank adapters; 0 trains all weights except the word-piece embeddings."""
    read_case: bool = True
    """Whether the encoder reads the case of tokens, like the presets over pretrained encoders."""
    epochs: int = 8
    """Passes over the posts, after the head's part."""
    batch_size: int = 128
    """Posts of a step."""
    rate: float = 2e-4
    """Peak learning rate of the encoder."""
    head_rate: float = 1e-3
    warmup: float = 0.06
    """Share of the encoder's steps in which its rate rises."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of a step's gradients."""
    share: float = 0.15
    """Share of a post's tokens that are predicted."""
    held_out: float = 0.02
    """Share of the posts that are held out."""
    checkpoint_posts: int = 25_000
    """Largest number of posts between two saves."""
    seed: int = 1

    def factors(self, head_steps: int, steps: int) -> tuple[Callable[[int], float], Callable[[int], float]]:
        """The learning rates' factors at each of `steps` steps: the head's, and the encoder's.

        The encoder's is zero during the first `head_steps`, rises, and falls linearly to zero. The head's rises, stays,
        and falls with it.
        """
        warm = max(1, int(self.warmup * (steps - head_steps)))
        falls = head_steps + warm

        def fall(step: int) -> float:
            return max(0.0, (steps - step) / max(1, steps - falls))

        def head(step: int) -> float:
            return min((step + 1) / HEAD_WARMUP, 1.0, fall(step))

        def encoder(step: int) -> float:
            return max(0.0, min((step - head_steps + 1) / warm, 1.0, fall(step)))

        return head, encoder
