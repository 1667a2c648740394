"""What a run prints before it starts: the resolved configuration and what follows from it."""

from accelerate import Accelerator
from transformers import PreTrainedModel

from data.reasons import skipped_lines
from data.store.token_store import TokenStore
from engine.config import Config
from engine.loader import Loader
from engine.optim import describe_groups
from engine.parts import Data


def describe(
    config: Config,
    data: Data,
    loader: Loader,
    total: int,
    model: PreTrainedModel,
    accelerator: Accelerator,
    precision: str,
    threads: int,
    notes: list[str],
) -> str:
    """The resolved configuration and what follows from it. `notes`: lines about the model's making."""
    lines = [config.to_yaml().rstrip(), ""]
    for part, store in data.files.items():
        facts = store.facts
        lines.append(
            f"{part:<12} {facts['rows']:,} examples, {facts['tokens']:,} tokens "
            f"({facts['tokens'] / facts['rows']:.1f} each, longest {store.lengths.max()}), "
            f"{100 * facts['unknown'] / facts['tokens']:.2f} % unknown, "
            f"{facts['words']['pieces'] / max(facts['words']['words'], 1):.2f} tokens a word"
        )
        met = {"cut": "cut to data.max_length", "wide": "with an entity inside a longer token"}
        lines += [f"{'':<12} {facts[key]:,} {text}" for key, text in met.items() if facts[key]]
        if lost := facts["words"]["lost"]:
            lines.append(f"{'':<12} {lost:,} characters that no token covers")
        lines += [f"{'':<12} {line}" for line in skipped_lines(data.facts["skipped"][part])]
    if config.data.labels == "learned":
        lines.append(f"{'labels':<12} {len(data.labels)} learned from data.train: {', '.join(data.labels)[:200]}")
    per_epoch = loader.updates_per_epoch
    parameters = sum(p.numel() for p in model.parameters())
    sharded = ", sharded (FSDP2)" if accelerator.is_fsdp2 else ""
    lines += [
        f"{'updates':<12} {total:,} ({per_epoch:,} an epoch) of {config.train.batch_size} examples",
        f"{'padding':<12} {'about ' * loader.plan.estimated}{100 * loader.padding_share:.1f} % of positions",
        *notes,
        f"{'parameters':<12} {parameters:,}",
        f"{'processes':<12} {accelerator.num_processes} on {accelerator.device.type}{sharded}, {threads} threads each",
        f"{'precision':<12} {precision}",
        "",
        describe_groups(model, config.optim),
    ]
    return "\n".join(lines)


def reading_lines(stores: dict[str, TokenStore]) -> list[str]:
    """What readers did on their own to read rows of each part, and of how many."""
    return [
        f"{part:<12} {rows:,} of {store.facts['rows']:,} rows: {note}"
        for part, store in stores.items()
        for note, rows in sorted(store.facts["notes"].items(), key=lambda item: -item[1])
    ]
