"""One update cut in any way, through the plan and the loader, against the formula on the whole update in one piece.

The model is the smallest that a packed batch can go through: mean word vectors, a linear layer. A fixed mask for each
example and view stands for dropout, so that views differ and yet are the same in every cut.

Legend: N examples, V views, H hidden size, C classes.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from data.batch import Batch
from data.store.token_store import TokenStore
from engine.loader import Loader
from engine.plan import Plan
from losses.counts import at_least_one
from tests.losses.cases import C, Output
from tests.losses.paper import paper
from tests.losses.proofs import Make

N, H, WORDS, UPDATE = 27, 5, 30, 16  # an update of 16 and one of 11, whose last group is short


def store() -> TokenStore:
    """Examples of 1 to 9 words; the frequent classes are frequent, one has no example."""
    random = np.random.default_rng(5)
    lengths = random.integers(1, 10, N)
    none = np.zeros(0, dtype=np.int32)
    return TokenStore(
        tokens=random.integers(0, WORDS, lengths.sum()),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        second=lengths,
        spans=np.full((N, 2, 3, 2), -1),
        types=np.zeros((N, 2), dtype=np.int8),
        labels=random.permutation(np.repeat([0, 1, 2, 4, 5], [12, 1, 5, 7, 2])),
        sentences=np.arange(N),
        id_bytes=none,
        id_offsets=none,
        extra={},
        facts={},
    )


STORE = store()
COUNTS = torch.bincount(torch.from_numpy(STORE.labels), minlength=C)
assert float(at_least_one(COUNTS).sum()) == N + 1


class Words(nn.Module):
    """Mean word vector of an example, masked by (example, view), and linear logits; float64."""

    def __init__(self, views: int):
        super().__init__()
        random = torch.Generator().manual_seed(1)
        self.views = views
        self.vectors = nn.Parameter(torch.randn(WORDS, H, generator=random, dtype=torch.float64))
        self.out = nn.Parameter(torch.randn(C, H, generator=random, dtype=torch.float64))
        self.mask = 0.5 + torch.rand(N, views, H, generator=random, dtype=torch.float64)

    def forward(self, batch: Batch) -> Output:
        sums = torch.zeros(len(batch), H, dtype=torch.float64).index_add(0, batch.rows, self.vectors[batch.tokens])
        view = torch.arange(len(batch)) % self.views
        features = sums / batch.lengths[:, None] * self.mask[batch.index, view]  # (B, H)
        return Output(features @ self.out.T, features)

    def whole(self, rows: np.ndarray) -> Output:
        """The same of examples one by one, with nothing packed."""
        features = []
        for row in rows:
            words = torch.from_numpy(STORE.tokens[STORE.offsets[row] : STORE.offsets[row + 1]])
            features += [self.vectors[words].mean(dim=0) * self.mask[row, view] for view in range(self.views)]
        features = torch.stack(features)
        return Output(features @ self.out.T, features)


def expected_gradients(name: str, options: dict, plan: Plan) -> list[tuple[float, list[Tensor]]]:
    """Of each update: the weighted mean of the formula over all examples at once, and its gradient."""
    model, found = Words(plan.views), []
    for rows in plan.updates(0):
        labels = torch.from_numpy(STORE.labels[rows]).repeat_interleave(plan.views)
        values, weights = paper(name, options, COUNTS.tolist(), model.whole(rows), labels)
        mean = values.sum() / weights.sum()
        found.append((mean.item(), list(torch.autograd.grad(mean, [model.vectors, model.out]))))
    return found


def cut_gradients(loss: nn.Module, plan: Plan) -> list[tuple[float, list[Tensor]]]:
    """Of each update: the loop's terms, `losses.sum() * micro.scale`, summed over passes, averaged over processes.

    One backward pass for all of them, as the gradient of a sum is the sum of the gradients.
    """
    model = Words(plan.views)
    loaders = [Loader(STORE, plan, process, pin=False) for process in range(plan.processes)]
    found = []
    for updates in zip(*(loader.updates(0, 0, loss.weight) for loader in loaders), strict=True):
        micros = [micro for update in updates for micro in update.micro_batches]
        total = sum(loss(model(micro.batch), micro.labels).sum() * micro.scale for micro in micros) / plan.processes
        found.append((total.item(), list(torch.autograd.grad(total, [model.vectors, model.out]))))
    return found


def cuts(group: int) -> list[tuple[int, int | None, int | None]]:
    """(processes, micro-batch size, tokens): one example or one group at a time, sizes that divide nothing, all at
    once, few tokens and few examples."""
    alone = [(1, micro, None) for micro in (1, 3, group, 5, 15, None) if micro is None or micro >= group]
    return sorted({*alone, (2, group, None), (2, 5, None), (2, None, None), (3, 8, 90), (2, None, 30)}, key=str)


def do_not_matter(make: Make, name: str, options: dict) -> None:
    """Value and gradient of both updates in every cut, on simulated processes, against the formula in one piece."""
    loss = make(class_counts=COUNTS, **options)
    plan = Plan(STORE.lengths, seed=3, batch_size=UPDATE, group=loss.group, views=loss.views)
    expected = expected_gradients(name, options, plan)
    for processes, micro, tokens in cuts(loss.group):
        found = cut_gradients(loss, replace(plan, micro_batch_size=micro, processes=processes, micro_tokens=tokens))
        for (value, gradients), (wanted, others) in zip(found, expected, strict=True):
            assert abs(value - wanted) <= 1e-12 * abs(wanted), (processes, micro, value, wanted)
            apart = sum((a - b).square().sum() for a, b in zip(gradients, others, strict=True)).sqrt()
            size = sum(b.square().sum() for b in others).sqrt()
            assert float(apart) <= 1e-12 * float(size), (processes, micro, float(apart / size))
