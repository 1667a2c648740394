"""The training loop. Read it top to bottom; change it in place."""

import contextlib
import math

from tqdm import tqdm

from engine.config import Config
from engine.evaluate import evaluate
from engine.guard import NonFiniteError, name_examples
from engine.optim import lr_factor
from engine.parts import Parts
from engine.plan import due
from engine.randomness import seed_update
from engine.state import State


def train(parts: Parts, config: Config, state: State) -> State:
    """Train from `state` (fresh, or of a checkpoint) to the end, or until patience runs out or a signal comes, and
    return the new state.

    An update is `train.batch_size` examples over all processes. It is one gradient, whatever micro-batches and
    processes it was cut into: each loss is summed and divided by the weight of the WHOLE update (`micro.scale`).
    `state.step` counts updates and is the only clock: schedule, cadences, file names and x axes all read it.

    Legend: B examples of a micro-batch, C classes.
    """
    accelerator, model, loss_fn, optimizer = parts.accelerator, parts.model, parts.loss_fn, parts.optimizer
    loader, guard, tracker, checkpoints, stop = parts.loader, parts.guard, parts.tracker, parts.checkpoints, parts.stop
    evaluation, speed, total, per_epoch = parts.evaluation, parts.speed, parts.total, loader.updates_per_epoch
    log_every, eval_every, save_every = config.train.log_every, config.eval.every, config.train.save_every
    max_norm = config.train.max_grad_norm or math.inf
    if state.owes_evaluation:  # a signal broke it off; the checkpoint that it left is of this very update
        evaluate(model, evaluation, tracker, state, per_epoch, config.eval)
        speed.restart()
    if state.finished(total) or stop.agreed:
        return state
    bar = tqdm(total=total, initial=state.step, desc="training", unit=" updates", disable=parts.no_bar)

    for epoch in range(state.step // per_epoch, config.train.epochs):
        criterion = loss_fn.at(epoch)
        for update in loader.updates(epoch, first=state.step % per_epoch, weight=criterion.weight):
            # dropout is a function of (seed, update, process), so a resumed run draws what the first one would have
            seed_update(config.run.seed, state.step, accelerator.process_index)
            factor = lr_factor(state.step, total, config.optim.warmup)
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor

            model.train()
            for micro in update.micro_batches:
                batch, labels = micro.to(accelerator.device)
                # processes average gradients once, with the last one; micro.scale: processes / weight of the update
                with contextlib.nullcontext() if micro.last else accelerator.no_sync(model):
                    output = model(batch)  # output.logits (B, C)
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
            speed.count(update.tokens)
            bar.update()

            last = state.step == total
            log_now = due(state.step, log_every, last)
            eval_now = due(state.step, eval_every or per_epoch, last)
            save_now = due(state.step, save_every or per_epoch, last)
            stop.agree()  # SIGTERM or Ctrl-C, in any process: `stop.agreed` in all of them
            looked_at = log_now or eval_now or save_now or stop.agreed  # by the host, which waits for the device
            if looked_at and (bad := guard.bad_update()) is not None:
                raise NonFiniteError(name_examples(accelerator, model, loss_fn, loader, config.run.seed, bad))

            if log_now:  # numbers leave the device here and nowhere else
                numbers = {
                    "loss": accelerator.reduce(state.loss, "mean").item() / state.updates_since_log,
                    "learning_rate": config.optim.lr * factor,
                    "gradient_norm": norm.item(),
                }
                tracker.log("train", state.step, state.step / per_epoch, numbers, speed.read())
                state.forget_loss()

            state.owes_evaluation = eval_now
            if eval_now and not stop.agreed:
                improved = evaluate(model, evaluation, tracker, state, per_epoch, config.eval)  # a signal breaks it off
                save_now = save_now or improved or state.stopped
                speed.restart()

            if save_now or stop.agreed:
                state.tokens, state.seconds = speed.tokens, speed.seconds
                tracker.flush()  # what a checkpoint builds on is on the disk before it
                with stop.hold():  # a signal waits for it
                    checkpoints.save(state, model, optimizer)
                stop.agree()
                speed.restart()
            if state.finished(total) or stop.agreed:
                bar.close()
                return state
    raise AssertionError("the plan ran out before the run was finished")
