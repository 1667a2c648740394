"""How a backbone attends: packed, padded through `models/attention.py`, or padded by transformers alone.

Nothing here is believed: a backbone is tried on two sentences against one at a time, a device's kernel against torch's
own attention.

Legend: T tokens of both sentences, A heads, D width of a head.
"""

from typing import Literal

import torch
from torch.nn import functional as F
from transformers import PreTrainedModel

from data.batch import Batch
from models.attention import PACKED, PADDED, Sentences, attend, attend_through
from models.backbone import hidden_states
from models.pretrained import first_line

CLOSE = 1e-4  # rounding of float32 is below, whoever reads padding above
Way = Literal["auto", "packed", "padded"]


def choose_attention(
    backbone: PreTrainedModel, way: Way, device: torch.device, dtype: torch.dtype
) -> tuple[Literal["packed", "padded"], str]:
    """Make the backbone attend in that way, on weights that are still on the CPU; returns the way and why.

    `dtype`: of what attention computes. auto: packed where the device has a kernel for it. Raises ValueError where
    packed was asked for and cannot be.
    """
    check_runs(backbone)
    if not keeps_apart(backbone):
        if way == "packed":
            raise ValueError(
                f"model.attention: got 'packed', but {backbone.config.model_type} has an attention of its own, which "
                "would look across sentences; expected auto or padded"
            )
        kind, difference = backbone.config.model_type, padding_difference(backbone)
        backbone.reads_padding = difference > CLOSE
        if backbone.reads_padding:
            return "padded", (
                f"{kind} reads padding, which changes its states by up to {100 * difference:.2g} %, so that it takes "
                "sentences of one length at a time"
            )
        return "padded", f"{kind} has an attention of its own"
    obstacle = "" if way == "padded" else no_kernel(backbone, device, dtype)
    if way == "packed" and obstacle and device.type == "cuda":
        raise ValueError(f"model.attention: got 'packed', but {obstacle}; expected auto or padded")
    packed = way == "packed" or (way == "auto" and not obstacle)
    attend_through(backbone, PACKED if packed else PADDED)
    why = "flash attention over tokens without padding" if packed and not obstacle else obstacle
    return ("packed" if packed else "padded"), why


@torch.no_grad()
def keeps_apart(backbone: PreTrainedModel) -> bool:
    """Whether it attends through `models/attention.py` and gives, packed and padded, what one sentence at a time gives.

    Leaves its attention as it was. DeBERTa, for one, has an attention of its own and only warns.
    """
    if not getattr(backbone, "_supports_attention_backend", False):
        return False
    before, was_training = backbone.config._attn_implementation, backbone.training
    backbone.eval()
    sentences = two_sentences(backbone)
    expected = torch.cat([hidden_states(backbone, pack([tokens])) for tokens in sentences])  # (T, H)
    close = True
    try:
        for name in (PACKED, PADDED):
            attend_through(backbone, name)
            for places in (None, torch.tensor([[0, 4], [5, 12]])):
                found = hidden_states(backbone, pack(sentences), places=places)
                wanted = expected if places is None else expected[places]
                close = close and bool((found - wanted).abs().max() < 1e-3 * expected.abs().max())
    except (RuntimeError, TypeError, ValueError):  # of a shape or a keyword that it does not have
        close = False
    finally:
        backbone.set_attn_implementation(before)
        backbone.train(was_training)
    return close


def two_sentences(backbone: PreTrainedModel) -> list[torch.Tensor]:
    """Token numbers of five and nine tokens, none of them padding."""
    numbers = torch.Generator().manual_seed(0)
    most = min(backbone.config.vocab_size, 1000)
    sentences = [torch.randint(most, (length,), generator=numbers) for length in (5, 9)]
    pad = backbone.config.pad_token_id
    return [torch.where(tokens == pad, (pad or 0) + 1, tokens) for tokens in sentences]  # RoBERTa counts those


