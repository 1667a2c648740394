"""Which hidden states stand for the sentence. All read packed tokens, so padding cannot leak in.

Legend: B examples, T tokens of all of them, H hidden size.
"""

import torch
from torch import Tensor, nn

from data.batch import Batch


class ClsPooling(nn.Module):
    """The state of the first token, [CLS]."""

    needs_entities = False

    def __init__(self, hidden_size: int):
        super().__init__()
        self.features = hidden_size

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, H)."""
        return hidden[batch.offsets[:-1]]  # (B, H)


class EntityStartPooling(nn.Module):
    """[CLS] and the first token of both marked spans: the opening markers, or the entities where none are used.

    Baldini Soares et al. 2019, Matching the Blanks, arXiv 1906.03158 ("entity start"), with [CLS] in front.
    """

    needs_entities = True

    def __init__(self, hidden_size: int):
        super().__init__()
        self.features = 3 * hidden_size

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, 3H)."""
        places = torch.stack([batch.offsets[:-1], batch.subject[:, 0, 0], batch.object[:, 0, 0]], dim=1)  # (B, 3)
        # a new tensor: FSDP2 hooks into what a model returns, and loses its hook where a loss changes a view in place
        return torch.cat(hidden[places].unbind(1), dim=1)  # (B, 3H)


POOLINGS = {
    "cls": ClsPooling,
    "entity_start": EntityStartPooling,
}
