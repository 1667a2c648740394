"""What must hold, as functions that the tests of the losses and the tests of wrong losses both call.

A loss is handed over as `make(class_counts=..., **options)`, so that a wrong one can stand in its place.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.losses.cases import COUNTS, C, Output, draw
from tests.losses.paper import paper

Make = Callable[..., nn.Module]
EXACT = {"atol": 1e-12, "rtol": 1e-12}


def close(mine: Tensor, theirs: Tensor, what: str, **limits) -> None:
    torch.testing.assert_close(mine, theirs, **(limits or EXACT), msg=lambda text: f"{what}: {text}")


def slope(values: Tensor, *inputs: Tensor) -> list[Tensor]:
    """The gradient of a sum, zeros for inputs that it does not depend on."""
    found = torch.autograd.grad(values.sum(), inputs, allow_unused=True)
    return [torch.zeros_like(one) if slope is None else slope for one, slope in zip(inputs, found, strict=True)]


def leaves(output: Output) -> Output:
    return Output(*(tensor.detach().requires_grad_() for tensor in output))


def equals_the_paper(make: Make, name: str, options: dict, counts: Tensor = COUNTS) -> None:
    """Values, weights and gradients of random batches are those of the formula, written as loops."""
    loss = make(class_counts=counts, **options)
    for seed in (0, 1):
        output, labels = draw(loss.views, seed=seed)
        output = leaves(output)
        values = loss(output, labels)
        expected, weights = paper(name, options, counts.tolist(), output, labels)
        close(values, expected, "values")
        close(loss.weight(labels[:: loss.views]), weights, "weights")
        for mine, theirs in zip(slope(values, *output), slope(expected, *output), strict=True):
            close(mine, theirs, "gradient", atol=1e-11, rtol=1e-11)


def equals_another(make: Make, options: dict, other: nn.Module, counts: Tensor = COUNTS, **limits) -> None:
    """A loss with such options is another loss on the mean of the views: values, weights and gradients."""
    loss = make(class_counts=counts, **options)
    output, labels = draw(loss.views)
    output = leaves(output)
    values, expected = loss(output, labels), other(output, labels).view(-1, loss.views).mean(dim=1)
    close(values, expected, "values", **limits)
    close(loss.weight(labels), other.weight(labels), "weights", **limits)
    for mine, theirs in zip(slope(values, *output), slope(expected, *output), strict=True):
        close(mine, theirs, "gradient", **limits)


def each_example_alone(make: Make, options: dict) -> None:
    """What stands in the same batch changes no example's value; groups see each other, and no other group."""
    loss = make(class_counts=COUNTS, **options)
    output, labels = draw(loss.views)
    whole, atom = loss(output, labels), loss.group * loss.views
    alone = [
        loss(Output(*(tensor[start : start + atom] for tensor in output)), labels[start : start + atom])
        for start in range(0, len(labels), atom)
    ]
    close(whole, torch.cat(alone), "values")


def permuting_classes_changes_nothing(make: Make, options: dict, seed: int = 0) -> None:
    """Another numbering of the classes, with their counts, gives the same values."""
    order = torch.randperm(C, generator=torch.Generator().manual_seed(seed))
    output, labels = draw(make(class_counts=COUNTS, **options).views, seed=seed)
    renamed = Output(output.logits[:, order], output.features), order.argsort()[labels]
    first = make(class_counts=COUNTS, **options)(output, labels)
    close(make(class_counts=COUNTS[order], **options)(*renamed), first, "values")


