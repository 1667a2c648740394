"""What types cannot say of a configuration: ranges, combinations, options that do nothing."""

import dataclasses

from data.labels import LEARNED
from engine.config import Config, ModelConfig, shown
from engine.notify.deliver import OUTCOMES, VARIABLE, address


def without_effect(config: Config, given) -> list[str]:
    """A warning for every key of `given` (those of the command line) that does nothing in this configuration."""
    idle = {
        "model.scratch.": (config.model.backbone is not None, "model.backbone is set"),
        "eval.": (not config.has_dev, "data.dev is null and nothing is held out"),
        "notify.": (not address(), f"{VARIABLE} is not set"),
        "optim.layer_decay": (config.model.freeze == "all", "model.freeze is all"),
        "optim.entity_lr": (not config.model.entity_embeddings, "model.entity_embeddings is empty"),
        "data.marker": (
            config.data.format == "text" and config.data.marker != "none",
            "data.format text has no entities",
        ),
        "data.query": (
            config.data.format == "text" and config.data.query != "none",
            "data.format text has no entities",
        ),
        "data.types": (
            config.data.format in ("text", "inline", "semeval", "fewrel"),
            f"data.format {config.data.format} has no types",
        ),
        "data.type_words": (config.data.marker not in ("typed", "typed_punct"), f"data.marker is {config.data.marker}"),
    }
    return [
        f"warning: {key} has no effect: {reason}"
        for key in given
        for prefix, (unused, reason) in idle.items()
        if unused and key.startswith(prefix)
    ]


def check(config: Config) -> None:
    """Ranges and combinations that types cannot say; all problems at once."""
    problems = []

    def require(condition: bool, key: str, wanted: str) -> None:
        if not condition:
            section, name = key.split(".", 1)
            value = getattr(config, section)
            for part in name.split("."):
                value = getattr(value, part)
            problems.append(f"{key}: got {shown(value)}, expected {wanted}")

    for key in ("train.epochs", "train.batch_size", "train.log_every", "eval.batch_size"):
        section, name = key.split(".")
        require(getattr(getattr(config, section), name) >= 1, key, "1 or more")
    for key in (
        "run.threads", "train.max_updates", "train.micro_batch_size", "train.micro_tokens", "train.save_every",
        "eval.every", "eval.patience",
    ):  # fmt: skip
        section, name = key.split(".")
        value = getattr(getattr(config, section), name)
        require(value is None or value >= 1, key, "1 or more, or null")
    for name in ("hidden_size", "layers", "heads"):
        require(getattr(config.model.scratch, name) >= 1, f"model.scratch.{name}", "1 or more")
    require(8 <= config.data.max_length <= 65536, "data.max_length", "8 to 65536")
    require(config.run.seed >= 0, "run.seed", "0 or more")
    require(config.optim.lr is None or config.optim.lr > 0, "optim.lr", "a number above 0, or null")
    require(config.optim.head_lr is None or config.optim.head_lr > 0, "optim.head_lr", "a number above 0, or null")
    require(
        config.optim.entity_lr is None or config.optim.entity_lr > 0, "optim.entity_lr", "a number above 0, or null"
    )
    require(0 < config.optim.layer_decay <= 1, "optim.layer_decay", "a number above 0, up to 1")
    require(config.optim.weight_decay >= 0, "optim.weight_decay", "0 or more")
    require(0 <= config.optim.warmup <= 1, "optim.warmup", "a share of the updates, 0 to 1")
    require(
        config.train.max_grad_norm is None or config.train.max_grad_norm > 0,
        "train.max_grad_norm",
        "a number above 0, or null",
    )
    require(config.model.dropout is None or 0 <= config.model.dropout < 1, "model.dropout", "0 up to below 1, or null")
    for name in (each.name for each in dataclasses.fields(config.data.columns)):
        require(getattr(config.data.columns, name) != "", f"data.columns.{name}", "the name of a column, or null")
    require(config.data.negatives is None or config.data.negatives.strip() != "", "data.negatives", "a label, or null")
    require(0 <= config.data.max_skipped <= 1, "data.max_skipped", "a share of the rows, 0 to 1")
    require(
        config.data.types == LEARNED or len(set(config.data.types)) == len(config.data.types) > 0,
        "data.types",
        "different names",
    )
    require(set(config.notify.when) <= set(OUTCOMES), "notify.when", f"a list of {', '.join(OUTCOMES)}")
    name = config.run.name
    require(
        name is None or (name not in ("", ".", "..") and not set(name) & set("/\\\0") and len(name.encode()) <= 200),
        "run.name",
        "a folder name without slashes, at most 200 bytes long, or null",
    )
    words = config.model.added_tokens
    texts = [*words, *words.values()] if isinstance(words, dict) else words
    require(all(t is None or isinstance(t, str) for t in texts), "model.added_tokens", "words, and texts or null")
    if config.model.backbone is None and config.model.tokenizer is None:
        problems.append("model.tokenizer: a backbone from nothing (model.backbone null) needs one: a folder, or sample")
    problems += check_dev(config)
    problems += check_model(config.model)
    if config.model.backbone is None and config.model.overrides:
        problems.append("model.overrides: has no effect without model.backbone; sizes are under model.scratch")
    if problems:
        raise ValueError("\n".join(problems))


