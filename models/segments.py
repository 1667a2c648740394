"""Sums, means, maxima and shares over the tokens of each example, on packed tokens: no padding can leak in.

Legend: B examples, T tokens of all of them. `rows` (T,): the example of each token, `Batch.rows`.
"""

import torch
from torch import Tensor


def wide(values: Tensor) -> Tensor:
    """Half types as float32, so that a long sum does not round; float64 stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def total(values: Tensor, rows: Tensor, examples: int) -> Tensor:
    """Sum of values (T, ...) over the tokens of each example, (B, ...)."""
    values = wide(values)
    return values.new_zeros(examples, *values.shape[1:]).index_add(0, rows, values)


def mean(values: Tensor, offsets: Tensor, rows: Tensor) -> Tensor:
    """Mean of values (T, H) over all tokens of each example, (B, H) in the type of the values."""
    means = total(values, rows, len(offsets) - 1) / offsets.diff()[:, None]  # (B, H)
    return means.to(values.dtype)  # a layer that follows may hold half types, without autocast (FSDP2)


def span_mean(values: Tensor, spans: Tensor, rows: Tensor) -> Tensor:
    """Mean of values (T, H) over one span an example, (B, H); spans (B, 2) of packed positions, end exclusive."""
    place = torch.arange(len(values), device=values.device)
    inside = (place >= spans[rows, 0]) & (place < spans[rows, 1])  # (T,)
    # chosen, not multiplied by 0 or 1: a value that is not finite stays with its own example
    chosen = torch.where(inside[:, None], values, values.new_zeros(()))  # (T, H)
    means = total(chosen, rows, len(spans)) / (spans[:, 1] - spans[:, 0])[:, None]  # (B, H)
    return means.to(values.dtype)


def largest(values: Tensor, rows: Tensor, examples: int) -> Tensor:
    """Maximum of values (T, H) over the tokens of each example, (B, H)."""
    start = values.new_full((examples, *values.shape[1:]), -torch.inf)
    places = rows.view(-1, *[1] * (values.dim() - 1)).expand_as(values)
    return start.scatter_reduce(0, places, values, "amax")  # (B, H)


def softmax(scores: Tensor, rows: Tensor, examples: int) -> Tensor:
    """Scores (T,) to shares (T,) that sum to 1 over the tokens of each example."""
    scores = wide(scores)
    top = largest(scores.detach(), rows, examples)  # (B,)
    powers = (scores - top[rows]).exp()  # (T,)
    return powers / total(powers, rows, examples)[rows]  # (T,)
