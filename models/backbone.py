"""Encoders on packed batches: the only place where padding and attention masks are made.

Legend: B examples, T tokens of all of them, L tokens of the longest, H hidden size, S tokens read in each.
"""

import inspect

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from transformers import AutoModel, BertConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from data.batch import Batch
from models.attention import PACKED, PADDED, Sentences, implementation
from models.last_layer import answers_few


def hidden_states(
    backbone: PreTrainedModel,
    batch: Batch,
    added: Tensor | None = None,
    layers: int = 1,
    places: Tensor | None = None,
) -> Tensor:
    """The last hidden states of a packed batch, (T, H); of the last `layers` > 1 layers, (layers, T, H), top last.

    `places` (B, S): tokens of each sentence that are read, then (B, S, H), and the last layer computes no others where
    it can. `added` (T, E) is added to the embeddings of the tokens. Runs packed where `models/attention.py` was told
    to; else it pads inside and takes the padding out again.
    """
    assert places is None or layers == 1, "places are read in the top layer"
    way = implementation(backbone)
    if way is None and getattr(backbone, "reads_padding", False):
        states, few = states_by_length(backbone, batch, added, layers), None
    else:
        few = places if way is not None and answers_few(backbone) else None  # those that the last layer is asked for
        states = (packed_states if way == PACKED else padded_states)(backbone, batch, added, layers, few)
    return states[places] if few is None and places is not None else states  # (T, H) -> (B, S, H)


def packed_states(
    backbone: PreTrainedModel, batch: Batch, added: Tensor | None, layers: int, places: Tensor | None
) -> Tensor:
    """All sentences as one; `Sentences` keeps them apart. Returns as `hidden_states` does."""
    inputs = {"input_ids": batch.tokens[None]}  # (1, T)
    if added is not None:
        inputs = {"inputs_embeds": backbone.get_input_embeddings()(batch.tokens)[None] + added}  # (1, T, E)
    inputs["position_ids"] = (batch.positions + first_position(backbone))[None]
    if kinds := segment_kinds(backbone):
        inputs["token_type_ids"] = batch.segments.clamp(max=kinds - 1)[None]
    sentences = Sentences(True, batch.offsets.to(torch.int32), batch.lengths, batch.longest, places=places)
    states = run(backbone, inputs | {"sentences": sentences}, layers)  # (layers, 1, T, H)
    if places is not None:
        return states[0].view(*places.shape, -1)  # (1, B * S, H) -> (B, S, H)
    return states[0, 0] if layers == 1 else states[:, 0]


def padded_states(
    backbone: PreTrainedModel, batch: Batch, added: Tensor | None, layers: int, places: Tensor | None
) -> Tensor:
    """A row a sentence, as long as the longest. Returns as `hidden_states` does."""
    rows = batch.rows  # (T,)
    shape = (len(batch), batch.longest)
    pad = backbone.config.pad_token_id or 0
    tokens = batch.tokens.new_full(shape, pad).index_put((rows, batch.positions), batch.tokens)  # (B, L)
    inputs = {"input_ids": tokens}
    if added is not None:
        added = added.new_zeros(*shape, added.shape[1]).index_put((rows, batch.positions), added)  # (B, L, E)
        # what enters here meets positions and segments, then the norm, in every backbone of transformers
        inputs = {"inputs_embeds": backbone.get_input_embeddings()(tokens) + added}
    if kinds := segment_kinds(backbone):
        # klue/roberta's tokenizer says 1 for a second segment, but the model has one row only
        segments = torch.zeros_like(tokens).index_put((rows, batch.positions), batch.segments.clamp(max=kinds - 1))
        inputs["token_type_ids"] = segments  # (B, L)
    full = len(batch.tokens) == shape[0] * shape[1]  # known on the host; without padding there is nothing to mask
    if implementation(backbone) == PADDED:
        mask = None
        if not full:
            mask = torch.arange(batch.longest, device=rows.device) < batch.offsets.diff()[:, None]  # (B, L)
            mask = mask[:, None, None]  # (B, 1, 1, L)
        if places is not None:
            places = places - batch.offsets[:-1, None]  # inside the sentence
        inputs["sentences"] = Sentences(False, batch.offsets, batch.lengths, batch.longest, mask, places)
        inputs["position_ids"] = torch.arange(batch.longest, device=rows.device)[None] + first_position(backbone)
    elif not full:
        ones = torch.ones_like(rows)
        inputs["attention_mask"] = batch.tokens.new_zeros(shape).index_put((rows, batch.positions), ones)  # (B, L)
    states = run(backbone, inputs, layers)  # (layers, B, L, H)
    if places is not None:
        return states[0]  # (B, S, H)
    if layers == 1:
        return states[0][rows, batch.positions]  # (B, L, H) -> (T, H)
    return states[:, rows, batch.positions]  # (layers, T, H)


