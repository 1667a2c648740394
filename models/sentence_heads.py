"""Heads that read the hidden states of the whole sentence in the place of a pooling.

`read(hidden, batch)` makes features (B, F) of packed states, `forward` makes logits (B, C) of them. They would be
poolings under the head `linear`, but saved models and configurations know them and their weights as heads.

Legend: B examples, T tokens of all of them, H hidden size, C classes.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from data.batch import Batch
from models.segments import largest


class SentenceHead(nn.Module):
    """Reads what a pooling would, and all of it; then `dropout` and the linear layer `out`."""

    reads_sentence = True

    def places(self, batch: Batch) -> Tensor | None:
        """As a pooling's: it reads all tokens."""
        return None

    def forward(self, features: Tensor) -> Tensor:
        return self.out(self.dropout(features))  # (B, C)


class RecurrentHead(SentenceHead):
    """A recurrent network in both directions over the sentence, then dropout and a linear layer.

    Its features are the last states of the top layer: forwards at the last token, backwards at the first one.
    """

    network: type[nn.RNNBase]

    def __init__(
        self,
        features: int,
        hidden_size: int,
        classes: int,
        dropout: float = 0.1,
        layers: int = 1,
        size: int | None = None,
    ):
        """
        dropout: share of units dropped, between the layers, too; 0 up to below 1.
        layers: how many recurrent layers.
        size: units in each direction. null = half the hidden size.
        """
        super().__init__()
        if layers < 1 or (size is not None and size < 1):
            raise ValueError(f"model.head_options: got layers {layers} and size {size}, expected 1 or more")
        size = size or (hidden_size + 1) // 2
        between = dropout if layers > 1 else 0.0
        self.rnn = self.network(hidden_size, size, num_layers=layers, dropout=between, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * size, classes)

    def read(self, hidden: Tensor, batch: Batch, places: None = None) -> Tensor:
        """hidden (T, H) -> (B, 2 * size)."""
        hidden = hidden.to(self.rnn.weight_ih_l0.dtype)  # autocast knows no recurrent networks on the CPU
        sentences = pack_sequence(hidden.split(batch.lengths.tolist()), enforce_sorted=False)
        last = self.rnn(sentences)[1]  # (2 * layers, B, size); an LSTM gives its cells, too
        last = last[0] if isinstance(last, tuple) else last
        return torch.cat([last[-2], last[-1]], dim=1)  # (B, 2 * size); layer by layer, forwards before backwards


class BiLstmHead(RecurrentHead):
    """An LSTM over the sentence in both directions.

    Hochreiter and Schmidhuber 1997; Schuster and Paliwal 1997.
    """

    network = nn.LSTM


class BiGruHead(RecurrentHead):
    """A GRU over the sentence in both directions.

    Cho et al. 2014, arXiv 1406.1078.
    """

    network = nn.GRU


class CnnHead(SentenceHead):
    """Convolutions over the sentence and their maxima.

    Then ReLU, the maximum of each filter, dropout, linear: Kim 2014, arXiv 1408.5882. `filters` of each width in
    `kernels`. A sentence sees zeros beyond its ends, never its neighbour in the batch.
    """

    def __init__(
        self,
        features: int,
        hidden_size: int,
        classes: int,
        dropout: float = 0.1,
        filters: int = 100,
        kernels: list[int] | None = None,
    ):
        """
        dropout: share of units dropped, 0 up to below 1.
        filters: how many of each width.
        kernels: their widths in tokens. null = [3, 4, 5].
        """
        super().__init__()
        kernels = [3, 4, 5] if kernels is None else kernels
        if filters < 1 or not kernels or min(kernels) < 1:
            raise ValueError(f"model.head_options: got filters {filters}, kernels {kernels}, expected 1 or more")
        self.kernels = kernels
        self.filters = nn.ModuleList(nn.Linear(width * hidden_size, filters) for width in kernels)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(len(self.kernels) * filters, classes)

    def read(self, hidden: Tensor, batch: Batch, places: None = None) -> Tensor:
        """hidden (T, H) -> (B, filters * number of kernels)."""
        rows, place = batch.rows, torch.arange(len(hidden), device=hidden.device)
        maxima = []
        for width, weights in zip(self.kernels, self.filters, strict=True):
            window = place[:, None] + torch.arange(width, device=hidden.device) - (width - 1) // 2  # (T, width)
            inside = (window >= batch.offsets[rows, None]) & (window < batch.offsets[rows + 1, None])
            states = hidden[window.clamp(0, len(hidden) - 1)]  # (T, width, H)
            states = torch.where(inside[..., None], states, states.new_zeros(()))
            maxima.append(largest(torch.relu(weights(states.flatten(1))), rows, len(batch)))  # (B, filters)
        return torch.cat(maxima, dim=1)
