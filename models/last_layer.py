"""The last layer for the tokens that a pooling reads: keys and values of all tokens, everything else of those few.

Legend: B sentences, T tokens of all of them, L of the longest, S places read in each, H hidden size, A heads.
"""

from types import MethodType

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.attention import Sentences, attend


def answers_few(backbone: PreTrainedModel) -> bool:
    """Whether the last layer looks at `Sentences.places`: `answer_few` says so on the layer itself."""
    layers = getattr(getattr(backbone, "encoder", None), "layer", None)
    return bool(layers) and getattr(layers[-1], "answers_few", False)


def answer_few(backbone: PreTrainedModel) -> bool:
    """Let the last layer look at `Sentences.places`; False where the encoder is not built like BERT.

    BERT, RoBERTa, XLM-R, CamemBERT and ELECTRA are. Names of weights stay, and so does the layer without places.
    """
    layers = getattr(getattr(backbone, "encoder", None), "layer", None)
    if not layers or not all(hasattr(layers[-1], name) for name in ("attention", "feed_forward_chunk")):
        return False
    own = getattr(layers[-1].attention, "self", None)
    if own is None or not all(isinstance(getattr(own, name, None), nn.Linear) for name in ("query", "key", "value")):
        return False
    if getattr(backbone.config, "is_decoder", False):
        return False
    layers[-1].forward, layers[-1].answers_few = MethodType(forward, layers[-1]), True
    return True


def forward(layer: nn.Module, hidden: Tensor, *args, sentences: Sentences | None = None, **options) -> Tensor:
    """hidden (B, L, H) or, packed, (1, T, H) -> (B, S, H) or (1, B * S, H); as ever without places."""
    if sentences is None or sentences.places is None:
        known = {} if sentences is None else {"sentences": sentences}  # LUKE takes no keyword but its own
        return type(layer).forward(layer, hidden, *args, **known, **options)
    own, places = layer.attention.self, sentences.places  # (B, S)
    if sentences.packed:
        asking = hidden[:, places.flatten()]  # (1, T, H) -> (1, B * S, H)
    else:
        asking = hidden[torch.arange(len(hidden), device=hidden.device)[:, None], places]  # (B, L, H) -> (B, S, H)
    query, key, value = (
        linear(states).unflatten(-1, (own.num_attention_heads, -1)).transpose(1, 2)  # (B, S or L, H) -> (B, A, ., D)
        for linear, states in ((own.query, asking), (own.key, hidden), (own.value, hidden))
    )
    dropout = own.dropout.p if layer.training else 0.0
    context = attend(query, key, value, sentences, dropout, own.scaling).transpose(1, 2).flatten(2)  # as asking
    return layer.feed_forward_chunk(layer.attention.output(context, asking))
