"""R14, R15: the same gradient, weights and scores however a batch is cut, against plain PyTorch without accelerate."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np

from tests.drills import tiny
from tests.drills.processes import start

ROWS, BATCH = 70, 32  # two updates of 32 and a short one of 6
MICRO = (1, 2, 3, 5, 8, 11, 16, 31, 32, None)
WORLDS = (1, 2, 4)
UPDATES = 20
SIZES = (1, 3, 5, 24, 61)  # of evaluation sets; some are smaller than the number of processes


def options(data: Path, folder: Path, **more) -> list[str]:
    values = {
        "model__dropout": 0, "train__batch_size": BATCH, "train__micro_batch_size": "null", "train__epochs": 7,
        "train__max_updates": UPDATES, "train__max_grad_norm": "null", "track__tensorboard": "false",
        "model__scratch__hidden_size": 32, "model__scratch__layers": 1, "train__log_every": 1,
    }  # fmt: skip
    return tiny.command(data, folder, **(values | more))


def weighted_loss():
    """Cross-entropy with a weight of its own for each class."""
    import torch

    from losses.cross_entropy import CrossEntropy

    class Weighted(CrossEntropy):
        weights = torch.linspace(0.2, 5, 30, dtype=torch.float64)

        def forward(self, output, labels):
            losses = super().forward(output, labels)
            return losses * self.weights[labels].to(losses.dtype)

        def weight(self, labels):
            return self.weights[labels]

    return Weighted


def build_run(argv: list[str], double: bool):
    """A run as train.py builds it; `double`: in float64."""
    import torch

    import engine.compose.run
    from engine.arguments.parse import parse
    from losses import LOSSES

    LOSSES["weighted"] = weighted_loss()
    torch.set_num_threads(1)
    if double:
        make_model = engine.compose.run.make_model
        engine.compose.run.make_model = lambda *rest: make_model(*rest).double()
    config, path, _ = parse(argv)
    return engine.compose.run.build(config, path)


def recorded(parts, config, micro: int | None, loss: str, updates: int, rate: float):
    """Train `updates` updates cut into `micro`, from the first weights; the gradients, losses and last weights."""
    import torch

    from engine.config import Config
    from engine.loader import Loader
    from engine.loop import train
    from engine.state import State
    from losses import LOSSES

    gradients, told = [], []
    plan = dataclasses.replace(parts.loader.plan, micro_batch_size=micro)
    loader = Loader(parts.loader.store, plan, parts.loader.process, pin=False)

    class Watch:
        def watch(self, norm, step):
            named = parts.accelerator.unwrap_model(parts.model).named_parameters()
            gradients.append({name: p.grad.detach().clone() for name, p in named})

        def bad_update(self):
            return None

    class Told:
        def log(self, split, step, epoch, numbers, speed=None):
            if split == "train":
                told.append(numbers)

        def confusion(self, *rest): ...

        def flush(self): ...

    class Nothing:
        def save(self, *rest): ...

    for group in parts.optimizer.param_groups:
        group["peak_lr"] = rate
    parts.optimizer.state.clear()
    parts = dataclasses.replace(
        parts, loader=loader, guard=Watch(), tracker=Told(), checkpoints=Nothing(), total=updates, no_bar=True,
        loss_fn=LOSSES[loss](class_counts=torch.ones(30)),
    )  # fmt: skip
    config: Config = dataclasses.replace(config, optim=dataclasses.replace(config.optim, lr=rate))
    train(parts, config, State())
    weights = {n: p.detach().clone() for n, p in parts.accelerator.unwrap_model(parts.model).named_parameters()}
    return gradients, told, weights


def measure(argv: list[str]) -> int:
    """In each process: every split of a batch; process 0 writes what it saw."""
    folder = Path(next(word for word in argv if word.startswith("--run.dir=")).partition("=")[2]).parent
    for name, double in (("float32", False), ("float64", True)):
        import engine.compose.run

        original = engine.compose.run.make_model
        run = build_run([*argv, f"--run.name={name}"], double)
        engine.compose.run.make_model = original
        write_measurements(run, folder / f"{name}.safetensors", folder / f"{name}.json")
        if name == "float32":
            write_scores(run, folder)
        run.heartbeat.stop()
        run.parts.tracker.close()
        run.lock.close()
        run.parts.accelerator.wait_for_everyone()
    run.parts.accelerator.end_training()
    return 0


def write_measurements(run, tensors: Path, numbers: Path) -> None:
    from safetensors.torch import save_file

    parts = run.parts
    bare = parts.accelerator.unwrap_model(parts.model)
    first = {name: p.detach().clone() for name, p in bare.named_parameters()}
    kept, told = {f"first|{name}": value for name, value in first.items()}, {}
    for loss in ("cross_entropy", "weighted"):
        for micro in MICRO:
            bare.load_state_dict(first, strict=False)
            # a rate of nothing: all three updates of the epoch are seen at the same weights
            gradients, losses, _ = recorded(
                parts, run.config, micro, loss, 3, 1e-300 if bare.dtype.itemsize == 8 else 1e-40
            )
            for number, gradient in enumerate(gradients):
                kept |= {f"{loss}|{micro}|{number}|{name}": value for name, value in gradient.items()}
            told[f"{loss}|{micro}"] = [line["loss"] for line in losses]
    for micro in (5, None):
        bare.load_state_dict(first, strict=False)
        _, lines, weights = recorded(parts, run.config, micro, "cross_entropy", UPDATES, 1e-3)
        kept |= {f"weights|{micro}|{name}": value for name, value in weights.items()}
        told[f"rates|{micro}"] = [line["learning_rate"] for line in lines]
    bare.load_state_dict(first, strict=False)
    if parts.accelerator.is_main_process:
        save_file({name: value.contiguous() for name, value in kept.items()}, tensors)
        numbers.write_text(json.dumps(told))


def write_scores(run, folder: Path) -> None:
    """Scores and predictions of evaluation sets of several sizes, with the first weights."""
    from engine.report.predictions import write_predictions

    evaluation, results = run.parts.evaluation, {}
    whole = evaluation.store
    for size in SIZES:
        evaluation.store = first_rows(whole, size)
        results[str(size)] = evaluation.run(run.parts.model)
        if run.parts.accelerator.is_main_process:
            path = folder / f"predictions-{size}.csv"
            write_predictions(path, evaluation.store, evaluation.predictions.probabilities, run.data.labels)
    evaluation.store = whole
    if run.parts.accelerator.is_main_process:
        (folder / "scores.json").write_text(json.dumps(results))


def first_rows(store, size: int):
    return dataclasses.replace(
        store, offsets=store.offsets[: size + 1], second=store.second[:size], spans=store.spans[:size],
        types=store.types[:size], labels=store.labels[:size], id_offsets=store.id_offsets[: size + 1],
    )  # fmt: skip


def reference(argv: list[str]) -> int:
    """Plain PyTorch: the whole batch padded in one pass, torch.optim.AdamW, the schedule written out. No accelerate."""
    import torch
    from safetensors.torch import save_file

    folder = Path(next(word for word in argv if word.startswith("--run.dir=")).partition("=")[2]).parent
    kept, told = {}, {}
    for name, double in (("float32", False), ("float64", True)):
        import engine.compose.run

        original = engine.compose.run.make_model
        run = build_run([*argv, f"--run.name={name}"], double)
        engine.compose.run.make_model = original
        model, store, plan = run.parts.model, run.parts.loader.store, run.parts.loader.plan
        first = {n: p.detach().clone() for n, p in model.named_parameters()}
        class_weights = torch.linspace(0.2, 5, 30, dtype=torch.float64)
        for loss in ("cross_entropy", "weighted"):
            for number, rows in enumerate(plan.updates(0)):
                model.zero_grad()
                value = mean_loss(model, store, rows, class_weights if loss == "weighted" else None)
                value.backward()
                kept |= {f"{name}|{loss}|{number}|{n}": p.grad.clone() for n, p in model.named_parameters()}
                told[f"{name}|{loss}|{number}"] = value.item()
        decayed = [p for p in model.parameters() if p.ndim > 1]
        others = [p for p in model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, foreach=False)
        updates = [rows for epoch in range(7) for rows in plan.updates(epoch)][:UPDATES]
        rising = round(UPDATES * 0.1)
        for step, rows in enumerate(updates):
            for group in optimizer.param_groups:
                share = (step + 1) / (rising + 1) if step < rising else (UPDATES - step) / (UPDATES - rising)
                group["lr"] = 1e-3 * share
            told.setdefault(f"{name}|rates", []).append(optimizer.param_groups[0]["lr"])
            model.zero_grad()
            mean_loss(model, store, rows, None).backward()
            optimizer.step()
        kept |= {f"{name}|weights|{n}": p.detach().clone() for n, p in model.named_parameters()}
        kept |= {f"{name}|first|{n}": value for n, value in first.items()}
        run.parts.tracker.close()
        run.lock.close()
    save_file({name: value.contiguous() for name, value in kept.items()}, folder / "reference.safetensors")
    (folder / "reference.json").write_text(json.dumps(told))
    return 0


def mean_loss(model, store, rows, class_weights):
    """The mean cross-entropy of some examples by plain PyTorch: padded here, torch's own weighted mean."""
    import torch
    from torch.nn import functional as F

    lengths = [int(store.lengths[row]) for row in rows]
    tokens = torch.zeros(len(rows), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        begin = store.offsets[row]
        tokens[place, :length] = torch.tensor(store.tokens[begin : begin + length], dtype=torch.long)
        mask[place, :length] = 1
    hidden = model.backbone(input_ids=tokens, attention_mask=mask).last_hidden_state
    spans, every = torch.tensor(store.spans[rows], dtype=torch.long), torch.arange(len(rows))
    features = [hidden[:, 0], hidden[every, spans[:, 0, 0, 0]], hidden[every, spans[:, 1, 0, 0]]]
    logits = model.head(torch.cat(features, dim=1))
    labels = torch.tensor(np.array(store.labels[rows]))
    return F.cross_entropy(logits, labels, weight=None if class_weights is None else class_weights.to(logits.dtype))


def distance(mine: dict, theirs: dict, base: dict | None = None, skip: str = "") -> float:
    """L2 of the difference over L2 of `theirs`, or of its distance to `base`."""
    names = [name for name in theirs if not (skip and name.endswith(skip))]
    apart = sum(float((mine[n].double() - theirs[n].double()).square().sum()) for n in names)
    size = sum(float((theirs[n].double() - (base[n].double() if base else 0)).square().sum()) for n in names)
    return math.sqrt(apart / size)


def below(tensors: dict, prefix: str) -> dict:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def compare(base: Path, worlds: tuple) -> tuple[list[list[str]], list[str], int, int]:
    """Rows of the table, problems, trials and passes."""
    from safetensors.torch import load_file

    expected = load_file(base / "reference" / "reference.safetensors")
    wanted = json.loads((base / "reference" / "reference.json").read_text())
    table, problems, trials, passes = [], [], 0, 0

    def check(what: str, value: float, limit: float) -> float:
        nonlocal trials, passes
        trials += 1
        passes += value <= limit
        if value > limit:
            problems.append(f"{what}: {value:.2e}, limit {limit:.0e}")
        return value

    for world in worlds:
        for kind, limit in (("float32", 1e-6), ("float64", 1e-12)):
            folder = base / f"world-{world}"
            mine, told = load_file(folder / f"{kind}.safetensors"), json.loads((folder / f"{kind}.json").read_text())
            for loss in ("cross_entropy", "weighted"):
                worst, worst_loss = 0.0, 0.0
                for micro in MICRO:
                    for number in range(3):
                        what = f"{world} processes, {kind}, {loss}, micro-batches of {micro}, update {number}"
                        gradient = below(mine, f"{loss}|{micro}|{number}|")
                        apart = distance(gradient, below(expected, f"{kind}|{loss}|{number}|"))
                        worst = max(worst, check(what, apart, limit))
                        value = wanted[f"{kind}|{loss}|{number}"]
                        apart = abs(told[f"{loss}|{micro}"][number] - value) / value
                        worst_loss = max(worst_loss, check(f"{what}, loss", apart, limit))
                table.append([str(world), kind, loss, f"{worst:.1e}", f"{worst_loss:.1e}", ""])
            worst = 0.0
            for micro in (5, None):
                what = f"{world} processes, {kind}, micro-batches of {micro}, weights after {UPDATES} updates"
                first = below(expected, f"{kind}|first|")
                # the true gradient of an attention key's bias is zero: Adam scales up its rounding noise
                apart = distance(
                    below(mine, f"weights|{micro}|"), below(expected, f"{kind}|weights|"), first, "key.bias"
                )
                worst = max(worst, check(what, apart, 1e-5))
                rates = np.array(told[f"rates|{micro}"])
                check(f"{what}, rates", float(np.abs(rates - wanted[f"{kind}|rates"]).max()), 1e-12)
            table[-2][-1] = f"{worst:.1e}"
    return table, problems, trials, passes


def compare_scores(base: Path, worlds: tuple) -> tuple[int, int, list[str]]:
    """Scores and predictions of 2 and 4 processes, byte for byte those of one."""
    trials, passes, problems = 0, 0, []
    alone = base / "world-1"
    for world in worlds[1:]:
        folder = base / f"world-{world}"
        for size in SIZES:
            trials += 1
            name = f"predictions-{size}.csv"
            same = (folder / name).read_bytes() == (alone / name).read_bytes()
            scores = [json.loads((f / "scores.json").read_text())[str(size)] for f in (folder, alone)]
            if same and scores[0] == scores[1]:
                passes += 1
            else:
                problems.append(f"{world} processes, {size} examples: predictions equal {same}, scores {scores}")
    return trials, passes, problems


def run_all(base: Path, worlds: tuple) -> None:
    """Measure every split in so many processes, and the reference."""
    data = base / "data"
    tiny.write_data(data, ROWS, max(SIZES))
    running = start(options(data, base / "reference"), base / "reference", function=reference)
    assert running.wait(240), "the reference does not end"
    assert running.codes() == [0], running.output()[-3000:]
    for world in worlds:
        folder = base / f"world-{world}"
        running = start(options(data, folder, eval__batch_size=7), folder, world, function=measure)
        assert running.wait(400), f"{world} processes do not end"
        assert set(running.codes()) == {0}, running.output()[-3000:]
