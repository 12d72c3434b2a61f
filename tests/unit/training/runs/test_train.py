"""A preset trains from data folders to a checkpoint that tags, whatever its labels, and can be gone on from."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from models import DEFAULT_CHECKPOINT
from models.architectures.registry import MODELS
from models.checkpoints.format import load_checkpoint
from models.core.inputs import Inputs
from models.core.post import Post
from models.inference.tagger import Tagger
from models.layers.transformer import Transformer
from models.vision.image_reader import ImageReader, grid_boxes
from tests.support.tiny_checkpoint import tiny_checkpoint
from tests.support.tiny_encoder import tiny_encoder
from training.data.datasets import Sample, read_folder
from training.data.image_features import read_features
from training.data.vocabulary import vocabularies
from training.errors import DataError
from training.pretraining.encoder_file import WEIGHTS, write_encoder
from training.provenance import sha256_of
from training.runs.distillation import Teacher
from training.runs.presets import PRESETS, changed
from training.runs.spec import Run
from training.runs.train import train_preset
from training.word_vectors.files import write_vectors

SMALL = {"epochs": 12, "batch_size": 8, "rate": 2e-2, "average": 0.9, "dropout": 0.0}
HYPER = {"word_size": 12, "character_size": 6, "character_hidden": 5, "word_hidden": 8}
POSTS = [(name, city) for name in ("Ann", "Bob", "Cem", "Dora") for city in ("Riga", "Oslo", "Lima", "Bonn")]


def folder(path: Path, person: str = "PER", place: str = "LOC") -> Path:
    path.mkdir()
    lines = "".join(
        f"IMGID:{i}\n{name}\tB-{person}\nvisits\tO\n{city}\tB-{place}\n\n"
        for i, (name, city) in enumerate(POSTS)
    )
    for split in ("train", "valid"):
        (path / f"{split}.txt").write_text(lines)
    captions = {str(index): f"a picture of {city}" for index, (_, city) in enumerate(POSTS)}
    (path / "captions.mine.json").write_text(json.dumps(captions))
    return path


@pytest.fixture
def segmenter(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "segmenter")


@pytest.mark.parametrize("preset", ["trimod", "bilstm-crf", "cnn-bilstm-crf"])
def test_a_preset_trains_to_a_checkpoint_that_tags(tmp_path: Path, segmenter: Path, preset: str) -> None:
    run = Run(preset, (folder(tmp_path / "data"),), "captions:mine", segmenter=segmenter)
    checkpoint = train_preset(changed(PRESETS[preset], **SMALL, **HYPER), run, "cpu", tmp_path / "out")
    tagger = Tagger.load(checkpoint, "cpu")
    [mentions] = tagger.tag([Post("Dora visits Lima")])
    assert [("Dora", "PER"), ("Lima", "LOC")] == [(m.text, m.type) for m in mentions]
    assert preset == tagger.name
    metrics = load_checkpoint(checkpoint).metrics
    assert {"data", "data text only"} == set(metrics["valid"])
    assert ["data/captions.mine.json", "data/train.txt", "data/valid.txt"] == sorted(metrics["data"])
    assert SMALL["epochs"] >= len(metrics["epochs"]) > 0


def test_training_starts_with_an_encoder_that_was_trained_further(tmp_path: Path, segmenter: Path) -> None:
    """At a rate of zero the exported encoder is the one given; the identity of the run includes it."""
    encoder = str(tiny_encoder(tmp_path / "encoder", "bert", ["ann", "riga", "visits"]))
    transformer = Transformer(encoder, read_case=True)
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_(torch.randn_like(parameter) * parameter.requires_grad)
    (tmp_path / "mlm").mkdir()
    write_encoder(tmp_path / "mlm", transformer, encoder, 0, {})
    run = Run("trimod-small", (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    run = replace(run, start_encoder=tmp_path / "mlm")
    still = {
        "text_encoder": encoder,
        "encoder_rate": 0.0,
        "rate": 0.0,
        "heads": 2,
        "epochs": 1,
        "least_confidence": 0.0,
    }
    checkpoint = train_preset(changed(PRESETS["trimod-small"], **still), run, "cpu", tmp_path / "out")
    stored = load_checkpoint(checkpoint)
    given = load_file(tmp_path / "mlm" / WEIGHTS)
    name = "encoder.encoder.layer.1.output.dense.weight"
    [found] = [tensor for key, tensor in stored.tensors.items() if key.endswith(name)]
    torch.testing.assert_close(given[name], found.float(), atol=2e-3, rtol=2e-3)  # stored in float16
    assert sha256_of(tmp_path / "mlm" / WEIGHTS) == stored.metrics["started_encoder"]
    with pytest.raises(DataError, match="--start-encoder: not allowed with --start-from"):
        train_preset(PRESETS["trimod-small"], replace(run, start_from=checkpoint), "cpu", tmp_path / "no")


def test_training_goes_on_from_a_checkpoint_with_other_labels(tmp_path: Path, segmenter: Path) -> None:
    """WNUT-17 has six types of its own: the encoder is kept, the last layer and the CRF are made anew."""
    first = Run("trimod", (folder(tmp_path / "four"),), "none", segmenter=segmenter)
    begun = train_preset(changed(PRESETS["trimod"], **SMALL, **HYPER), first, "cpu", tmp_path / "begun")
    data = folder(tmp_path / "six", "person", "creative-work")
    again = replace(first, folders=(data,), start_from=begun)
    checkpoint = train_preset(changed(PRESETS["trimod"], **SMALL), again, "cpu", tmp_path / "again")
    tagger = Tagger.load(checkpoint, "cpu")
    assert ("O", "B-creative-work", "I-creative-work", "B-person", "I-person") == tagger.labels
    [mentions] = tagger.tag([Post("Bob visits Riga")])
    assert ["person", "creative-work"] == [mention.type for mention in mentions]


def test_a_checkpoint_to_start_from_takes_what_is_asked_for_or_says_why_not(
    tmp_path: Path, segmenter: Path
) -> None:
    first = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    seeing = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER, use_pixels=True)
    begun = train_preset(seeing, first, "cpu", tmp_path / "begun")
    again, tried = replace(first, start_from=begun), tmp_path / "tried"
    with pytest.raises(DataError, match="has the model trimod, but this preset trains cwi"):
        train_preset(PRESETS["cwi"], again, "cpu", tried)
    with pytest.raises(DataError, match="no setting depth"):
        train_preset(changed(PRESETS["trimod"], depth=2), again, "cpu", tried)
    with pytest.raises(DataError, match=r"start-from .*size mismatch"):
        train_preset(changed(PRESETS["trimod"], word_hidden=24), again, "cpu", tried)
    with pytest.raises(DataError, match="does not have the weights"):
        train_preset(changed(PRESETS["trimod"], use_pixels=False), again, "cpu", tried)
    with pytest.raises(DataError, match="set other_image above 0"):
        train_preset(changed(PRESETS["trimod"], mismatch_penalty=0.5, other_image=0), again, "cpu", tried)
    preset = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, mismatch_penalty=0.5)
    config = load_checkpoint(train_preset(preset, again, "cpu", tmp_path / "more")).config["trimod"]
    assert (0.5, 12) == (config["mismatch_penalty"], config["word_size"])


def test_a_checkpoint_of_another_system_is_not_gone_on_from(tmp_path: Path, segmenter: Path) -> None:
    """A TriMod, trained on, was called bilstm-crf, and would have stood as the baseline."""
    first = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    begun = train_preset(
        changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER), first, "cpu", tmp_path / "a"
    )
    again = replace(first, name="bilstm-crf", start_from=begun)
    with pytest.raises(
        DataError, match="character_encoder='gru' differs from preset bilstm-crf; train trimod, or"
    ):
        train_preset(changed(PRESETS["bilstm-crf"], **SMALL), again, "cpu", tmp_path / "b")


def test_a_type_to_rename_that_no_further_folder_has_is_refused(
    tmp_path: Path, segmenter: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Misspelt, it added types of its own to the labels, and nothing was said."""
    data, more = folder(tmp_path / "data"), folder(tmp_path / "more", "person", "place")
    run = Run("trimod", (data,), "none", more=(more,), renamed=(("PERSON", "PER"),), segmenter=segmenter)
    small = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    with pytest.raises(
        DataError, match="--rename PERSON: no --more folder has that type; they have: person, place"
    ):
        train_preset(small, run, "cpu", tmp_path / "out")
    train_preset(small, replace(run, renamed=(("person", "PER"),)), "cpu", tmp_path / "out")
    assert "--more adds types that --data lacks: place" in caplog.messages


