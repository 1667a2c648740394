"""From features (B, F) to logits (B, C).

Legend: B examples, F features, H hidden size, C classes.
"""

from torch import Tensor, nn


class LinearHead(nn.Module):
    """Dropout and one linear layer."""

    def __init__(self, features: int, hidden_size: int, classes: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(self.dropout(features))  # (B, C)


class MlpHead(nn.Module):
    """Dropout, dense to H, GELU, dropout, linear."""

    def __init__(self, features: int, hidden_size: int, classes: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(features, hidden_size)
        self.activation = nn.GELU()
        self.out = nn.Linear(hidden_size, classes)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.activation(self.dense(self.dropout(features)))  # (B, H)
        return self.out(self.dropout(hidden))  # (B, C)


HEADS = {
    "linear": LinearHead,
    "mlp": MlpHead,
}
