"""errors/: tables against hand-made predictions, texts that Markdown leaves as they are, TensorBoard, the whole run."""

import csv
import json
from html import unescape

import numpy as np
import pytest
from markdown import markdown
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import train as program
from data.schema import Example, Span
from engine.report import error_figures
from engine.report.error_rows import Judged, examples_table, marked
from engine.report.errors import class_table, classes_with_groups, group_means, write_errors
from engine.report.mistakes import error_by_length
from engine.scores.calibration import reliability
from engine.scores.scored import Scored
from engine.tables import escaped
from engine.tracking import figures

NAMES = ["no_relation", "per:title", "org:top_members/employees", "아주_드문"]


def example(number: int, **more) -> Example:
    text = "나래, 마루의 *형*이고 a_b | c <b>굵은</b>\n글 & [끝]"
    spans = {"subject": Span(4, 6, "마루", "PER"), "object": Span(0, 2, "나래", "")}
    return Example(**{"id": f"row_{number}", "text": text} | spans | more)


@pytest.fixture
def judged() -> Judged:
    """Six rows: 0, 3, 5 right; 1 surely wrong, 2 and 4 wrong; class 3 has no row."""
    probabilities = np.array([
        [0.9, 0.1, 0.0, 0.0],
        [0.95, 0.05, 0.0, 0.0],
        [0.2, 0.5, 0.3, 0.0],
        [0.1, 0.7, 0.2, 0.0],
        [0.3, 0.3, 0.4, 0.0],
        [0.1, 0.1, 0.8, 0.0],
    ])  # fmt: skip
    labels = np.array([0, 1, 2, 1, 0, 2])
    losses = -np.log(probabilities[np.arange(6), labels])
    ids = [f"row_{number}" for number in range(6)]
    examples = {id: example(number) for number, id in enumerate(ids) if number != 4}
    scored = Scored(labels, probabilities, 0, NAMES)
    return Judged(scored, ids, losses, np.array([9, 12, 12, 20, 33, 70]), examples)


def test_entities_are_marked_where_they_stand():
    plain = "[O 나래], [S 마루/PER]의 *형*이고 a_b | c <b>굵은</b> 글 & [끝]"
    assert marked(example(0)) == plain
    assert marked(Example(id="1", text="한 줄\r\n두 줄", text_pair="짝")) == "한 줄 두 줄 / 짝"


@pytest.mark.parametrize(
    "text",
    ["*a* **b** _c_ d_e __f__ `g` [h](i) | j", "<script>alert(1)</script> &lt; & 1 < 2 > 1", "# a \\ b ~~c~~ \\| d"],
)
def test_texts_come_out_of_markdown_as_they_went_in(text):
    """Read back through the renderer that TensorBoard uses."""
    html = markdown(f"| a | b |\n| --- | --- |\n| {escaped(text)} | x |\n", extensions=["tables"])
    assert html.count("<td>") == 2
    cell = html.split("<td>")[1].split("</td>")[0]
    assert "<" not in cell
    assert unescape(cell) == text


def test_lists_hold_label_prediction_and_the_sentence(judged):
    lines = examples_table(judged, [1, 4]).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith(
        "| row_1 | per:title (5.0) | no_relation (95.0) | **[O 나래]**, **[S 마루/PER]**의 \\*형"
    )
    assert lines[3] == "| row_4 | no_relation (30.0) | org:top_members/employees (40.0) |  |"


def test_classes_have_training_counts_and_thirds(judged):
    classes = classes_with_groups(judged.scored, np.array([900, 50, 400, 3]))
    assert [row["group"] for row in classes] == ["negative", "middle", "head", "tail"]
    assert [row["train"] for row in classes] == [900, 50, 400, 3]
    assert [row["support"] for row in classes] == [2, 2, 2, 0]
    groups = group_means(classes)
    assert list(groups) == ["negative", "head", "middle", "tail"]
    assert groups["head"] == {"classes": 1, "train": [400, 400], "support": 2, "f1": pytest.approx(50.0)}
    assert groups["tail"]["f1"] is None  # nothing to be right about
    text = class_table(classes, groups)
    assert "| tail | 1 | 3 to 3 | 0 |  |" in text
    assert "| org:top_members/employees | head | 400 | 2 | 2 | 50.0 | 50.0 | 50.0 |" in text