def test_vectors_that_know_no_word_of_the_data_are_refused(tmp_path: Path, segmenter: Path) -> None:
    """The table would be left alone as it was drawn, since word vectors are not trained on."""
    vectors = tmp_path / "vectors.txt"
    write_vectors(vectors, ["zz1", "zz2"], torch.randn(2, 12))
    run = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter, vectors=(vectors,))
    with pytest.raises(DataError, match=r"vectors\.txt has no vector for any of the training posts' 9 words"):
        train_preset(changed(PRESETS["trimod"], **SMALL, **HYPER), run, "cpu", tmp_path / "out")


def test_word_vectors_that_were_left_alone_are_so_later_too(tmp_path: Path, segmenter: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    write_vectors(vectors, ["visits", "Riga"], torch.randn(2, 12))
    first = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter, vectors=(vectors,))
    small = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER, tune_words=False)
    begun = train_preset(small, first, "cpu", tmp_path / "a")
    again = train_preset(small, replace(first, vectors=(), start_from=begun), "cpu", tmp_path / "b")
    third = train_preset(small, replace(first, vectors=(), start_from=again), "cpu", tmp_path / "c")
    before, after = (Tagger.load(path, "cpu").model.word_tables()[0].weight for path in (begun, third))
    assert torch.equal(before, after)
    assert load_checkpoint(begun).metrics["vectors_from"] == load_checkpoint(third).metrics["vectors_from"]


