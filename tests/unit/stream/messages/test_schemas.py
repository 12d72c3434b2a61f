"""Schemas are made from the contracts: names as on the wire, and references that lead somewhere."""

import re
from pathlib import Path

import orjson

from stream.config.base import ROOT
from stream.messages.schemas import ADDED_LATER, schemas, write


def test_names_are_those_on_the_wire() -> None:
    """`schema` is an alias in the classes. A consumer must see the alias, and every field that is always there."""
    entity = schemas()["entity"]
    assert 1 == entity["properties"]["schema"]["const"]
    assert set(entity["properties"]) - ADDED_LATER["entity"] == set(entity["required"])


def test_a_post_may_be_sent_with_id_and_text_only() -> None:
    assert ["id", "text"] == schemas()["post"]["required"]


def test_the_short_form_of_images_is_in_the_schema() -> None:
    post = schemas()["post"]
    image = {"$ref": "#/$defs/PostImage"}
    assert [{"type": "string"}, image, {"type": "null"}] == post["properties"]["image"]["anyOf"]
    assert [{"type": "string"}, image] == post["properties"]["images"]["anyOf"][0]["items"]["anyOf"]
    assert "notes" not in post["properties"]


def test_references_lead_to_files_that_are_written(tmp_path: Path) -> None:
    written = {path.name for path in write(tmp_path)}
    page = (tmp_path / "asyncapi.json").read_text()
    document = orjson.loads(page)
    assert set(re.findall(r'"\./([^"]+)"', page)) == written - {"asyncapi.json"}
    for reference in re.findall(r'"#/([^"]+)"', page):
        found = document
        for part in reference.split("/"):
            found = found[part]
        assert found


def test_the_committed_files_are_current(tmp_path: Path) -> None:
    """`make docs` writes them."""
    expected = {path.name: path.read_bytes() for path in write(tmp_path)}
    assert expected == {path.name: path.read_bytes() for path in (ROOT / "deploy" / "schemas").iterdir()}
