"""Models: a backbone, a pooling, a head. Importing this package lets AutoConfig and AutoModel open what was saved.

    model(batch) -> Output(logits (B, C), features (B, F))

`batch` is a `data.batch.Batch`: tokens end to end, without padding. Adding a model = one file + one line in MODELS.
"""

from transformers import AutoConfig, AutoModel

from models.relation import RelationConfig, RelationModel

MODELS = {
    "relation": RelationModel,
}

AutoConfig.register(RelationConfig.model_type, RelationConfig, exist_ok=True)
AutoModel.register(RelationConfig, RelationModel, exist_ok=True)
