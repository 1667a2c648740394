"""train.py as a user runs it: one full run on the bundled sample, and small ones that are killed and resumed."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from safetensors.torch import load_file
from sklearn.metrics import auc, f1_score, precision_recall_curve
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModel, AutoTokenizer

import models  # noqa: F401 (registers the saved form with AutoModel)
from conftest import ROOT, Launch
from data import sample
from data.batch import collate
from data.encode import Encoder, EncodingOptions
from data.labels import KLUE
from data.readers.source import open_source
from data.store.chunk import Task
from data.store.token_store import prepare
from train import main

pytestmark = [pytest.mark.timeout(280), pytest.mark.usefixtures("blank_figures")]

TINY = [
    "--model.scratch.hidden_size", "32", "--model.scratch.layers", "1", "--model.scratch.heads", "2",
    "--train.max_updates", "24", "--train.log_every", "3", "--train.save_every", "4", "--eval.every", "8",
    "--eval.batch_size", "128",
]  # fmt: skip


def read_predictions(path: Path) -> tuple[list[str], list[str], list[str], np.ndarray, list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    probabilities = np.array([[float(value) for value in row[3:]] for row in rows])
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], probabilities, header[3:]


def test_run_folder_holds_what_the_design_names(sample_run):
    names = {path.name for path in sample_run.folder.iterdir()}
    assert {"config.yaml", "metrics.jsonl", "checkpoints", "best", "predictions", "errors", "report.json"} <= names
    assert any(name.startswith("events.out") for name in names)
    for path in (sample_run.folder / "errors").glob("*.png"):
        assert (imread(path)[..., :3] < 0.5).all(axis=-1).mean() > 0.001, path  # axes, names and numbers
    for checkpoint in (sample_run.folder / "checkpoints").iterdir():
        assert {path.name for path in checkpoint.iterdir()} == {
            "manifest.json", "model.safetensors", "optimizer.safetensors", "state.json",
        }  # fmt: skip
    assert {"config.json", "model.safetensors", "tokenizer.json", "labels.json", "encoding.json"} <= {
        path.name for path in (sample_run.folder / "best").iterdir()
    }
    assert json.loads((sample_run.folder / "best" / "labels.json").read_text()) == list(KLUE)


def test_final_table_names_scores_time_and_tensorboard(sample_run):
    scores = sample_run.report["dev"]
    for title, name in {
        "micro-F1": "micro_f1",
        "AUPRC": "auprc",
        "accuracy": "accuracy",
        "macro-F1": "macro_f1",
    }.items():
        assert f"{title} " in sample_run.output
        assert f"{scores[name]:.2f}" in sample_run.output
    assert "tokens/s" in sample_run.output
    assert f"tensorboard --logdir {sample_run.folder.parent}" in sample_run.output
    assert "Traceback" not in sample_run.output


def test_little_padding(sample_run):
    assert 0 <= sample_run.report["padding_share"] < 0.10


def test_scores_recomputed_from_the_predictions_file(sample_run):
    ids, gold, predicted, probabilities, names = read_predictions(sample_run.folder / "predictions" / "dev.csv")
    rows = sample.rows("dev")
    assert ids == [row["guid"] for row in rows]
    assert gold == [row["label"] for row in rows]
    assert names == list(KLUE)
    assert predicted == [names[number] for number in probabilities.argmax(axis=1)]
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-5

    relations = [name for name in names if name != "no_relation"]
    micro = 100 * f1_score(gold, predicted, labels=relations, average="micro")
    areas = []
    for number, name in enumerate(names):
        precision, recall, _ = precision_recall_curve(np.array(gold) == name, probabilities[:, number])
        areas.append(100 * auc(recall, precision))
    assert sample_run.report["dev"]["micro_f1"] == pytest.approx(micro, abs=1e-9)
    assert sample_run.report["dev"]["auprc"] == pytest.approx(np.mean(areas), abs=1e-9)
    assert sample_run.report["dev"]["accuracy"] == pytest.approx(100 * np.mean(np.array(gold) == predicted), abs=1e-9)
    assert sample_run.report["dev"]["macro_f1"] == pytest.approx(
        100 * f1_score(gold, predicted, average="macro"), abs=1e-9
    )


def test_report_best_and_metrics_speak_of_the_same_weights(sample_run):
    report = sample_run.report
    dev = {line["step"]: line for line in sample_run.metrics if line["split"] == "dev"}
    assert report["step"] == max(dev, key=lambda step: (dev[step]["micro_f1"], -step))
    for name in ("micro_f1", "auprc", "accuracy", "macro_f1"):
        assert report["dev"][name] == pytest.approx(dev[report["step"]][name], abs=1e-9)


@pytest.mark.drill("R17")
def test_best_folder_predicts_the_same_without_the_run(sample_run, tmp_path):
    """From best/ alone: tokenizer, labels, encoding options and weights give the probabilities of dev.csv."""
    best = sample_run.folder / "best"
    model, tokenizer = AutoModel.from_pretrained(best).eval(), AutoTokenizer.from_pretrained(best)
    options = json.loads((best / "encoding.json").read_text())
    encoder = Encoder(tokenizer, EncodingOptions(**options | {"types": tuple(options["types"])}))
    labels = json.loads((best / "labels.json").read_text())
    number_of = {label: number for number, label in enumerate(labels)}
    store = prepare(Task(open_source("sample:dev", "auto", "dev", "data.dev"), encoder, number_of), tmp_path)
    batch, _ = collate(store, np.arange(40))
    with torch.no_grad():
        probabilities = model(batch).logits.softmax(dim=1).numpy()
    _, _, _, written, _ = read_predictions(sample_run.folder / "predictions" / "dev.csv")
    np.testing.assert_allclose(probabilities, written[:40], atol=1e-5)


def test_dev_score_comes_from_reading(sample_run, baseline_scores):
    """Majority, type pair, entity words and bag of words stay 15 points below the trained model."""
    scores, trained = baseline_scores, sample_run.report["dev"]["micro_f1"]
    for name in ("majority", "type_pair", "entity_words", "bag_of_words"):
        assert scores[name] <= trained - 15, (name, scores, trained)
    assert max(scores.values()) <= trained - 10, (scores, trained)  # types and words of the sentence together


def test_tensorboard_shows_what_metrics_jsonl_holds(sample_run):
    events = EventAccumulator(str(sample_run.folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    scalars = {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    for line in sample_run.metrics:
        numbers = {f"{line['split']}/{k}": v for k, v in line.items() if k not in ("step", "epoch", "split", "speed")}
        numbers |= {f"speed/{name}": value for name, value in line.get("speed", {}).items()}
        for tag, value in numbers.items():
            assert scalars[tag][line["step"]] == pytest.approx(value, rel=1e-6)
    wanted = {
        "train/loss", "train/learning_rate", "train/gradient_norm", "speed/tokens_per_second", "speed/padding_share",
        "speed/memory_gib", "dev/micro_f1", "dev/auprc", "dev/accuracy", "dev/macro_f1", "dev/loss",
    }  # fmt: skip
    assert wanted <= set(scalars)
    evaluations = [(line["step"], line["micro_f1"]) for line in sample_run.metrics if line["split"] == "dev"]
    better = [step for n, (step, score) in enumerate(evaluations) if all(score > s for _, s in evaluations[:n])]
    for figure in ("confusion/counts", "confusion/by_true_label"):
        assert sorted({image.step for image in events.Images(figure)}) == better
    configuration = events.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "batch_size: 32" in configuration


def test_finished_run_says_so_and_changes_nothing(sample_run, capsys):
    def state() -> dict:
        files = [path for path in sample_run.folder.rglob("*") if path.is_file()]
        return {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files}

    before = state()
    assert main(["--run.dir", str(sample_run.folder.parent), "--run.name", "first"]) == 0
    assert "is finished" in capsys.readouterr().out
    assert state() == before


def final_state(folder: Path) -> dict:
    """What must not depend on how often a run was interrupted."""
    newest = max((folder / "checkpoints").iterdir())
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        "weights": hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest(),
        "optimizer": hashlib.sha256((newest / "optimizer.safetensors").read_bytes()).hexdigest(),
        "metrics": [{key: value for key, value in line.items() if key != "speed"} for line in metrics],
        "predictions": hashlib.sha256((folder / "predictions" / "dev.csv").read_bytes()).hexdigest(),
        "tensorboard steps": [event.step for event in events.Scalars("train/loss")],
    }


@pytest.fixture(scope="module")
def small(sample_run, tmp_path_factory) -> Path:
    """A folder of runs that holds one small finished run, `straight`."""
    folder = tmp_path_factory.mktemp("small")
    torch.set_num_threads(1)
    assert (
        main([*TINY, "--run.dir", str(folder), "--data.cache_dir", str(sample_run.cache), "--run.name", "straight"])
        == 0
    )
    assert torch.get_num_threads() == len(os.sched_getaffinity(0))  # run.threads null: all cores for one process
    return folder


def test_killed_and_resumed_run_ends_with_the_same_weights(small, sample_run, capsys):
    """kill -9 of a command as a user types it, dropout on; the same options continue. The drills kill a run twice and
    start it anew in a process of its own."""
    options = [*TINY, "--run.dir", str(small), "--data.cache_dir", str(sample_run.cache), "--run.name", "killed"]
    metrics = small / "killed" / "metrics.jsonl"
    launch = Launch("one_cpu.yaml", "train.py", *options)
    deadline = time.monotonic() + 90
    while launch.process.poll() is None and time.monotonic() < deadline:
        if metrics.exists() and metrics.read_text().count("\n") >= 4:  # after the checkpoints of updates 4 and 8
            break
        time.sleep(0.002)
    assert launch.process.poll() is None, "the run ended before it could be killed"
    printed = launch.kill()
    assert re.search(r"^processes +1 on cpu, \d+ threads each\nprecision +fp32$", printed, re.MULTILINE)
    assert not (small / "killed" / "report.json").exists()
    assert main(options) == 0
    said = capsys.readouterr().out
    assert f"continuing {small / 'killed'} after update " in said
    assert "run.threads was" not in said
    assert final_state(small / "killed") == final_state(small / "straight")


def test_saved_configuration_repeats_the_run(small):
    assert main(["--config", str(small / "straight" / "config.yaml"), "--run.name", "again"]) == 0
    assert final_state(small / "again") == final_state(small / "straight")


def test_best_names_pooling_and_head_and_holds_their_weights(small, sample_run):
    options = [*TINY, "--run.dir", str(small), "--data.cache_dir", str(sample_run.cache), "--run.name", "parts"]
    assert main([*options, "--model.pooling=cls", "--model.head=bigru", "--model.entity_embeddings=[role]"]) == 0
    bests = [small / name / "best" for name in ("parts", "straight")]
    written, default = (json.loads((best / "config.json").read_text()) for best in bests)
    chosen = [(w["pooling"], w["head"], w["entity_embeddings"]) for w in (written, default)]
    assert chosen == [("cls", "bigru", ["role"]), ("entity_start", "mlp", [])]
    weights, others = (load_file(best / "model.safetensors") for best in bests)
    assert {"head.rnn.weight_ih_l0", "embeddings.role_table"} <= set(weights) - set(others)
    assert weights["embeddings.role_table"].any(dim=1).all()  # roles came with the batches
    shared = [name for name in weights if name in others and "key.bias" not in name]
    assert {name.split(".")[0] for name in shared} == {"backbone", "head"}
    assert not any(torch.equal(weights[name], others[name]) for name in shared)


def test_other_configuration_is_not_continued(small, sample_run, capsys):
    shutil.copytree(small / "straight", small / "other")
    (small / "other" / "report.json").unlink()  # as if it had been killed just before its end
    options = [*TINY, "--run.dir", str(small), "--data.cache_dir", str(sample_run.cache), "--run.name", "other"]
    assert main([*options, "--optim.lr", "3e-4", "--train.batch_size", "16"]) == 2
    message = capsys.readouterr().err
    assert "optim.lr 0.001 -> 0.0003" in message
    assert "train.batch_size 32 -> 16" in message
    assert main([*options, "--eval.metric", "accuracy"]) == 2  # the best score so far is one of micro-F1
    assert "eval.metric" in capsys.readouterr().err
    assert main([*options, "--train.log_every", "5", "--model.gradient_checkpointing", "true"]) == 0  # these are free
    assert final_state(small / "other") == final_state(small / "straight")


def test_launchers_accumulation_does_not_scale_the_gradient(small, sample_run, monkeypatch):
    """accelerate would divide every loss by the launcher's number once more."""
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    options = [*TINY, "--run.dir", str(small), "--data.cache_dir", str(sample_run.cache), "--run.name", "accumulated"]
    assert main(options) == 0
    assert final_state(small / "accumulated") == final_state(small / "straight")


