"""What a token is to the relation, added to the word embedding before the backbone's own norm.

Legend: T tokens of all examples, E width of the backbone's embedding.
"""

import inspect
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from data.batch import Batch


class EntityEmbeddings(nn.Module):
    """A vector for each role (none, subject, object) and each entity type (none, then those of data.types).

    They are zero at first, so that the model of step 0 is the pretrained one. `kinds` says which of the two there are.
    """

    def __init__(self, kinds: list[Literal["role", "type"]], types: int, width: int):
        super().__init__()
        self.role_table = nn.Parameter(torch.zeros(3, width)) if "role" in kinds else None
        self.type_table = nn.Parameter(torch.zeros(types + 1, width)) if "type" in kinds else None

    def forward(self, batch: Batch) -> Tensor:
        """-> (T, E), to be added to the embeddings of the tokens."""
        found = [(batch.roles, self.role_table), (batch.types, self.type_table)]
        return sum(F.embedding(numbers, table) for numbers, table in found if table is not None)  # (T, E)


def embedding_width(backbone: PreTrainedModel) -> int:
    """Width of a backbone's embedding (ELECTRA's is not its hidden size). ValueError where nothing can be added."""
    if "inputs_embeds" not in inspect.signature(backbone.forward).parameters:
        raise ValueError(f"model.entity_embeddings: {backbone.config.model_type} takes token numbers only; expected []")
    return backbone.get_input_embeddings().embedding_dim
