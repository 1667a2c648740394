"""The loop: one gradient an update however it is cut, one step an update, honest logs, and it stops at NaN."""

import ast
import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import train as program
from conftest import metric_lines
from data import sample
from data.labels import label_list
from engine.guard import NonFiniteError
from engine.loop import train
from engine.optim import lr_factor
from engine.plan import Plan
from engine.randomness import seed_of
from losses import LOSSES
from losses.cross_entropy import CrossEntropy

ROOT = Path(__file__).parents[2]
LOOP = ROOT / "engine" / "loop.py"


class Diary:
    """What an update looked like between clipping and the optimizer's step."""

    def __init__(self, run):
        self.gradients, self.weights, self.moments, self.steps = [], [], [], []
        watch = run.parts.guard.watch
        self.model, self.optimizer = run.parts.model, run.parts.optimizer

        def record(norm, step):
            self.gradients.append({n: p.grad.clone() for n, p in self.model.named_parameters()})
            self.weights.append({n: p.detach().clone() for n, p in self.model.named_parameters()})
            self.moments.append(copy.deepcopy(self.optimizer.optimizer.state_dict()["state"]))
            self.steps.append(step)
            watch(norm, step)

        run.parts.guard.watch = record


def padded_losses(model, store, rows) -> torch.Tensor:
    """Cross-entropy of each example by plain PyTorch: a padded batch made here, no collate, no accelerate."""
    spans = torch.tensor(store.spans[rows], dtype=torch.long)
    lengths = [int(store.lengths[row]) for row in rows]
    tokens = torch.zeros(len(rows), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        start = store.offsets[row]
        tokens[place, :length] = torch.tensor(store.tokens[start : start + length], dtype=torch.long)
        mask[place, :length] = 1
    hidden = model.backbone(input_ids=tokens, attention_mask=mask).last_hidden_state
    every = torch.arange(len(rows))
    subject, object_ = spans[:, 0, 0, 0], spans[:, 1, 0, 0]
    features = torch.cat([hidden[:, 0], hidden[every, subject], hidden[every, object_]], dim=1)
    logits = model.head(features)
    return F.cross_entropy(logits, torch.tensor(store.labels[rows]), reduction="none")


def relative_distance(mine: dict, theirs: dict) -> float:
    difference = sum(float((mine[name].double() - theirs[name].double()).square().sum()) for name in theirs)
    size = sum(float(value.double().square().sum()) for value in theirs.values())
    return (difference / size) ** 0.5


def lines(run, split: str) -> list[dict]:
    return [line for line in metric_lines(run.folder) if line["split"] == split]


# one gradient -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:train.micro_tokens")
@pytest.mark.parametrize(
    "micro, tokens", [(1, "null"), (3, "null"), (5, "null"), (8, "null"), (32, "null"), ("null", "null"), ("null", 300),
                      (5, 200), ("null", 40)]
)  # fmt: skip
def test_the_gradient_is_that_of_the_mean_loss_of_the_whole_update(start, micro, tokens):
    run = start(
        train__micro_batch_size=micro, train__micro_tokens=tokens, train__max_grad_norm="null", train__epochs=1,
        optim__lr=0.01,
    )  # fmt: skip
    diary, reference = Diary(run), copy.deepcopy(run.parts.model)
    assert run.parts.loader.plan.micro_batch_size == (None if micro == "null" else micro)
    train(run.parts, run.config, run.state)
    updates = run.parts.loader.plan.updates(0)
    assert sorted(map(len, updates)) == [6, 32, 32]
    assert diary.steps == [0, 1, 2]
    for number, rows in enumerate(updates):
        reference.load_state_dict(diary.weights[number], strict=False)
        reference.zero_grad()
        padded_losses(reference, run.parts.loader.store, rows).mean().backward()
        expected = {name: parameter.grad for name, parameter in reference.named_parameters()}
        assert relative_distance(diary.gradients[number], expected) < 1e-6


def test_weights_after_20_updates_do_not_depend_on_the_micro_batches(start):
    ends = []
    for micro in (4, "null"):
        name = f"micro-{micro}"
        run = start(train__micro_batch_size=micro, train__epochs=10, train__max_updates=20, run__name=name)
        before = {n: p.detach().clone() for n, p in run.parts.model.named_parameters()}
        assert train(run.parts, run.config, run.state).step == 20
        ends.append({n: p.detach() for n, p in run.parts.model.named_parameters()})
    # the true gradient of an attention key's bias is zero: Adam would scale up its rounding noise
    kept = [name for name in before if not name.endswith("key.bias")]
    assert len(kept) == len(before) - 1
    moved = sum(float((ends[1][n] - before[n]).square().sum()) for n in kept) ** 0.5
    apart = sum(float((ends[0][n] - ends[1][n]).square().sum()) for n in kept) ** 0.5
    assert moved > 0.1
    assert apart < 1e-5 * moved


def test_a_weighted_loss_is_divided_by_the_weight_of_the_whole_update(start, monkeypatch):
    weights = torch.linspace(0.2, 5, 30, dtype=torch.float64)

    class Weighted(CrossEntropy):
        def forward(self, output, labels):
            return super().forward(output, labels) * weights[labels].float()

        def weight(self, labels):
            return weights[labels]

    monkeypatch.setitem(LOSSES, "weighted", Weighted)
    run = start(loss__name="weighted", train__micro_batch_size=3, train__max_grad_norm="null", train__epochs=1)
    diary, reference = Diary(run), copy.deepcopy(run.parts.model)
    train(run.parts, run.config, run.state)
    for number, rows in enumerate(run.parts.loader.plan.updates(0)):
        reference.load_state_dict(diary.weights[number], strict=False)
        reference.zero_grad()
        share = weights[run.parts.loader.store.labels[rows]].float()
        losses = padded_losses(reference, run.parts.loader.store, rows)
        ((losses * share).sum() / share.sum()).backward()
        expected = {name: parameter.grad for name, parameter in reference.named_parameters()}
        assert relative_distance(diary.gradients[number], expected) < 1e-6


def test_the_gradient_is_clipped_as_a_whole_after_accumulation(start):
    runs = {}
    for norm in ("null", 0.05):
        run = start(
            train__micro_batch_size=5, train__max_grad_norm=norm, train__max_updates=1, run__name=f"norm-{norm}"
        )
        diary = Diary(run)
        train(run.parts, run.config, run.state)
        runs[norm] = diary.gradients[0], lines(run, "train")[0]["gradient_norm"]
    (whole, norm), (clipped, told) = runs["null"], runs[0.05]
    assert sum(float(g.square().sum()) for g in whole.values()) ** 0.5 == pytest.approx(norm, rel=1e-5)
    assert norm > 0.1
    assert told == pytest.approx(norm, rel=1e-6)  # the norm before clipping is what is logged
    expected = {name: gradient * 0.05 / norm for name, gradient in whole.items()}
    assert relative_distance(clipped, expected) < 1e-5


# one step ---------------------------------------------------------------------------------------------------------


def test_the_optimizer_steps_once_an_update_at_the_rates_of_the_schedule(start, monkeypatch):
    run = start(train__micro_batch_size=5, train__epochs=2, optim__warmup=0.4, optim__lr=0.002, optim__head_lr=0.01)
    optimizer, rates = run.parts.optimizer.optimizer, []
    step = optimizer.step
    monkeypatch.setattr(
        optimizer, "step", lambda *a, **k: (rates.append({g["name"]: g["lr"] for g in optimizer.param_groups}), step())
    )
    state = train(run.parts, run.config, run.state)
    assert state.step == len(rates) == 6  # 70 examples: 3 updates an epoch, not 28 micro-batches
    factors = [1 / 3, 2 / 3, 1, 3 / 4, 2 / 4, 1 / 4]
    assert [lr_factor(update, 6, 0.4) for update in range(6)] == pytest.approx(factors, abs=1e-12)
    assert [rate["backbone"] for rate in rates] == pytest.approx([0.002 * f for f in factors], abs=1e-12)
    assert [rate["head"] for rate in rates] == pytest.approx([0.01 * f for f in factors], abs=1e-12)
    told = lines(run, "train")
    assert [line["step"] for line in told] == [1, 2, 3, 4, 5, 6]
    assert [line["learning_rate"] for line in told] == pytest.approx([0.002 * f for f in factors], abs=1e-12)
    assert [line["epoch"] for line in told] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2], abs=1e-6)
    assert all(s["step"] == 6 for s in optimizer.state.values())


