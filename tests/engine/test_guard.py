"""The first update that is not finite is the one to blame. fp16: an overflow lowers the loss scale and changes nothing
else; only twenty in a row are an error.

PyTorch's scaler works on CPUs, too, where these tests use it with float32: what overflows is the scaled gradient.
"""

import dataclasses
import json
import math
from types import SimpleNamespace

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState
from torch.amp import GradScaler

from conftest import metric_lines
from engine.guard import MOST_OVERFLOWS, FiniteGuard, NonFiniteError, OverflowGuard, make_guard
from engine.loop import train

pytestmark = pytest.mark.drill("R7")


def test_the_first_update_that_is_not_finite_is_named():
    """The host looks once in a while: by then others may have followed, computed with weights that stood still."""
    optimizer = SimpleNamespace()
    guard = make_guard(SimpleNamespace(device=torch.device("cpu"), mixed_precision="no"), optimizer)
    assert isinstance(guard, FiniteGuard)
    for step, (norm, bad) in enumerate([(1.0, None), (math.inf, 1), (2.0, 1), (math.nan, 1), (math.inf, 1)]):
        guard.watch(torch.tensor(norm), step)
        assert guard.bad_update() == bad
        assert optimizer.found_inf.item() == (bad is not None)  # from then on no step changes anything


@pytest.fixture
def scaled(start):
    """`scaled(scale, ...)`: a run as under fp16, with that first loss scale."""

    def build(scale: float, **given):
        AcceleratorState._reset_state(reset_partial_state=True)
        run = start(**given)
        accelerator = run.parts.accelerator
        scaler = GradScaler("cpu", init_scale=scale, growth_interval=1000)
        accelerator.scaler, accelerator.native_amp = scaler, True
        accelerator.state._mixed_precision = "fp16"
        optimizer = AcceleratedOptimizer(run.parts.optimizer.optimizer, scaler=scaler)
        accelerator._optimizers = [optimizer]
        guard = make_guard(accelerator, optimizer)
        assert isinstance(guard, OverflowGuard)
        parts = dataclasses.replace(run.parts, optimizer=optimizer, guard=guard)
        return dataclasses.replace(run, parts=parts), scaler

    return build


def steep(run) -> None:
    """Gradients 20 times as large: at the largest scale float32 does not hold them."""
    forward = run.parts.loss_fn.forward
    run.parts.loss_fn.forward = lambda output, labels: 20 * forward(output, labels)


def weights(run) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in run.parts.model.parameters()])


def watch(run, scaler) -> list[tuple]:
    """Scale, whether the weights moved, and AdamW's step count after each update."""
    seen, last = [], [weights(run)]
    count = run.parts.speed.count

    def counted(tokens):
        now = weights(run)
        states = list(run.parts.optimizer.optimizer.state.values())
        seen.append(
            (scaler.get_scale(), not torch.equal(now, last[0]), max((int(s["step"]) for s in states), default=0))
        )
        last[0] = now
        count(tokens)

    run.parts.speed.count = counted
    return seen


def test_an_overflow_lowers_the_scale_and_changes_nothing_else(scaled):
    run, scaler = scaled(2.0**127, train__epochs=2, optim__lr=0.01, data__dev="null")
    steep(run)
    seen = watch(run, scaler)
    state = train(run.parts, run.config, run.state)
    assert state.step == len(seen) == 6
    assert {moved for _, moved, _ in seen} == {True, False}
    scale, steps = 2.0**127, 0
    for now, moved, counted in seen:
        scale, steps = (scale, steps + 1) if moved else (scale / 2, steps)
        assert (now, counted) == (scale, steps)
    assert bool(torch.isfinite(weights(run)).all())
    norms = [line["gradient_norm"] for line in metric_lines(run.folder) if "gradient_norm" in line]
    assert [norm is None for norm in norms] == [not moved for _, moved, _ in seen]


def test_the_scale_does_not_change_what_is_learned(scaled, start):
    given = {"train__epochs": 1, "optim__lr": 0.01, "data__dev": "null"}
    plain = start(**given, run__name="plain")
    before = weights(plain)
    train(plain.parts, plain.config, plain.state)
    run, _ = scaled(2.0**10, **given, run__name="scaled")
    assert torch.equal(weights(run), before)
    train(run.parts, run.config, run.state)
    # a power of two changes no digit
    torch.testing.assert_close(weights(run), weights(plain), rtol=0, atol=1e-7)


def test_the_scale_is_kept_in_the_checkpoint(scaled):
    run, _ = scaled(2.0**127, train__epochs=1, data__dev="null")
    steep(run)
    train(run.parts, run.config, run.state)
    kept = json.loads((run.parts.checkpoints.all()[0] / "state.json").read_text())["scaler"]
    assert kept["scale"] == run.parts.accelerator.scaler.get_scale() < 2.0**127
    run.parts.tracker.close()
    run.lock.close()
    again, scaler = scaled(2.0**5, train__epochs=1, data__dev="null")
    again.parts.checkpoints.restore(again.parts.checkpoints.all()[0], again.parts.model, again.parts.optimizer)
    assert scaler.get_scale() == kept["scale"]


def test_twenty_overflows_in_a_row_stop_the_run(scaled, monkeypatch):
    run, scaler = scaled(
        2.0**60, train__epochs=20, train__batch_size=20, train__save_every=100, eval__every=100, data__dev="null"
    )
    monkeypatch.setattr(run.parts.loss_fn, "forward", lambda output, labels: output.logits.sum(dim=1) * math.inf)
    before = weights(run)
    with pytest.raises(NonFiniteError, match=rf"update {MOST_OVERFLOWS} \("):
        train(run.parts, run.config, run.state)
    assert torch.equal(weights(run), before)
    assert scaler.get_scale() == 2.0 ** (60 - MOST_OVERFLOWS)


def test_overflows_between_good_updates_are_counted_from_one_again(scaled):
    run, _ = scaled(2.0**10)
    guard, step = run.parts.guard, 0
    for norms in ([math.inf] * (MOST_OVERFLOWS - 1), [1.0], [math.nan] * (MOST_OVERFLOWS - 1)):
        for norm in norms:
            guard.watch(torch.tensor(norm), step := step + 1)
        assert guard.bad_update() is None
    guard.watch(torch.tensor(math.inf), step + 1)
    assert guard.bad_update() == step + 1