def test_files_and_tensorboard(judged, tmp_path):
    folder = tmp_path / "errors"
    folder.mkdir()
    (folder / "old").write_text("of an earlier finish")
    told = write_errors(folder, judged, np.array([900, 50, 400, 3]), step=7, tensorboard=True)
    scored = judged.scored
    assert told["calibration"]["ece"] == pytest.approx(reliability(scored.labels, scored.probabilities).ece)
    pictures = {
        "confusion_counts", "confusion_by_true_label", "confusion_by_predicted_label", "precision_recall",
        "reliability", "f1_by_count", "error_by_length",
    }  # fmt: skip
    texts = {"per_class", "confident_mistakes", "least_certain"}
    wanted = {f"{name}.png" for name in pictures} | {f"{name}.md" for name in texts} | {"per_class.csv", "by_loss.csv"}
    assert {path.name for path in folder.iterdir() if not path.name.startswith("events")} == wanted
    with (folder / "by_loss.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows][:3] == ["row_1", "row_2", "row_4"]
    assert len(rows) == 6
    assert rows[0] == {
        "id": "row_1", "label": "per:title", "predicted": "no_relation", "loss": "2.9957",
        "label_probability": "0.050000", "predicted_probability": "0.950000", "tokens": "12",
        "text": "[O 나래], [S 마루/PER]의 *형*이고 a_b | c <b>굵은</b> 글 & [끝]",
    }  # fmt: skip
    mistakes = (folder / "confident_mistakes.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" | ")[0] for line in mistakes[2:]] == ["| row_1", "| row_2", "| row_4"]
    certain = (folder / "least_certain.md").read_text(encoding="utf-8").splitlines()
    assert certain[2].startswith("| row_4 ")
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0}).Reload()
    assert set(events.Tags()["images"]) == {f"errors/{name}" for name in pictures}
    tensors = set(events.Tags()["tensors"])
    assert tensors >= {f"errors/{name}/text_summary" for name in texts} | {f"classes/{name}" for name in NAMES[:3]}
    assert f"classes/{NAMES[3]}" not in tensors  # no example, no curve
    assert [event.step for event in events.Tensors("classes/per:title")] == [7]
    # true positives, false positives, ... at thresholds from 0 up: at 0 everything is predicted
    counts = make_ndarray(events.Tensors("classes/per:title")[0].tensor_proto)
    assert counts[:4, 0].tolist() == [2, 4, 0, 0]


def test_a_run_leaves_them_with_the_sentences_of_its_file(options, tmp_path, sample_files):
    assert program.main(options(train__max_updates=1)) == 0
    folder = tmp_path / "runs" / "tiny"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert 0 <= report["calibration"]["ece"] <= 100
    with (folder / "errors" / "by_loss.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sentences = {row["guid"]: row for row in json.loads(sample_files["dev"].read_text(encoding="utf-8"))}
    assert {row["id"] for row in rows} == set(sentences)
    for row in rows:
        subject = sentences[row["id"]]["subject_entity"]
        assert f"[S {subject['word']}/{subject['type']}]" in row["text"]
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert np.mean(losses) == pytest.approx(report["dev"]["loss"], abs=1e-3)


def test_a_file_that_changed_meanwhile_gives_no_sentences_and_says_so(start, sample_files, monkeypatch, recwarn):
    from engine.report.finish import examples_again

    run = start()
    ids = {run.parts.evaluation.store.id(row) for row in range(24)}
    assert set(examples_again(run, ids)) == ids
    run.parts.checkpoints.facts["fixed"]["data"]["dev"] = {"sha256": "of another file"}
    with pytest.warns(UserWarning, match=r"errors/ shows no sentences: data.dev: .* was changed since the run began"):
        assert examples_again(run, ids) == {}


def test_none_of_it_where_it_is_switched_off(options, tmp_path):
    assert program.main(options(train__max_updates=1, track__errors="false")) == 0
    folder = tmp_path / "runs" / "tiny"
    assert not (folder / "errors").exists()
    assert (folder / "predictions" / "dev.csv").is_file()
    assert "classes" in json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("classes", [2, 70])
def test_pictures_of_few_and_many_classes_have_a_size_that_can_be_looked_at(classes, tmp_path):
    draw = np.random.default_rng(0)
    labels, probabilities = draw.integers(0, classes, 400), draw.dirichlet(np.ones(classes), size=400)
    names = [f"관계:이름_{number}$" for number in range(classes)]
    drawn = [
        error_figures.precision_recall(labels, probabilities, names, [50.0] * classes),
        error_figures.reliability(reliability(labels, probabilities)),
        error_figures.f1_by_count(draw.integers(0, 900, classes), draw.random(classes) * 100, names),
        error_figures.error_by_length(error_by_length(draw.integers(5, 80, 400), labels > 0)),
    ]
    for number, figure in enumerate(drawn):
        image = figures.pixels(figure)
        assert max(image.shape) < 2500
        figures.save(tmp_path / f"{number}.png", image)
        assert imread(tmp_path / f"{number}.png").shape[:2] == image.shape[:2]
        assert (image < 128).all(axis=-1).mean() > 0.001  # it is not empty


def test_one_class_that_is_always_right_can_be_drawn():
    sure = np.eye(2)[np.zeros(5, dtype=int)]
    figures.pixels(error_figures.precision_recall(np.zeros(5, dtype=int), sure, ["a", "b"], [100.0, None]))
    figures.pixels(error_figures.reliability(reliability(np.zeros(5, dtype=int), sure)))
    figures.pixels(error_figures.f1_by_count(np.array([0, 0]), np.array([100.0, np.nan]), ["a", "b"]))
