"""Attention that keeps the sentences of a batch apart, known to transformers by name.

transformers hands every keyword of an encoder's forward through to its attention, so `Sentences` gets here without a
mask of theirs, whose making waits for the device. Packed on a GPU, it is flash attention over sentences of any length.

Legend: B sentences, T tokens of all of them, L of the longest, A heads, Q tokens that ask, D width of a head.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from models.dropout import dropout as drop_out

PACKED, PADDED = "plainloop_packed", "plainloop_padded"


@dataclass(frozen=True)
class Sentences:
    """Where the sentences are. `mask` (B, 1, 1, L): true on tokens, None without padding; not read where packed.

    offsets (B+1,) int32 on the device; lengths (B,) and longest on the host; places: the tokens that the last layer
    answers, see `models/last_layer.py`.
    """

    packed: bool
    offsets: Tensor
    lengths: Tensor
    longest: int
    mask: Tensor | None = None
    places: Tensor | None = None


def implementation(backbone: PreTrainedModel) -> str | None:
    """PACKED or PADDED where the backbone attends through this file, else None."""
    name = backbone.config._attn_implementation
    return name if name in (PACKED, PADDED) else None


def attend_through(backbone: PreTrainedModel, name: str) -> None:
    """Let the backbone attend through this file, packed or padded."""
    for each in (PACKED, PADDED):
        AttentionInterface.register(each, attention)
        AttentionMaskInterface.register(each, mask_of_direct_calls)
    backbone.set_attn_implementation(name)


def mask_of_direct_calls(*args, attention_mask: Tensor | None = None, **options) -> Tensor | None:
    """transformers' own mask for who calls a backbone with one; `hidden_states` never does."""
    if attention_mask is None:
        return None
    return ALL_MASK_ATTENTION_FUNCTIONS["sdpa"](*args, attention_mask=attention_mask, **options)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    sentences: Sentences | None = None,
    **options,
) -> tuple[Tensor, None]:
    """What transformers calls: query, key, value (B, A, L, D) or, packed, (1, A, T, D) -> (B, L, A, D) or (1, T, A, D).

    `sliding_window` w: a token sees those less than w places away (ModernBERT's local layers).
    """
    if sentences is None:
        sdpa = ALL_ATTENTION_FUNCTIONS["sdpa"]
        return sdpa(module, query, key, value, mask, dropout=dropout, scaling=scaling, **options)
    return attend(query, key, value, sentences, dropout, scaling, sliding_window).transpose(1, 2), None


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    sentences: Sentences,
    dropout: float,
    scaling: float | None,
    window: int | None = None,
) -> Tensor:
    """query (B, A, Q, D) or, packed, (1, A, B * Q or T, D); key, value as in `attention` -> as query."""
    if not sentences.packed:
        return padded(query, key, value, sentences, dropout, scaling, window)
    if query.is_cuda:
        return flash(query, key, value, sentences, dropout, scaling, window)
    return one_by_one(query, key, value, sentences, dropout, scaling, window)


def flash(query, key, value, sentences: Sentences, dropout: float, scaling: float | None, window: int | None) -> Tensor:
    """Flash attention over sentences of any length (Dao 2023, arXiv 2307.08691), with dropout inside the kernel.

    torch.nn.attention.varlen calls the same operator without dropout.
    """
    offsets, longest = sentences.offsets, sentences.longest
    asking, most = offsets, longest
    if query.shape[2] != key.shape[2]:  # as many tokens of each sentence
        most = query.shape[2] // len(sentences.lengths)
        asking = torch.arange(0, query.shape[2] + 1, most, dtype=torch.int32, device=query.device)
    side = None if window is None else window - 1
    q, k, v = (each[0].transpose(0, 1) for each in (query, key, value))  # (1, A, T, D) -> (T, A, D)
    out = torch.ops.aten._flash_attention_forward(
        q, k, v, asking, offsets, most, longest, dropout, False, False,
        scale=scaling, window_size_left=side, window_size_right=side,
    )[0]  # fmt: skip
    return out.transpose(0, 1)[None]  # (T, A, D) -> (1, A, T, D)


def one_by_one(query, key, value, sentences: Sentences, dropout: float, scaling, window: int | None) -> Tensor:
    """Packed attention without a kernel for it: slow and simple, what the others are measured by."""
    lengths = sentences.lengths.tolist()
    each = query.shape[2] // len(lengths)
    asking = lengths if query.shape[2] == key.shape[2] else [each] * len(lengths)
    parts = zip(query.split(asking, dim=2), key.split(lengths, dim=2), value.split(lengths, dim=2), strict=True)
    outputs = [
        F.scaled_dot_product_attention(q, k, v, band(q, k, window), dropout_p=dropout, scale=scaling)
        for q, k, v in parts
    ]
    return torch.cat(outputs, dim=2)


def padded(query, key, value, sentences: Sentences, dropout: float, scaling, window: int | None) -> Tensor:
    """Attention over the longest sentence's length, padding masked."""
    near = band(query, key, window)  # (L, L)
    half = query.dtype in (torch.bfloat16, torch.float16)
    if query.device.type != "cpu" or not (half or dropout):
        mask = sentences.mask if near is None else near if sentences.mask is None else sentences.mask & near
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling)
    # torch's kernel for CPUs knows no dropout and is slow in half precision: 1.9 times this, benchmarks/NOTES.md
    scores = query * (query.shape[-1] ** -0.5 if scaling is None else scaling) @ key.transpose(2, 3)  # (B, A, Q, L)
    if sentences.mask is None:
        scores = scores.float()
    else:
        scores = scores + torch.zeros_like(sentences.mask, dtype=torch.float32).masked_fill(~sentences.mask, -torch.inf)
    if near is not None:
        scores = scores.masked_fill(~near, -torch.inf)
    shares = scores.softmax(dim=-1)
    if dropout:
        shares = drop_out(shares, dropout)
    return shares.to(value.dtype) @ value  # (B, A, Q, D)


def band(query: Tensor, key: Tensor, window: int | None) -> Tensor | None:
    """Which keys are less than `window` places away from a query, (Q, L)."""
    if window is None:
        return None
    place = torch.arange(key.shape[2], device=key.device)
    return (place[: query.shape[2], None] - place).abs() < window