def test_launchers_compiler_is_refused(small, sample_run, monkeypatch, capsys):
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "inductor")
    options = [*TINY, "--run.dir", str(small), "--data.cache_dir", str(sample_run.cache), "--run.name", "compiled"]
    assert main(options) == 2
    assert "torch.compile" in capsys.readouterr().err
    assert not (small / "compiled").exists()


@pytest.mark.drill("R12")
def test_two_runs_cannot_share_a_folder(small, sample_run, capsys):
    """The lock is another process's; it ends with that process, even by kill -9."""
    folder = small / "shared"
    hold = (
        "import sys, time; from pathlib import Path; from engine.checkpoint.folder import RunFolder; "
        "folder = RunFolder(Path(sys.argv[1])); folder.open(); print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", hold, str(folder)]
    options = [*TINY, "--run.dir", str(small), "--data.cache_dir", str(sample_run.cache), "--run.name", "shared"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        code = main(options)
        holder.kill()
    message = capsys.readouterr().err
    assert code == 4
    assert "another run is working" in message
    assert not (folder / "config.yaml").exists()
    assert main([*options, "--train.max_updates", "2"]) == 0


def test_early_stopping_counts_evaluations_without_improvement(small, sample_run):
    """With a learning rate of almost nothing the score does not move: the first evaluation stays the best."""
    options = ["--optim.lr", "1e-12", "--eval.every", "4", "--eval.patience", "2", "--run.dir", str(small)]
    assert main([*TINY, *options, "--run.name", "early", "--data.cache_dir", str(sample_run.cache)]) == 0
    report = json.loads((small / "early" / "report.json").read_text())
    assert (report["step"], report["updates"], report["stopped_early"]) == (4, 12, True)


def test_without_a_dev_file_the_last_weights_are_the_result(small, sample_run):
    options = ["--data.dev", "null", "--run.dir", str(small), "--run.name", "all", "--track.tensorboard", "false"]
    assert main([*TINY, *options, "--data.cache_dir", str(sample_run.cache)]) == 0
    report = json.loads((small / "all" / "report.json").read_text())
    assert report["dev"] is None
    assert report["step"] == report["updates"] == 24
    assert (small / "all" / "best" / "model.safetensors").is_file()
    assert not (small / "all" / "predictions").exists()
    assert not list((small / "all").glob("events.*"))