def test_gradients_do_not_survive_an_update(start):
    run = start(train__micro_batch_size=8, train__epochs=1)
    train(run.parts, run.config, run.state)
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in run.parts.model.parameters())


def test_max_updates_ends_the_run_inside_an_epoch_with_evaluation_and_checkpoint(start):
    run = start(train__epochs=4, train__max_updates=5, train__log_every=100)
    assert train(run.parts, run.config, run.state).step == 5
    assert [line["step"] for line in lines(run, "dev")] == [3, 5]
    assert [line["step"] for line in lines(run, "train")] == [5]
    assert run.parts.checkpoints.all()[0].name == "step-00000005"
    assert lines(run, "train")[0]["learning_rate"] == pytest.approx(0.001 * lr_factor(4, 5, 0.1))


def test_without_a_dev_file_the_last_weights_are_the_best(start):
    run = start(data__dev="null", train__epochs=2)
    state = train(run.parts, run.config, run.state)
    assert (state.best_score, state.best_step, state.step) == (None, 6, 6)
    assert lines(run, "dev") == []  # what is not measured has no line
    assert len(lines(run, "train")) == 6


def test_patience_stops_after_so_many_evaluations_without_a_better_score(start, monkeypatch):
    run = start(train__epochs=10, eval__every=1, eval__patience=3, eval__metric="auprc")
    scores = iter([5.0, 7.0, 7.0, 6.0, 6.5, 9.0])
    monkeypatch.setattr(run.parts.evaluation, "run", lambda model: {"micro_f1": 1.0, "auprc": next(scores)})
    state = train(run.parts, run.config, run.state)
    assert (state.step, state.best_step, state.best_score, state.stopped) == (5, 2, 7.0, True)
    names = [path.name for path in run.parts.checkpoints.all()]
    assert names[0] == "step-00000005"
    assert "step-00000002" in names


