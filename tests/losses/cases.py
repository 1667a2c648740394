"""What every loss is tried with: options, class counts, and random batches with views and groups.

Legend: B examples, V views of each, C classes, F features.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from losses import LOSSES

COUNTS = torch.tensor([40, 1, 7, 0, 19, 3])  # the fourth class has no training example
C, F = len(COUNTS), 5

# name of a case: loss and options; every loss has one that is called as it is
CASES: dict[str, tuple[str, dict]] = {
    "cross_entropy": ("cross_entropy", {}),
    "cross_entropy-inverse_frequency": ("cross_entropy", {"class_weights": "inverse_frequency"}),
    "cross_entropy-class_balanced": ("cross_entropy", {"class_weights": "class_balanced", "beta": 0.9}),
    "label_smoothing": ("label_smoothing", {"smoothing": 0.2}),
    "label_smoothing-inverse_frequency": ("label_smoothing", {"class_weights": "inverse_frequency"}),
    "focal": ("focal", {}),
    "focal-smoothing-class_balanced": (
        "focal",
        {"gamma": 1.5, "smoothing": 0.1, "class_weights": "class_balanced", "beta": 0.9},
    ),
    "focal-root": ("focal", {"gamma": 0.5}),
    "class_balanced": ("class_balanced", {}),
    "class_balanced-smoothing": ("class_balanced", {"beta": 0.9, "smoothing": 0.1}),
    "inverse_frequency": ("inverse_frequency", {}),
    "ldam": ("ldam", {"scale": 2.0}),
    "ldam-class_balanced": ("ldam", {"max_margin": 0.3, "scale": 8.0, "class_weights": "class_balanced", "beta": 0.99}),
    "balanced_softmax": ("balanced_softmax", {}),
    "logit_adjustment": ("logit_adjustment", {"tau": 0.7}),
    "logit_adjustment-inverse_frequency": ("logit_adjustment", {"class_weights": "inverse_frequency"}),
    "poly1": ("poly1", {}),
    "poly1-negative": ("poly1", {"epsilon": -0.5, "class_weights": "inverse_frequency"}),
    "dice": ("dice", {}),
    "dice-alpha_1": ("dice", {"alpha": 1.0}),
    "dice-root": ("dice", {"alpha": 0.6, "smooth": 0.5, "class_weights": "inverse_frequency"}),
    "generalized_cross_entropy": ("generalized_cross_entropy", {}),
    "generalized_cross_entropy-weighted": ("generalized_cross_entropy", {"q": 0.3, "class_weights": "class_balanced"}),
    "symmetric_cross_entropy": ("symmetric_cross_entropy", {}),
    "symmetric_cross_entropy-weighted": (
        "symmetric_cross_entropy",
        {"alpha": 0.5, "reverse": 2.0, "log_zero": -6.0, "class_weights": "inverse_frequency"},
    ),
    "r_drop": ("r_drop", {"alpha": 0.7}),
    "r_drop-focal": (
        "r_drop",
        {"base": "focal", "base_options": {"gamma": 1.0, "class_weights": "class_balanced", "beta": 0.9}},
    ),
    "supervised_contrastive": ("supervised_contrastive", {"factor": 0.5, "temperature": 0.3, "group": 4}),
    "supervised_contrastive-one_view": (
        "supervised_contrastive",
        {
            "factor": 2.0,
            "group": 4,
            "views": 1,
            "base": "logit_adjustment",
            "base_options": {"class_weights": "inverse_frequency"},
        },
    ),
}


class Output(NamedTuple):
    """What a loss reads of a model's output."""

    logits: Tensor
    features: Tensor


def make(name: str, options: dict, counts: Tensor = COUNTS) -> nn.Module:
    return LOSSES[name](class_counts=counts, **options)


def draw(views: int, examples: int = 10, seed: int = 0, classes: int = C, dtype=torch.float64) -> tuple[Output, Tensor]:
    """Logits (B * V, C), features (B * V, F) and labels (B * V,), the views of an example next to each other.

    Ten examples in groups of four leave a short group; each class is there, the one without training examples, too.
    """
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(examples * views, classes, generator=random, dtype=torch.float64)
    features = torch.randn(examples * views, F, generator=random, dtype=torch.float64)
    labels = torch.arange(examples) % classes
    labels = labels[torch.randperm(examples, generator=random)].repeat_interleave(views)
    return Output(logits.to(dtype), features.to(dtype)), labels