def test_a_captioner_may_come_out_of_a_checkpoint(tmp_path: Path, segmenter: Path) -> None:
    """The shipped one is as good as the folder that it was trained in."""
    run = Run(
        "trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter, captioner=DEFAULT_CHECKPOINT
    )
    small = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    expected = load_checkpoint(DEFAULT_CHECKPOINT).tensors["captioner.output.weight"].half()
    actual = load_checkpoint(train_preset(small, run, "cpu", tmp_path / "out")).tensors
    assert torch.equal(expected, actual["captioner.output.weight"].half())
    with pytest.raises(DataError, match="has no captioner"):
        train_preset(small, replace(run, captioner=segmenter), "cpu", tmp_path / "none")
    with pytest.raises(
        DataError, match="choose another --out"
    ):  # hashtags' words would be others from here on
        train_preset(small, replace(run, segmenter=DEFAULT_CHECKPOINT), "cpu", tmp_path / "out")


def test_going_on_from_a_checkpoint_keeps_its_captioner_and_segmenter(
    tmp_path: Path, segmenter: Path
) -> None:
    """Else one's own labels over the shipped model would be served without captions."""
    data, small = folder(tmp_path / "data"), changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    first = Run("trimod", (data,), "none", segmenter=segmenter, captioner=DEFAULT_CHECKPOINT)
    begun = train_preset(small, first, "cpu", tmp_path / "begun")
    again = Run("trimod", (data,), "none", start_from=begun)
    before, after = (
        load_checkpoint(path).tensors
        for path in (begun, train_preset(small, again, "cpu", tmp_path / "again"))
    )
    kept = {name for name in before if name.startswith(("captioner.", "segmenter."))}
    assert kept
    assert kept == {name for name in after if not name.startswith("model.")}
    assert all(torch.equal(before[name], after[name]) for name in kept)


def test_word_vectors_that_nothing_would_read_are_refused(tmp_path: Path, segmenter: Path) -> None:
    vectors = (tmp_path / "vectors.txt",)
    write_vectors(vectors[0], ["visits"], torch.ones(1, 14))
    run = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter, vectors=vectors)
    with pytest.raises(DataError, match="--start-from, whose checkpoint brings its own"):
        train_preset(PRESETS["trimod"], replace(run, start_from=segmenter), "cpu", tmp_path / "out")
    with pytest.raises(DataError, match="no word table"):
        train_preset(PRESETS["transformer-crf"], run, "cpu", tmp_path / "out")