def check_dev(config: Config) -> list[str]:
    """What is wrong between the options that say what is evaluated on."""
    data, problems = config.data, []
    if data.hold_out is not None and not 0 < data.hold_out < 1:
        problems.append(f"data.hold_out: got {data.hold_out}, expected a share above 0 and below 1, or null")
    if data.folds is not None and data.folds < 2:
        problems.append(f"data.folds: got {data.folds}, expected 2 or more, or null")
    if (data.fold is None) != (data.folds is None):
        problems.append(
            f"data.fold: got {shown(data.fold)} with data.folds {shown(data.folds)}; expected both or neither"
        )
    elif data.fold is not None and not 0 <= data.fold < data.folds:
        problems.append(f"data.fold: got {data.fold}, expected 0 to {data.folds - 1}")
    if data.hold_out is not None and data.folds is not None:
        problems.append("data.hold_out: data.folds is set, too; use one of both")
    if config.eval.metric.endswith("_prior") and config.eval.label_prior == "none":
        problems.append(f"eval.metric: {config.eval.metric} needs eval.label_prior, which is none")
    if config.eval.resamples < 0:
        problems.append(f"eval.resamples: got {config.eval.resamples}, expected 0 or more")
    if config.holds_out and data.dev is not None:
        key = "data.hold_out" if data.folds is None else "data.folds"
        problems.append(
            f"{key}: there is a dev file already (data.dev {data.dev!r}); add --data.dev null to hold rows out"
        )
    return problems


def check_model(model: ModelConfig) -> list[str]:
    """What is wrong between the options of the model."""
    problems = []
    for part in ("pooling_options", "head_options"):
        share = getattr(model, part).get("dropout")
        if share is not None and not 0 <= share < 1:
            problems.append(f"model.{part}.dropout: got {share}, expected 0 up to below 1")
        if None not in (share, model.dropout) and share != model.dropout:
            problems.append(
                f"model.{part}.dropout: got {share}, but model.dropout, which is for all, is {model.dropout}"
            )
    if isinstance(model.freeze, int) and (isinstance(model.freeze, bool) or model.freeze < 1):
        problems.append(f"model.freeze: got {model.freeze}, expected none, embeddings, all or a number of layers")
    if model.reinit < 0:
        problems.append(f"model.reinit: got {model.reinit}, expected 0 or more layers")
    if len(set(model.entity_embeddings)) < len(model.entity_embeddings):
        problems.append(f"model.entity_embeddings: got {model.entity_embeddings}, expected each kind once")
    if model.freeze == "all" and model.reinit:
        problems.append("model.reinit: new layers would never learn under model.freeze all")
    if model.backbone is None:
        unused = {"model.freeze": model.freeze != "none", "model.reinit": model.reinit > 0}
        problems += [
            f"{key}: a backbone from nothing (model.backbone null) has nothing to keep" for key in unused if unused[key]
        ]
    return problems
