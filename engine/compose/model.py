"""From a configuration to a tokenizer, an encoder and a model; with engine/compose/run.py what names concrete parts."""

import inspect
import warnings
from pathlib import Path

import torch
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

import data.manifest
from data import sample
from data.encode import Encoder, EncodingOptions
from data.markers import descriptions, reads_types
from engine.config import Config, ModelConfig
from models import MODELS
from models.backbone import scratch_config, set_dropout
from models.compatibility import check_tokenizer
from models.dropout import draw_quickly
from models.first_weights import build_watched, one_name_each
from models.heads import HEADS
from models.layers import freeze, layers_of, start_anew
from models.overrides import override
from models.packing import choose_attention
from models.pooling import POOLINGS, Pooling, make_pooling
from models.pretrained import pretrained_backbone, pretrained_config, some
from models.tokens import add_tokens, add_words, fit_embedding, load_tokenizer, wordpiece_tokenizer


def make_encoder(config: Config) -> tuple[PreTrainedTokenizerBase, Encoder, dict[str, str | None]]:
    """Tokenizer with added words and marker tokens, encoder, and the new tokens with what describes each."""
    backbone = config.model.backbone
    name = config.model.tokenizer or backbone
    for folder in {backbone, config.model.tokenizer} - {None}:
        check_best(Path(folder))
    tokenizer = wordpiece_tokenizer(sample.vocabulary()) if name == "sample" else load_tokenizer(name)
    if backbone is not None:
        check_tokenizer(tokenizer, name, backbone)
    words = config.model.added_tokens
    new = add_words(tokenizer, words if isinstance(words, dict) else dict.fromkeys(words))
    described = descriptions(config.data.marker, tuple(config.data.types), config.data.type_words)
    new |= {token: described[token] for token in add_tokens(tokenizer, list(described))}
    options = EncodingOptions(
        marker=config.data.marker,
        query=config.data.query,
        type_words=config.data.type_words,
        types=tuple(config.data.types),
        max_length=config.data.max_length,
    )
    # who writes a model may read batch.types in it
    needs_types = config.model.name != "relation" or reads_types(config.data.marker, config.model.entity_embeddings)
    encoder = Encoder(tokenizer, options, needs_types)
    cls_stands_first(config.model, encoder, name)
    return tokenizer, encoder, new


def check_best(folder: Path) -> None:
    """Raises ValueError where a run left a folder as its best/ and it is another one now."""
    if not all((folder / name).is_file() for name in ("encoding.json", data.manifest.NAME)):
        return
    if problem := data.manifest.check(folder):
        raise ValueError(f"model.backbone: {folder}: {problem}; without its {data.manifest.NAME} it is taken as it is")


def cls_stands_first(settings: ModelConfig, encoder: Encoder, name: str) -> None:
    """Raises ValueError where a pooling would read the first word piece for [CLS]."""
    pooling, before = pooling_of(settings), encoder.single[0]
    if before or HEADS[settings.head].reads_sentence or not (pooling.has_cls or pooling.takes_pooler):
        return
    tokens = encoder.tokenizer.convert_ids_to_tokens(encoder.single[-1])
    behind = f"puts {' '.join(tokens)} behind a text" if tokens else "puts nothing around a text"
    raise ValueError(
        f"model.pooling: {settings.pooling} reads the token before the text as its whole, but the tokenizer {name} "
        f"has none there, it {behind}; use mean, max or attention, or a pooling of entities with model.with_cls false"
    )


def make_model(
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    new: dict[str, str | None],
    classes: int,
    notes: list[str] | None = None,
) -> PreTrainedModel:
    """The model with its backbone's weights, new or pretrained, and an embedding row for every token.

    `notes` takes lines about both for the summary.
    """
    settings = config.model
    model_class = MODELS[settings.name]
    own = {}
    if settings.backbone is None:
        scratch = settings.scratch
        nested = scratch_config(scratch.hidden_size, scratch.layers, scratch.heads, tokenizer, config.data.max_length)
        set_dropout(nested, settings.dropout)
    else:
        nested = pretrained_config(settings.backbone, config.data.max_length)
        set_dropout(nested, settings.dropout)
        own = override(nested, settings.overrides, settings.backbone, model_class.config_class)
    model = new_model(
        model_class,
        model_class.config_class(
            backbone=nested,
            pooling=settings.pooling,
            pooling_options=with_dropout(POOLINGS[settings.pooling], settings.pooling_options, settings.dropout),
            with_cls=settings.with_cls,
            head=settings.head,
            head_options=with_dropout(HEADS[settings.head], settings.head_options, settings.dropout),
            entity_embeddings=settings.entity_embeddings,
            entity_types=len(config.data.types),
            classes=classes,
            **own,
        ),
    )
    lines = [] if settings.backbone is None else put_pretrained(model, settings)
    rows = fit_embedding(model.backbone, tokenizer, None if settings.backbone is None else new)
    if new and settings.backbone is not None:
        lines.append(f"{'new tokens':<12} {len(new):,}, {max(0, len(new) - rows):,} of them in spare slots")
    if notes is not None:
        notes += lines
    model.config.backbone = model.backbone.config
    model.tie_weights()  # those that it declares, to the backbone that it has now
    one_name_each(model)
    freeze(model.backbone, settings.freeze)
    if settings.freeze == "all" and getattr(getattr(model, "pool", None), "takes_pooler", False):
        model.pool.requires_grad_(False)  # it holds the backbone's pooler and nothing else
    if new and settings.freeze != "none":
        warnings.warn(
            f"model.freeze: the rows of {len(new)} added tokens are frozen as they start; the markers entity_punct and "
            "typed_punct need no new tokens",
            stacklevel=2,
        )
    if settings.gradient_checkpointing:
        # its name from transformers 5.23 on, the older name before
        enable = getattr(
            model.backbone, "activation_checkpointing_enable", model.backbone.gradient_checkpointing_enable
        )
        enable({"use_reentrant": False})
    return model


