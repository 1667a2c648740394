"""train.py as a user runs it: one full run on the bundled sample, and small ones that are killed and resumed."""

import csv
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import auc, f1_score, precision_recall_curve
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModel, AutoTokenizer

import models  # noqa: F401 (registers the saved form with AutoModel)
from conftest import ROOT, run_command, train_command
from data import sample
from data.batch import collate
from data.encode import Encoder, EncodingOptions
from data.labels import KLUE
from data.packed import prepare
from data.source import open_source

pytestmark = pytest.mark.timeout(280)

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
    assert {"config.yaml", "metrics.jsonl", "checkpoints", "best", "predictions", "report.json"} <= names
    assert any(name.startswith("events.out") for name in names)
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


def test_training_uses_all_cores_and_little_padding(sample_run):
    cores = len(os.sched_getaffinity(0))
    assert f"1 on cpu, {cores} threads each" in sample_run.output
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


def test_best_folder_predicts_the_same_without_the_run(sample_run, tmp_path):
    """From best/ alone: tokenizer, labels, encoding options and weights give the probabilities of dev.csv."""
    best = sample_run.folder / "best"
    model, tokenizer = AutoModel.from_pretrained(best).eval(), AutoTokenizer.from_pretrained(best)
    options = json.loads((best / "encoding.json").read_text())
    encoder = Encoder(tokenizer, EncodingOptions(**options | {"types": tuple(options["types"])}))
    labels = json.loads((best / "labels.json").read_text())
    store = prepare(open_source("sample:dev", "auto", "dev", "data.dev"), encoder, labels, tmp_path)
    batch, _ = collate(store, np.arange(40))
    with torch.no_grad():
        probabilities = model(batch).logits.softmax(dim=1).numpy()
    _, _, _, written, _ = read_predictions(sample_run.folder / "predictions" / "dev.csv")
    np.testing.assert_allclose(probabilities, written[:40], atol=1e-5)


def test_dev_score_comes_from_reading(sample_run):
    """Majority, type pair, entity words and bag of words stay 15 points below the trained model."""
    path = Path(__file__).parent / "data" / "baselines.py"
    spec = importlib.util.spec_from_file_location("baselines", path)
    baselines = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(baselines)
    scores = baselines.baseline_scores()
    assert len(scores) >= 4
    assert max(scores.values()) <= sample_run.report["dev"]["micro_f1"] - 15, scores


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
    evaluations = [line["step"] for line in sample_run.metrics if line["split"] == "dev"]
    for figure in ("confusion/counts", "confusion/by_true_label"):
        assert sorted({image.step for image in events.Images(figure)}) == evaluations
    configuration = events.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "batch_size: 32" in configuration


def test_finished_run_says_so_and_changes_nothing(sample_run):
    def state() -> dict:
        files = [path for path in sample_run.folder.rglob("*") if path.is_file()]
        return {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files}

    before = state()
    again = run_command(
        train_command("--run.dir", str(sample_run.folder.parent), "--run.name", "first",
                      "--data.cache_dir", str(sample_run.cache))
    )  # fmt: skip
    assert again.returncode == 0
    assert "is finished" in again.stdout
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


def test_killed_and_resumed_run_ends_with_the_same_weights(sample_run, tmp_path):
    """kill -9 twice at different updates, dropout on; the same command continues."""
    options = [*TINY, "--run.dir", str(tmp_path), "--data.cache_dir", str(sample_run.cache)]
    straight = run_command(train_command(*options, "--run.name", "straight"))
    assert straight.returncode == 0, straight.stderr

    command = train_command(*options, "--run.name", "killed")
    killed = 0
    for lines in (2, 5):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        metrics = tmp_path / "killed" / "metrics.jsonl"
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            if metrics.exists() and metrics.read_text().count("\n") >= lines:
                break
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed == 2, "the run ended before it could be killed"
    resumed = run_command(command)
    assert resumed.returncode == 0, resumed.stderr
    assert "continuing" in resumed.stdout
    assert final_state(tmp_path / "killed") == final_state(tmp_path / "straight")


def test_saved_configuration_repeats_the_run(sample_run, tmp_path):
    options = [*TINY, "--run.dir", str(tmp_path), "--data.cache_dir", str(sample_run.cache)]
    assert run_command(train_command(*options, "--run.name", "one")).returncode == 0
    saved = str(tmp_path / "one" / "config.yaml")
    assert run_command(train_command("--config", saved, "--run.name", "two")).returncode == 0
    assert final_state(tmp_path / "two") == final_state(tmp_path / "one")


def test_other_configuration_is_not_continued(sample_run, tmp_path):
    options = [*TINY, "--run.dir", str(tmp_path), "--data.cache_dir", str(sample_run.cache), "--run.name", "one"]
    first = run_command(train_command(*options))
    assert first.returncode == 0
    (tmp_path / "one" / "report.json").unlink()  # as if it had been killed just before its end
    changed = run_command(train_command(*options, "--optim.lr", "3e-4", "--train.batch_size", "16"))
    assert changed.returncode == 2
    assert "optim.lr 0.001 -> 0.0003" in changed.stderr
    assert "train.batch_size 32 -> 16" in changed.stderr
    assert run_command(train_command(*options, "--train.log_every", "5")).returncode == 0


def test_two_runs_cannot_share_a_folder(sample_run, tmp_path):
    options = [*TINY, "--train.max_updates", "400", "--run.dir", str(tmp_path), "--run.name", "one"]
    command = train_command(*options, "--data.cache_dir", str(sample_run.cache))
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while first.poll() is None and not (tmp_path / "one" / "metrics.jsonl").exists():
            time.sleep(0.05)
        second = run_command(command)
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 4
    assert "another run is working" in second.stderr
    assert "Traceback" not in second.stderr


def test_early_stopping_counts_evaluations_without_improvement(sample_run, tmp_path):
    """With a learning rate of almost nothing the score does not move: the first evaluation stays the best."""
    options = ["--optim.lr", "1e-12", "--eval.every", "4", "--eval.patience", "2", "--run.dir", str(tmp_path)]
    done = run_command(train_command(*TINY, *options, "--run.name", "one", "--data.cache_dir", str(sample_run.cache)))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "one" / "report.json").read_text())
    assert (report["step"], report["updates"], report["stopped_early"]) == (4, 12, True)


def test_without_a_dev_file_the_last_weights_are_the_result(sample_run, tmp_path):
    options = ["--data.dev", "null", "--run.dir", str(tmp_path), "--run.name", "all", "--track.tensorboard", "false"]
    done = run_command(train_command(*TINY, *options, "--data.cache_dir", str(sample_run.cache)))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "all" / "report.json").read_text())
    assert report["dev"] is None
    assert report["step"] == report["updates"] == 24
    assert (tmp_path / "all" / "best" / "model.safetensors").is_file()
    assert not (tmp_path / "all" / "predictions").exists()
    assert not list((tmp_path / "all").glob("events.*"))