def test_vectors_that_keep_case_are_found_in_lower_case(tmp_path: Path, segmenter: Path) -> None:
    """As GloVe's and Crawl's are, of which names would else stay random."""
    vectors = tmp_path / "crawl.vec"
    write_vectors(vectors, ["Riga", "Tokyo"], torch.tensor([[0.5] * 12, [0.25] * 12]))
    run = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter, vectors=(vectors,))
    small = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    stored = load_checkpoint(train_preset(small, run, "cpu", tmp_path / "out"))
    words, table = stored.config["vocabulary"]["words"], stored.tensors["model.words.embed.weight"]
    for word, value in (("riga", 0.5), ("tokyo", 0.25)):
        assert [value] * 12 == table[words.index(word) + 2].tolist()
    assert not {"Riga", "Tokyo"} & set(words)


def test_word_vectors_fill_the_table_and_bring_their_words(tmp_path: Path, segmenter: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    write_vectors(vectors, ["visits", "unseen"], torch.tensor([[0.5] * 14, [0.25] * 14]))
    run = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter, vectors=(vectors,))
    preset = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    for tuned in (True, False):
        again = changed(preset, tune_words=tuned)
        stored = load_checkpoint(train_preset(again, run, "cpu", tmp_path / f"tuned {tuned}"))
        words, table = stored.config["vocabulary"]["words"], stored.tensors["model.words.embed.weight"]
        assert [0.25] * 12 == pytest.approx(table[words.index("unseen") + 2].tolist(), abs=0.01)
        assert tuned != bool((table[words.index("visits") + 2] == 0.5).all())
    with pytest.raises(DataError, match="2 times"):
        train_preset(preset, replace(run, vectors=(vectors, vectors)), "cpu", tmp_path / "twice")


