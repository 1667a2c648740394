"""The one list of scores, each with its title. Importing it costs nothing, which engine/notify needs."""

SCORES = {
    "micro_f1": "micro-F1", "auprc": "AUPRC", "accuracy": "accuracy", "macro_f1": "macro-F1",
    "semeval": "SemEval F1", "micro_f1_prior": "micro-F1, prior", "auprc_prior": "AUPRC, prior",
    "accuracy_prior": "accuracy, prior",
}  # fmt: skip
WEIGHTED = tuple(name for name in SCORES if f"{name}_prior" in SCORES)  # there is one with eval.label_prior, too
