"""Scores under the label distribution of the target: counted by hand, from files, and followed by a run."""

import csv
import json

import numpy as np
import pytest
from sklearn import metrics as sk

from conftest import SHARED_DATA
from data.labels import BOOSTCAMP, KLUE
from data.sentences import sentence_key
from engine.scores.intervals import bootstrap
from engine.scores.metrics import headline
from engine.scores.prior import KLUE_DEV, check_prior, label_prior, row_weights
from engine.scores.scored import Scored
from refusals import refused
from train import main

DEV = SHARED_DATA / "klue-re" / "klue-re-v1.1_dev.json"


def test_priors_by_name_follow_the_order_of_the_labels():
    assert label_prior("none", [*KLUE]) is None
    assert label_prior("uniform", ["a", "b"]).tolist() == [0.5, 0.5]
    for labels in (KLUE, BOOSTCAMP):
        prior = label_prior("klue_dev", [*labels])
        assert prior.sum() == pytest.approx(1, abs=1e-12)
        assert prior[labels.index("per:title")] == pytest.approx(718 / 7765, abs=1e-12)
        assert prior[labels.index("no_relation")] == pytest.approx(4631 / 7765, abs=1e-12)
    assert (len(KLUE_DEV), sum(KLUE_DEV.values())) == (30, 7765)


@pytest.mark.real_data
@pytest.mark.skipif(not DEV.is_file(), reason=f"{DEV} is not here")
def test_the_official_dev_set_has_these_counts():
    labels = [row["label"] for row in json.loads(DEV.read_text(encoding="utf-8"))]
    assert {label: labels.count(label) for label in set(labels)} == KLUE_DEV


def test_shares_and_counts_of_a_file_mean_the_same(tmp_path):
    path = tmp_path / "prior.json"
    for content in ('{"b": 3, "a": 1}', '{"a": 0.25, "b": 0.75}', '{"a": 2.5e-300, "b": 7.5e-300}'):
        path.write_text("\ufeff" + content, encoding="utf-8")
        assert label_prior(str(path), ["a", "b"]).tolist() == pytest.approx([0.25, 0.75])