# honest logs ------------------------------------------------------------------------------------------------------


def test_the_logged_loss_is_the_mean_of_the_updates_since_the_last_line(start):
    run = start(train__log_every=4, train__micro_batch_size=5, train__epochs=2, optim__lr=0.01)
    diary, reference = Diary(run), copy.deepcopy(run.parts.model)
    train(run.parts, run.config, run.state)
    plan, store = run.parts.loader.plan, run.parts.loader.store
    means, updates = [], [*plan.updates(0), *plan.updates(1)]
    for number, rows in enumerate(updates):
        reference.load_state_dict(diary.weights[number], strict=False)
        means.append(padded_losses(reference, store, rows).mean().item())
    told = [(line["step"], line["loss"]) for line in lines(run, "train")]
    assert [step for step, _ in told] == [4, 6]
    assert told[0][1] == pytest.approx(sum(means[:4]) / 4, rel=1e-6)
    assert told[1][1] == pytest.approx(sum(means[4:]) / 2, rel=1e-6)
    assert max(means) - min(means) > 0.01  # the mean of others would be seen


@pytest.mark.parametrize("eval_every, save_every", [(100, 1), (1, 100), (2, 3)])
def test_evaluating_and_saving_do_not_count_as_training_time(start, monkeypatch, eval_every, save_every):
    """A clock on which an update takes a second, a save a hundred and an evaluation a thousand."""
    clock = [0.0]
    monkeypatch.setattr("engine.speed.time", SimpleNamespace(perf_counter=lambda: clock[0]))
    run = start(train__epochs=2, train__log_every=6, eval__every=eval_every, train__save_every=save_every)

    def takes(seconds, function):
        def timed(*arguments):
            clock[0] += seconds
            return function(*arguments)

        return timed

    for part, name, seconds in (("guard", "watch", 1), ("checkpoints", "save", 100), ("evaluation", "run", 1000)):
        owner = getattr(run.parts, part)
        monkeypatch.setattr(owner, name, takes(seconds, getattr(owner, name)))
    state = train(run.parts, run.config, run.state)
    assert (state.step, state.seconds) == (6, 6.0)
    assert clock[0] > 106
    tokens = 2 * int(run.parts.loader.store.lengths.sum())
    assert lines(run, "train")[0]["speed"]["tokens_per_second"] == pytest.approx(tokens / 6)


