"""Pretrained or new encoders: loading, guards, and the only place where padding and attention masks exist.

Legend: B examples, T tokens of all of them, L tokens of the longest, H hidden size.
"""

import contextlib
import inspect
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from data.batch import Batch

# keys whose change would ask for other weights than the checkpoint holds
ARCHITECTURE = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size", "embedding_size",
    "max_position_embeddings", "type_vocab_size", "model_type", "pad_token_id",
)  # fmt: skip


# what transformers can build as a language model that looks left only, and as one that looks both ways
CAUSAL, MASKED = AutoModelForCausalLM._model_mapping, AutoModelForMaskedLM._model_mapping


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


def pretrained_config(name: str, overrides: dict | None, tokenizer_size: int, max_length: int) -> PreTrainedConfig:
    """The configuration of a pretrained backbone, checked against tokenizer and length before weights are read."""
    config = fetch(name, lambda **options: AutoConfig.from_pretrained(name, trust_remote_code=False, **options))
    encoder = not (getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", False))
    causal = type(config) in CAUSAL and type(config) not in MASKED
    if causal or not encoder or not hasattr(config, "vocab_size") or not hasattr(config, "hidden_size"):
        raise ValueError(
            f"model.backbone: {name} ({config.model_type}) is no bidirectional encoder such as BERT, RoBERTa, XLM-R, "
            "ELECTRA or ModernBERT"
        )
    for key, value in (overrides or {}).items():
        if key in ARCHITECTURE:
            raise ValueError(
                f"model.overrides.{key}: {value!r} would not fit the weights of {name}, which has "
                f"{getattr(config, key, None)!r}; only settings such as dropout can be overridden"
            )
        if not hasattr(config, key):
            raise ValueError(
                f"model.overrides.{key}: the configuration of {name} ({config.model_type}) has no such key"
            )
        setattr(config, key, value)
    if tokenizer_size > config.vocab_size:
        raise ValueError(
            f"model.tokenizer: it has {tokenizer_size} tokens, but the embedding of {name} has {config.vocab_size} "
            "rows; use the backbone's own tokenizer"
        )
    longest = longest_input(config)
    if max_length > longest:
        raise ValueError(f"data.max_length: {max_length} tokens, but {name} has positions for {longest}")
    return config


def longest_input(config: PreTrainedConfig) -> int:
    """Tokens that a backbone has positions for; the RoBERTa family starts counting after its padding number."""
    positions = getattr(config, "max_position_embeddings", None) or 10**9
    reserved = config.model_type in ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "data2vec-text")
    return positions - (config.pad_token_id or 0) - 1 if reserved else positions


def pretrained_backbone(name: str, config: PreTrainedConfig, pooler: bool = False) -> PreTrainedModel:
    """The weights of `name` in float32, whatever the checkpoint's type; what is missing in it is named."""
    folder = Path(name)
    if folder.is_dir() and not [*folder.glob("*.safetensors"), *folder.glob("*.bin")]:
        raise ValueError(f"model.backbone: the folder {name} has no weights; expected a file such as model.safetensors")
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # its table of weights that nothing here reads, such as the pooler's
    try:
        backbone, report = fetch(
            name,
            lambda **options: AutoModel.from_pretrained(
                name,
                config=config,
                dtype=torch.float32,
                trust_remote_code=False,
                output_loading_info=True,
                **pooler_choice(config, pooler),
                **options,
            ),
        )
    finally:
        transformers_logging.set_verbosity(level)
    missing = sorted(report["missing_keys"])
    if missing:
        warnings.warn(
            f"model.backbone: {name} lacks {len(missing)} weights, which start at random: {', '.join(missing[:5])}"
            + (", ..." if len(missing) > 5 else ""),
            stacklevel=2,
        )
    return backbone


def fetch(name: str, load, key: str = "model.backbone"):
    """`load()` for a folder or a hub name, with one clear message about `key` where it cannot be had."""
    path = Path(name)
    if path.exists():
        if not path.is_dir():
            raise ValueError(f"{key}: {name} is a file, expected a folder or a hub name")
        if not (path / "config.json").is_file():
            raise ValueError(f"{key}: the folder {name} has no config.json")
        try:
            return load(local_files_only=True)
        except Exception as error:  # damaged files raise a type of their own in each library
            raise ValueError(f"{key}: the folder {name} cannot be loaded ({first_line(error)})") from None
    with contextlib.suppress(OSError, ValueError, KeyError):
        return load(local_files_only=True)  # what is in the cache needs no network
    reach_hub(name, key)
    try:
        return load()
    except Exception as error:
        raise ValueError(f"{key}: {name} cannot be loaded from the hub ({first_line(error)})") from None


def reach_hub(name: str, key: str) -> None:
    """One question to the hub with a short time limit, instead of five retries a file and process."""
    from huggingface_hub import HfApi
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    try:
        if HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        HfApi().model_info(name, timeout=5)
    except Exception as error:  # the hub client raises many types; all of them mean: not to be had
        raise ValueError(
            f"{key}: {name} is no folder here, is not in the local cache, and {ENDPOINT} does not give it "
            f"({type(error).__name__}: {first_line(error)}); on a machine with network run "
            f"`hf download {name} --local-dir FOLDER` and set --{key} FOLDER"
        ) from None


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def set_dropout(config: PreTrainedConfig, share: float | None) -> None:
    """Set every dropout of a backbone's configuration; None leaves them as they are."""
    if share is None:
        return
    for key, value in config.to_dict().items():
        if "dropout" in key and (value is None or isinstance(value, (int, float))) and not isinstance(value, bool):
            setattr(config, key, float(share))
