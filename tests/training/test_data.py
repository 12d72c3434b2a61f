"""What is read of further data folders: types by another name, and types that nobody looked for."""

from pathlib import Path

import pytest
import torch

from models.batch import Encoded, collate
from training.data import possible_labels, read_more

LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def test_a_type_that_a_folder_has_not_at_all_was_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Ann\tB-person\nin\tO\nRiga\tO\n\nBonn\tO\n")
    first, second = read_more(tmp_path, {"person": "PER"}, {"PER", "LOC"})
    assert (["B-PER", "O", "O"], {"LOC"}) == (first.tags, first.unsaid)
    assert (["O"], {"LOC"}) == (second.tags, second.unsaid)


@pytest.mark.parametrize(("tags", "unsaid"), [("B-PER\nx\tB-LOC", set()), ("B-LOC", {"PER"})])
def test_types_that_it_has_were_looked_for(tmp_path: Path, tags: str, unsaid: set[str]) -> None:
    (tmp_path / "train.conll").write_text(f"Ann\t{tags}\n")
    [sample] = read_more(tmp_path, {}, {"PER", "LOC"})
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
