"""Encoders on packed batches: the only place where padding and attention masks exist.

Legend: B examples, T tokens of all of them, L tokens of the longest, H hidden size.
"""

import inspect

import torch
from torch import Tensor
from transformers import AutoModel, BertConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from data.batch import Batch


def hidden_states(backbone: PreTrainedModel, batch: Batch) -> Tensor:
    """The last hidden states of a packed batch, (T, H). Pads inside and takes the padding out again."""
    rows = torch.searchsorted(
        batch.offsets[1:], torch.arange(len(batch.tokens), device=batch.tokens.device), right=True
    )
    shape = (len(batch), batch.longest)
    pad = backbone.config.pad_token_id or 0
    tokens = batch.tokens.new_full(shape, pad).index_put((rows, batch.positions), batch.tokens)  # (B, L)
    inputs = {"input_ids": tokens}
    if len(batch.tokens) < shape[0] * shape[1]:  # known on the host; without padding there is nothing to mask
        ones = torch.ones_like(rows)
        inputs["attention_mask"] = batch.tokens.new_zeros(shape).index_put((rows, batch.positions), ones)  # (B, L)
    kinds = getattr(backbone.config, "type_vocab_size", 0) or 0
    if kinds > 1 and "token_type_ids" in inspect.signature(backbone.forward).parameters:
        # klue/roberta's tokenizer says 1 for a second segment, but the model has one row only
        segments = torch.zeros_like(tokens).index_put((rows, batch.positions), batch.segments.clamp(max=kinds - 1))
        inputs["token_type_ids"] = segments  # (B, L)
    hidden = backbone(**inputs).last_hidden_state  # (B, L, H)
    return hidden[rows, batch.positions]  # (T, H)


def empty_backbone(config: PreTrainedConfig) -> PreTrainedModel:
    """A backbone with new weights, without the pooler that nothing here reads (DDP would miss its gradient)."""
    return AutoModel.from_config(config, **without_pooler(config))


def without_pooler(config: PreTrainedConfig) -> dict:
    # a mapping of transformers from configurations to classes; AutoModel itself takes any keyword
    model_class = AutoModel._model_mapping[type(config)]
    parameters = inspect.signature(model_class.__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in parameters else {}


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