def test_a_weighted_score_is_that_of_a_dev_set_with_the_target_s_counts():
    """Rows written as often as the target has them: weights must give what plain scores give there."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [6, 4, 2])
    probabilities = random.dirichlet([1, 1, 1], 12)
    times = np.array([1, 3, 9])[labels]  # 6, 12 and 18 rows in the target
    prior = np.array([6, 12, 18]) / 36
    weights = row_weights(prior, labels)
    assert weights.mean() == pytest.approx(1)
    found = headline(Scored(labels, probabilities, 0, (), prior))
    there = np.repeat(np.arange(12), times)
    expected = headline(Scored(labels[there], probabilities[there], 0))
    plain = headline(Scored(labels, probabilities, 0))
    for name in ("micro_f1", "auprc", "accuracy"):
        assert found[f"{name}_prior"] == pytest.approx(expected[name], abs=1e-9), name
        assert abs(expected[name] - plain[name]) > 0.01, name
        assert found[name] == plain[name], name
    assert found["macro_f1"] == plain["macro_f1"]
    assert {*found} - {*plain} == {"micro_f1_prior", "auprc_prior", "accuracy_prior"}


def test_weighted_scores_by_hand_and_by_scikit_learn():
    labels, predicted = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 0, 1, 0])
    probabilities = np.eye(3)[predicted] * 0.7 + 0.1
    weights = row_weights(np.array([0.6, 0.2, 0.2]), labels)
    assert weights.tolist() == pytest.approx([1, 1, 1, 1, 1])
    prior = np.array([0.2, 0.4, 0.4])
    weights = row_weights(prior, labels)
    assert weights.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2, 2])
    found = headline(Scored(labels, probabilities, 0, (), prior))
    assert found["accuracy_prior"] == pytest.approx(100 * (2 / 3 + 2) / 5)
    # said 1: weights 1/3 and 2; to be found: 2 and 2; right: 2
    assert found["micro_f1_prior"] == pytest.approx(100 * 2 * 2 / (1 / 3 + 2 + 2 + 2))
    areas = []
    for number in range(3):
        precision, recall, _ = sk.precision_recall_curve(labels == number, probabilities[:, number],
                                                         sample_weight=weights)  # fmt: skip
        areas.append(100 * np.trapezoid(precision[::-1], recall[::-1]))
    assert found["auprc_prior"] == pytest.approx(np.mean(areas))


def test_labels_without_dev_rows_leave_their_share_to_the_others():
    prior, labels = np.array([0.5, 0.3, 0.2]), np.array([0, 1, 1, 1])
    weights = row_weights(prior, labels)
    assert weights.sum() == pytest.approx(4)
    assert weights[0] / weights[1:].sum() == pytest.approx(5 / 3)
    with pytest.warns(UserWarning, match="eval.label_prior: no dev row of c; their share of 20 % goes to the other"):
        check_prior(prior, labels, ["a", "b", "c"])
    with pytest.raises(ValueError, match="every label of the dev rows has the share 0"):
        check_prior(np.array([0, 0, 1.0]), labels, ["a", "b", "c"])
    zero = headline(Scored(labels, np.tile([0.5, 0.3, 0.2], (4, 1)), 0, (), np.array([1.0, 0, 0])))
    assert zero["auprc_prior"] == 100.0  # label 1 weighs nothing and has no place in the mean
    assert zero["accuracy_prior"] == 100.0


GOOD = dict.fromkeys(KLUE, 1)


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (None, ["no file", "expected none, uniform, klue_dev or a file"]),
        ("", ["is no JSON object"]),
        ("[1, 2]", ["holds a list"]),
        ('{"no_relation": 1, "no_relation": 2}', ["a label stands there twice"]),
        (json.dumps({"no_relation": 1}), ["does not cover the 30 labels: no share of org:dissolved, org:founded"]),
        (json.dumps(GOOD | {"per:cat": 1}), ["labels that data.labels does not have: per:cat"]),
        (json.dumps(GOOD | {"per:title": -1}), ["no shares or counts, which are 0 or more: per:title -1"]),
        (json.dumps(GOOD | {"per:title": True}), ["per:title True"]),
        (json.dumps(GOOD | {"per:title": "5"}), ["per:title '5'"]),
        (json.dumps(GOOD | {"per:title": float("nan")}), ["per:title nan"]),
        (json.dumps(dict.fromkeys(KLUE, 0)), ["all shares are 0"]),
        (json.dumps(dict.fromkeys(KLUE, 0) | {"per:title": 1}), ["every label of the dev rows has the share 0"]),
    ],
)
def test_a_prior_that_does_not_cover_the_labels(folder, capsys, content, fragments):
    path = str(folder.path / "prior.json") if content is None else folder.write("prior.json", content)
    refused(folder, capsys, ["--eval.label_prior", path], ["eval.label_prior: ", *fragments])


@pytest.mark.parametrize("metric", ["micro_f1_prior", "auprc_prior", "accuracy_prior"])
def test_a_weighted_metric_needs_a_prior(folder, capsys, metric):
    refused(folder, capsys, ["--eval.metric", metric], [f"eval.metric: {metric} needs eval.label_prior, which is none"])


def test_a_run_shows_and_follows_weighted_scores(folder, capsys):
    prior = folder.write("prior.json", json.dumps(GOOD | {"no_relation": 50}))
    options = ["--eval.label_prior", prior, "--eval.metric", "accuracy_prior", "--eval.every", "1"]
    options += ["--train.max_updates", "4", "--train.epochs", "4", "--optim.lr", "0.05"]
    assert main(folder.command(*options)) == 0
    said = capsys.readouterr()
    assert "label prior  " in said.out
    assert "weighted so, 4 dev rows are worth 1" in said.out
    assert "accuracy, prior" in said.out
    report = folder.report()
    lines = [json.loads(line) for line in (folder.runs / "try" / "metrics.jsonl").read_text().splitlines()]
    dev = [line for line in lines if line["split"] == "dev"]
    assert len(dev) == 4
    best = max(dev, key=lambda line: line["accuracy_prior"])
    assert report["step"] == best["step"]
    names = ("micro_f1_prior", "auprc_prior", "accuracy_prior")
    assert {name: report["dev"][name] for name in names} == {name: best[name] for name in names}
    assert {*names, "micro_f1", "auprc", "accuracy", "macro_f1"} < {*report["intervals"]}
    with (folder.runs / "try" / "predictions" / "dev.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    names = header[3:]
    gold, written = np.array([names.index(row[1]) for row in rows]), np.array([row[3:] for row in rows], dtype=float)
    known = label_prior(prior, names)
    sentences = json.loads((folder.path / "dev.json").read_text(encoding="utf-8"))
    groups = np.array([sentence_key(row["sentence"]) for row in sentences])
    again = bootstrap(Scored(gold, written, names.index("no_relation"), names, known, groups))
    found = {name: report["intervals"][name] for name in again}
    for name, interval in again.items():
        assert found[name] == pytest.approx(interval), name
    assert "95 % interval    micro-F1 " in said.out
    (folder.runs / "try" / "report.json").unlink()
    assert main(folder.command(*options[2:], "--eval.label_prior", "uniform")) == 2
    assert "was started with another configuration: eval.label_prior" in capsys.readouterr().err


def test_no_resamples_no_intervals(folder, capsys):
    assert main(folder.command("--eval.resamples", "0")) == 0
    assert "intervals" not in folder.report()
    assert "warning" not in capsys.readouterr().err
