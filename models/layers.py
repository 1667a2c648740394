"""The layers of a backbone: which of them learn, and which start anew."""

from torch import nn
from transformers import PreTrainedModel


def layers_of(backbone: PreTrainedModel, key: str) -> nn.ModuleList:
    """Its layers from the bottom up. Raises ValueError that names the option `key` where it has no list of them."""
    count = backbone.config.num_hidden_layers
    found = [module for module in backbone.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if len(found) != 1:
        raise ValueError(
            f"{key}: {backbone.config.model_type} has {len(found) or 'no'} lists of its {count} layers, expected one; "
            "only none or all of it can be chosen"
        )
    return found[0]


def freeze(backbone: PreTrainedModel, what: str | int) -> None:
    """Keep weights as they are: "none", "embeddings", a number (embeddings and so many first layers), or "all"."""
    if what == "none":
        return
    if what == "all":
        backbone.requires_grad_(False)
        return
    backbone.get_input_embeddings().requires_grad_(False)  # whatever it is called
    for name, parameter in backbone.named_parameters():
        if name.startswith(("embeddings", "embed_")):  # ELECTRA has embeddings_project beside them
            parameter.requires_grad_(False)
    if isinstance(what, int):
        layers = layers_of(backbone, "model.freeze")
        if what > len(layers):
            raise ValueError(f"model.freeze: got {what}, but the backbone has {len(layers)} layers")
        for layer in layers[:what]:
            layer.requires_grad_(False)


def start_anew(backbone: PreTrainedModel, fresh: PreTrainedModel, count: int) -> None:
    """Give the top `count` layers the weights of `fresh`, a new backbone of the same configuration.

    Zhang et al. 2021, arXiv 2006.05987: the top layers are the most fitted to pretraining.
    """
    old, new = layers_of(backbone, "model.reinit"), layers_of(fresh, "model.reinit")
    if count > len(old):
        raise ValueError(f"model.reinit: got {count}, but the backbone has {len(old)} layers")
    for before, after in zip(old[-count:], new[-count:], strict=True):
        before.load_state_dict(after.state_dict())
