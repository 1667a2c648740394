"""Pretrained encoders: where they come from, and what is checked before and after their weights are read."""

import contextlib
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from models.backbone import pooler_choice

# what transformers can build as a language model that looks left only, and as one that looks both ways
CAUSAL, MASKED = AutoModelForCausalLM._model_mapping, AutoModelForMaskedLM._model_mapping
# families that number positions from behind their padding number
RESERVED = (
    "roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "data2vec-text", "roberta-prelayernorm", "xmod",
    "longformer", "mpnet", "ibert",
)  # fmt: skip
# names in a model that was saved here -> names in its encoder, which has no entity embeddings
SAVED_HERE = {
    r"^backbone\.": "",
    r"^pool\.(pool\.)?pooler\.": "pooler.",
    r"^embeddings\.(role|type)_table": r"entity_embeddings.\1_table",
}
STORED = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}  # safetensors' names of types


def read_config(name: str) -> PreTrainedConfig:
    """The configuration of an encoder; of a `best/` folder that of the encoder inside. No code of a model is run."""
    config = fetch(name, lambda **options: AutoConfig.from_pretrained(name, trust_remote_code=False, **options))
    if code := getattr(config, "auto_map", None):
        warnings.warn(
            f"model.backbone: {name} names code of its own ({', '.join(sorted(map(str, code.values())))}), which is "
            f"never run here; its weights are read as {config.model_type} of transformers",
            stacklevel=2,
        )
    config = inner(config)
    encoder = not (getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", False))
    causal = type(config) in CAUSAL and type(config) not in MASKED
    if causal or not encoder or not hasattr(config, "vocab_size") or not hasattr(config, "hidden_size"):
        raise ValueError(
            f"model.backbone: {name} ({config.model_type}) is no bidirectional encoder such as BERT, RoBERTa, XLM-R, "
            "ELECTRA or ModernBERT"
        )
    return config


def inner(config: PreTrainedConfig) -> PreTrainedConfig:
    """The encoder's part of a model that was saved by this repository, else the configuration as it is."""
    nested = getattr(config, "backbone", None)
    return nested if isinstance(nested, PreTrainedConfig) else config


def pretrained_config(name: str, max_length: int) -> PreTrainedConfig:
    """The configuration of a pretrained backbone, checked against the length of inputs before weights are read."""
    config = read_config(name)
    longest = longest_input(config)
    if max_length > longest:
        raise ValueError(f"data.max_length: {max_length} tokens, but {name} has positions for {longest}")
    return config


def longest_input(config: PreTrainedConfig) -> int:
    """Tokens that a backbone has positions for; the RoBERTa family starts counting after its padding number."""
    positions = getattr(config, "max_position_embeddings", None) or 10**9
    return positions - (config.pad_token_id or 0) - 1 if config.model_type in RESERVED else positions


def pretrained_backbone(name: str, config: PreTrainedConfig, pooler: bool = False) -> tuple[PreTrainedModel, str]:
    """The weights of `name` in float32, whatever the checkpoint's type, and a line that says what was read.

    Raises ValueError where tensors have another shape than the configuration says or none belongs to the encoder.
    Warns of weights that the file lacks, and of layers in it that the configuration leaves out.
    """
    folder = Path(name)
    if folder.is_dir() and not [*folder.glob("*.safetensors"), *folder.glob("*.bin")]:
        raise ValueError(f"model.backbone: the folder {name} has no weights; expected a file such as model.safetensors")
    stored = stored_type(folder, config)
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # its table of weights; `told` says what matters of it
    try:
        backbone, report = fetch(
            name,
            lambda **options: AutoModel.from_pretrained(
                name,
                config=config,
                dtype=torch.float32,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are an error below, with their names
                key_mapping=SAVED_HERE,
                **pooler_choice(config, pooler),
                **options,
            ),
        )
    finally:
        transformers_logging.set_verbosity(level)
    unused = told(name, backbone, report)
    kept = len(backbone.state_dict()) - len(report["missing_keys"])
    note = f"{kept:,} tensors of {name} as float32" + (f" ({stored} in the file)" if stored != "float32" else "")
    return backbone, note + (f"; without use: {', '.join(unused)}" if unused else "")


def told(name: str, backbone: PreTrainedModel, report: dict) -> list[str]:
    """Error and warnings about a checkpoint's weights. Returns the parts of it that no encoder has, such as heads."""
    if mismatched := sorted(report["mismatched_keys"]):
        shapes = [
            f"{key} {tuple(file)} in the file, {tuple(wanted)} by config.json" for key, file, wanted in mismatched
        ]
        raise ValueError(f"model.backbone: {len(shapes)} weights of {name} have another shape: {some(shapes)}")
    missing = sorted(report["missing_keys"])
    children = {child for child, _ in backbone.named_children()}
    prefix = f"{backbone.base_model_prefix}."
    found = [key.removeprefix(prefix) for key in sorted(report["unexpected_keys"])]
    if missing and len(missing) >= len(list(backbone.parameters())):
        raise ValueError(
            f"model.backbone: none of the weights in {name} belongs to its {backbone.config.model_type} encoder; "
            f"expected names such as {some(missing[:2])}, found {some(found[:2]) or 'nothing'}"
        )
    if missing:
        warnings.warn(
            f"model.backbone: {name} lacks {len(missing)} weights, which start at random: {some(missing)}", stacklevel=3
        )
    if left_out := [key for key in found if key.split(".")[0] in children]:
        warnings.warn(
            f"model.backbone: {len(left_out)} weights of the encoder in {name} are left out, since its config.json "
            f"does not ask for them: {some(left_out)}",
            stacklevel=3,
        )
    return sorted({key.split(".")[0] for key in found} - children - {"pooler"})  # nothing here reads a pooler


def some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def stored_type(folder: Path, config: PreTrainedConfig) -> str:
    """The type of the weights in a file, or what its configuration says of it: float32, bfloat16, ..."""
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        with contextlib.suppress(SafetensorError, OSError), safe_open(path, framework="pt") as file:
            types = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118 (no mapping)
            return ", ".join(sorted(STORED.get(kind, kind) for kind in types))
    return str(config.dtype or "float32").removeprefix("torch.")


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
            raise ValueError(f"{key}: the folder {name} cannot be loaded ({reason(error)})") from None
    with contextlib.suppress(OSError, ValueError, KeyError):
        return load(local_files_only=True)  # what is in the cache needs no network
    reach_hub(name, key)
    try:
        return load()
    except Exception as error:
        raise ValueError(f"{key}: {name} cannot be loaded from the hub ({reason(error)})") from None


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


def reason(error: Exception) -> str:
    """One line; where a model would run code of its own, what that means here instead of how to allow it."""
    if "trust_remote_code" in str(error):
        return "it needs Python code of its own, named by auto_map, and such code is never run here"
    if "tiktoken" in str(error):  # what transformers proposes where a SentencePiece file cannot be read
        return "its SentencePiece vocabulary needs a package to be read: pip install sentencepiece protobuf"
    return first_line(error)


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return (" ".join(map(str.strip, lines)) if lines[0].rstrip().endswith(":") else lines[0])[:300]
