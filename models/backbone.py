"""Encoders on packed batches: the only place where padding and attention masks exist.

Legend: B examples, T tokens of all of them, L tokens of the longest, H hidden size.
"""

import inspect

import torch
from torch import Tensor, nn
from transformers import AutoModel, BertConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from data.batch import Batch


def hidden_states(backbone: PreTrainedModel, batch: Batch, added: Tensor | None = None, layers: int = 1) -> Tensor:
    """The last hidden states of a packed batch, (T, H); of the last `layers` > 1 layers, (layers, T, H), top last.

    Pads inside and takes the padding out again. `added` (T, E) is added to the embeddings of the tokens.
    """
    rows = batch.rows  # (T,)
    shape = (len(batch), batch.longest)
    pad = backbone.config.pad_token_id or 0
    tokens = batch.tokens.new_full(shape, pad).index_put((rows, batch.positions), batch.tokens)  # (B, L)
    inputs = {"input_ids": tokens}
    if added is not None:
        added = added.new_zeros(*shape, added.shape[1]).index_put((rows, batch.positions), added)  # (B, L, E)
        # what enters here meets positions and segments, then the norm, in every backbone of transformers
        inputs = {"inputs_embeds": backbone.get_input_embeddings()(tokens) + added}
    if len(batch.tokens) < shape[0] * shape[1]:  # known on the host; without padding there is nothing to mask
        ones = torch.ones_like(rows)
        inputs["attention_mask"] = batch.tokens.new_zeros(shape).index_put((rows, batch.positions), ones)  # (B, L)
    kinds = getattr(backbone.config, "type_vocab_size", 0) or 0
    if kinds > 1 and "token_type_ids" in inspect.signature(backbone.forward).parameters:
        # klue/roberta's tokenizer says 1 for a second segment, but the model has one row only
        segments = torch.zeros_like(tokens).index_put((rows, batch.positions), batch.segments.clamp(max=kinds - 1))
        inputs["token_type_ids"] = segments  # (B, L)
    if layers == 1:
        return backbone(**inputs).last_hidden_state[rows, batch.positions]  # (B, L, H) -> (T, H)
    states = backbone(**inputs, output_hidden_states=True).hidden_states[-layers:]
    return torch.stack([state[rows, batch.positions] for state in states])  # (layers, T, H)


def empty_backbone(config: PreTrainedConfig, pooler: bool = False) -> PreTrainedModel:
    """A backbone with new weights; without the pooler where nothing reads it (DDP would miss its gradient)."""
    return AutoModel.from_config(config, **pooler_choice(config, pooler))


def pooler_choice(config: PreTrainedConfig, pooler: bool) -> dict:
    """The keyword that makes a backbone with or without pooler, for those that know it."""
    # a mapping of transformers from configurations to classes; AutoModel itself takes any keyword
    model_class = AutoModel._model_mapping[type(config)]
    parameters = inspect.signature(model_class.__init__).parameters
    return {"add_pooling_layer": pooler} if "add_pooling_layer" in parameters else {}


def take_pooler(backbone: PreTrainedModel) -> nn.Module:
    """The backbone's pooler, which it then has no more: `models/pooling.py` chooses what goes in, padded or packed."""
    pooler = getattr(backbone, "pooler", None)
    if pooler is None:
        raise ValueError(
            f"model.pooling: pooler is the backbone's own, but {backbone.config.model_type} has none; "
            "cls with the head mlp is the nearest"
        )
    backbone.pooler = None
    return pooler


def scratch_config(
    hidden_size: int, layers: int, heads: int, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> PreTrainedConfig:
    """A small BERT to be trained from nothing."""
    if hidden_size % heads:
        raise ValueError(f"model.scratch.hidden_size {hidden_size} is no multiple of model.scratch.heads {heads}")
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden_size,
        max_position_embeddings=max(512, max_length),
        pad_token_id=tokenizer.pad_token_id,
    )


def set_dropout(config: PreTrainedConfig, share: float | None) -> None:
    """Set every dropout of a backbone's configuration; None leaves them as they are."""
    if share is None:
        return
    for key, value in config.to_dict().items():
        if "dropout" in key and (value is None or isinstance(value, (int, float))) and not isinstance(value, bool):
            setattr(config, key, float(share))
