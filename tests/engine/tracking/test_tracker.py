"""metrics.jsonl is the record, TensorBoard shows the same numbers, and both continue after an interruption."""

import inspect
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from conftest import ROOT, metric_lines
from engine.arguments.parse import parse
from engine.tracking import figures
from engine.tracking.hparams import main_options
from engine.tracking.tracker import NoWriter, Silent, Tracker, Writer, keep_until


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_a_line_is_a_json_object_with_step_epoch_and_split_first(tmp_path):
    tracker = Tracker(tmp_path, 0, owes_evaluation=False, tensorboard=False)
    tracker.log("train", 40, 1 / 3, {"loss": 0.1, "learning_rate": 1e-5}, {"tokens_per_second": 7.0})
    tracker.log("dev", 40, 0.5, {"micro_f1": 73.02538231120921})
    text = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8")  # readable before the run has ended
    tracker.close()
    first, second = map(json.loads, text.splitlines())
    assert list(first) == ["step", "epoch", "split", "loss", "learning_rate", "speed"]
    assert first["speed"] == {"tokens_per_second": 7.0}
    assert first["epoch"] == 0.333333
    assert second == {"step": 40, "epoch": 0.5, "split": "dev", "micro_f1": 73.02538231120921}
    assert not list(tmp_path.glob("events*"))


def test_tensorboard_shows_the_same_numbers(tmp_path):
    tracker = Tracker(tmp_path, 0, owes_evaluation=False, tensorboard=True)
    for step in (1, 2, 3):
        tracker.log("train", step, step / 3, {"loss": 1 / step}, {"tokens_per_second": 10.0 * step})
    tracker.log("dev", 3, 1.0, {"micro_f1": 55.5})
    tracker.text("configuration", "a: 1")
    tracker.close()
    found = scalars(tmp_path)
    assert found["train/loss"] == [(1, 1.0), (2, 0.5), (3, float(np.float32(1 / 3)))]
    assert found["speed/tokens_per_second"] == [(1, 10.0), (2, 20.0), (3, 30.0)]
    assert found["dev/micro_f1"] == [(3, 55.5)]
    assert set(found) == {"train/loss", "speed/tokens_per_second", "dev/micro_f1"}


def test_both_continue_after_the_step_of_the_checkpoint(tmp_path):
    first = Tracker(tmp_path, 0, owes_evaluation=False, tensorboard=True)
    for step in (1, 2, 3, 4):
        first.log("train", step, step / 4, {"loss": float(step)})
    first.close()
    second = Tracker(tmp_path, 2, owes_evaluation=False, tensorboard=True)
    assert [line["step"] for line in metric_lines(tmp_path)] == [1, 2]
    for step in (3, 4):
        second.log("train", step, step / 4, {"loss": 10.0 * step})
    second.close()
    assert [line["loss"] for line in metric_lines(tmp_path)] == [1.0, 2.0, 30.0, 40.0]
    assert scalars(tmp_path)["train/loss"] == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0)]


@pytest.mark.parametrize(
    "end", ['{"step": 2, "epo', '{"step": 2', "12", "null", '{"epoch": 1}', '{"step": null}', '{"step": "3"}', "{", ""]
)
def test_a_line_that_was_cut_off_is_dropped(tmp_path, end):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "split": "train", "loss": 0.5}\n' + end, encoding="utf-8")
    keep_until(path, 10, False)
    assert path.read_text(encoding="utf-8") == '{"step": 1, "split": "train", "loss": 0.5}\n'


def test_a_new_run_in_an_old_folder_starts_an_empty_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 9}\n', encoding="utf-8")
    keep_until(path, 0, False)
    assert metric_lines(tmp_path) == []
    keep_until(tmp_path / "absent.jsonl", 5, False)
    assert not (tmp_path / "absent.jsonl").exists()


def test_scores_are_printed_and_training_lines_are_not(tmp_path, capsys):
    tracker = Tracker(tmp_path, 0, owes_evaluation=False, tensorboard=False)
    tracker.log("train", 1, 0.1, {"loss": 1.0})
    assert capsys.readouterr().out == ""
    tracker.log("dev", 2, 0.25, {"micro_f1": 12.345678, "loss": 0.5})
    assert capsys.readouterr().out == "update 2 (epoch 0.25)  dev: micro_f1 12.35  loss 0.5\n"
    tracker.close()


