"""One configuration for both sides; first weights and tokenised rows for the one that does not read it."""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import TrainingArguments

from data.store.token_store import TokenStore
from engine.arguments.parse import parse
from engine.compose.data import read_data
from engine.compose.model import make_model
from engine.config import Config
from versus.task import Case, command_line

NEVER = 10**9  # updates between two evaluations or checkpoints: neither side does them while it is timed


def configuration(case: Case, *more: str) -> Config:
    """The configuration that both sides follow."""
    own = ("--data.dev", case.dev, "--train.save_every", str(NEVER), "--eval.every", str(NEVER))
    return parse([*command_line(case), *own, *more])[0]


def prepare(case: Case) -> dict:
    """Write what the Trainer's side reads: tokenizer, backbone configuration, first weights, tokenised rows.

    Returns facts of the corpus and the model. The floating-point operations of one real token, forward and backward,
    are 6 a parameter of the encoder, 12 x layers x H x (sum of squared lengths / tokens) for attention, and 6 a
    parameter of the head for each example; embeddings are looked up.
    """
    config = configuration(case)
    data = read_data(config, quiet=True)
    torch.manual_seed(config.run.seed)  # as engine/compose/run.py does
    model = make_model(config, data.tokenizer, data.new, len(data.labels))
    model.config.backbone.save_pretrained(case.prepared)
    data.tokenizer.save_pretrained(case.prepared)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, case.prepared / "first_weights.safetensors")
    for part, store in data.stores.items():
        write_rows(store, case.prepared / part)
    lengths = data.stores["train"].lengths.astype(np.int64)
    encoder = sum(p.numel() for name, p in model.backbone.named_parameters() if "embeddings." not in name)
    head = sum(p.numel() for p in model.head.parameters())
    attention = 12 * case.layers * case.hidden * float((lengths**2).sum() / lengths.sum())
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    named = {"train_sampling_strategy": "group_by_length"}  # its name in transformers 5
    return {
        "grouped": named if named.keys() <= known else {"group_by_length": True},
        "lr": config.optim.lr,
        "classes": len(data.labels),
        "negative": data.negative,
        "rows": len(lengths),
        "tokens_an_example": float(lengths.mean()),
        "dev_rows": len(data.stores["dev"]),
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_of_the_encoder": encoder,
        "operations_a_token": 6 * encoder + attention + 6 * head / float(lengths.mean()),
    }


def write_rows(store: TokenStore, folder: Path) -> None:
    """The tokenised data set as somebody who uses the Trainer would cache it."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "tokens": np.array(store.tokens),
        "offsets": np.array(store.offsets),
        "subject": np.array(store.spans[:, 0, 0, 0]),
        "object": np.array(store.spans[:, 1, 0, 0]),
        "labels": np.array(store.labels),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