@pytest.mark.parametrize(("preset", "read"), [("transformer-crf", False), ("bilstm-crf", True)])
def test_only_a_model_that_reads_the_words_of_training_ships_them(
    tmp_path: Path, segmenter: Path, preset: str, read: bool
) -> None:
    run = Run(preset, (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    small = changed(PRESETS[preset], **{**SMALL, "epochs": 1})
    stored = load_checkpoint(train_preset(small, run, "cpu", tmp_path / "out"))
    assert read == ("visits" in stored.config["vocabulary"]["words"])


def test_what_does_not_fit_is_named_before_training(tmp_path: Path, segmenter: Path) -> None:
    run = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    with pytest.raises(DataError, match="use none, captions:NAME or pixels"):
        train_preset(PRESETS["trimod"], replace(run, visual="video"), "cpu", tmp_path / "out")
    with pytest.raises(DataError, match="no setting text_encode"):
        train_preset(changed(PRESETS["trimod"], text_encode="x"), run, "cpu", tmp_path / "out")
    with pytest.raises(DataError, match=r"neither train\.txt nor train\.conll"):
        train_preset(PRESETS["trimod"], replace(run, folders=(tmp_path,)), "cpu", tmp_path / "out")
    with pytest.raises(DataError, match=r"recurrent='bilstm': Input should be 'gru', 'lstm' or 'none'"):
        train_preset(changed(PRESETS["trimod"], recurrent="bilstm"), run, "cpu", tmp_path / "out")
    (other := tmp_path / "other").mkdir()
    twice = replace(run, folders=(tmp_path / "data", folder(other / "data")))
    with pytest.raises(DataError, match="folder names must differ"):
        train_preset(PRESETS["trimod"], twice, "cpu", tmp_path / "out")


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_fits_its_model(name: str) -> None:
    preset = PRESETS[name]
    config = MODELS[preset.model][0](labels=("O", "B-X", "I-X"), **preset.hyper)
    assert config.inputs.max_characters > 0


def test_features_of_pixels_are_computed_once_and_kept(tmp_path: Path) -> None:
    config = MODELS["hsn"][0](labels=(), use_pixels=True)
    reader = ImageReader(config.inputs, torch.device("cpu"), 0)
    file = tmp_path / "one.png"
    Image.fromarray(np.full((64, 64, 3), 90, dtype=np.uint8)).save(file)
    images = {"one": file, "missing": (late := tmp_path / "late.png")}
    first = read_features(tmp_path / "store", images, reader)
    file.unlink()  # what is known is not looked at again
    again = read_features(tmp_path / "store", images, reader)
    for seen in (first["one"], again["one"]):
        assert seen.pixels is not None
        assert seen.pixels.regions is not None
        assert (49, 1280) == tuple(seen.pixels.regions.shape)
    assert first["one"].words == again["one"].words
    assert again["missing"].pixels is None
    Image.fromarray(np.full((64, 64, 3), 30, dtype=np.uint8)).save(late)
    assert read_features(tmp_path / "store", images, reader)["missing"].pixels is not None


def test_an_image_that_was_replaced_is_looked_at_again(tmp_path: Path) -> None:
    """Else a wrong picture that was mended would be trained on for good."""
    reader = ImageReader(MODELS["hsn"][0](labels=(), use_pixels=True).inputs, torch.device("cpu"), 0)
    image = {"flower": tmp_path / "flower.jpg"}
    pooled = []
    for name in ("china.jpg", "flower.jpg", "flower.jpg"):
        image["flower"].write_bytes((files("sklearn.datasets.images") / name).read_bytes())
        pixels = read_features(tmp_path / "store", image, reader)["flower"].pixels
        assert pixels
        pooled.append(pixels.pooled)
    assert not torch.allclose(pooled[0], pooled[1], atol=0.1)
    assert torch.allclose(pooled[1], pooled[2], atol=1e-2)  # float16


def test_looking_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector may take hours over a data set; it was stored at the end only, and a kill there broke the store."""
    reader = ImageReader(MODELS["hsn"][0](labels=(), use_pixels=True).inputs, torch.device("cpu"), 0)
    monkeypatch.setattr("training.data.image_features.TOGETHER", 1)
    images = {name: files("sklearn.datasets.images") / name for name in ("flower.jpg", "china.jpg")}
    looked: list[int] = []

    class Stopped:
        def read(self, pictures: list[object]) -> object:
            looked.append(len(pictures))
            if 2 == len(looked):
                raise KeyboardInterrupt
            return reader.read(pictures)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        read_features(tmp_path / "store", images, Stopped())  # type: ignore[arg-type]
    (tmp_path / "store" / "killed.safetensors").write_bytes(b"half")
    (tmp_path / "store" / "seen.json").write_text('{"flower.jpg": {"words": []}}')  # as it was kept once
    found = read_features(tmp_path / "store", images, Stopped())  # type: ignore[arg-type]
    assert 3 == len(looked)
    assert all(seen.pixels for seen in found.values())


def test_names_of_regions_are_kept_and_known(tmp_path: Path) -> None:
    """HamLearning embeds what an object is called (equation 3): in a second run, too, and not as an unknown word."""
    config = MODELS["hamlearning"][0](labels=(), use_pixels=True)
    reader = ImageReader(config.inputs, torch.device("cpu"), 0)
    images = {name: files("sklearn.datasets.images") / name for name in ("flower.jpg", "china.jpg")}
    first, again = (read_features(tmp_path / "store", images, reader) for _ in range(2))
    named = [seen.pixels.words for seen in first.values() if seen.pixels]
    assert "daisy" == named[0][0]
    assert named == [seen.pixels.words for seen in again.values() if seen.pixels]
    samples = [Sample(["x"], ["O"], [], pixels=seen.pixels) for seen in again.values()] * 2
    known = vocabularies(samples)[0].entries
    assert {name.split()[-1] for names in named for name in names} <= set(known)


def test_training_on_pixels_wants_images(
    tmp_path: Path, segmenter: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All text-only, it would be called a run on pixels none the less."""
    data = folder(tmp_path / "data")
    run = Run("trimod", (data,), "pixels", segmenter=segmenter, features=tmp_path / "features")
    small = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    with pytest.raises(DataError, match="images has none of the posts' 16 images"):
        train_preset(small, run, "cpu", tmp_path / "out")
    (data / "images").mkdir()
    Image.fromarray(np.full((64, 64, 3), 90, dtype=np.uint8)).save(data / "images" / "3.png")
    train_preset(small, run, "cpu", tmp_path / "out")
    assert "15 of 16 images are missing or broken" in caplog.text
    bare = folder(tmp_path / "bare")
    for file in (bare / "train.txt", bare / "valid.txt"):
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("IMGID")))
    with pytest.raises(DataError, match="the posts have no image ids"):
        train_preset(small, replace(run, folders=(bare,)), "cpu", tmp_path / "none")


