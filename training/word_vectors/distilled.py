"""Word vectors distilled from a pretrained encoder: small, static representations of words.

A word's vector comes from its states in posts where it occurs (up to `contexts` of them), and from its state alone
between the encoder's special tokens. A word's state is the mean over its pieces and the encoder's layers. Averages over
contexts describe a word better than the word alone. Averages over layers describe it better than the last layer, which
is specialized for its training task (Bommasani et al. 2020; Vulic et al. 2020). States alone and in context differ by a
constant more than by the word, so each kind is centred and normalized separately before both are averaged. Principal
components then reduce the result to `size` (as in Model2Vec), and it is scaled to a root mean square of 1, like newly
initialized embedding tables.

Model2Vec's frequency weights (SIF) are not applied: they shrink frequent words, which makes the mean of a text's
vectors a better vector of the text. A tagger reads each word separately: `in` must not vanish before a place name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console
from rich.progress import Progress
from tokenizers import Tokenizer
from torch import Tensor

from models.text.pretrained import load_encoder, load_wordpieces
from training.data.batching import length_batches
from training.errors import DataError
from training.word_vectors.corpus import Corpus

MAX_PIECES = 128
_WORDS_AT_ONCE, _POSTS_AT_ONCE, _POOL = 256, 32, 50


@dataclass(frozen=True)
class DistillRecipe:
    encoder: str
    size: int = 200
    """TriMod, section IV-A."""
    least: int = 2
    """Minimum count of a corpus word to get a vector."""
    contexts: int = 8
    """Maximum number of posts in which a word is read; 0: words are read alone only."""


def frequent_words(number: int) -> list[str]:
    """The most frequent words of English, lower case, by wordfreq."""
    from wordfreq import top_n_list  # only this needs it

    return list(top_n_list("en", number))


def distill_corpus(
    corpus: Corpus, vocabulary: Sequence[Path], frequent: int, recipe: DistillRecipe, console: Console
) -> tuple[list[str], Tensor]:
    """The words of the corpus, of word lists (one per line) and of English, each once, and their vectors [n, size]."""
    listed = [word for path in vocabulary for word in listed_words(path)]
    words = list(dict.fromkeys([*corpus.words(recipe.least), *listed, *frequent_words(frequent)]))
    return words, distill(words, corpus, recipe, console)


def listed_words(path: Path) -> list[str]:
    """A file's words, one per line, in lower case. Raises DataError."""
    try:
        words = [line.strip().lower() for line in path.read_text(encoding="utf-8").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the words of {path}: {error}") from None
    if wrong := next((word for word in words if " " in word), None):
        raise DataError(f"{path}: expected one word per line, got {wrong!r}")
    return [word for word in words if word]


def distill(words: Sequence[str], corpus: Corpus, recipe: DistillRecipe, console: Console) -> Tensor:
    """The vectors of `words` [n, size], float32; the same for the same words, corpus and encoder."""
    reader = _Reader(recipe.encoder)
    if recipe.size > reader.hidden:
        raise DataError(
            f"--size: expected at most {reader.hidden}, the width of {recipe.encoder}, got {recipe.size}"
        )
    index = {word: row for row, word in enumerate(words)}
    with Progress(console=console) as progress:
        alone = reader.means(
            index, ([word] for word in progress.track(words, description="words alone")), _WORDS_AT_ONCE
        )
        posts = list(chosen_posts(corpus, index, recipe.contexts))
        within = reader.means(index, progress.track(posts, description="words in posts"), _POSTS_AT_ONCE)
    return reduced(combined([alone, within]), recipe.size)


def chosen_posts(corpus: Iterable[list[str]], words: dict[str, int], contexts: int) -> Iterator[list[str]]:
    """The posts to read: those with a word that occurred in fewer than `contexts` earlier posts."""
    seen = dict.fromkeys(words, 0)
    for post in corpus:
        known = [token for token in dict.fromkeys(post) if token in seen]
        if any(seen[token] < contexts for token in known):
            yield post
            for token in known:
                seen[token] += 1


@dataclass(frozen=True)
class MeanStates:
    """Mean states [n, hidden] of n words, and the number of places where each was read [n]."""

    states: Tensor
    counts: Tensor


def combined(kinds: Sequence[MeanStates]) -> Tensor:
    """[n, hidden]: each kind centred over its words and normalized, then averaged over a word's kinds."""
    total = torch.zeros_like(kinds[0].states)
    present = torch.zeros_like(kinds[0].counts)
    for kind in kinds:
        has = kind.counts > 0
        if has.any():
            centred = kind.states - kind.states[has].mean(dim=0)
            total += torch.nn.functional.normalize(centred, dim=1) * has.unsqueeze(1)
            present += has
    return total / present.clamp(min=1).unsqueeze(1)


def reduced(vectors: Tensor, size: int) -> Tensor:
    """The first `size` principal components of vectors [n, hidden], scaled by one factor to a mean square of 1."""
    centred = (vectors - vectors.mean(dim=0)).double()
    _, axes = torch.linalg.eigh(centred.T @ centred)
    axes = axes.flip(1)[:, :size]
    # The sign of an axis is arbitrary: its largest entry is made positive, so that vectors are reproducible.
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    out: Tensor = centred @ axes
    out /= out.square().mean().sqrt().clamp(min=1e-12)
    return out.float()


class _Reader:
    """A pretrained encoder over lists of tokens."""

    def __init__(self, name: str) -> None:
        self.encoder: Any = cast(Any, load_encoder(name)).eval()
        self.hidden = int(self.encoder.config.hidden_size)
        self.wordpieces: Tokenizer = load_wordpieces(name)
        self.wordpieces.enable_truncation(MAX_PIECES)

    @torch.inference_mode()
    def means(self, index: dict[str, int], texts: Iterable[list[str]], at_once: int) -> MeanStates:
        """The mean state of each word of `index` over its places in the texts."""
        sums, counts = torch.zeros(len(index), self.hidden), torch.zeros(len(index))
        for group in _grouped(texts, at_once):
            rows, weights, states = self._states(group, index)
            sums.index_add_(0, rows, states * weights.unsqueeze(1))
            counts.index_add_(0, rows, weights)
        return MeanStates(sums / counts.clamp(min=1e-12).unsqueeze(1), counts)

    def _states(self, texts: Sequence[list[str]], index: dict[str, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Each piece of a word of `index`: the word's row, 1 / the word's pieces, the piece's state."""
        encodings = self.wordpieces.encode_batch(texts, is_pretokenized=True)
        width = max(len(encoding.ids) for encoding in encodings)
        ids = torch.zeros(len(texts), width, dtype=torch.long)
        mask = torch.zeros(len(texts), width, dtype=torch.long)
        places, rows, weights = [], [], []
        for number, (text, encoding) in enumerate(zip(texts, encodings, strict=True)):
            ids[number, : len(encoding.ids)] = torch.tensor(encoding.ids)
            mask[number, : len(encoding.ids)] = 1
            pieces: list[int | None] = encoding.word_ids
            for column, word in enumerate(encoding.word_ids):
                row = None if word is None else index.get(text[word])
                if row is not None:
                    places.append(number * width + column)
                    rows.append(row)
                    weights.append(1 / pieces.count(word))
        output = self.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        states = torch.stack(output.hidden_states).mean(dim=0).flatten(0, 1)
        return (
            torch.tensor(rows, dtype=torch.long),
            torch.tensor(weights),
            states[torch.tensor(places, dtype=torch.long)],
        )


def _grouped(texts: Iterable[list[str]], size: int) -> Iterator[Sequence[list[str]]]:
    """Groups of texts of similar length, from pools of `_POOL` groups, which avoids most padding."""
    rest = iter(texts)
    while pool := list(islice(rest, size * _POOL)):
        yield from length_batches(pool, size, lambda text: len(" ".join(text)))  # about its pieces
