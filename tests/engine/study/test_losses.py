"""Losses compared: thirds of classes by hand, scores from reports, runs that are really different losses."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data import sample
from data.labels import KLUE
from engine.arguments.parse import parse
from engine.compose.loss import check_loss
from engine.repeat.runs import Variant, lines, paired
from engine.study.__main__ import main
from engine.study.losses import class_f1, loss_variants, scores_of, thirds


def test_a_word_is_a_variant_and_cross_entropy_comes_first():
    assert loss_variants(["focal,gamma=1,class_weights=class_balanced", "ldam", "cross_entropy"]) == [
        Variant("cross_entropy", ("--loss.name=cross_entropy",)),
        Variant(
            "focal,gamma=1,class_weights=class_balanced",
            ("--loss.name=focal", "--loss.gamma=1", "--loss.class_weights=class_balanced"),
        ),
        Variant("ldam", ("--loss.name=ldam", "--model.head=cosine")),
    ]


@pytest.mark.parametrize(
    "word, options",
    [
        ("cross_entropy,model.head=cosine", "loss.name=cross_entropy model.head=cosine"),
        ("focal,loss.gamma=1,optim.lr=1e-4", "loss.name=focal loss.gamma=1 optim.lr=1e-4"),
        ("r_drop,base=focal,base_options.gamma=1", "loss.name=r_drop loss.base=focal loss.base_options.gamma=1"),
        ("r_drop,base=focal,base_options={gamma: 1, smoothing: 0.1}",
         "loss.name=r_drop loss.base=focal loss.base_options.gamma=1 loss.base_options.smoothing=0.1"),
        ("poly1,model.head=cnn,model.pooling=cls,model.head_options.kernels=[2,3]",
         "loss.name=poly1 model.head=cnn model.pooling=cls model.head_options.kernels=[2,3]"),
        ("ldam,scale=16", "loss.name=ldam loss.scale=16 model.head=cosine model.head_options.scale=16"),
        ("ldam,scale=16,model.head_options.scale=16",
         "loss.name=ldam loss.scale=16 model.head_options.scale=16 model.head=cosine"),
        ("ldam,scale=16,model.head_options.scale=8",  # told afterwards
         "loss.name=ldam loss.scale=16 model.head_options.scale=8 model.head=cosine"),
        ("ldam,scale=16,model.head=mlp", "loss.name=ldam loss.scale=16 model.head=mlp"),
        ("r_drop,base=ldam", "loss.name=r_drop loss.base=ldam model.head=cosine"),
        ("r_drop,base=ldam,base_options={scale: 16, max_margin: 0.3}",
         "loss.name=r_drop loss.base=ldam loss.base_options.scale=16 loss.base_options.max_margin=0.3 "
         "model.head=cosine model.head_options.scale=16"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:loss.name. the margins of ldam")
def test_a_word_holds_options_of_train_py(word, options):
    _, variant = loss_variants([word])
    assert variant == Variant(word, tuple(f"--{option}" for option in options.split(" ")))
    if "scale=8" not in word:
        config, _, _ = parse(variant.options)
        check_loss(config)  # no word needs a second one to go with it


def test_a_word_with_a_slash_is_a_run_all_the_same():
    [_, variant] = loss_variants(["focal,model.backbone=klue/roberta-small"])
    assert variant.run_name(7) == "focal,model.backbone=klue_roberta-small-seed7"


def test_thirds_by_training_count_without_the_negative_class():
    counts = np.array([900, 5, 80, 7, 300, 0, 41])
    assert thirds(counts, 0) == {"head": [4, 2], "middle": [6, 3], "tail": [1, 5]}
    assert thirds(counts, None) == {"head": [0, 4, 2], "middle": [6, 3], "tail": [1, 5]}


def test_scores_of_a_report_by_hand():
    rows = [{"f1": f1, "support": support} for f1, support in [(90.0, 9), (60.0, 4), (0.0, 0), (20.0, 2)]]
    dev = {"micro_f1": 70.0, "macro_f1": 42.5, "auprc": 55.0, "accuracy_prior": 60.0, "loss": 1.0, "absent_classes": 1}
    report = {"dev": dev, "classes": rows}
    assert np.isnan(class_f1(report)[2])
    found = scores_of(report, {"head": [0], "middle": [1, 2], "tail": [3]})
    assert found == {
        "micro_f1": 70.0, "macro_f1": 42.5, "auprc": 55.0, "accuracy_prior": 60.0,
        "head_f1": 90.0, "middle_f1": 60.0, "tail_f1": 20.0,
    }  # fmt: skip


def test_a_third_without_dev_examples_has_no_score():
    rows = [{"f1": f1, "support": support} for f1, support in [(90.0, 9), (0.0, 0), (0.0, 0)]]
    report = {"dev": {"micro_f1": 70.0, "macro_f1": 42.5, "auprc": 55.0}, "classes": rows}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy's, of means of nothing
        found = scores_of(report, {"head": [0], "middle": [1, 2], "tail": []})
        assert (found["head_f1"], np.isnan(found["middle_f1"]), np.isnan(found["tail_f1"])) == (90.0, True, True)
        told = paired({name: [found["middle_f1"]] * 2 for name in ("cross_entropy", "focal")}, "cross_entropy")
    assert told[1] == {
        "name": "focal", "scores": [None, None], "mean": None, "sd": None, "difference": None, "difference_sd": None,
        "difference_95": None,
    }  # fmt: skip
    assert lines(told, "cross_entropy")[2].split() == ["focal", "-", "-", "-", "-", "-"]


def test_it_leaves_tables_a_picture_and_hparams(options, tmp_path, monkeypatch, capsys):
    """The runs are replaced by reports here; what is made of them is not. The rare classes are not in dev."""
    counts = [row["label"] for row in sample.rows("train")[:70]]

    def run(variants, seeds, rest, folder):
        def report(base):
            rows = [{"f1": (base + n) % 100.0, "support": n % 3 if counts.count(KLUE[n]) > 1 else 0} for n in range(30)]
            return {"dev": {"micro_f1": base, "macro_f1": base + 1, "auprc": base + 2}, "classes": rows}

        return {v.name: [report(10.0 * i + seed) for seed in seeds] for i, v in enumerate(variants)}

    monkeypatch.setattr("engine.study.losses.finetune", run)
    given = options(track__tensorboard="true", run__name="study")
    other = tmp_path / "runs" / "study" / "hparams" / "poly1-seed42"
    other.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert main(["--losses", "focal", "poly1,epsilon=2", "--seeds", "2", *given]) == 0
    told = capsys.readouterr().out
    assert not other.exists()  # of the study before
    folder = tmp_path / "runs" / "study"
    found = json.loads((folder / "losses.json").read_text(encoding="utf-8"))
    assert list(found["scores"]) == ["micro_f1", "auprc", "macro_f1", "head_f1", "middle_f1", "tail_f1"]
    named = {row["name"]: (row["mean"], row["difference"]) for row in found["scores"]["micro_f1"]}
    assert named == {"cross_entropy": (42.5, 0.0), "focal": (52.5, 10.0), "poly1,epsilon=2": (62.5, 20.0)}
    assert {(row["mean"], row["difference"]) for row in found["scores"]["tail_f1"]} == {(None, None)}
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
        ("focal,gamma=-1", "loss.gamma: got -1.0, expected a number from 0"),
        ("focal,gamma", "loss.gamma: got '', expected a number"),
        ("focal,modle.head=cosine", "loss.modle.head: unknown key; did you mean model.head?"),
        ("r_drop,base=focal,base_options.gamma=-1", "loss.base_options.gamma: got -1.0"),
        ("ldam,scale=16,model.head_options.scale=8", "loss.scale: got 16.0, but model.head_options.scale is 8.0"),
        ("supervised_contrastive,group=7", "train.batch_size 32 is no multiple of loss.group 7"),
        ("focal,model.head=cnn", "the head cnn reads the states of the whole sentence"),
        ("focal,gamma=" + "0" * 200, "expected a folder name without slashes, at most 200 bytes long"),
    ],
)
def test_a_loss_that_cannot_be_is_told_before_anything_runs(options, monkeypatch, capsys, word, message):
    monkeypatch.setattr("engine.study.losses.finetune", lambda *given: pytest.fail("a run began"))
    assert main(["--losses", word, *options()]) == 2
    assert message in capsys.readouterr().err


def test_options_of_probes_are_refused(options, capsys):
    assert main(["--losses", "focal", "--rows", "10000", "--layers", "1", "--finetune", *options()]) == 2
    message = "error: --losses: got --rows, --layers, --finetune with it, expected none of them: they are for poolings"
    assert capsys.readouterr().err.strip() == message


def test_new_top_layers_are_no_matter_for_losses(options, monkeypatch):
    """A probe would read layers that never learned; a run trains them."""
    monkeypatch.setattr("engine.study.__main__.compare_losses", lambda *given: "compared")
    monkeypatch.setattr("engine.study.__main__.parse", reinit(parse))
    assert main(["--losses", "focal", *options()]) == 0
    assert main(["--poolings", "mean", *options()]) == 2


def reinit(parse):
    """`parse` whose configuration has model.reinit 1, which needs a pretrained backbone."""

    def made(argv):
        config, path, notices = parse(argv)
        return dataclasses.replace(config, model=dataclasses.replace(config.model, reinit=1)), path, notices

    return made
