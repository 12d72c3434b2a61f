"""What is read of data folders: captions, types by another name or that nobody looked for."""

import json
from pathlib import Path

import pytest
import torch

from models.core.batch import Encoded, collate
from training.data.batching import possible_labels
from training.data.datasets import further, read_folder
from training.data.image_features import image_file
from training.errors import DataError

LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def test_a_type_that_a_folder_has_not_at_all_was_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Ann\tB-person\nin\tO\nRiga\tO\n\nBonn\tO\n")
    first, second = further(read_folder(tmp_path, "train", "none"), {"person": "PER"}, {"PER", "LOC"})
    assert (["B-PER", "O", "O"], {"LOC"}) == (first.tags, first.unsaid)
    assert (["O"], {"LOC"}) == (second.tags, second.unsaid)


@pytest.mark.parametrize(("tags", "unsaid"), [("B-PER\nx\tB-LOC", set()), ("B-LOC", {"PER"})])
def test_types_that_it_has_were_looked_for(tmp_path: Path, tags: str, unsaid: set[str]) -> None:
    (tmp_path / "train.conll").write_text(f"Ann\t{tags}\n")
    [sample] = further(read_folder(tmp_path, "train", "none"), {}, {"PER", "LOC"})
    assert unsaid == sample.unsaid


def test_only_what_is_untagged_is_left_open() -> None:
    found = possible_labels(["B-PER", "O"], {"LOC"}, LABELS)
    assert [[0, 0, 0, 1, 0], [1, 1, 1, 0, 0]] == found.int().tolist()


def test_in_a_batch_the_others_have_their_tags_alone() -> None:
    open_ = Encoded([1], [[1]], tags=[0], possible=torch.tensor([[True, True, True, False, False]]))
    said = Encoded([1, 1], [[1], [1]], tags=[3, 0])
    possible = collate([open_, said]).possible
    assert possible is not None
    nothing = [0, 0, 0, 0, 0]
    assert [[[1, 1, 1, 0, 0], nothing], [[0, 0, 0, 1, 0], [1, 0, 0, 0, 0]]] == possible.int().tolist()
    assert collate([said]).possible is None


@pytest.mark.parametrize(
    ("before", "captions", "told"),
    [
        ("IMGID:1\n", {"1.jpg": "a dog"}, "has no caption for any of the posts' 1 images, such as '1'"),
        ("", {"1": "a dog"}, "the posts have no image ids"),
    ],
)
def test_captions_that_fit_no_post_stop_training(
    tmp_path: Path, before: str, captions: dict[str, str], told: str
) -> None:
    """They were passed over, and a model of text alone was called one of captions."""
    (tmp_path / "train.txt").write_text(f"{before}Ann\tB-PER\n")
    (tmp_path / "captions.own.json").write_text(json.dumps(captions))
    with pytest.raises(DataError, match=told):
        read_folder(tmp_path, "train", "captions:own")


def test_a_caption_that_is_missing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "train.txt").write_text("IMGID:1\nAnn\tB-PER\n\nIMGID:2\nBob\tB-PER\n")
    (tmp_path / "captions.own.json").write_text(json.dumps({"1": "a dog"}))
    assert [["a", "dog"], []] == [s.image_words for s in read_folder(tmp_path, "train", "captions:own")]
    assert "1 of 2 images have no caption, such as '2'" in caplog.text


def test_a_folder_without_the_captions_says_what_to_give(tmp_path: Path) -> None:
    """It is the first thing that somebody with data of his own meets, as captions are the default."""
    (tmp_path / "train.txt").write_text("Ann\tB-PER\n")
    with pytest.raises(DataError, match=r"has no captions\.blip2\.json: add it, or pass --visual none"):
        read_folder(tmp_path, "train", "captions:blip2")


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("17_06_7.jpg", "17_06_7.jpg"),
        ("17_06_7", "17_06_7.jpg"),
        ("17_06_7.jpg", "17_06_7.png"),
        ("17.06.7", "17.06.7.jpeg"),
        ("a.JPG", "a.jpg"),
        ("caf\xe9.jpg", "cafe\u0301.jpg"),
        ("7.jpg", "7.jpg.jpg"),
    ],
)
def test_an_image_is_found_with_and_without_its_ending(tmp_path: Path, asked: str, there: str) -> None:
    (tmp_path / there).write_bytes(b"")
    assert there == image_file(tmp_path, asked).name
