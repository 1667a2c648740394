"""What a new model holds, looked at while it is built: weights under two names, and first weights that are lost.

Both would come to light late: the first when a checkpoint is written, the second never.
"""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

Made = MutableMapping[nn.Module, dict[str, tuple[int, float]]]  # module -> its own tensors -> `trace`
# torch's classes that draw their weights, each with the method that does so and its name
DRAW = {
    kind: (name, vars(kind)[name])
    for public in vars(nn).values()
    if isinstance(public, type) and issubclass(public, nn.Module)
    for kind in public.__mro__
    for name in ("reset_parameters", "_reset_parameters")
    if name in vars(kind)
}


def one_name_each(model: PreTrainedModel) -> None:
    """Raises ValueError where weights can be reached under two names, and the model does not declare that it ties them.

    Those are one module or parameter in two places, and parameters that are parts of one another.
    """
    storages: dict[tuple, list[tuple[int, int, str]]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, Tensor) and tensor.numel():
            places = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)) + 1
            end = tensor.data_ptr() + places * tensor.element_size()
            storage = tensor.device, tensor.untyped_storage().data_ptr()
            storages.setdefault(storage, []).append((tensor.data_ptr(), end, name))
    tied = {name: {name, source} for name, source in getattr(model, "all_tied_weights_keys", {}).items()}
    for parts in storages.values():
        (_, end, name), *others = sorted(parts, key=lambda part: part[0])  # of those that start alike, as they came
        for start, other_end, other in others:
            if start < end and not tied.get(name, {name}) & tied.get(other, {other}):
                raise ValueError(two_names(model, name, other))
            if other_end > end:
                end, name = other_end, other


def two_names(model: PreTrainedModel, one: str, other: str) -> str:
    """The message, with the modules that are one rather than their weights."""
    kind, places = "the weight", (one, other)
    while all("." in place for place in places):
        (above, left), (beside, right) = (place.rsplit(".", 1) for place in places)
        if left != right or model.get_submodule(above) is not model.get_submodule(beside):
            break
        kind, places = "the module", (above, beside)
    return (
        f"model.name: {type(model).__name__} has {kind} {places[0]} under a second name, {places[1]}, and a checkpoint "
        "holds each weight once; keep one name and call it by that, or declare that they are tied: "
        f'_tied_weights_keys = {{"{other}": "{one}"}} in the class, tie_word_embeddings: bool = True in its config'
    )


def build_watched(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> tuple[PreTrainedModel, list[str]]:
    """`model_class(config)`, and the names of weights that its `__init__` had set when `post_init` drew them anew.

    Set: to another value than the module's own class gave it, in whatever way: in place, through `.data`, as a new
    parameter, as the vectors of `nn.Embedding.from_pretrained`. Nothing else is drawn than without watching.
    """
    lost: list[str] = []
    draw, own = model_class.init_weights, vars(model_class).get("init_weights")

    def init_weights(model: PreTrainedModel) -> None:
        """What the last line of `__init__` calls."""
        before = {} if type(model) is not model_class else dict(set_by_hand(model, made))  # else the backbone in it
        draw(model)
        lost.extend(name for name, tensor in before.items() if not equal(tensor, model.get_parameter_or_buffer(name)))

    with as_constructed() as made:
        model_class.init_weights = init_weights
        try:
            return model_class(config), lost
        finally:
            if own is None:
                del model_class.init_weights
            else:
                model_class.init_weights = own


def set_by_hand(model: PreTrainedModel, made: Made) -> Iterator[tuple[str, Tensor]]:
    """Copies of what `post_init` may draw anew although it does not hold what its module's class gave it."""
    plain = type(model)._init_weights is PreTrainedModel._init_weights  # else it may draw what has no values yet
    for place, module in model.named_modules():
        if getattr(module, "_is_hf_initialized", False):  # a backbone is drawn by its own class before
            continue
        first = made.get(module, {})
        for key, tensor in own_tensors(module):
            name = f"{place}.{key}" if place else key
            new = first.get(key) != trace(tensor) and name not in model.all_tied_weights_keys
            if new and (plain or isinstance(module, tuple(DRAW))):
                yield name, tensor.detach().clone()


@contextmanager
def as_constructed() -> Iterator[Made]:
    """The `trace` of weights that torch's own classes draw when they are constructed, noted while this is open."""
    made: Made = WeakKeyDictionary()

    def noting(draw: Callable[[nn.Module], None]) -> Callable[[nn.Module], None]:
        def drawn(module: nn.Module) -> None:
            draw(module)
            for part in module.modules():  # attention draws for its output layer, too
                made[part] = {key: trace(tensor) for key, tensor in own_tensors(part)}

        return drawn

    for kind, (name, draw) in DRAW.items():
        setattr(kind, name, noting(draw))
    try:
        yield made
    finally:
        for kind, (name, draw) in DRAW.items():
            setattr(kind, name, draw)


def own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a module itself."""
    for key, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
        if not tensor.is_meta:
            yield key, tensor


def trace(tensor: Tensor) -> tuple[int, float]:
    """What shows that somebody wrote into it: torch's count of writes, and the sum for those through `.data`."""
    return tensor._version, tensor.detach().sum().item()


def equal(one: Tensor, other: Tensor) -> bool:
    """To the last bit; memory that nobody wrote to may hold NaN."""
    if one.shape != other.shape or not one.is_floating_point():
        return torch.equal(one, other)
    return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