def test_what_is_seen_is_kept_by_who_looked_and_where(tmp_path: Path, segmenter: Path) -> None:
    """Another CNN's or captioner's words, or another folder's pictures, must not be taken for one's own."""
    small = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    (tmp_path / "elsewhere").mkdir()
    for number, data in enumerate((tmp_path / "data", tmp_path / "elsewhere" / "data")):
        (folder(data) / "images").mkdir()
        Image.fromarray(np.full((64, 64, 3), 90, dtype=np.uint8)).save(data / "images" / "3.png")
        run = Run("trimod", (data,), "pixels", segmenter=segmenter, features=tmp_path / "features")
        for captioner in (None, DEFAULT_CHECKPOINT):
            out = tmp_path / f"out {number} {captioner is None}"
            train_preset(small, replace(run, captioner=captioner), "cpu", out)
    assert 4 == len(list((tmp_path / "features").iterdir()))


def test_grid_boxes_go_row_by_row() -> None:
    boxes = grid_boxes()
    assert (49, 4) == tuple(boxes.shape)
    assert pytest.approx([1.5 / 7, 0.5 / 7, 1 / 7, 1 / 7]) == boxes[1].tolist()
    assert pytest.approx([0.5 / 7, 1.5 / 7, 1 / 7, 1 / 7]) == boxes[7].tolist()


def test_a_student_learns_from_teachers_alone_where_there_are_no_tags(
    tmp_path: Path, segmenter: Path
) -> None:
    """The student's own posts say nothing of places; what it knows of them it has from its teacher, on `more`."""
    whole = folder(tmp_path / "whole")
    teacher = train_preset(
        changed(PRESETS["trimod"], **SMALL, **HYPER),
        Run("trimod", (whole,), "none", segmenter=segmenter),
        "cpu",
        tmp_path / "teacher",
    )
    blank = folder(tmp_path / "blank")
    # one post has each type, so that the labels are the teacher's; the others have none
    (blank / "train.txt").write_text("Ann\tB-PER\nvisits\tO\nRiga\tB-LOC\n\n")
    (blank / "valid.txt").write_text("Ann\tB-PER\nvisits\tO\nRiga\tB-LOC\n\n")
    more = tmp_path / "more"
    more.mkdir()
    posts = "".join(f"{name}\tB-x\nvisits\tO\n{city}\tO\n\n" for name, city in POSTS)
    (more / "train.conll").write_text(posts)
    run = Run("trimod", (blank,), "none", more=(more,), segmenter=segmenter, teachers=(Teacher(teacher),))
    student = train_preset(changed(PRESETS["trimod"], **SMALL, **HYPER), run, "cpu", tmp_path / "student")
    [mentions] = Tagger.load(student, "cpu").tag([Post("Dora visits Bonn")])
    assert [("Dora", "PER"), ("Bonn", "LOC")] == [(m.text, m.type) for m in mentions]


