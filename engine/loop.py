"""The training loop. Read it top to bottom; change it in place."""

import contextlib
import math

import torch
from tqdm import tqdm

from engine.config import Config
from engine.guard import NonFiniteError, name_examples
from engine.optim import lr_factor
from engine.parts import Parts
from engine.plan import due, seed_of, total_updates
from engine.state import State


def train(parts: Parts, config: Config, state: State) -> State:
    """Train from `state` (fresh, or of a checkpoint) to the end, or until patience runs out, and return the new state.

    An update is `train.batch_size` examples over all processes. It is one gradient, whatever micro-batches and
    processes it was cut into: each loss is summed and divided by the weight of the WHOLE update (`micro.scale`).
    `state.step` counts updates and is the only clock: schedule, cadences, file names and x axes all read it.

    Legend: B examples of a micro-batch, C classes.
    """
    accelerator, model, loss_fn, optimizer = parts.accelerator, parts.model, parts.loss_fn, parts.optimizer
    loader, guard, evaluation, tracker, checkpoints = (
        parts.loader, parts.guard, parts.evaluation, parts.tracker, parts.checkpoints,
    )  # fmt: skip
    per_epoch = loader.updates_per_epoch
    total = total_updates(per_epoch, config.train.epochs, config.train.max_updates)
    eval_every, save_every = config.eval.every or per_epoch, config.train.save_every or per_epoch
    max_norm = config.train.max_grad_norm or math.inf
    bar = tqdm(total=total, initial=state.step, desc="training", unit=" updates", disable=parts.no_bar)

    first_epoch = state.step // per_epoch
    for epoch in range(first_epoch, 0 if state.finished(total) else config.train.epochs):
        criterion = loss_fn.at(epoch)
        for update in loader.updates(epoch, first=state.step % per_epoch, weight=criterion.weight):
            # dropout is a function of (seed, update, process), so a resumed run draws what the first one would have
            torch.manual_seed(seed_of(config.run.seed, state.step, accelerator.process_index))
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * lr_factor(state.step, total, config.optim.warmup)

            model.train()
            for micro in update.micro_batches:
                batch, labels = micro.to(accelerator.device)
                # gradients are summed over processes once, with the last micro-batch
                with contextlib.nullcontext() if micro.last else accelerator.no_sync(model):
                    output = model(batch)  # logits (B, C)
                    losses = criterion(output, labels)  # (B,)
                    loss = losses.sum() * micro.scale
                    accelerator.backward(loss)
                state.loss += loss.detach()

            norm = accelerator.clip_grad_norm_(model.parameters(), max_norm)
            guard.watch(norm, state.step)  # a gradient that is not finite changes nothing
            optimizer.step()
            optimizer.zero_grad()
            state.step += 1
            state.updates_since_log += 1
            parts.speed.count(update.tokens)
            bar.update()

            last = state.step == total
            if due(state.step, config.train.log_every, last):
                # numbers leave the device here and nowhere else
                if (bad := guard.bad_update()) is not None:
                    raise NonFiniteError(name_examples(parts, criterion, config.run.seed, bad))
                mean_loss = accelerator.reduce(state.loss, "mean").item() / state.updates_since_log
                rate = config.optim.lr * lr_factor(state.step - 1, total, config.optim.warmup)
                numbers = {"loss": mean_loss, "learning_rate": rate, "gradient_norm": norm.item()}
                tracker.log("train", state.step, state.step / per_epoch, numbers, parts.speed.read())
                state.forget_loss()

            improved = False
            if due(state.step, eval_every, last):
                if (bad := guard.bad_update()) is not None:
                    raise NonFiniteError(name_examples(parts, criterion, config.run.seed, bad))
                scores = evaluation.run(model)  # every dev example once; the same numbers on every process
                tracker.log("dev", state.step, state.step / per_epoch, scores)
                tracker.confusion(state.step, evaluation)
                improved = state.compare(scores.get(config.eval.metric), config.eval.patience)
                parts.speed.restart()

            if due(state.step, save_every, last or improved or state.stopped):
                if (bad := guard.bad_update()) is not None:
                    raise NonFiniteError(name_examples(parts, criterion, config.run.seed, bad))
                checkpoints.save(state, model, optimizer)
                parts.speed.restart()
            if state.finished(total):
                bar.close()
                return state
    return state
