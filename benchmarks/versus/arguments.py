"""TrainingArguments: as people use the Trainer, and the sets that are tried to tune it."""

COLLATOR, SORTED = "pad_to_multiple_of", "sorted_by_length"  # no arguments of the Trainer, but of what people give it


def train_default(device: str) -> dict:
    """The Trainer as people use it: its defaults, and on a GPU bf16."""
    return {"bf16": True} if device == "cuda" else {}


def train_tuned(device: str, grouped: dict) -> list[dict]:
    """Argument sets worth trying, the plain ones first; `grouped` is how this version asks for grouped lengths."""
    base = grouped | {"bf16": True, "optim": "adamw_torch_fused", "logging_nan_inf_filter": False}
    workers = {"dataloader_num_workers": 2, "dataloader_persistent_workers": True}
    compiled, multiple = {"torch_compile": True}, {COLLATOR: 8}
    sets = [base, base | workers, base | workers | multiple, base | compiled, base | workers | compiled]
    if device == "cuda":
        return [*sets, base | workers | compiled | multiple, base | workers | compiled | {COLLATOR: 32}]
    return [*sets, base | {"bf16": False}]


def predict_default(device: str) -> dict:
    return train_default(device)


def predict_tuned(device: str) -> list[dict]:
    base = {"bf16": True, SORTED: True}
    sets = [base | {"per_device_eval_batch_size": size} for size in (64, 32, 128)]
    sets += [
        {"bf16_full_eval": True, SORTED: True, "per_device_eval_batch_size": 64},
        sets[0] | {"dataloader_num_workers": 2},
        sets[0] | {COLLATOR: 8},
    ]
    if device == "cuda":
        large = {"bf16_full_eval": True, SORTED: True, "per_device_eval_batch_size": 256, "dataloader_num_workers": 2}
        return [*sets, large, large | {"torch_compile": True, COLLATOR: 32}]
    return [*sets, {SORTED: True, "per_device_eval_batch_size": 64}]
