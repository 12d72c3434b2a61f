"""Word vectors learned from posts: word2vec's skip-gram with negative sampling, by gensim.

The defaults suit corpora of a few hundred thousand words: many epochs and a low threshold. A large corpus needs only a
few epochs.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.errors import DataError
from training.word_vectors.corpus import Corpus


@dataclass(frozen=True)
class Word2VecRecipe:
    size: int = 200
    """TriMod, section IV-A."""
    epochs: int = 20
    least: int = 2
    """Minimum count of a word to get a vector."""
    window: int = 5
    negative: int = 10
    sample: float = 1e-4
    """Words more frequent than this share are skipped at random."""
    seed: int = 1


def train_word2vec(corpus: Corpus, recipe: Word2VecRecipe) -> tuple[list[str], Tensor]:
    """Words, most frequent first, and their vectors [n, size]; the same for the same corpus and seed."""
    from gensim.models.word2vec import LineSentence, Word2Vec  # half a second, and only this needs it

    words = corpus.words(recipe.least)
    if not words:
        raise DataError(
            f"no word of the corpus occurs {recipe.least} times: lower --least or extend --corpus"
        )
    model = Word2Vec(
        vector_size=recipe.size,
        window=recipe.window,
        min_count=1,
        sg=1,
        hs=0,
        negative=recipe.negative,
        sample=recipe.sample,
        seed=recipe.seed,
        workers=1,  # several threads would race, and vectors would not be reproducible
    )
    kept = frozenset(words)
    # tokenized once, not once per epoch; not kept in memory
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posts.txt"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(" ".join(token for token in post if token in kept) + "\n" for post in corpus)
        posts = LineSentence(str(path))
        model.build_vocab(posts)
        model.train(posts, total_examples=model.corpus_count, epochs=recipe.epochs)
    return words, torch.from_numpy(model.wv[words])
