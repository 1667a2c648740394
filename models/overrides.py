"""model.overrides: settings of a pretrained encoder's configuration that may be changed without other weights."""

import difflib
import inspect
from typing import Any

from transformers import PreTrainedConfig
from transformers.activations import ACT2FN

# keys whose change would ask for other weights than the checkpoint holds, or for another kind of model
ARCHITECTURE = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size", "embedding_size",
    "max_position_embeddings", "type_vocab_size", "model_type", "pad_token_id", "head_dim", "num_key_value_heads",
    "position_embedding_type", "relative_attention", "is_decoder", "is_encoder_decoder", "add_cross_attention",
)  # fmt: skip
# what the run decides itself
OTHER_OPTIONS = {
    "dtype": "train.precision", "torch_dtype": "train.precision", "pooling": "model.pooling", "head": "model.head",
    "head_dropout": "model.dropout", "classes": "data.labels", "num_labels": "data.labels", "id2label": "data.labels",
    "label2id": "data.labels", "backbone": "model.backbone",
}  # fmt: skip
NOT_OURS = (
    "return_dict", "architectures", "transformers_version", "output_hidden_states", "output_attentions", "auto_map",
    "_name_or_path", "problem_type", "use_cache",
)  # fmt: skip


def override(config: PreTrainedConfig, overrides: dict[str, Any], name: str, model_config: type) -> dict[str, Any]:
    """Set `overrides` in the configuration of the encoder `name`.

    Returns those that it does not know but the chosen model's `model_config` declares as a field of its own. Raises
    ValueError with one line for each key that is refused.
    """
    known = config.to_dict()
    fields = declared(model_config)
    sizes = {config.attribute_map.get(key, key) for key in ARCHITECTURE} | set(ARCHITECTURE)
    problems, own = [], {}
    for key, value in overrides.items():
        real = config.attribute_map.get(key, key)
        if real in sizes:
            problem = (
                f"{value!r} would not fit the weights of {name}, which has {getattr(config, key, None)!r}; only "
                "settings such as dropout can be overridden"
            )
        elif key in OTHER_OPTIONS:
            problem = f"is decided by {OTHER_OPTIONS[key]}"
        elif real in known and real not in NOT_OURS:
            problem = wrong_value(real, value, known[real])
        elif key in fields:
            own[key], problem = value, wrong_value(key, value, fields[key])
        else:
            settable = sorted({*known, *config.attribute_map, *fields} - sizes - set(NOT_OURS) - set(OTHER_OPTIONS))
            close = difflib.get_close_matches(key, settable, n=1)
            problem = f"the configuration of {name} ({config.model_type}) has no such key that could be set" + (
                f"; did you mean {close[0]}?" if close else ""
            )
        if problem:
            problems.append(f"model.overrides.{key}: {problem}")
    if problems:
        raise ValueError("\n".join(problems))
    for key, value in overrides.items():
        if key not in own:  # transformers tells 1 from 1.0
            setattr(config, key, float(value) if isinstance(getattr(config, key), float) else value)
    return own


def declared(model_config: type) -> dict[str, Any]:
    """Fields of a model's configuration class beside those of every configuration, with their defaults."""
    classes = [base for base in model_config.__mro__ if issubclass(base, PreTrainedConfig) and base != PreTrainedConfig]
    names = {key for base in classes for key in inspect.get_annotations(base)}
    return {key: getattr(model_config, key, None) for key in names - {"model_type", "sub_configs"}}


def wrong_value(key: str, value: Any, before: Any) -> str | None:
    """What is wrong with a value, judged by the one that it replaces; None where nothing is."""
    dropout = "dropout" in key and (before is None or number(before))
    if dropout and not (value is None and before is None) and not (number(value) and 0 <= value < 1):
        return f"got {value!r}, expected a share from 0 to below 1, as {before!r} is"
    if not dropout and before is not None:
        if isinstance(before, float):
            fits = number(value)
        elif number(before):
            fits = number(value) and isinstance(value, int)
        else:
            fits = isinstance(value, type(before))
        if not fits:
            return f"got {value!r}, expected a value such as {before!r}, which it replaces"
    if key in ("hidden_act", "hidden_activation") and value not in ACT2FN:
        return f"got {value!r}, expected one of {', '.join(sorted(ACT2FN))}"
    return None


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
