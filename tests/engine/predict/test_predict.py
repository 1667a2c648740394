"""Prediction as a user starts it: files in, files out, one run or several, and the same from Python."""

import csv
import json
import re
import shlex
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from conftest import ROOT, blank_figure
from data import sample
from data.labels import KLUE
from data.manifest import write as write_manifest
from data.schema import Example
from engine.arguments.parse import parse
from engine.compare import main as compare
from engine.predict import Predictor
from engine.predict import __main__ as command
from engine.predict.__main__ import main as predict
from engine.predict.vote import check_weights, hard, soft
from engine.repeat import __main__ as repeat
from engine.report.writers import Row, boostcamp
from engine.scores.intervals import intervals_line
from engine.scores.metrics import headline
from engine.scores.probabilities import check_probabilities
from engine.scores.scored import Scored
from train import main as train

REVIEWS = [("재미있다", "좋음"), ("지루하다", "나쁨"), ("또 본다", "좋음"), ("졸렸다", "나쁨"), ("그저 그렇다", "보통")]


@pytest.fixture(scope="module")
def runs(tiny_run, tmp_path_factory, sample_files):
    """`a` and `b`: other seeds, markers, tokenizers and orders of labels; `texts`: sentences without entities."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "texts.tsv").write_text(
        "글\t느낌\n" + "".join(f"{text}\t{label}\n" for text, label in REVIEWS), encoding="utf-8"
    )
    kinds = {
        "a": {"optim__lr": 0.01, "eval__label_prior": "klue_dev"},
        "b": {"data__labels": "boostcamp", "data__marker": "entity", "run__seed": 7, "eval__batch_size": 5},
        "texts": {
            "data__format": "text", "data__labels": "learned", "data__negative_label": "null", "data__marker": "none",
            "model__pooling": "cls", "data__columns__text": "글", "data__columns__label": "느낌",
            "data__train": folder / "texts.tsv", "data__dev": folder / "texts.tsv",
        },
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.tracking.figures.confusion", blank_figure)
        for name, given in kinds.items():
            assert train(tiny_run(folder, run__name=name, train__epochs=1, **given)) == 0
    return SimpleNamespace(folder=folder, dev=sample_files["dev"], **{n: folder / "runs" / n for n in kinds})


@pytest.fixture
def told(tmp_path, capsys):
    """`told(*words)` predicts into tmp_path/out and returns (exit code, output, errors)."""

    def run(*words):
        capsys.readouterr()
        code = predict([*map(str, words), "--output", str(tmp_path / "out"), "--threads", "1", "--device", "cpu"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def table(path: Path) -> tuple[list[dict], np.ndarray, list[str]]:
    """Rows, probabilities and labels of a CSV of predictions."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [*rows[0]][3:]
    return rows, np.array([[float(row[label]) for label in labels] for row in rows]), labels


def of_both(runs) -> tuple[np.ndarray, np.ndarray]:
    """What `a` and `b` wrote of the dev set when they were trained, in the label order of `a`."""
    _, first, labels = table(runs.a / "predictions" / "dev.csv")
    _, second, others = table(runs.b / "predictions" / "dev.csv")
    assert labels != others
    return first, second[:, [others.index(label) for label in labels]]


def test_one_run_writes_what_its_training_wrote(runs, told, tmp_path):
    code, out, _ = told(runs.a, "--input", runs.dev)
    assert code == 0
    assert (tmp_path / "out").read_bytes() == (runs.a / "predictions" / "dev.csv").read_bytes()
    dev = json.loads((runs.a / "report.json").read_text(encoding="utf-8"))["dev"]
    assert dev["auprc"] > 0
    told_scores = ("micro-F1", "micro_f1"), ("AUPRC", "auprc"), ("accuracy, prior", "accuracy_prior")
    assert dev["accuracy_prior"] != dev["accuracy"]
    for title, name in told_scores:
        assert f"{title:<15} {dev[name]:.2f}\n" in out