# randomness -------------------------------------------------------------------------------------------------------


def weights_after(run, updates: int) -> torch.Tensor:
    assert train(run.parts, run.config, run.state).step == updates
    return torch.cat([parameter.detach().flatten() for parameter in run.parts.model.parameters()])


def test_dropout_depends_on_seed_and_update_and_on_nothing_drawn_between(start, monkeypatch):
    plain = start(model__dropout=0.3, train__epochs=1, run__name="plain")
    first = weights_after(plain, 3)
    disturbed = start(model__dropout=0.3, train__epochs=1, run__name="disturbed", eval__every=1)
    evaluate = disturbed.parts.evaluation.run
    monkeypatch.setattr(disturbed.parts.evaluation, "run", lambda model: (torch.rand(77), evaluate(model))[1])
    assert torch.equal(weights_after(disturbed, 3), first)
    no_dropout = start(train__epochs=1, run__name="no-dropout")
    assert not torch.equal(weights_after(no_dropout, 3), first)


@pytest.mark.parametrize("process", [0, 3])
def test_each_update_and_process_draws_its_own_dropout(start, monkeypatch, process):
    run = start(model__dropout=0.5, train__epochs=1, train__micro_batch_size=16, run__seed=8, data__dev="null")
    monkeypatch.setattr(type(run.parts.accelerator), "process_index", property(lambda self: process))
    seeds = []
    run.parts.guard.watch = lambda norm, step: seeds.append(torch.initial_seed())
    train(run.parts, run.config, run.state)
    assert seeds == [seed_of(8, step, process) for step in range(3)]


# values that are not finite ---------------------------------------------------------------------------------------


SICK = label_list("klue").index("per:religion")


class NanForSick(CrossEntropy):
    """Cross-entropy, but NaN for one class in the second epoch."""

    factor = 1.0

    def forward(self, output, labels):
        return super().forward(output, labels) * torch.where(labels == SICK, self.factor, 1.0)

    def at(self, epoch):
        later = copy.copy(self)
        later.factor = torch.nan if epoch == 1 else 1.0
        return later


class SteepForSick(NanForSick):
    """Finite everywhere, but with a slope that is not: a root at 0."""

    def forward(self, output, labels):
        losses = CrossEntropy.forward(self, output, labels)
        if self.factor == 1.0:
            return losses
        chosen = labels == SICK
        return losses.index_put((chosen,), (losses[chosen] - losses[chosen].detach()).sqrt())


@pytest.fixture
def sick_file(tmp_path) -> Path:
    """70 times one sentence; the ninth update (seed 1, 10 examples each, 7 an epoch) has the only one of class SICK."""
    row = next(row for row in sample.rows("train") if row["label"] == "per:title")
    rows = [row | {"guid": f"row-{number}"} for number in range(70)]
    sick = Plan(np.ones(70, dtype=int), seed=1, batch_size=10).updates(1)[1][3]
    rows[sick] |= {"label": "per:religion", "guid": "the-sick-one"}
    path = tmp_path / "sick.json"
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.drill("R7")
@pytest.mark.parametrize("dropout", [0, 0.2])
@pytest.mark.parametrize("loss", [NanForSick, SteepForSick])
def test_a_value_that_is_not_finite_stops_the_run_and_changes_nothing(start, monkeypatch, sick_file, loss, dropout):
    monkeypatch.setitem(LOSSES, "sick", loss)
    run = start(
        loss__name="sick", data__train=sick_file, model__dropout=dropout, train__batch_size=10, run__seed=1,
        train__micro_batch_size=3, train__epochs=3, train__log_every=100, train__save_every=6, eval__every=100,
    )  # fmt: skip
    diary = Diary(run)
    with pytest.raises(NonFiniteError) as caught:
        train(run.parts, run.config, run.state)
    assert "in update 9 (epoch 2): examples the-sick-one;" in str(caught.value)

    bad = 8
    assert len(diary.weights) == 12  # the host looks once in a while: updates went on, and changed nothing
    after = dict(run.parts.model.named_parameters())
    for name, before in diary.weights[bad].items():
        assert bool(torch.isfinite(after[name]).all())
        assert torch.equal(after[name], before), name
    assert not all(torch.equal(diary.weights[bad - 1][name], before) for name, before in diary.weights[bad].items())
    moments = run.parts.optimizer.optimizer.state_dict()["state"]
    assert len(moments) == len(after)
    for key, values in diary.moments[bad].items():
        assert all(torch.equal(moments[key][name], value) for name, value in values.items())
    assert [path.name for path in run.parts.checkpoints.all()] == ["step-00000006"]


