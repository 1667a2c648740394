"""From features (B, F) to logits (B, C).

A head is made with the width of its features, the hidden size, the number of classes and its own options
(`model.head_options`). Those of `models/sentence_heads.py` read all hidden states in the place of a pooling. Adding
one = a class and a line in HEADS.

Legend: B examples, F features, H hidden size, C classes.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.segments import wide
from models.sentence_heads import BiGruHead, BiLstmHead, CnnHead


class LinearHead(nn.Module):
    """Dropout and one linear layer."""

    reads_sentence = False

    def __init__(self, features: int, hidden_size: int, classes: int, dropout: float = 0.1):
        """
        dropout: share of units dropped, 0 up to below 1.
        """
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(self.dropout(features))  # (B, C)


class MlpHead(nn.Module):
    """Dropout, dense to H, GELU, dropout, linear."""

    reads_sentence = False

    def __init__(self, features: int, hidden_size: int, classes: int, dropout: float = 0.1):
        """
        dropout: share of units dropped, 0 up to below 1.
        """
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(features, hidden_size)
        self.activation = nn.GELU()
        self.out = nn.Linear(hidden_size, classes)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.activation(self.dense(self.dropout(features)))  # (B, H)
        return self.out(self.dropout(hidden))  # (B, C)


class DeepHead(nn.Module):
    """Several dense layers with GELU, then linear.

    `layers` times dropout, dense to `width` * H, GELU; then dropout and linear.
    """

    reads_sentence = False

    def __init__(
        self, features: int, hidden_size: int, classes: int, dropout: float = 0.1, layers: int = 2, width: int = 2
    ):
        """
        dropout: share of units dropped before each layer, 0 up to below 1.
        layers: how many dense layers before the last one.
        width: of these, in hidden sizes.
        """
        super().__init__()
        at_least(1, layers=layers, width=width)
        sizes = [features] + layers * [width * hidden_size]
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.activation = nn.GELU()
        self.out = nn.Linear(sizes[-1], classes)

    def forward(self, features: Tensor) -> Tensor:
        for dense in self.dense:
            features = self.activation(dense(self.dropout(features)))  # (B, width * H)
        return self.out(self.dropout(features))  # (B, C)


class MultiSampleDropoutHead(nn.Module):
    """One linear layer under several dropout masks.

    The logits of the `samples` masks are averaged; without dropout it is the linear head.
    Inoue 2019, arXiv 1905.09788, which averages the losses of the samples instead.
    """

    reads_sentence = False

    def __init__(self, features: int, hidden_size: int, classes: int, dropout: float = 0.5, samples: int = 5):
        """
        dropout: share of units dropped in each sample, 0 up to below 1.
        samples: how many dropout masks.
        """
        super().__init__()
        at_least(1, samples=samples)
        self.samples = samples
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return self.out(features)  # (B, C)
        return torch.stack([self.out(self.dropout(features)) for _ in range(self.samples)]).mean(dim=0)  # (B, C)


class CosineHead(nn.Module):
    """Cosines to a vector for each class, times `scale`.

    Features and vectors are normalised, there is no bias.
    Wang et al. 2018, arXiv 1801.09414; the classifier that LDAM needs (Cao et al. 2019, arXiv 1906.07413).
    """

    reads_sentence = False

    def __init__(self, features: int, hidden_size: int, classes: int, dropout: float = 0.1, scale: float = 30.0):
        """
        dropout: share of units dropped, 0 up to below 1.
        scale: of the cosines, above 0; that of the loss ldam is the same.
        """
        super().__init__()
        if not scale > 0:
            raise ValueError(f"model.head_options.scale: got {scale}, expected a number above 0")
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(features, classes, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        directions = F.normalize(wide(self.dropout(features)), dim=1)  # (B, F); squares overflow in float16
        return self.scale * F.linear(directions, F.normalize(wide(self.out.weight), dim=1))  # (B, C)


def at_least(least: int, **options: int) -> None:
    for name, value in options.items():
        if value < least:
            raise ValueError(f"model.head_options.{name}: got {value}, expected {least} or more")


HEADS = {
    "linear": LinearHead,
    "mlp": MlpHead,
    "deep": DeepHead,
    "multi_sample_dropout": MultiSampleDropoutHead,
    "cosine": CosineHead,
    "bilstm": BiLstmHead,
    "bigru": BiGruHead,
    "cnn": CnnHead,
}