def permuting_the_batch_permutes_the_values(make: Make, options: dict, seed: int = 0) -> None:
    """Whole groups exchanged, and examples inside of groups; the views of an example stay together."""
    loss, random = make(class_counts=COUNTS, **options), torch.Generator().manual_seed(seed)
    groups = 3
    output, labels = draw(loss.views, examples=groups * loss.group, seed=seed)
    places = torch.arange(len(labels) // loss.views).view(groups, loss.group)
    places = places[torch.randperm(groups, generator=random)][:, torch.randperm(loss.group, generator=random)].flatten()
    rows = (places[:, None] * loss.views + torch.arange(loss.views)).flatten()
    moved = Output(*(tensor[rows] for tensor in output)), labels[rows]
    close(loss(*moved), loss(output, labels)[places], "values")


def shifting_logits_changes_nothing(make: Make, options: dict) -> None:
    """A softmax does not see a number that is added to all logits of an example."""
    loss = make(class_counts=COUNTS, **options)
    output, labels = draw(loss.views)
    shift = torch.linspace(-9, 9, len(labels), dtype=torch.float64)[:, None]
    close(loss(output._replace(logits=output.logits + shift), labels), loss(output, labels), "values")


def stays_finite(make: Make, options: dict, dtype: torch.dtype, classes: int = C, examples: int = 10) -> None:
    """Logits of +-1e4, so that probabilities are 0 and 1: values and gradients are finite, in float32 or better."""
    counts = COUNTS[:classes] if classes == C else torch.full((classes,), 5)
    loss = make(class_counts=counts, **options)
    output, labels = draw(loss.views, examples, classes=classes)
    for kind in range(4):
        logits = output.logits.clone()
        if kind == 0:
            logits[:] = -1e4
            logits.scatter_(1, labels[:, None], 1e4)  # all right
        elif kind == 1:
            logits[:] = -1e4
            logits.scatter_(1, (labels[:, None] + 1) % classes, 1e4)  # all wrong, if there is another class
        elif kind == 2:
            logits[::2] = 1e4 * logits[::2].sign()  # ties, and views that contradict each other
            logits[1::2] = -1e4 * logits[1::2].sign()
        features = output.features * (0 if kind == 3 else 1e3)
        extreme = leaves(Output(logits.to(dtype), features.to(dtype)))
        values = loss(extreme, labels)
        wanted = torch.float64 if dtype == torch.float64 else torch.float32
        assert values.dtype == wanted, f"{dtype}: got {values.dtype}"
        assert values.shape == (examples,), f"got {values.shape}"
        assert bool(torch.isfinite(values).all()), f"{dtype}, {classes} classes, kind {kind}: {values}"
        for gradient in slope(values, *extreme):
            assert bool(torch.isfinite(gradient).all()), f"{dtype}, {classes} classes, kind {kind}: {gradient}"


def keeps_the_digits_of_float32(make: Make, options: dict) -> None:
    """float32 gives what float64 gives, to a few of its steps at logits of 20, times the largest weight and factor."""
    loss = make(class_counts=COUNTS, **options)
    output, labels = draw(loss.views)
    logits = output.logits
    logits[torch.arange(len(labels)), labels] += torch.linspace(0, 14, len(labels), dtype=torch.float64)
    output = Output(logits.float().double(), output.features.float().double())
    narrow = Output(*(tensor.float() for tensor in output))
    close(loss(narrow, labels).double(), loss(output, labels), "values", rtol=5e-6, atol=2e-5)


def gradient_is_the_slope(make: Make, options: dict) -> None:
    """torch.autograd.gradcheck by finite differences, in float64, with the views and the features."""
    loss = make(class_counts=COUNTS, **options)
    output, labels = draw(loss.views, examples=6)
    assert torch.autograd.gradcheck(
        lambda logits, features: loss(Output(logits, features), labels), tuple(leaves(output)), fast_mode=False
    )


def compiles(make: Make, options: dict) -> None:
    """One graph without breaks, and the same numbers."""
    torch.compiler.reset()
    loss = make(class_counts=COUNTS, **options)
    output, labels = draw(loss.views, dtype=torch.float32)
    close(torch.compile(loss, backend="eager", fullgraph=True)(output, labels), loss(output, labels), "values")


def weights_follow_the_labels(make: Make, options: dict) -> None:
    """The loader asks on the host, the loop on the device; the device `meta` stands for a GPU."""
    loss = make(class_counts=COUNTS, **options).to("meta")
    for device in ("cpu", "meta"):
        found = loss.weight(torch.tensor([0, 2], device=device))
        assert found.device.type == device, f"got {found.device}"


def weights_begin_late(make: Make, options: dict, plain: nn.Module, weighted: nn.Module) -> None:
    """`options` with drw_epoch 2 are `plain` in epochs 0 and 1, then `weighted`: values and weights."""
    loss = make(class_counts=COUNTS, **options)
    output, labels = draw(loss.views, examples=16)
    assert not torch.equal(plain(output, labels), weighted(output, labels))
    for epoch, expected in enumerate((plain, plain, weighted, weighted)):
        now = loss.at(epoch)
        close(now(output, labels), expected(output, labels), f"values of epoch {epoch}")
        close(now.weight(labels), expected.weight(labels), f"weights of epoch {epoch}")
        assert (now.views, now.group) == (loss.views, loss.group)
    # asking for one epoch changes no other
    close(loss(output, labels), weighted(output, labels), "values")