@pytest.mark.drill("R7")
@pytest.mark.parametrize("log_every, save_every", [(1, 1), (100, 2)])
def test_the_program_ends_with_code_3_and_keeps_the_last_checkpoint(
    options, monkeypatch, sick_file, tmp_path, capsys, log_every, save_every
):
    monkeypatch.setitem(LOSSES, "sick", NanForSick)
    given = {"loss__name": "sick", "data__train": sick_file, "train__batch_size": 10, "run__seed": 1}
    code = program.main(options(**given, train__log_every=log_every, train__save_every=save_every))
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 3
    assert last.startswith("error: values that are not finite in update 9 (epoch 2): examples the-sick-one; ")
    folder = tmp_path / "runs" / "tiny"
    kept = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert kept[-1] == "step-00000008"
    assert not (folder / "report.json").exists()
    told = [line["loss"] for line in metric_lines(folder) if "loss" in line]
    assert told
    assert all(math.isfinite(value) for value in told)


@pytest.mark.drill("R7")
def test_examples_are_named_with_the_loss_of_their_epoch(start, monkeypatch, sick_file):
    """The host may look an epoch later, when the loss is another one."""
    monkeypatch.setitem(LOSSES, "sick", NanForSick)
    run = start(
        loss__name="sick", data__train=sick_file, train__batch_size=10, run__seed=1, train__epochs=3,
        train__log_every=16, train__save_every=100, eval__every=100,
    )  # fmt: skip
    with pytest.raises(NonFiniteError, match=r"\(epoch 2\): examples the-sick-one;"):
        train(run.parts, run.config, run.state)
    assert run.state.step == 16  # two updates into the third epoch


@pytest.mark.drill("R7")
def test_an_update_that_is_bad_only_as_a_whole_says_so(start, monkeypatch):
    """Every example is finite alone, the sum of their gradients is not."""

    class Huge(CrossEntropy):
        def forward(self, output, labels):
            return super().forward(output, labels) * 3e37

    monkeypatch.setitem(LOSSES, "huge", Huge)
    run = start(loss__name="huge")
    with pytest.raises(NonFiniteError, match=r"update 1 \(epoch 1\): no single example of 32 alone"):
        train(run.parts, run.config, run.state)


# the file ---------------------------------------------------------------------------------------------------------


def test_the_loop_is_one_function_that_can_be_read():
    text = LOOP.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [function.name for function in functions] == ["train"]
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Lambda, ast.ClassDef))]


def test_forward_loss_backward_clip_and_step_stand_literally_in_it():
    [function] = [
        node for node in ast.parse(LOOP.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    calls = [ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in ("model", "criterion", "accelerator.backward", "accelerator.clip_grad_norm_", "optimizer.step"):
        assert calls.count(call) == 1, call
    assert calls.count("optimizer.zero_grad") == 1
    assert calls.count("checkpoints.save") == 1
    assert calls.count("evaluate") == 2  # the second one is owed since a signal


def test_the_loop_names_no_model_loss_or_reader():
    tree = ast.parse(LOOP.read_text(encoding="utf-8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in imported if name.split(".")[0] in ("models", "losses", "data", "transformers")]
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not words & {"accumulate", "AdamW", "CrossEntropy", "F"}
