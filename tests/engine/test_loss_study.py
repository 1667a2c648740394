"""Losses compared: thirds of classes by hand, scores from reports, runs that are really different losses."""

import json

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data import sample
from data.labels import KLUE
from engine.comparison import Variant
from engine.loss_study import class_f1, loss_variants, scores_of, thirds
from engine.study import main


def test_a_word_is_a_variant_and_cross_entropy_comes_first():
    assert loss_variants(["focal,gamma=1,class_weights=class_balanced", "ldam", "cross_entropy"]) == [
        Variant("cross_entropy", ("--loss.name=cross_entropy",)),
        Variant(
            "focal,gamma=1,class_weights=class_balanced",
            ("--loss.name=focal", "--loss.gamma=1", "--loss.class_weights=class_balanced"),
        ),
        Variant("ldam", ("--loss.name=ldam", "--model.head=cosine")),
    ]


def test_thirds_by_training_count_without_the_negative_class():
    counts = np.array([900, 5, 80, 7, 300, 0, 41])
    assert thirds(counts, 0) == {"head": [4, 2], "middle": [6, 3], "tail": [1, 5]}
    assert thirds(counts, None) == {"head": [0, 4, 2], "middle": [6, 3], "tail": [1, 5]}


def test_scores_of_a_report_by_hand():
    rows = [{"f1": f1, "support": support} for f1, support in [(90.0, 9), (60.0, 4), (0.0, 0), (20.0, 2)]]
    report = {"dev": {"micro_f1": 70.0, "macro_f1": 42.5, "auprc": 55.0, "loss": 1.0}, "classes": rows}
    assert np.isnan(class_f1(report)[2])
    found = scores_of(report, {"head": [0], "middle": [1, 2], "tail": [3]})
    assert found == {
        "micro_f1": 70.0, "macro_f1": 42.5, "auprc": 55.0, "head_f1": 90.0, "middle_f1": 60.0, "tail_f1": 20.0,
    }  # fmt: skip


def test_it_leaves_tables_a_picture_and_hparams(options, tmp_path, monkeypatch, capsys):
    """The runs are replaced by reports here; what is made of them is not."""

    def run(variants, seeds, rest, folder):
        def report(base):
            rows = [{"f1": (base + number) % 100.0, "support": number % 3} for number in range(len(KLUE))]
            return {"dev": {"micro_f1": base, "macro_f1": base + 1, "auprc": base + 2}, "classes": rows}

        return {v.name: [report(10.0 * i + seed) for seed in seeds] for i, v in enumerate(variants)}

    monkeypatch.setattr("engine.loss_study.finetune", run)
    given = options(track__tensorboard="true", run__name="study")
    assert main(["--losses", "focal", "poly1,epsilon=2", "--seeds", "2", *given]) == 0
    told = capsys.readouterr().out
    folder = tmp_path / "runs" / "study"
    found = json.loads((folder / "losses.json").read_text(encoding="utf-8"))
    assert list(found["scores"]) == ["micro_f1", "macro_f1", "auprc", "head_f1", "middle_f1", "tail_f1"]
    named = {row["name"]: (row["mean"], row["difference"]) for row in found["scores"]["micro_f1"]}
    assert named == {"cross_entropy": (42.5, 0.0), "focal": (52.5, 10.0), "poly1,epsilon=2": (62.5, 20.0)}
    counts = [row["label"] for row in sample.rows("train")[:70]]
    assert found["counts"] == {label: counts.count(label) for label in KLUE}
    assert not any("no_relation" in part for part in found["classes"].values())
    assert "tail_f1 over 2 seeds" in told
    assert (folder / "f1_by_count.png").stat().st_size > 5000
    assert EventAccumulator(str(folder), size_guidance={"images": 0}).Reload().Tags()["images"] == ["study/f1_by_count"]
    one = folder / "hparams" / "focal-seed43"
    assert EventAccumulator(str(one)).Reload().Scalars("study/micro_f1")[0].value == 53.0


@pytest.mark.parametrize(
    "word, message",
    [
        ("focl", "loss.name: got 'focl', expected one of"),
        ("focal,gama=1", "loss.gama: unknown key; did you mean loss.gamma?"),
        ("focal,gamma=high", "loss.gamma: got 'high', expected a number"),
    ],
)
def test_a_loss_that_cannot_be_is_told_before_anything_runs(options, capsys, word, message):
    assert main(["--losses", word, *options()]) == 2
    assert message in capsys.readouterr().err
