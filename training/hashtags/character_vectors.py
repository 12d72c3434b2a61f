"""Skip-gram embeddings of characters, phi in TriMod's equation 9 (section IV-C; Mikolov et al., 2013).

Uses gensim, whose skip-gram with negative sampling is fast, well tested, and reproducible with one thread and a seed.
The segmenter's character table is initialized with these vectors and trained further.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

WINDOW, NEGATIVES, EPOCHS = 3, 5, 3


def character_vectors(texts: Iterable[str], characters: str, size: int, seed: int) -> dict[str, Tensor]:
    """A vector [size] for each of `characters` that occurs in the texts, learnt from its context.

    Scaled so that the components have variance 1 over all characters, like torch's initial embeddings.
    """
    from gensim.models import Word2Vec

    sentences = [list(text.lower()) for text in texts]
    model = Word2Vec(
        sentences, vector_size=size, sg=1, window=WINDOW, negative=NEGATIVES, epochs=EPOCHS, min_count=1,
        sample=0, workers=1, seed=seed,
    )  # fmt: skip
    known = [char for char in characters if char in model.wv]
    vectors = torch.tensor(model.wv[known]) if known else torch.zeros(0, size)
    return dict(zip(known, vectors / vectors.std().clamp(min=1e-6), strict=True))