@pytest.mark.parametrize("further", [False, True])
def test_long_posts_are_learnt_whole(
    tmp_path: Path, segmenter: Path, monkeypatch: pytest.MonkeyPatch, further: bool
) -> None:
    """Of a further folder too: what lies behind the first window would be passed over without a word."""
    data, other = folder(tmp_path / "data"), folder(tmp_path / "other")
    long = "".join(f"{word}\tO\n" for word in ["so"] * 300) + "Kyiv\tB-LOC\n\n"
    with ((other if further else data) / "train.txt").open("a") as file:
        file.write(long)
    learnt: list[Sample] = []

    def stop(
        model: object, encoder: object, segment: object, training: list[Sample], *others: object
    ) -> None:
        learnt.extend(training)
        raise InterruptedError

    monkeypatch.setattr("training.runs.train.train", stop)
    run = Run("trimod", (data,), "none", more=(other,), segmenter=segmenter)
    with pytest.raises(InterruptedError):
        train_preset(changed(PRESETS["trimod"], **SMALL, **HYPER), run, "cpu", tmp_path / "out")
    assert 160 == max(len(sample.tokens) for sample in learnt)
    assert 1 == sum("Kyiv" in sample.tokens for sample in learnt)


def test_going_on_with_another_classifier_reads_features_of_its_width(
    tmp_path: Path, segmenter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint may say how wide the features were that it read before."""
    monkeypatch.setattr(
        "models.vision.image_reader.backbone", lambda *_: None
    )  # its weights are not to be downloaded
    first = Run("hsn", (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    hyper = {"word_size": 12, "hidden": 8, "heads": 2, "image_size": 1280}
    small = changed(PRESETS["hsn"], **{**SMALL, "epochs": 1}, **hyper)
    begun = train_preset(small, first, "cpu", tmp_path / "begun")
    asked = changed(PRESETS["hsn"], **{**SMALL, "epochs": 1}, backbone="vgg16")
    again = train_preset(asked, replace(first, start_from=begun), "cpu", tmp_path / "again")
    assert 512 == Tagger.load(again, "cpu").model.config.inputs.image_size


def test_going_on_looks_at_pixels_as_the_checkpoint_does(
    tmp_path: Path, segmenter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preset's own CNN looked, and the model read another's features."""
    first = Run("hsn", (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    hyper = {"word_size": 12, "hidden": 8, "heads": 2, "backbone": "mobilenet_v2"}
    monkeypatch.setattr("models.vision.image_reader.backbone", lambda *_: None)
    begun = train_preset(
        changed(PRESETS["hsn"], **{**SMALL, "epochs": 1}, **hyper), first, "cpu", tmp_path / "a"
    )
    looked: list[str] = []

    def stop(inputs: Inputs, *others: object) -> None:
        looked.append(inputs.backbone)
        raise InterruptedError

    monkeypatch.setattr("training.runs.train.ImageReader", stop)
    with pytest.raises(InterruptedError):
        train_preset(PRESETS["hsn"], replace(first, visual="pixels", start_from=begun), "cpu", tmp_path / "b")
    assert ["mobilenet_v2"] == looked


def test_characters_that_a_checkpoint_does_not_know_are_added(tmp_path: Path, segmenter: Path) -> None:
    """In the order of the data, as if trained on it from the first; those that it knows keep what was learnt."""
    first = Run("trimod", (folder(tmp_path / "data"),), "none", segmenter=segmenter)
    small = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1}, **HYPER)
    begun = train_preset(small, first, "cpu", tmp_path / "begun")
    data = folder(tmp_path / "more")
    for split in ("train", "valid"):
        text = (data / f"{split}.txt").read_text().replace("visits", "visité")
        (data / f"{split}.txt").write_text(text)
    still = changed(PRESETS["trimod"], **{**SMALL, "epochs": 1, "rate": 0.0, "weight_decay": 0.0})
    again = train_preset(still, replace(first, folders=(data,), start_from=begun), "cpu", tmp_path / "again")
    before, after = load_checkpoint(begun), load_checkpoint(again)
    old, new = (each.config["vocabulary"]["characters"] for each in (before, after))
    assert vocabularies(read_folder(data, "train", "none"))[1].entries == tuple(new)
    assert {"é"} == set(new) - set(old)
    tables = [each.tensors["model.characters.embed.weight"] for each in (before, after)]
    assert len(new) + 2 == len(tables[1])
    for row, entry in enumerate(new, start=2):
        assert entry == "é" or torch.equal(tables[0][2 + old.index(entry)], tables[1][row])