def called(owner: str) -> set[str]:
    """The methods that any source of the program calls on what is named `owner`."""
    sources = [ROOT / "train.py", *(ROOT / "engine").rglob("*.py")]
    return {name for path in sources for name in re.findall(rf"\b{owner}\.(\w+)\(", path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("stand_in, real, owner", [(Silent, Tracker, "tracker"), (NoWriter, Writer, r"self\.writer")])
def test_what_stands_in_takes_whatever_is_called(stand_in, real, owner):
    names = called(owner)
    assert len(names) > 4
    assert "close" in names
    for name in names - {"add_figure"}:  # no figure is drawn without TensorBoard, see the test of figures
        arguments = range(len(inspect.signature(getattr(real, name)).parameters) - 1)
        assert getattr(stand_in(), name)(*arguments) is None, name


def test_without_tensorboard_a_tracker_takes_the_same_calls_and_leaves_the_record_alone(tmp_path):
    tracker = Tracker(tmp_path, 0, owes_evaluation=False, tensorboard=False)
    options = main_options(parse([])[0])
    tracker.text("configuration", "a: 1")
    tracker.options(options)
    tracker.log("train", 1, 0.5, {"loss": 1.0}, {"tokens_per_second": 7.0})
    tracker.confusion(1, SimpleNamespace(predictions=SimpleNamespace(probabilities=np.eye(2))))
    tracker.final(1, options, {"micro_f1": 60.0})
    tracker.flush()
    tracker.close()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
    assert len(metric_lines(tmp_path)) == 1


def test_confusion_figures_go_to_tensorboard_only(tmp_path):
    probabilities = np.eye(3)[[0, 1, 1, 2]]
    evaluation = SimpleNamespace(
        predictions=SimpleNamespace(probabilities=probabilities),
        store=SimpleNamespace(labels=np.array([0, 1, 2, 2])),
        labels=["no_relation", "per:title", "other"],
    )
    tracker = Tracker(tmp_path, 0, owes_evaluation=False, tensorboard=True)
    tracker.confusion(5, evaluation)
    tracker.confusion(6, SimpleNamespace(predictions=None))
    tracker.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    assert sorted(events.Tags()["images"]) == ["confusion/by_true_label", "confusion/counts"]
    assert [image.step for image in events.Images("confusion/counts")] == [5]


def test_a_confusion_figure_shows_true_labels_in_rows():
    counts = np.array([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    axes = figures.confusion(counts, ["a", "b", "c"]).axes[0]
    assert [(int(t.get_position()[0]), int(t.get_position()[1]), t.get_text()) for t in axes.texts] == [
        (0, 0, "3"), (1, 0, "1"), (1, 2, "2"), (2, 2, "2"),
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a (4)", "b (0)", "c (4)"]
    assert axes.get_xlabel() == "predicted"
    shares = figures.confusion(counts, ["a", "b", "c"], share_of="true").axes[0]
    assert [text.get_text() for text in shares.texts] == ["75", "25", "50", "50"]


def columns(folder) -> tuple[set[str], set[str], dict]:
    """Of the hparams tab: option columns, score columns, and this run's options."""
    contents = EventAccumulator(str(folder)).Reload().summary_metadata
    found = {
        tag: HParamsPluginData.FromString(contents[tag].plugin_data.content) for tag in contents if "_hparams_" in tag
    }
    experiment = found["_hparams_/experiment"].experiment
    values = found["_hparams_/session_start_info"].session_start_info.hparams
    assert "_hparams_/session_end_info" in found
    return (
        {info.name for info in experiment.hparam_infos},
        {info.name.tag for info in experiment.metric_infos},
        {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()},
    )


def test_a_run_is_a_row_of_the_hparams_tab(tmp_path):
    options = main_options(parse(["--loss.name", "focal", "--loss.gamma", "1", "--run.seed", "7"])[0])
    tracker = Tracker(tmp_path, 0, owes_evaluation=False, tensorboard=True)
    tracker.options(options)
    tracker.log("dev", 2, 1.0, {"micro_f1": 60.0})
    tracker.log("dev", 4, 2.0, {"micro_f1": 50.0})
    tracker.final(2, options, {"micro_f1": 60.0, "auprc": 70.0})
    tracker.close()
    names, scores, values = columns(tmp_path)
    assert names == {*values} == {*options}
    assert {"final/micro_f1", "final/auprc", "final/micro_f1_prior"} < scores
    assert (values["loss.name"], values["run.seed"]) == ("focal", 7.0)
    assert "gamma 1.0" in values["loss.options"]
    assert (values["optim.lr"], values["optim.head_lr"]) == (0.001, 0.001)
    assert (values["model.backbone"], values["data.held_out"]) == ("", "")
    found = scalars(tmp_path)
    assert found["dev/micro_f1"] == [(2, 60.0), (4, 50.0)]  # untouched
    assert found["final/micro_f1"] == [(2, 60.0)]  # the best weights, not the last ones
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]  # no run of its own


def test_all_runs_have_the_same_columns_of_the_same_types():
    commands = [
        [],
        ["--loss.name", "focal", "--data.dev", "null", "--data.folds", "5", "--data.fold", "2"],
        ["--optim.head_lr", "1e-4", "--model.dropout", "0", "--train.precision", "bf16", "--model.freeze", "none"],
        ["--model.head", "bilstm", "--model.pooling", "cls", "--model.head_options.layers", "2"],
    ]
    parsed = [parse(command)[0].resolved() for command in commands]
    kinds = [{name: type(value) for name, value in main_options(config).items()} for config in parsed]
    assert all(each == kinds[0] for each in kinds)
    assert set(kinds[0].values()) == {str, float}
    assert main_options(parsed[1])["data.held_out"] == "2 of 5"
    rates = [{name: one[f"optim.{name}"] for name in ("lr", "head_lr")} for one in map(main_options, parsed)]
    assert rates[0] == {"lr": 0.001, "head_lr": 0.001}  # the head learns at the rate of all where it has none
    assert rates[2] == {"lr": 0.001, "head_lr": 1e-4}