def test_soft_vote_over_markers_tokenizers_and_label_orders(runs, told, tmp_path):
    assert told(runs.a, runs.b / "best", "--input", runs.dev, "--weights", 3, 1)[0] == 0
    rows, probabilities, labels = table(tmp_path / "out")
    first, second = of_both(runs)
    np.testing.assert_allclose(probabilities, 0.75 * first + 0.25 * second, rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert [row["predicted"] for row in rows] == [labels[number] for number in probabilities.argmax(axis=1)]
    assert [row["id"] for row in rows] == [row["guid"] for row in sample.rows("dev")[:24]]


def test_hard_vote(runs, told, tmp_path):
    assert told(runs.a, runs.b, "--input", runs.dev, "--vote", "hard", "--weights", 1, 2)[0] == 0
    _, probabilities, _ = table(tmp_path / "out")
    assert np.array_equal(probabilities.argmax(axis=1), of_both(runs)[1].argmax(axis=1))


def test_votes_by_hand():
    """Two vote for class 1, one is sure of class 0; then each votes for another class, and the mean decides."""
    votes = np.array([[[0.9, 0.1, 0.0]], [[0.4, 0.6, 0.0]], [[0.4, 0.6, 0.0]]])
    equal = check_weights(None, 3)
    np.testing.assert_allclose(soft(votes, equal), [[1.7 / 3, 1.3 / 3, 0]])
    np.testing.assert_allclose(hard(votes, equal), [[0.333 + 0.0017 / 3, 0.666 + 0.0013 / 3, 0]], atol=1e-12)
    unequal = [[0.999 * 5 / 7 + 0.0053 / 7, 0.999 * 2 / 7 + 0.0017 / 7, 0]]
    np.testing.assert_allclose(hard(votes, check_weights([5, 1, 1], 3)), unequal, atol=1e-12)
    tie = np.array([[[0.5, 0.3, 0.2]], [[0.0, 0.6, 0.4]], [[0.0, 0.45, 0.55]]])
    assert hard(tie, equal).argmax() == 1
    assert hard(tie, equal).sum() == pytest.approx(1, abs=1e-12)


def test_a_hard_vote_is_scored_as_its_file_is(runs, told, tmp_path, monkeypatch, capsys):
    """One vote for no_relation and one for another label, of which the mean is higher by 1e-6: that is the answer."""
    gold = [KLUE.index(row["label"]) for row in sample.rows("dev")[:24]]
    wanted = [number or 1 for number in gold]

    def probabilities(self, store, progress):
        made = np.zeros((24, 30), dtype=np.float32)
        for row, number in enumerate(wanted):
            high = 0.6 if self.folder.parent.name == "a" else 0.399999
            made[row, [self.number_of["no_relation"], self.number_of[KLUE[number]]]] = high, 1 - high
        return made

    monkeypatch.setattr(Predictor, "probabilities", probabilities)
    code, out, _ = told(runs.a, runs.b, "--input", runs.dev, "--vote", "hard")
    assert code == 0
    rows, written, labels = table(tmp_path / "out")
    assert [labels.index(row["predicted"]) for row in rows] == written.argmax(axis=1).tolist() == wanted
    found = headline(Scored(np.array(gold), written, 0))
    assert found["accuracy"] == 100 * np.mean(np.array(wanted) == gold) > 50
    assert compare([str(tmp_path / "out"), "--resamples", "10"]) == 0
    again = capsys.readouterr().out
    for title, name in (("micro-F1", "micro_f1"), ("AUPRC", "auprc"), ("accuracy", "accuracy")):
        assert f"{title:<15} {found[name]:.2f}\n" in out
        assert f" {found[name]:.2f} [" in again


def test_intervals_as_a_training_prints_them(runs, told, tmp_path):
    report = json.loads((runs.a / "report.json").read_text(encoding="utf-8"))
    _, out, _ = told(runs.a, "--input", runs.dev)
    assert f"{'95 % interval':<15} {intervals_line(report['intervals'])}\n" in out
    assert "accuracy, prior " in out.split("95 % interval")[1]
    assert report["intervals"]["resamples"] == 1000
    assert "95 % interval" not in told(runs.a, "--input", runs.dev, "--overwrite", "--resamples", 0)[1]
    other = copied(runs.a / "best", tmp_path / "other", "prediction.json")  # eval.resamples of the run is followed
    settings = json.loads((runs.a / "best" / "prediction.json").read_text(encoding="utf-8"))
    (other / "prediction.json").write_text(json.dumps(settings | {"resamples": 0}), encoding="utf-8")
    write_manifest(other)
    assert "95 % interval" not in told(other, "--input", runs.dev, "--overwrite")[1]


def test_labels_without_a_row_are_told(runs, told, tmp_path):
    rows = [row for row in sample.rows("dev") if row["label"] in ("no_relation", "per:title")][:4]
    present = len({row["label"] for row in rows})
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    code, out, _ = told(runs.a, "--input", path)
    assert code == 0
    line = (
        f"no row of {30 - present} of the 30 labels: AUPRC is the mean of the other {present}, macro-F1 of these and of"
    )
    assert out.count(line) == 1
    told_texts = told(runs.texts, "--input", runs.folder / "texts.tsv", "--overwrite")[1]
    assert "micro-F1" in told_texts
    assert "no row of" not in told_texts


def test_a_prior_that_has_none_of_the_labels_is_left_out(runs, told, tmp_path):
    other = copied(runs.a / "best", tmp_path / "other", "prediction.json")
    settings = json.loads((runs.a / "best" / "prediction.json").read_text(encoding="utf-8"))
    there = {row["label"] for row in sample.rows("dev")[:24]}
    settings["label_prior"] = {label: int(label not in there) for label in KLUE}
    (other / "prediction.json").write_text(json.dumps(settings), encoding="utf-8")
    write_manifest(other)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        code, out, err = told(other, "--input", runs.dev)
    assert (code, "error" in err) == (0, False)
    [message] = [str(one.message) for one in warned if "prior" in str(one.message)]
    assert message == (
        "eval.label_prior: every label of the labelled rows has the share 0; expected one above 0; scores ending in "
        "prior are left out"
    )
    assert "micro-F1" in out
    assert ", prior" not in out
    assert len(table(tmp_path / "out")[0]) == 24


@pytest.mark.parametrize("row", [[0.5, 0.6], [2.0, -1.0], [np.nan, 1.0], [0.5, 0.499]])
def test_what_is_no_distribution_is_told(row):
    with pytest.raises(ValueError, match=r"x: 1 of 2 rows are no probabilities; row 2 sums to"):
        check_probabilities(np.array([[0.5, 0.5], row]), "x")


def test_logits_that_are_probabilities_do_not_go_through_softmax_again(runs):
    predictor = Predictor(runs.a, device="cpu")
    real = predictor.model
    predictor.model = lambda batch: SimpleNamespace(logits=real(batch).logits.softmax(dim=1))
    with pytest.raises(ValueError, match="the model's logits are probabilities already"):
        predictor(sample.rows("dev")[:10])


# writers ----------------------------------------------------------------------------------------------------------


def test_boostcamp_submission_equals_one_made_by_hand():
    """The order of the competition, typed from its dict_label_to_num.pkl; label n of KLUE gets probability n / 435."""
    head, line = boostcamp(KLUE)
    row = Row("7", None, "per:title", [f"{number / 435:.9g}" for number in range(30)])
    probabilities = (
        "0.0, 0.0229885057, 0.0137931034, 0.0183908046, 0.0666666667, 0.0091954023, 0.0413793103, 0.00689655172, "
        "0.0620689655, 0.0252873563, 0.0505747126, 0.0367816092, 0.0459770115, 0.0574712644, 0.0597701149, "
        "0.0390804598, 0.0528735632, 0.0551724138, 0.00459770115, 0.016091954, 0.0114942529, 0.0482758621, "
        "0.00229885057, 0.0436781609, 0.0298850575, 0.0275862069, 0.032183908, 0.0344827586, 0.0206896552, "
        "0.0643678161"
    )
    hand = f'id,pred_label,probs\n7,per:title,"[{probabilities}]"\n'
    assert head + line(row) == hand


def test_submission_of_a_run(runs, told, tmp_path):
    assert told(runs.a, "--input", runs.dev, "--format", "boostcamp")[0] == 0
    with (tmp_path / "out").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted, probabilities, labels = table(runs.a / "predictions" / "dev.csv")
    assert [(row["id"], row["pred_label"]) for row in rows] == [(row["id"], row["predicted"]) for row in wanted]
    _, _, order = table(runs.b / "predictions" / "dev.csv")  # trained with data.labels boostcamp
    assert [json.loads(row["probs"]) for row in rows] == probabilities[:, [labels.index(n) for n in order]].tolist()


def test_json_lines(runs, told, tmp_path):
    assert told(runs.texts, "--input", runs.folder / "texts.tsv", "--format", "jsonl")[0] == 0
    found = [json.loads(line) for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines()]
    wanted, probabilities, labels = table(runs.texts / "predictions" / "dev.csv")
    assert [list(one["probabilities"].values()) for one in found] == probabilities.tolist()
    assert [list(one["probabilities"]) for one in found] == [labels] * 5
    assert [(one["id"], one["label"], one["predicted"]) for one in found] == [
        (row["id"], row["label"], row["predicted"]) for row in wanted
    ]


# files ------------------------------------------------------------------------------------------------------------


def test_bad_rows_may_be_left_out_and_are_listed(runs, told, tmp_path):
    rows = sample.rows("dev")[:12]
    rows[2] = rows[2] | {"sentence": ""}
    rows[5] = rows[5] | {"label": "per:freind"}
    rows[7] = rows[7] | {"subject_entity": rows[7]["subject_entity"] | {"type": "XYZ"}}  # found when it is encoded
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    code, _, errors = told(runs.a, "--input", path)
    assert code == 2
    assert "rows.json, row 3: the sentence is empty; 1 more of 12 rows are bad; 1 such as row 3: " in errors
    assert "--on_bad_row skip leaves bad rows out" in errors
    code, out, _ = told(runs.a, runs.b, "--input", path, "--on_bad_row", "skip")
    assert code == 0
    assert "3 of 12 rows are bad (25.0 %)\n" in out
    assert [row["id"] for row in table(tmp_path / "out")[0]] == [
        r["guid"] for n, r in enumerate(rows) if n not in (2, 5, 7)
    ]
    with (tmp_path / "out.skipped.csv").open(encoding="utf-8", newline="") as file:
        left_out = list(csv.DictReader(file))
    assert [row["row"] for row in left_out] == ["3", "6", "8"]
    reasons = ("the sentence is empty", "unknown label 'per:freind'", "entity type 'XYZ'")
    assert all(row["reason"].startswith(reason) for row, reason in zip(left_out, reasons, strict=True))
    good = tmp_path / "good.json"
    good.write_text(json.dumps(rows[:2]), encoding="utf-8")
    assert told(runs.a, "--input", good, "--overwrite", "--on_bad_row", "skip")[0] == 0
    assert not (tmp_path / "out.skipped.csv").exists()  # of an earlier output


def test_rows_without_labels_and_with_some(runs, told, tmp_path):
    rows = [{k: v for k, v in row.items() if k != "label"} for row in sample.rows("dev")[:24]]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    code, out, _ = told(runs.a, "--input", path)
    assert code == 0
    assert "micro-F1" not in out
    wanted = (runs.a / "predictions" / "dev.csv").read_text(encoding="utf-8").splitlines()
    found, probabilities, _ = table(tmp_path / "out")
    assert not any(row["label"] for row in found)
    np.testing.assert_allclose(probabilities, table(runs.a / "predictions" / "dev.csv")[1], rtol=1e-9)
    assert len(wanted) == 25

    for number in (3, 9, 11):
        rows[number]["label"] = sample.rows("dev")[number]["label"]
    path.write_text(json.dumps(rows), encoding="utf-8")
    code, out, _ = told(runs.a, "--input", path, "--overwrite")
    assert code == 0
    assert "scores of the 3 of 24 rows that have a label" in out
    right = sum(table(tmp_path / "out")[0][n]["predicted"] == rows[n]["label"] for n in (3, 9, 11))
    assert f"{'accuracy':<15} {100 * right / 3:.2f}" in out


def test_reader_options_of_the_training_hold_and_the_command_line_wins(runs, told, tmp_path):
    """The columns of the run are found without a word; in another file they have other names."""
    assert told(runs.texts, "--input", runs.folder / "texts.tsv")[0] == 0
    other = tmp_path / "other.csv"
    other.write_text("번호,문장\n" + "".join(f"{n},{text}\n" for n, (text, _) in enumerate(REVIEWS)), encoding="utf-8")
    before = table(tmp_path / "out")[1]
    columns = ("--data.columns.text", "문장", "--data.columns.id=번호")
    assert told(runs.texts, *columns, "--input", other, "--overwrite")[0] == 0
    rows, after, _ = table(tmp_path / "out")
    assert [row["id"] for row in rows] == list("01234")
    np.testing.assert_allclose(before, after, rtol=1e-9)


def test_a_run_from_before_prediction_json(runs, told, tmp_path):
    """Its config.yaml says the same; nor had it a manifest, which is told."""
    before = tmp_path / "before"
    before.mkdir()
    shutil.copy(runs.texts / "config.yaml", before)
    copied(runs.texts / "best", before / "best", "prediction.json")
    with pytest.warns(
        UserWarning, match=r"best has no manifest\.json, so that nothing says whether it is whole"
    ) as all_:
        assert told(before, "--input", runs.folder / "texts.tsv")[0] == 0
    assert len([one for one in all_ if "manifest" in str(one.message)]) == 1
    assert (tmp_path / "out").read_bytes() == (runs.texts / "predictions" / "dev.csv").read_bytes()


def too_long(rows: list[dict], number: int, word: str) -> None:
    """Give a row a subject that takes more tokens than there is room for."""
    entity = {"word": word, "start_idx": 0, "end_idx": len(word) - 1, "type": "PER"}
    rows[number] |= {"sentence": f"{word} 하늘", "subject_entity": entity}
    rows[number]["object_entity"] = {
        "word": "하늘", "start_idx": len(word) + 1, "end_idx": len(word) + 2, "type": "PER",
    }  # fmt: skip


def test_chunks_change_nothing_and_what_is_finished_is_kept(runs, told, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "CHUNK", 7)
    assert told(runs.a, "--input", runs.dev)[0] == 0
    assert not (tmp_path / "out.part").exists()
    rows, probabilities, _ = table(tmp_path / "out")
    wanted, whole, _ = table(runs.a / "predictions" / "dev.csv")
    assert [row["id"] for row in rows] == [row["id"] for row in wanted]
    np.testing.assert_allclose(probabilities, whole, rtol=1e-5)

    made = sample.rows("dev")[:24]
    too_long(made, 16, "가 " * 299 + "가")
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(made), encoding="utf-8")
    before = (tmp_path / "out").read_bytes()
    code, _, err = told(runs.a, "--input", bad, "--overwrite")
    assert code == 2
    assert f"error: {bad}, row 17: the entities with their markers take " in err
    assert err.endswith(f"; the first 14 rows are in {tmp_path / 'out.part'}\n")
    assert (tmp_path / "out.part").read_bytes() == b"".join(before.splitlines(keepends=True)[:15])
    assert (tmp_path / "out").read_bytes() == before