def new_model(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> PreTrainedModel:
    """The model with first weights. Raises ValueError for one that could not be saved; warns of first weights that its
    own `__init__` overwrites."""
    model, lost = build_watched(model_class, config)
    if not hasattr(model, "all_tied_weights_keys"):
        raise ValueError(
            f"model.name: {model_class.__name__}.__init__ does not end with self.post_init(); without it the weights "
            "are not initialised and from_pretrained fails"
        )
    one_name_each(model)
    if lost:
        warnings.warn(
            f"model.name: {model_class.__name__}.__init__ sets {some(lost)} above self.post_init(), which draws them "
            "anew: what was set is lost; set it below that line",
            stacklevel=3,
        )
    return model


def prepare_backbone(model: PreTrainedModel, settings: ModelConfig, device: torch.device, precision: str) -> list[str]:
    """Choose how the backbone attends and what is compiled; returns lines about it."""
    lines = []
    backbone = getattr(model, "backbone", None)
    if isinstance(backbone, PreTrainedModel):
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        way, why = choose_attention(backbone, settings.attention, device, dtype)
        lines.append(f"{'attention':<12} {way}" + (f": {why}" if why else ""))
    if device.type == "cpu":
        draw_quickly(model)
    if settings.compile == "regional":
        for layer in layers_of(model.backbone, "model.compile"):
            layer.compile(dynamic=True)
    elif settings.compile == "full":
        model.compile(dynamic=True)
    return lines


def put_pretrained(model: PreTrainedModel, settings: ModelConfig) -> list[str]:
    """Give the model its pretrained backbone; returns a line that says what was read."""
    nested = model.config.backbone
    pretrained, line = pretrained_backbone(settings.backbone, nested, settings.pooling == "pooler")
    if settings.reinit:
        refuse_frozen(settings, nested.num_hidden_layers)
        start_anew(pretrained, model.backbone, settings.reinit)
    if hasattr(model, "put_backbone"):
        model.put_backbone(pretrained)
    else:
        model.backbone = pretrained
    return [f"{'weights':<12} {line}"]


def refuse_frozen(settings: ModelConfig, layers: int) -> None:
    """Raises ValueError where a layer would start anew and never learn."""
    if isinstance(settings.freeze, int) and settings.freeze + settings.reinit > layers:
        raise ValueError(
            f"model.reinit: the top {settings.reinit} of {layers} layers would start anew, but model.freeze "
            f"{settings.freeze} keeps some of them from learning"
        )


def with_dropout(part: type, options: dict, share: float | None) -> dict:
    """The options of a pooling or head, with model.dropout as its own where it has one and none was given."""
    takes = "dropout" in inspect.signature(part.__init__).parameters
    return {"dropout": share} | options if takes and share is not None else dict(options)


def pooling_of(settings: ModelConfig) -> Pooling:
    """The pooling with its options, of a width without meaning: what it says of itself can depend on them."""
    return make_pooling(settings.pooling, 1, settings.with_cls, settings.pooling_options)


def check_parts(settings: ModelConfig, marker: str) -> None:
    """Raises ValueError for a pooling, a head and a marker that make no sense together."""
    head = HEADS[settings.head]
    if head.reads_sentence and settings.pooling != "cls":
        raise ValueError(
            f"model.pooling: the head {settings.head} reads the states of the whole sentence itself, so that nothing "
            f"would read {settings.pooling}; expected cls"
        )
    if head.reads_sentence and settings.with_cls is not None:
        raise ValueError(f"model.with_cls: the head {settings.head} reads the whole sentence itself; leave it null")
    if pooling_of(settings).needs_type_words and marker != "typed_punct":
        raise ValueError(
            f"model.pooling: {settings.pooling} reads the type words, which only data.marker typed_punct writes; "
            f"got data.marker {marker}"
        )
