"""`trimod label`: what it writes can be trained on, an interrupted run goes on, and agreement is F1."""

import base64
import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from models.core.labels import tags_of
from models.inference.tagger import Tagger
from tests.support.tiny_checkpoint import tiny_checkpoint
from training import labelling
from training.cli.label import label
from training.data.conll import read_conll
from training.errors import DataError
from training.labelling import LabelledLine, agreement, labels_file, read_labels, write_conll

TEXTS = ["Toronto Maple Leafs won in #Riga", "a hockey player", "", "IMGID: 5", "Leafs \ud83d won"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "images" / "7.jpg")
    lines = [{"id": f"p-{n}", "text": text} for n, text in enumerate(TEXTS)]
    lines[0]["image"] = "images/7.jpg"
    lines[1]["image"] = "images/missing.jpg"
    path = tmp_path / "posts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(label, [*map(str, arguments), "--device", "cpu"], catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return result.stdout


def test_what_is_written_is_what_the_tagger_said(posts: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "silver" / "train.txt"
    run(posts, "--checkpoint", checkpoint, "--out", out)
    tagger = Tagger.load(checkpoint, "cpu")
    read = read_conll(out)
    assert ["7", "missing"] == [post.image_id for post in read][:2]
    assert "" == read[-1].image_id
    mentions = tagger.tag([TEXTS[1]])[0]
    assert ["a", "hockey", "player"] == read[1].tokens
    starts = {0: 0, 2: 1, 9: 2}
    tags = ["O"] * 3
    for mention in mentions:
        tags[starts[mention.start]] = f"B-{mention.type}"
        for place, index in starts.items():
            if mention.start < place < mention.end:
                tags[index] = f"I-{mention.type}"
    assert tags == read[1].tags
    assert mentions  # else the test would hold of a tagger that finds nothing


def test_a_run_that_was_killed_goes_on_and_a_finished_one_tags_nothing(
    posts: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "train.txt"
    monkeypatch.setattr(labelling, "BATCH", 2)
    run(posts, "--checkpoint", checkpoint, "--out", out)
    whole, conll = labels_file(out).read_bytes(), out.read_bytes()
    labels_file(out).write_bytes(b"".join(whole.splitlines(keepends=True)[:3]) + whole[:20])
    out.unlink()
    tagged: list[int] = []
    tag = labelling._tagged
    monkeypatch.setattr(
        labelling, "_tagged", lambda tagger, given: (tagged.append(len(given)), tag(tagger, given))[1]
    )
    run(posts, "--checkpoint", checkpoint, "--out", out)
    assert [2, 1] == tagged
    assert (whole, conll) == (labels_file(out).read_bytes(), out.read_bytes())
    run(posts, "--checkpoint", checkpoint, "--out", out, "--least", "0.5")
    assert [2, 1] == tagged


def test_labels_of_another_checkpoint_are_not_mixed_in(posts: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "train.txt"
    run(posts, "--checkpoint", checkpoint, "--out", out)
    with pytest.raises(DataError, match="belongs to another checkpoint"):
        run(posts, "--checkpoint", tiny_checkpoint(tmp_path / "other", seed=3), "--out", out)


def test_more_labels_than_posts_are_refused(posts: Path, checkpoint: Path, tmp_path: Path) -> None:
    """Two processes that wrote into one file: each post would be trained on twice."""
    out = tmp_path / "train.txt"
    run(posts, "--checkpoint", checkpoint, "--out", out)
    whole = labels_file(out).read_text()
    labels_file(out).write_text(whole + whole.split("\n", 1)[1])
    with pytest.raises(DataError, match="more labels than there are posts"):
        run(posts, "--checkpoint", checkpoint, "--out", out)


def test_agreement_with_oneself_is_whole(posts: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "train.txt"
    run(posts, "--checkpoint", checkpoint, "--out", out)
    said = run(posts, "--checkpoint", checkpoint, "--out", tmp_path / "again.txt", "--agreement", out)
    assert "overall 100.00" in said


def line(*spans: tuple[int, int, str], confidences: list[float], tokens: str = "a b c") -> LabelledLine:
    return LabelledLine("1", "", tokens.split(), list(spans), confidences)


def test_agreement_is_the_same_either_way_round() -> None:
    one = [line((0, 1, "PER"), (1, 2, "LOC"), confidences=[1, 1])]
    other = [line((0, 1, "PER"), confidences=[1])]
    assert (
        pytest.approx(200 / 3) == agreement(one, other)["overall"].f1 == agreement(other, one)["overall"].f1
    )
    with pytest.raises(DataError, match="different posts"):
        agreement(one, [line(confidences=[], tokens="a b")])


@pytest.mark.parametrize(
    ("drop", "expected"), [("post", ["O O B-ORG"]), ("mention", ["B-PER O O", "O O B-ORG"])]
)
def test_an_unsure_mention_costs_its_post_or_itself(drop: str, expected: list[str], tmp_path: Path) -> None:
    """Left in as O it would teach that a name is none: hence the post goes by default."""
    lines = [
        line((0, 1, "PER"), (1, 3, "LOC"), confidences=[0.9, 0.7]),
        line((2, 3, "ORG"), confidences=[0.8]),
    ]
    assert 1 == write_conll(lines, tmp_path / "out.txt", 0.8, drop).unsure  # type: ignore[arg-type]
    assert expected == [" ".join(post.tags) for post in read_conll(tmp_path / "out.txt")]


def test_tokens_that_would_be_read_as_something_else_cost_their_post(tmp_path: Path) -> None:
    lines = [line(confidences=[], tokens="IMGID:5 b"), line(confidences=[], tokens="a")]
    written = write_conll(lines, tmp_path / "out.txt", 0.0, "post")
    assert (1, 1) == (written.posts, written.unwritable)
    assert [["a"]] == [post.tokens for post in read_conll(tmp_path / "out.txt")]


def test_labels_are_read_back(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no labels in"):
        read_labels(tmp_path / "none.txt")
    assert ["B-LOC", "I-LOC", "O"] == tags_of(line((0, 2, "LOC"), confidences=[1]).entities, 3)


def test_a_line_that_is_no_post_is_named(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text('{"id": 1, "text": "a"}\n{"id": 2}\n')
    with pytest.raises(DataError, match=r"posts\.jsonl:2: not a post: field 'text' is missing"):
        run(tmp_path / "posts.jsonl", "--checkpoint", checkpoint, "--out", tmp_path / "out.txt")
    assert not labels_file(
        tmp_path / "out.txt"
    ).exists()  # or the mended posts would be refused as other ones


def test_images_are_read_as_everywhere(
    posts: Path,
    checkpoint: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`image` is short for `images`, and null for none; a picture that was not looked at was passed over in silence."""
    lines = [
        {"id": 1, "text": "a", "image": "images/7.jpg"},
        {
            "id": 2,
            "text": "a",
            "images": [{"path": "images/7.jpg", "alt": "Riga"}, {"url": "http://x/y.jpg"}],
        },
        {"id": 3, "text": "a", "image": None},
    ]
    posts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "train.txt"
    tagged = labelling._tagged
    alts: list[list[str]] = []
    monkeypatch.setattr(
        labelling,
        "_tagged",
        lambda tagger, given: (
            alts.extend([picture.alt for picture in pictures] for _, pictures in given),
            tagged(tagger, given),
        )[1],
    )
    run(posts, "--checkpoint", checkpoint, "--out", out)
    assert [[""], ["Riga"], []] == alts
    assert ["7", "7", ""] == [post.image_id for post in read_conll(out)]
    assert [f"{posts}:2: images with a URL are not read"] == caplog.messages


def test_hashtags_are_read_as_everywhere(
    posts: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were dropped: the labels were those of other posts than the workers see. A time is not read at all."""
    lines = [
        {"id": 1, "text": "a #b", "hashtags": ["Riga"], "created_at": "Wed Oct 10 20:19:24 +0000 2018"},
        {"id": 2, "text": "a #b", "hashtags": None},
        {"id": 3, "text": "a #b", "hashtags": []},
    ]
    posts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    prepared, read = Tagger.prepare, []
    monkeypatch.setattr(
        Tagger,
        "prepare",
        lambda self, post, given: (read.append(post.hashtags), prepared(self, post, given))[1],
    )
    run(posts, "--checkpoint", checkpoint, "--out", tmp_path / "train.txt")
    assert [("Riga",), None, ()] == read[-3:]  # before them, the golden posts


def test_images_that_are_null_do_not_hide_the_short_form(
    posts: Path, checkpoint: Path, tmp_path: Path
) -> None:
    """Many exporters write every column of every row."""
    posts.write_text(json.dumps({"id": 1, "text": "a", "image": "images/7.jpg", "images": None}) + "\n")
    run(posts, "--checkpoint", checkpoint, "--out", tmp_path / "train.txt")
    assert ["7"] == [post.image_id for post in read_conll(tmp_path / "train.txt")]


def test_files_are_read_as_by_ingest(posts: Path, checkpoint: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in posts.read_text().splitlines()]
    run(posts, "--checkpoint", checkpoint, "--out", tmp_path / "lines.txt")
    posts.write_bytes(gzip.compress(json.dumps(lines, indent=1).encode()))
    run(posts, "--checkpoint", checkpoint, "--out", tmp_path / "array.txt")
    assert (tmp_path / "lines.txt").read_bytes() == (tmp_path / "array.txt").read_bytes()


def test_a_file_that_cannot_be_read_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text("id,text\n1,a\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"posts\.jsonl: this is UTF-16"):
        run(tmp_path / "posts.jsonl", "--checkpoint", checkpoint, "--out", tmp_path / "out.txt")


def test_images_in_data_are_labelled_with(
    posts: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = base64.b64encode((posts.parent / "images" / "7.jpg").read_bytes()).decode()
    posts.write_text(json.dumps({"id": 1, "text": "a", "image": f"data:image/jpeg;base64,{data}"}) + "\n")
    seen: list[int] = []
    tagged = labelling._tagged
    monkeypatch.setattr(
        labelling,
        "_tagged",
        lambda tagger, given: (seen.extend(len(pictures) for _, pictures in given), tagged(tagger, given))[1],
    )
    run(posts, "--checkpoint", checkpoint, "--out", posts.parent / "train.txt")
    assert [1] == seen


def test_images_from_another_folder(
    posts: Path, checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    (tmp_path / "root").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "root" / "images")
    run(
        posts, "--checkpoint", checkpoint, "--out", tmp_path / "train.txt", "--images-root", tmp_path / "root"
    )
    [missing] = [message for message in caplog.messages if "labelled without an image" in message]
    assert missing.startswith(str(tmp_path / "root" / "images" / "missing.jpg"))


def test_labels_with_images_of_another_folder_are_not_continued(
    posts: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "train.txt"
    run(posts, "--checkpoint", checkpoint, "--out", out)
    with pytest.raises(DataError, match="to other posts or images"):
        run(posts, "--checkpoint", checkpoint, "--out", out, "--images-root", tmp_path / "images")


def test_an_images_root_that_is_not_there(posts: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--images-root: .*none is not a directory"):
        run(
            posts, "--checkpoint", checkpoint, "--out", tmp_path / "o.txt", "--images-root", tmp_path / "none"
        )
