"""Flickr8k: the split never changes, captions are cut as they are scored, features are computed once and are theirs."""

import random
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from models.vision.decoding import decode_image
from models.vision.efficientnet import ImageEncoder
from training.captioning import flickr8k
from training.captioning.flickr8k import Photo, caption_words, read_photos, region_features, split
from training.errors import DataError

QUIET = Console(file=StringIO())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plain pictures in Flickr8k's layout."""
    root = tmp_path_factory.mktemp("flickr8k")
    (root / "images").mkdir()
    for name in ("red", "blue"):
        Image.new("RGB", (32, 32), name).save(root / "images" / f"{name}.jpg")
    text = 'image,caption\nred.jpg,"A wall , red ."\nblue.jpg,Blue\nred.jpg,It is red\n'
    (root / "captions.csv").write_text(text, encoding="utf-8")
    return root


def photos(count: int) -> list[Photo]:
    return [Photo(f"{index}.jpg", index, (("a", "dog"),)) for index in range(count)]


def test_words_of_a_caption() -> None:
    expected = ("a", "tri-colored", "dog", "'s", "ball", "and", "2", "men", "'s", "don't")
    assert expected == caption_words("A tri-colored dog's ball , and \"2 men 's\" - don't !")


def test_photographs_come_sorted_with_all_their_captions(data: Path) -> None:
    red = (("a", "wall", "red"), ("it", "is", "red"))
    assert [Photo("blue.jpg", 0, (("blue",),)), Photo("red.jpg", 1, red)] == read_photos(data)


def test_the_split_holds_back_by_name_alone() -> None:
    """Whatever the order of the file, and no photograph in two parts."""
    everything = photos(100)
    parts = split(everything, 20)
    assert parts == split(random.Random(1).sample(everything, 100), 20)
    names = [photo.name for part in (parts.train, parts.valid, parts.test) for photo in part]
    assert (100, 60, 20, 20) == (len(set(names)), len(parts.train), len(parts.valid), len(parts.test))


def test_the_split_is_the_documented_one() -> None:
    """`sha256sum` of the names begins 39 (0.jpg), 4c (1.jpg), 88 (2.jpg), ac (4.jpg), da (3.jpg)."""
    parts = split(photos(5), 1)
    assert ("0.jpg", "1.jpg") == (parts.test[0].name, parts.valid[0].name)


def test_too_few_photographs_are_named() -> None:
    with pytest.raises(DataError, match="40 photographs are not enough to hold out 20 twice"):
        split(photos(40), 20)


def test_captions_of_another_kind_of_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    expected = r"captions\.csv is not a table with the columns image,caption: KeyError\('image'\)"
    with pytest.raises(DataError, match=expected):
        read_photos(tmp_path)


def test_features_are_computed_once_and_in_order(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = read_photos(data)
    region_features(data, known, tmp_path, QUIET)
    monkeypatch.setattr(flickr8k, "_compute", None)  # whoever calls it again fails
    grids = region_features(data, known, tmp_path, QUIET)
    red = decode_image((data / "images" / "red.jpg").read_bytes())
    expected = ImageEncoder(regions=True).encode([red])[0].regions
    assert expected is not None
    np.testing.assert_allclose(expected.numpy(), grids[1], atol=1e-2)
    with pytest.raises(DataError, match="contains features of other photographs"):
        region_features(data, known[:1], tmp_path, QUIET)


def test_a_broken_photograph_is_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.jpg cannot be used: image is not a JPEG"):
        region_features(tmp_path, photos(1), tmp_path, QUIET)
