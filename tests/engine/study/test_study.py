"""The study: probes against a computation of their own, paired differences, runs in processes of their own."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, precision_recall_curve
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.arguments.parse import parse
from engine.compose.data import read_data
from engine.compose.model import make_model
from engine.repeat import runs
from engine.repeat.runs import Variant, finetune, lines, paired, without
from engine.study.__main__ import main
from engine.study.probe import probe
from engine.tracking.figures import heat_map


@pytest.fixture
def study(options, tmp_path):
    """`study(*own, key=value)` runs one in tmp_path and returns (exit code, its folder)."""

    def run(*own, **given):
        given = {"run__name": "study", "track__tensorboard": "true"} | given
        return main([*own, *options(**given)]), tmp_path / "runs" / given["run__name"]

    return run


def test_a_probe_equals_its_own_computation(study, options):
    """From hidden states sentence by sentence, standardised by hand, the same logistic regression."""
    asked = "--poolings mean --layers 0 1 --seeds 2 --share 0.5 --strength 0.1"
    code, folder = study(*asked.split(), model__dropout=0.3, eval__metric="auprc")  # dropout that no probe sees
    assert code == 0
    found = json.loads((folder / "study.json").read_text(encoding="utf-8"))["probe"]

    config, _, _ = parse(options())
    data = read_data(config, quiet=True)
    torch.manual_seed(config.run.seed)
    model = make_model(config, data.tokenizer, data.new, len(data.labels)).eval()

    def states(store, layer):
        rows = []
        for start, end in pairwise(store.offsets):
            tokens = torch.from_numpy(store.tokens[start:end].astype(np.int64))[None]
            with torch.no_grad():
                hidden = model.backbone(input_ids=tokens, output_hidden_states=True).hidden_states[layer][0]
            rows.append({"cls": hidden[0].numpy(), "mean": hidden.mean(dim=0).numpy()})
        return rows

    train, dev = data.stores["train"], data.stores["dev"]
    for layer in (0, 1):
        read, read_dev = states(train, layer), states(dev, layer)
        for name in ("cls", "mean") if layer else ("mean",):  # below the first layer [CLS] is the same everywhere
            [row] = [row for row in found["cells"] if (row["name"], row["layer"]) == (name, layer)]
            for number, seed in enumerate((42, 43)):
                drawn = np.sort(np.random.default_rng(seed).permutation(len(train))[: round(0.5 * len(train))])
                x = np.stack([state[name] for state in read])[drawn]
                middle, spread = x.mean(axis=0), x.std(axis=0)
                spread[spread == 0] = 1
                fitted = LogisticRegression(C=0.1, max_iter=300, tol=1e-3).fit(
                    (x - middle) / spread, np.array(train.labels)[drawn]
                )
                told = fitted.predict_proba((np.stack([state[name] for state in read_dev]) - middle) / spread)
                column = {label: told[:, place] for place, label in enumerate(fitted.classes_.tolist())}
                gold, areas = np.array(dev.labels), []
                for label in set(gold.tolist()):
                    curve = precision_recall_curve(gold == label, column.get(label, np.zeros(len(gold))))
                    areas.append(100 * auc(curve[1], curve[0]))
                score = np.mean(areas)  # unlike F1, it moves with every probability
                assert row["scores"][number] == pytest.approx(score, abs=1e-9)


def test_it_leaves_a_table_a_picture_and_tensorboard(study, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "engine.study.__main__.figures.heat_map", lambda *given: drawn.append(given) or heat_map(*given)
    )
    code, folder = study("--poolings", "mean", "entity_start", "--seeds", "2", "--rows", "50", eval__metric="auprc")
    assert code == 0
    told = capsys.readouterr().out
    found = json.loads((folder / "study.json").read_text(encoding="utf-8"))["probe"]
    assert found["rows"] == 50
    assert len({row["mean"] for row in found["cells"]}) == 6  # else nothing below could tell cells apart
    best = max(found["cells"], key=lambda row: row["mean"])
    assert f"best of all layers: {best['name']} of layer {best['layer']}, {best['mean']:.2f}" in told
    means, names, layers = drawn[0][:3]
    assert {(name, int(k)): means[i, j] for i, name in enumerate(names) for j, k in enumerate(layers)} == {
        (row["name"], row["layer"]): row["mean"] for row in found["cells"]
    }
    assert "linear probes, top layer (1), auprc over 2 seeds" in told
    assert "best of all layers:" in told
    assert (folder / "probe.png").stat().st_size > 5000
    rows = list(csv.DictReader((folder / "study.csv").open(encoding="utf-8")))
    assert [(row["layer"], row["name"]) for row in rows] == [
        (layer, name) for layer in "01" for name in ("cls", "mean", "entity_start")
    ]
    assert all(float(row["difference"]) == 0 for row in rows if row["name"] == "cls")
    shown = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    assert shown.Tags()["images"] == ["study/probe"]
    by_layer = {event.step: event.value for event in shown.Scalars("probe/mean")}
    for row in rows:
        if row["name"] == "mean":
            assert by_layer[int(row["layer"])] == pytest.approx(float(row["mean"]), rel=1e-6)


def test_cls_in_front_of_a_probed_pooling(study, monkeypatch):
    widths = []
    monkeypatch.setattr(
        "engine.study.__main__.probe", lambda train, *rest: widths.append(train.shape[1]) or probe(train, *rest)
    )
    own = ("--poolings", "mean", "entity_start", "--layers", "1", "--seeds", "1")
    assert study(*own)[0] == study(*own, run__name="with", model__with_cls=True)[0] == 0
    assert widths == [32, 32, 96, 32, 64, 96]  # cls, mean, entity_start, of 32 each


def test_entities_that_are_not_there_are_told(study, tmp_path, capsys):
    rows = [{"text": f"문장 {number}", "label": "ab"[number % 2]} for number in range(8)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    files = {f"data__{part}": tmp_path / "rows.jsonl" for part in ("train", "dev")}
    given = {"data__format": "text", "data__labels": "learned", "data__negative_label": "null", "data__marker": "none",
             "model__pooling": "cls"} | files  # fmt: skip
    assert study("--poolings", "entity_start", **given)[0] == 2
    assert "--poolings: entity_start reads the entities, but 8 rows of data.train have none" in capsys.readouterr().err


@pytest.mark.parametrize(
    "own, given, message",
    [
        (["--poolings", "entity"], {}, "--poolings: got entity, expected some of cls, pooler, mean"),
        (["--poolings", "attention"], {}, "--poolings: attention has weights of its own or mixes layers"),
        (["--poolings", "last_layers"], {}, "--poolings: last_layers has weights of its own or mixes layers"),
        (["--seeds", "0"], {}, "--seeds: got 0, expected 1 or more"),
        (["--rows", "-5"], {}, "--rows: got -5, expected 10 or more"),
        (["--share", "1"], {}, "--share: got 1.0, expected a number between 0 and 1"),
        (["--strength", "0"], {}, "--strength: got 0.0, expected a number above 0"),
        (["--finetune"], {"model__head": "bilstm", "model__pooling": "cls"}, "the head bilstm reads the states of"),
        (["--layers", "0", "7"], {}, "--layers: got [0, 7], expected numbers from 0 (embeddings) to 1 (the top layer)"),
        ([], {"data__dev": "null"}, "data.dev: a study compares scores on it, expected a file, or data.hold_out"),
        ([], {"train__epochs": "x"}, "train.epochs: got 'x', expected a whole number"),
        (["--poolings", "entity_type_mean"], {"data__marker": "entity_punct"}, "only data.marker typed_punct writes"),
    ],
)
def test_what_cannot_be_compared_is_told(study, capsys, own, given, message):
    code, _ = study(*own, **given)
    assert code == 2
    assert message in capsys.readouterr().err


# comparing --------------------------------------------------------------------------------------------------------


def test_paired_differences_by_hand():
    cls, other = paired({"cls": [70.0, 74.0, 78.0], "mean": [71.0, 76.0, 81.0]}, "cls")
    assert (cls["mean"], cls["sd"], cls["difference"], cls["difference_sd"]) == (74.0, 4.0, 0.0, 0.0)
    assert (other["mean"], other["sd"], other["difference"], other["difference_sd"]) == (76.0, 5.0, 2.0, 1.0)
    assert other["difference_95"] == pytest.approx(4.302653 / 3**0.5, abs=1e-5)  # Student's t of 2 degrees of freedom
    table = lines([cls, other], "cls")
    assert table[1].split() == ["cls", "74.00", "4.00", "-", "-", "-"]
    assert table[2].split() == ["mean", "76.00", "5.00", "+2.00", "1.00", "±2.48"]


def test_one_seed_has_no_spread():
    [row] = paired({"cls": [70.0]}, "cls")
    assert (row["sd"], row["difference_sd"], row["difference_95"]) == (None, None, None)
    assert lines([row], "cls")[1].split() == ["cls", "70.00", "-", "-", "-", "-"]


def test_a_command_line_without_some_keys():
    words = ["--a", "1", "--run.name", "x", "--run.dir=y", "--b=2", "--run.seed", "3"]
    assert without(words, ("--run.name", "--run.dir", "--run.seed")) == ["--a", "1", "--b=2"]


@pytest.mark.timeout(120)
def test_fine_tuning_is_train_py_in_a_process_of_its_own(options, tmp_path):
    """One run really, as the study starts it; finished, it is not trained again."""
    variant = Variant("cls", ("--model.pooling=cls",))
    given = options(train__max_updates=1, eval__every=1)
    reports = finetune([variant], [7], given, tmp_path / "study")
    run = tmp_path / "study" / "runs" / "cls-seed7"
    assert reports["cls"] == [json.loads((run / "report.json").read_text(encoding="utf-8"))]
    written = parse(["--config", str(run / "config.yaml")])[0]
    assert (written.model.pooling, written.run.seed, written.run.name) == ("cls", 7, "cls-seed7")
    before = (run / "report.json").stat().st_mtime_ns
    assert finetune([variant], [7], given, tmp_path / "study") == reports
    with pytest.raises(ValueError, match=r"cls-seed7 was finished with other options \(optim\.lr 0\.001 -> 0\.5\)"):
        finetune([variant], [7], [*given, "--optim.lr=0.5"], tmp_path / "study")
    assert (run / "report.json").stat().st_mtime_ns == before


def test_every_variant_runs_with_every_seed_and_keeps_its_own_report(monkeypatch, tmp_path):
    asked = []

    def run(options, log):
        named = dict(option.removeprefix("--").split("=") for option in options)
        asked.append((named["x"], named["run.seed"]))
        folder = Path(named["run.dir"]) / named["run.name"]
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(named))

    monkeypatch.setattr(runs, "train", run)
    reports = finetune([Variant("a", ("--x=1",)), Variant("b", ("--x=2",))], [5, 6], ["--x=0", "--y=3"], tmp_path)
    assert asked == [("1", "5"), ("2", "5"), ("1", "6"), ("2", "6")]
    told = {name: [(r["x"], r["y"], r["run.seed"], r["run.name"]) for r in found] for name, found in reports.items()}
    assert told == {
        "a": [("1", "3", "5", "a-seed5"), ("1", "3", "6", "a-seed6")],
        "b": [("2", "3", "5", "b-seed5"), ("2", "3", "6", "b-seed6")],
    }


def test_a_run_that_fails_ends_the_study_with_its_last_line(monkeypatch, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("print('first'); print('data.train: no file x'); raise SystemExit(2)")
    monkeypatch.setattr(runs, "TRAIN", script)
    with pytest.raises(ValueError, match=r"ended with code 2: data\.train: no file x \(all of it: .*cls-seed1\.log\)"):
        finetune([Variant("cls", ())], [1], [], tmp_path / "study")


def test_fine_tuned_scores_are_paired_by_seed(study, monkeypatch, capsys):
    """The runs themselves are replaced here: what is compared, and that poolings with weights are left to them."""
    asked = []

    def run(variants, seeds, options, folder):
        asked.append(([v.name for v in variants], seeds, [option for option in options if "pooling" in option]))
        return {v.name: [{"dev": {"micro_f1": 10.0 * seed + i}} for seed in seeds] for i, v in enumerate(variants)}

    monkeypatch.setattr("engine.study.__main__.finetune", run)
    code, folder = study("--poolings", "mean", "attention", "--layers", "1", "--seeds", "2", "--finetune")
    assert code == 0
    assert asked == [(["cls", "mean", "attention"], [42, 43], [])]
    found = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in found["probe"]["cells"]] == ["cls", "mean"]
    assert [row["difference"] for row in found["finetune"]] == [0.0, 1.0, 2.0]
    assert "fine-tuned, micro_f1 over 2 seeds" in capsys.readouterr().out
