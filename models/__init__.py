"""Models: a backbone, a pooling, a head. Importing this package lets AutoConfig and AutoModel open what was saved.

    model(batch) -> Output(logits (B, C), features (B, F))

`batch` is a `data.batch.Batch`: tokens end to end, without padding. Adding a model = one file + one line in MODELS.
"""

from transformers import AutoConfig, AutoModel

from models.relation import RelationModel

MODELS = {
    "relation": RelationModel,
}

for model in MODELS.values():
    AutoConfig.register(model.config_class.model_type, model.config_class, exist_ok=True)
    AutoModel.register(model.config_class, model, exist_ok=True)
