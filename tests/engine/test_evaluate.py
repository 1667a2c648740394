"""Evaluation: every example once, in the order of the file, the same on any number of processes."""

import contextlib
import csv
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from transformers import AutoModel

import models  # noqa: F401 (AutoModel learns of ours)
import train as program
from data.batch import collate
from engine import evaluate
from engine.checkpoint.manifest import CheckpointError
from engine.distributed.signals import StopSignal
from engine.evaluate import Evaluation, NoEvaluation, predict
from engine.loop import train
from engine.report.finish import finish
from engine.report.predictions import write_predictions
from engine.scores.metrics import headline
from engine.scores.scored import Scored


@pytest.fixture
def run(start):
    return start(model__dropout=0.3)


def one_by_one(model, store) -> torch.Tensor:
    """Logits (N, C), each example alone."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(collate(store, np.array([row]))[0]).logits for row in range(len(store))])


class Share:
    """Stands for process `process_index` of several: `reduce` keeps what this process would give."""

    def __init__(self, num_processes: int, process_index: int):
        self.num_processes, self.process_index, self.device = num_processes, process_index, torch.device("cpu")
        self.given = []

    def autocast(self):
        return contextlib.nullcontext()

    def reduce(self, tensor, how):
        assert how == "sum"
        self.given.append(tensor.clone())
        return tensor


def test_probabilities_stand_in_the_order_of_the_file(run):
    parts, store = run.parts, run.parts.evaluation.store
    expected = one_by_one(parts.model, store)
    found = predict(parts.accelerator, parts.model, store, 7, "", True, StopSignal())
    assert found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities, expected.softmax(dim=1), atol=1e-6)
    gold = torch.tensor(store.labels)
    np.testing.assert_allclose(found.losses, F.cross_entropy(expected, gold, reduction="none"), atol=1e-5)
    assert not np.allclose(found.probabilities[0], found.probabilities[1], atol=1e-5)  # an order could be seen


@pytest.mark.parametrize("size", [1, 5, 24, 100])
def test_the_batch_size_changes_nothing(run, size):
    parts, store = run.parts, run.parts.evaluation.store
    whole = predict(parts.accelerator, parts.model, store, 8, "", True, StopSignal())
    other = predict(parts.accelerator, parts.model, store, size, "", True, StopSignal())
    np.testing.assert_allclose(whole.probabilities, other.probabilities, atol=1e-6)


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_the_parts_of_all_processes_sum_to_the_whole_bit_by_bit(run, processes):
    """24 examples in batches of 5: 5 batches, which 2, 3 or 4 processes cannot share evenly."""
    model, store = run.parts.model, run.parts.evaluation.store
    alone = Share(1, 0)
    predict(alone, model, store, 5, "", True, StopSignal())
    logits, seen = torch.zeros_like(alone.given[0]), torch.zeros(24)
    for process in range(processes):
        share = Share(processes, process)
        with pytest.raises(AssertionError, match="left out"):
            predict(share, model, store, 5, "", True, StopSignal())
        logits, seen = logits + share.given[0], seen + share.given[1]
    assert torch.equal(seen, torch.ones(24))
    assert torch.equal(logits, alone.given[0])


@pytest.mark.parametrize("wrong", [lambda batches: batches[:-1], lambda batches: [*batches, batches[0]]])
def test_an_example_left_out_or_repeated_is_noticed(run, monkeypatch, wrong):
    right = evaluate.evaluation_batches
    monkeypatch.setattr(evaluate, "evaluation_batches", lambda *args: [wrong(shares) for shares in right(*args)])
    with pytest.raises(AssertionError, match="left out or repeated"):
        predict(run.parts.accelerator, run.parts.model, run.parts.evaluation.store, 5, "", True, StopSignal())


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_mode_is_kept(run, training):
    run.parts.model.train(training)
    first = run.parts.evaluation.run(run.parts.model)
    assert run.parts.model.training is training
    assert run.parts.evaluation.run(run.parts.model) == first
    assert all(parameter.grad is None for parameter in run.parts.model.parameters())


def test_scores_are_those_of_the_whole_set(run):
    evaluation = run.parts.evaluation
    scores = evaluation.run(run.parts.model)
    gold = np.array(evaluation.store.labels)
    expected = headline(Scored(gold, evaluation.predictions.probabilities, evaluation.negative))
    assert {name: scores[name] for name in expected} == expected
    logits = one_by_one(run.parts.model, evaluation.store)
    assert scores["loss"] == pytest.approx(F.cross_entropy(logits, torch.tensor(gold)).item(), abs=1e-6)
    assert type(scores["absent_classes"]) is int
    assert set(scores) == {"micro_f1", "auprc", "accuracy", "macro_f1", "absent_classes", "loss"}


def test_the_loss_of_an_unlabelled_example_is_unknown(run, monkeypatch):
    store = run.parts.evaluation.store
    labels = np.array(store.labels)
    labels[3] = -1
    monkeypatch.setitem(store.__dict__, "labels", labels)
    losses = predict(run.parts.accelerator, run.parts.model, store, 8, "", True, StopSignal()).losses
    assert np.flatnonzero(np.isnan(losses)).tolist() == [3]


def test_without_a_dev_set_there_are_no_scores():
    assert NoEvaluation().run(None) == {}
    assert NoEvaluation().predictions is None


# predictions/dev.csv ----------------------------------------------------------------------------------------------


class Rows:
    """Labels and ids, as a token store has them."""

    def __init__(self, ids: list[str], labels: list[int]):
        self.ids, self.labels = ids, labels

    def id(self, row: int) -> str:
        return self.ids[row]


def read_csv(path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_written_probabilities_are_the_very_numbers(tmp_path):
    random = np.random.default_rng(0)
    raw = random.gamma(0.1, size=(200, 4)).astype(np.float32) + np.float32(1e-12)
    probabilities = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    ids = ['comma, "quoted"', "zeile\nzwei", "=1+1", "한국어", *map(str, range(4, 200))]
    labels = random.integers(0, 4, 200).tolist()
    labels[5] = -1
    names = ["a", "b,c", "d", "e"]
    write_predictions(tmp_path / "new" / "dev.csv", Rows(ids, labels), probabilities, names)
    rows = read_csv(tmp_path / "new" / "dev.csv")
    assert [row["id"] for row in rows] == ids
    assert rows[5]["label"] == ""
    assert all(row["label"] == names[label] for row, label in zip(rows, labels, strict=True) if label >= 0)
    written = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
    assert np.array_equal(written.astype(np.float32), probabilities)
    assert [row["predicted"] for row in rows] == [names[number] for number in written.argmax(axis=1)]
    assert list(rows[0]) == ["id", "label", "predicted", *names]


def test_damaged_best_weights_are_not_handed_out(start):
    run = start(train__epochs=1)
    state = train(run.parts, run.config, run.state)
    path = run.parts.checkpoints.path(state.best_step) / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"model\.safetensors was changed"):
        finish(run, state)
    assert not (run.folder / "best").exists()
    assert not (run.folder / "report.json").exists()


def test_report_best_weights_and_predictions_are_of_the_same_update(options, tmp_path, monkeypatch):
    """The best update is not the last one, by a score made up."""
    scores = iter([3.0, 9.0, 5.0])
    scored = Evaluation.run

    def made_up(self, model):
        real = scored(self, model)
        return real | {"micro_f1": next(scores, real["micro_f1"])}  # the report's own evaluation is not made up

    monkeypatch.setattr(Evaluation, "run", made_up)
    assert program.main(options(train__epochs=1, eval__every=1, optim__lr=0.01)) == 0
    folder = tmp_path / "runs" / "tiny"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert (report["step"], report["updates"]) == (2, 3)
    rows, names = (
        read_csv(folder / "predictions" / "dev.csv"),
        json.loads((folder / "best" / "labels.json").read_text()),
    )
    gold = np.array([names.index(row["label"]) for row in rows])
    written = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
    again = headline(Scored(gold, written, names.index("no_relation")))
    assert {name: report["dev"][name] for name in again} == pytest.approx(again, abs=1e-9)
    model = AutoModel.from_pretrained(folder / "best").eval()
    best = load_file(folder / "checkpoints" / "step-00000002" / "model.safetensors")
    assert all(torch.equal(tensor, best[name]) for name, tensor in model.state_dict().items())
    [line] = [
        json.loads(text)
        for text in (folder / "metrics.jsonl").read_text().splitlines()
        if json.loads(text)["split"] == "dev" and json.loads(text)["step"] == 2
    ]
    assert line["accuracy"] == report["dev"]["accuracy"]
    assert line["auprc"] == report["dev"]["auprc"]
