"""Parameter groups, optimizer, and the learning rate as a pure function of the update."""

import re

import torch
from torch import nn

from engine.config import OptimConfig
from engine.tables import aligned

BACKBONE = ("backbone.", "pool.pooler.", "pool.pool.pooler.")  # the latter two: a pooler that a pooling took over


def lr_factor(update: int, total: int, warmup: float) -> float:
    """The learning rate of update 0 .. total-1 as a share of the highest: up on a line, then down on a line to 0.

    The first update of a warm-up already learns, the last one of the run still does.
    """
    rising = round(total * warmup)
    if update < rising:
        return (update + 1) / (rising + 1)
    return (total - update) / max(1, total - rising)


def parameter_groups(model: nn.Module, config: OptimConfig) -> list[dict]:
    """Groups with `name`, `params`, `peak_lr` and `weight_decay`; every trainable parameter is in exactly one.

    Biases and norms (one dimension) are not decayed. Inside `model.backbone` the layer k of K learns at
    lr * layer_decay ** (K - 1 - k) and the embeddings one step below layer 0; its pooler, which a pooling may have
    taken over, with the top layer; `model.embeddings` (roles and types) at entity_lr, everything else at head_lr.
    """
    backbone = [name for name, _ in model.named_parameters() if name.startswith(BACKBONE)]
    top = max((layer_number(name, default=-1) for name in backbone), default=-1)
    if config.layer_decay < 1 and backbone and top < 0:
        raise ValueError("optim.layer_decay: this backbone has no numbered layers; expected 1")
    words = word_embedding(model)
    groups: dict[tuple, dict] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("embeddings."):
            where, peak = "entity embeddings", config.entity_lr or config.head_lr or config.lr
        elif not name.startswith(BACKBONE):
            where, peak = "head", config.head_lr or config.lr
        elif config.layer_decay == 1:
            where, peak = "backbone", config.lr
        else:
            # a final norm stands outside of the numbered layers and goes with the top one
            below = parameter is words or name.startswith("backbone.embeddings")
            layer = -1 if below else layer_number(name, default=top)
            where, peak = (
                "embeddings" if layer < 0 else f"layer {layer}",
                config.lr * config.layer_decay ** (top - layer),
            )
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        key = (where, peak, decay)
        group = groups.setdefault(
            key, {"name": where, "params": [], "peak_lr": peak, "lr": peak, "weight_decay": decay}
        )
        group["params"].append(parameter)
    return list(groups.values())


def describe_groups(model: nn.Module, config: OptimConfig) -> str:
    """A table of the groups: name, tensors, parameters, highest learning rate, weight decay; what is frozen last."""
    rows = []
    for group in parameter_groups(model, config):
        count = sum(parameter.numel() for parameter in group["params"])
        decay = f"{group['weight_decay']:g}"
        rows.append((group["name"], str(len(group["params"])), f"{count:,}", f"{group['peak_lr']:.3g}", decay))
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    if frozen:
        rows.append(("frozen", str(len(frozen)), f"{sum(p.numel() for p in frozen):,}", "-", "-"))
    return "\n".join(aligned(["learning", " tensors", " parameters", " peak lr", " weight decay"], rows))


def word_embedding(model: nn.Module) -> nn.Parameter | None:
    """The backbone's, whatever it is called."""
    backbone = getattr(model, "backbone", None)
    return backbone.get_input_embeddings().weight if hasattr(backbone, "get_input_embeddings") else None


def layer_number(name: str, default: int) -> int:
    """encoder.layer.3.attention..., layers.3.mlp... -> 3; `default` outside of numbered layers."""
    found = re.search(r"\.layers?\.(\d+)\.", name)
    return int(found.group(1)) if found else default


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """Fused AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101)."""
    return torch.optim.AdamW(parameter_groups(model, config), lr=config.lr, fused=True)