@pytest.mark.parametrize("error, code", [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_stopped(runs, told, tmp_path, monkeypatch, error, code):
    monkeypatch.setattr(command, "CHUNK", 20)
    real = Predictor.predict

    def predict(self, rows, *rest):
        if rows[0][0] > 1:
            raise error
        return real(self, rows, *rest)

    monkeypatch.setattr(Predictor, "predict", predict)
    found, _, err = told(runs.a, "--input", runs.dev)
    assert found == code
    assert f"stopped; the first 20 rows are in {tmp_path / 'out.part'}" in err
    assert not (tmp_path / "out").exists()


def test_a_full_disk_keeps_what_was_written(runs, told, tmp_path):
    """/dev/full takes nothing: the part is a link to it."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "out.part").symlink_to("/dev/full")
    code, _, err = told(runs.a, "--input", runs.dev)
    assert code == 1
    assert f"error: cannot write {tmp_path / 'out.part'} (No space left on device)" in err
    assert not (tmp_path / "out").exists()


def unfinished(runs, tmp_path):
    (tmp_path / "young").mkdir()
    (tmp_path / "young" / "config.yaml").touch()
    return [tmp_path / "young", "--input", runs.dev]


def unlike(runs, tmp_path):
    rows = sample.rows("dev")[:3]
    rows[1]["label"] = "per:ruler"
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return [runs.a, "--input", tmp_path / "rows.json"]


def without_entities(runs, tmp_path):
    (tmp_path / "rows.csv").write_text("text\n하나\n둘\n", encoding="utf-8")
    return [runs.a, "--input", tmp_path / "rows.csv", "--data.format", "text"]


def copied(best: Path, folder: Path, without: str) -> Path:
    """best/ again, all files but one and the manifest."""
    folder.mkdir()
    for path in best.iterdir():
        if path.name not in (without, "manifest.json"):
            (folder / path.name).symlink_to(path)
    return folder


def read_otherwise(runs, tmp_path):
    other = copied(runs.b / "best", tmp_path / "other", "prediction.json")
    settings = json.loads((runs.b / "best" / "prediction.json").read_text(encoding="utf-8"))
    settings["reader"]["columns.text"] = "x"
    (other / "prediction.json").write_text(json.dumps(settings), encoding="utf-8")
    write_manifest(other)
    return [runs.a, other, "--input", runs.dev]


def there(runs, tmp_path):
    (tmp_path / "out").write_text("before")
    return [runs.a, "--input", runs.dev]


REFUSED = {
    "no best": (unfinished, "young has no best/, which a run leaves when it is finished"),
    "no run": (lambda runs, path: [path, "--input", runs.dev], "is no run: expected a folder with best/"),
    "no folder": (lambda runs, path: [path / "x", "--input", runs.dev], "/x: no such folder"),
    "other labels": (
        lambda runs, _: [runs.a, runs.texts, "--input", runs.dev], "texts has other labels than "),
    "other reader options": (
        read_otherwise, "other with 'x'; say how the input is read by --data.columns.text"),
    "too many weights": (lambda runs, _: [runs.a, "--input", runs.dev, "--weights", 1, 2], "got 2 numbers, expected"),
    "negative weight": (lambda runs, _: [runs.a, "--input", runs.dev, "--weights=-1"], "--weights: got -1.0"),
    "twice": (lambda runs, _: [runs.a, runs.a / "best", "--input", runs.dev], "given twice"),
    "no file": (lambda runs, path: [runs.a, "--input", path / "none.json"], "--input: no file "),
    "option of training": (
        lambda runs, _: [runs.a, "--input", runs.dev, "--data.max_length", 64],
        "data.max_length: no option of prediction, which reads files by data.format, data.columns.id"),
    "unknown label": (unlike, "rows.json, row 2: unknown label 'per:ruler'; the model has no_relation"),
    "no entities": (without_entities, "rows.csv, row 1 (line 2): the row has no entities, which this model's pooling"),
    "output": (there, "out is there already; --overwrite replaces it"),
    "not KLUE": (
        lambda runs, _: [runs.texts, "--input", runs.folder / "texts.tsv", "--format", "boostcamp"],
        "the model has other labels than the Boostcamp competition (--format boostcamp): it lacks no_relation"),
    "half on a CPU": (
        lambda runs, _: [runs.a, "--input", runs.dev, "--precision", "fp16"], "precision: fp16 needs a GPU"),
}  # fmt: skip


@pytest.mark.parametrize("words, message", REFUSED.values(), ids=REFUSED)
def test_refused_with_one_message(runs, told, tmp_path, words, message):
    code, _, err = told(*words(runs, tmp_path))
    assert code == 2, err
    assert err.count("error: ") == 1
    assert err.splitlines()[-1].startswith("error: ")
    assert message in err
    assert not (tmp_path / "out.part").exists()
    assert not (tmp_path / "out").exists() or (tmp_path / "out").read_text() == "before"


def test_labels_of_the_file_are_left_unread(runs, told, tmp_path):
    code, out, _ = told(*unlike(runs, tmp_path), "--unlabelled")
    assert code == 0
    assert "micro-F1" not in out
    assert not any(row["label"] for row in table(tmp_path / "out")[0])


def test_a_best_folder_with_something_missing_is_told(runs, tmp_path, told):
    for name in ("labels.json", "model.safetensors"):
        broken = copied(runs.a / "best", tmp_path / name, name)
        code, _, err = told(broken, "--input", runs.dev)
        assert code == 2
        assert str(broken) in err
        assert name in err


# from Python ------------------------------------------------------------------------------------------------------


def test_from_python(runs):
    wanted, probabilities, labels = table(runs.a / "predictions" / "dev.csv")
    predictor = Predictor(runs.a / "best", device="cpu")
    rows = [{k: v for k, v in row.items() if k not in ("guid", "label")} for row in sample.rows("dev")[:24]]
    found = predictor(rows)
    assert predictor.labels == labels
    assert found.labels == [row["predicted"] for row in wanted]
    np.testing.assert_allclose(found.probabilities, probabilities, rtol=1e-6)
    assert found.probabilities.shape == (24, 30)
    assert predictor([])[1].shape == (0, 30)
    half = Predictor(runs.a, device="cpu", precision="bf16", batch_size=3)(rows)
    np.testing.assert_allclose(half.probabilities, probabilities, atol=0.01)
    assert not np.array_equal(half.probabilities, found.probabilities)
    with pytest.raises(ValueError, match=r"row 2: no key sentence"):
        predictor([rows[0], {"text": "하나"}])
    with pytest.raises(ValueError, match=r"row 1: the row has no entities"):
        predictor(["하나"])
    assert not predictor.model.training


def test_a_prediction_takes_no_gradient(runs):
    """A graph of all batches would fill the memory."""
    predictor, graphs = Predictor(runs.a, device="cpu"), []
    predictor.model.register_forward_hook(lambda model, given, output: graphs.append(output.logits.requires_grad))
    assert any(parameter.requires_grad for parameter in predictor.model.parameters())
    assert torch.is_grad_enabled()
    predictor(sample.rows("dev")[:3])
    assert graphs == [False]


def test_texts_from_python(runs):
    wanted, probabilities, _ = table(runs.texts / "predictions" / "dev.csv")
    predictor = Predictor(runs.texts, device="cpu")
    for rows in ([text for text, _ in REVIEWS], [{"글": text} for text, _ in REVIEWS]):
        found = predictor(rows)
        assert found.labels == [row["predicted"] for row in wanted]
        np.testing.assert_allclose(found.probabilities, probabilities, rtol=1e-6)
    found = predictor(text for text, _ in REVIEWS)  # any iterable
    np.testing.assert_allclose(found.probabilities, probabilities, rtol=1e-6)


@pytest.mark.parametrize("row", [REVIEWS[0][0], {"글": REVIEWS[0][0]}, Example("1", REVIEWS[0][0])])
def test_one_row_is_no_list_of_rows(runs, row):
    """A text would be taken letter by letter."""
    with pytest.raises(ValueError, match=r"found one row \((str|dict|Example)\), expected a list of rows"):
        Predictor(runs.texts, device="cpu")(row)


def test_offsets_of_numpy(runs):
    """As they come out of a data frame."""
    predictor = Predictor(runs.a, device="cpu")
    row = sample.rows("dev")[0]
    entities = {
        name: row[name] | {key: np.int64(row[name][key]) for key in ("start_idx", "end_idx")}
        for name in ("subject_entity", "object_entity")
    }
    assert np.array_equal(predictor([row | entities]).probabilities, predictor([row]).probabilities)
    truth = row | {"subject_entity": row["subject_entity"] | {"start_idx": True}}
    with pytest.raises(ValueError, match="row 1: subject_entity: start_idx is True, expected a whole number"):
        predictor([truth])


# the docs -----------------------------------------------------------------------------------------------------------


def test_the_docs_python(runs):
    text = (ROOT / "docs" / "predicting.md").read_text(encoding="utf-8")
    [block] = [part for part in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if "Predictor(" in part]
    assert block.count('"runs/first/best"') == 1
    found: dict = {}
    exec(block.replace('"runs/first/best"', repr(str(runs.a / "best"))), found)
    assert found["probabilities"].shape == (1, 30)
    assert found["labels"] == [found["predictor"].labels[found["probabilities"][0].argmax()]]


def test_the_docs_commands():
    """Every option of theirs is known, and what repeat hands to train.py is, too."""
    text = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("predicting.md", "scores.md"))
    lines = [shlex.split(line) for line in re.findall(r"^python -m engine\.(?:predict|repeat) .*", text, re.MULTILINE)]
    assert len(lines) == 4
    for words in lines:
        if words[2] == "engine.predict":
            own, readers = command.divided(words[3:])
            assert command.arguments().parse_args(own).input
            assert not readers
        else:
            cut = words.index("--")
            own = repeat.arguments().parse_args(words[3:cut])
            rest = [str(ROOT / word) if word.startswith("configs/") else word for word in words[cut + 1 :]]
            assert len(repeat.variants_of(own, rest)) * len(own.seeds) == 15
            parse(rest)
