"""A saved model opened again: built from its configuration as a run builds it, with the saved weights loaded into it.

`from_pretrained` of transformers builds without memory, so that what no file holds comes back as it happens to lie
there: buffers with persistent=False, tensors that are plain attributes.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel

PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def open_saved(folder: str | Path) -> tuple[PreTrainedModel, list[str]]:
    """The model of `save_pretrained` in `folder`, and the names of weights that the folder lacks. No code of the
    folder is run.

    Draws nothing from torch's generator. Raises OSError, ValueError, RuntimeError or SafetensorError for what cannot be
    opened.
    """
    folder = Path(folder)
    if not [*folder.glob("*.safetensors")]:
        others = ", ".join(sorted(path.name for kind in PICKLED for path in folder.glob(kind)))
        raise ValueError(
            f"{folder} has no weights; expected model.safetensors"
            + (f", and {others} may hold code that runs when it is read" if others else "")
        )
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    with torch.random.fork_rng(devices=[]):  # first weights are drawn and overwritten
        model = AutoModel.from_config(config, trust_remote_code=False)
    weights, missing = saved_weights(folder, model)
    model.load_state_dict(weights, strict=False)
    return model.eval(), missing


def saved_weights(folder: Path, model: PreTrainedModel) -> tuple[dict[str, Tensor], list[str]]:
    """The weights under the names that `model` has for them, and the names that are missing."""
    weights: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights |= load_file(path)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} | tied_shapes(model, weights) == wanted:
        return weights, []
    # other names or files: transformers knows more forms than one, and says what is wrong with shapes
    loaded, report = AutoModel.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    return loaded.state_dict(), sorted(report["missing_keys"])


def tied_shapes(model: PreTrainedModel, weights: dict[str, Tensor]) -> dict[str, torch.Size]:
    """Shapes of the names that the model declares to be another's, where the file holds that one alone."""
    tied = model.all_tied_weights_keys
    return {name: weights[source].shape for name, source in tied.items() if name not in weights and source in weights}