def states_by_length(backbone: PreTrainedModel, batch: Batch, added: Tensor | None, layers: int) -> Tensor:
    """Sentences of one length at a time, for encoders that read padding. Returns as `hidden_states` does."""
    if any(isinstance(module, FSDPModule) for module in backbone.modules()):
        raise ValueError(
            f"model.backbone: {backbone.config.model_type} reads padding, so that it takes the sentences of one length "
            "at a time, as many times as a process has lengths; sharded (FSDP2), processes would wait for each other"
        )
    states, order = [], []
    for length in batch.lengths.unique().tolist():
        rows = torch.nonzero(batch.lengths == length)[:, 0].to(batch.offsets.device)
        places = batch.offsets[rows][:, None] + torch.arange(length, device=rows.device)  # (B', L)
        inputs = {"input_ids": batch.tokens[places]}
        if added is not None:
            inputs = {"inputs_embeds": backbone.get_input_embeddings()(batch.tokens[places]) + added[places]}
        if kinds := segment_kinds(backbone):
            inputs["token_type_ids"] = batch.segments[places].clamp(max=kinds - 1)
        states.append(run(backbone, inputs, layers).flatten(1, 2))  # (layers, B', L, H) -> (layers, B' * L, H)
        order.append(places.flatten())
    every = torch.cat(states, dim=1)  # (layers, T, H)
    every = torch.empty_like(every).index_copy(1, torch.cat(order), every)
    return every[0] if layers == 1 else every


def run(backbone: PreTrainedModel, inputs: dict, layers: int) -> Tensor:
    """States of the last layers, top last: (layers, ...)."""
    if layers == 1:
        return backbone(**inputs).last_hidden_state[None]
    return torch.stack(backbone(**inputs, output_hidden_states=True).hidden_states[-layers:])


def segment_kinds(backbone: PreTrainedModel) -> int:
    """Rows of its embedding of segments where there are several, else 0."""
    kinds = getattr(backbone.config, "type_vocab_size", 0) or 0
    return kinds if kinds > 1 and "token_type_ids" in inspect.signature(backbone.forward).parameters else 0


def first_position(backbone: PreTrainedModel) -> int:
    """Number of the first token's position: RoBERTa and its kin count from behind the padding token's."""
    table = getattr(getattr(backbone, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else padding + 1


def empty_backbone(config: PreTrainedConfig, pooler: bool = False) -> PreTrainedModel:
    """A backbone with new weights; without the pooler where nothing reads it (DDP would miss its gradient)."""
    return AutoModel.from_config(config, **pooler_choice(config, pooler))


def check_embedding(backbone: PreTrainedModel) -> None:
    """Raises ValueError for an embedding that could not take rows for new tokens, nor anything added to its rows."""
    try:
        embedding = backbone.get_input_embeddings()
    except NotImplementedError:  # of characters, hashed
        embedding = None
    if not isinstance(embedding, nn.Embedding):
        kind = "no table" if embedding is None else type(embedding).__name__
        raise ValueError(
            f"model.backbone: {backbone.config.model_type} embeds its tokens in a way of its own ({kind}), expected a "
            "torch.nn.Embedding, as BERT, RoBERTa, ELECTRA and DeBERTa have"
        )


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