@torch.no_grad()
def check_runs(backbone: PreTrainedModel) -> None:
    """Raises ValueError where an encoder does not run on tokens alone, or where no token sees another."""
    kind, was_training = backbone.config.model_type, backbone.training
    backbone.eval()
    tokens = two_sentences(backbone)[0]
    other = tokens.clone()
    other[-1] = other[0]
    try:
        before, after = (hidden_states(backbone, pack([each]))[0] for each in (tokens, other))
    except Exception as error:  # each library's own, from deep inside
        raise ValueError(
            f"model.backbone: {kind} does not run on the tokens of a sentence alone ({type(error).__name__}: "
            f"{first_line(error)}); expected an encoder of text such as BERT, RoBERTa, XLM-R, ELECTRA or DeBERTa"
        ) from None
    finally:
        backbone.train(was_training)
    if torch.equal(before, after) and not torch.equal(tokens, other):
        raise ValueError(
            f"model.backbone: in {kind} no token sees another here: its attention needs a kernel of its own, which "
            "transformers leaves out without a word"
        )


@torch.no_grad()
def padding_difference(backbone: PreTrainedModel) -> float:
    """By how much padding beside a sentence changes its states, as a share of the largest of them."""
    was_training = backbone.training
    backbone.eval()
    sentences = two_sentences(backbone)
    expected = torch.cat([hidden_states(backbone, pack([tokens])) for tokens in sentences])  # (T, H)
    difference = (hidden_states(backbone, pack(sentences)) - expected).abs().max() / expected.abs().max()
    backbone.train(was_training)
    return difference.item()


def pack(sentences: list[torch.Tensor]) -> Batch:
    """Token numbers of some sentences as a batch without entities."""
    lengths = torch.tensor([len(tokens) for tokens in sentences])
    positions = torch.cat([torch.arange(len(tokens)) for tokens in sentences])
    nothing = torch.full((len(sentences), 3, 2), -1)
    zeros = torch.zeros_like(positions)
    return Batch(
        tokens=torch.cat(sentences),
        positions=positions,
        segments=zeros,
        offsets=torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        lengths=lengths,
        longest=int(lengths.max()),
        subject=nothing,
        object=nothing,
        roles=zeros,
        types=zeros,
        index=torch.arange(len(sentences)),
        extra={},
    )


def no_kernel(backbone: PreTrainedModel, device: torch.device, dtype: torch.dtype) -> str:
    """Why the device cannot attend to packed tokens, or "" where it can: flash attention, tried."""
    heads = backbone.config.num_attention_heads
    width = getattr(backbone.config, "head_dim", None) or backbone.config.hidden_size // heads
    if device.type != "cuda":
        return f"flash attention needs a CUDA device, this is a {device.type}"
    if dtype not in (torch.bfloat16, torch.float16):
        return "flash attention needs half precision, train.precision is fp32"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return f"flash attention needs compute capability 8.0, {torch.cuda.get_device_name(device)} has less"
    if width % 8 or width > 256:
        return f"flash attention needs heads of a multiple of 8 up to 256 units, these have {width}"
    return flash_fails(heads, width, device, dtype)


def flash_fails(heads: int, width: int, device: torch.device, dtype: torch.dtype) -> str:
    """What went wrong with the kernel on two sentences, forwards and backwards, or ""."""
    lengths = torch.tensor([5, 9])
    offsets = torch.tensor([0, 5, 14], dtype=torch.int32).to(device)
    sentences = Sentences(True, offsets, lengths, 9)
    numbers = torch.Generator().manual_seed(0)
    made = [torch.randn(1, heads, 14, width, generator=numbers).to(device, dtype) for _ in range(3)]
    try:
        results = []
        for flash in (True, False):
            q, k, v = (each.clone().requires_grad_() for each in made)  # (1, A, T, D)
            if flash:
                out = attend(q, k, v, sentences, 0.0, None)
            else:
                parts = zip(*(each.split([5, 9], dim=2) for each in (q, k, v)), strict=True)
                out = torch.cat([F.scaled_dot_product_attention(*part) for part in parts], dim=2)
            out.float().square().sum().backward()
            results.append([out.detach(), q.grad, k.grad, v.grad])
        worst = max((a.float() - b.float()).abs().max().item() for a, b in zip(*results, strict=True))
        q, k, v = (each.clone().requires_grad_() for each in made)
        attend(q, k, v, sentences, 0.1, None).float().sum().backward()  # with dropout
        if not worst < 0.1 or not bool(torch.isfinite(q.grad).all()):
            return f"flash attention is off by {worst:.2g} on {torch.cuda.get_device_name(device)}"
    except RuntimeError as error:  # also where there is no such kernel
        return f"flash attention does not run here: {str(error).splitlines()[0]}"
    return ""
