"""The entity types of a label set; what the group does with them is in
tests/integration/counters/test_two_groups.py."""

from models.core.labels import bio_labels
from stream.counters.group_types import types_of


def test_types_are_sorted_and_named_once() -> None:
    assert ["DRUG", "PER-SON"] == types_of(bio_labels(["PER-SON", "DRUG"]))
    assert [] == types_of(["O"])
