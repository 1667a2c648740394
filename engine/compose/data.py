"""The data files and the tokenizer of a configuration: labels, encoded parts, and what is to be told of them."""

import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.alike import label_warnings
from data.labels import LABELS, LEARNED, label_list, learned_labels, negative_number
from data.messages import names_of
from data.readers.classes import Classes
from data.readers.several import SeveralFiles, open_files
from data.readers.source import Source
from data.reasons import skipped_facts, skipped_lines
from data.schema import Example
from data.store.chunk import Task
from data.store.token_store import TokenStore, prepare
from engine.compose.corpus_checks import known_language, rows_without_entities, something_to_embed, words_that_occur
from engine.compose.duplicates import drop_repeats, repeat_lines
from engine.compose.hold_out import hold_out, part_facts, split_lines
from engine.compose.model import make_encoder, pooling_of
from engine.compose.summary import reading_lines
from engine.config import Config, reader_options
from engine.parts import Data
from engine.scores.metrics import require_directions
from engine.scores.prior import NONE, PRIORS, UNIFORM, check_prior, label_prior, prior_line


def read_data(config: Config, quiet: bool) -> Data:
    """Labels, tokenizer and the encoded corpora. Raises ValueError for whatever is wrong in files and rows."""
    given, config = config, with_types(config)
    sources, labels, negative = open_sources(config)
    learned = config.data.labels == LEARNED
    tokenizer, encoder, new = make_encoder(config)
    cache = Path(config.data.cache_dir) if config.data.cache_dir else default_cache()
    number_of = {label: number for number, label in enumerate(labels)}
    stores = {}
    skipped = {}
    for part, source in sources.items():
        stop = (config.data.on_bad_row if part == "train" else config.data.on_bad_dev_row) == "error"
        stores[part] = prepare(Task(source, encoder, number_of, learned=learned, stop=stop), cache, quiet)
        skipped[part] = left_out(part, stores[part], labels, config.data.max_skipped)
        known_language(f"data.{part}", stores[part])
        if pooling_of(config.model).needs_entities:
            rows_without_entities(f"data.{part}", stores[part], config.model.pooling)
    something_to_embed(config.model.entity_embeddings, stores["train"])
    identities = {part: source.identity for part, source in sources.items()}
    words_that_occur(tokenizer, config.model.added_tokens, stores["train"])
    parts = stores
    if config.holds_out:
        parts, identities["dev"] = hold_out(config.data, stores["train"], labels, config.run.seed)
    train, dropped = drop_repeats(config.data.duplicates, sources["train"], stores["train"], parts["train"])
    if dropped is not None:
        parts, identities["train"] = parts | {"train": train}, identities["train"] | {"duplicates": dropped["handling"]}
    facts = part_facts(parts, labels, identities["dev"]["held_out"] if config.holds_out else None)
    facts["duplicates"] = dropped
    facts["skipped"] = skipped
    facts["notes"] = {part: store.facts["notes"] for part, store in stores.items()}
    notes = [*type_lines(given, config), *reading_lines(stores), *split_lines(facts), *repeat_lines(dropped)]
    prior = label_prior(config.eval.label_prior, labels) if "dev" in parts else None
    if prior is not None:
        check_prior(prior, parts["dev"].labels, labels)
        notes.append(prior_line(config.eval.label_prior, prior, parts["dev"].labels))
    facts["files"] = read_files(config, sources)
    return Data(labels, negative, tokenizer, new, encoder, parts, stores, identities, facts, prior, notes)


def with_types(config: Config) -> Config:
    """The configuration with the types that data.types learned finds in the training rows. Raises ValueError."""
    if config.data.types != LEARNED:
        return config
    source = open_part(config, "train", config.data.train)
    rows = [*source.examples()]
    types = entity_types(example for _, example in rows)
    if not types:
        bad = next((f"{source.where(number)}: {one}" for number, one in rows if isinstance(one, ValueError)), "")
        raise ValueError(
            f"data.types: learned finds no type in {names_of(config.data.train)}; "
            + (f"the first bad row: {bad}" if bad else "expected a list such as [PER, ORG]")
        )
    return replace(config, data=replace(config.data, types=types))


def with_types_of(config: Config, data: Data) -> Config:
    """The configuration with the types that its data were encoded with."""
    return replace(config, data=replace(config.data, types=[*data.encoder.options.types]))


def type_lines(given: Config, config: Config) -> list[str]:
    """What the summary says of learned types."""
    types = config.data.types
    learned = given.data.types == LEARNED
    return [f"{'types':<12} {len(types)} learned from data.train: {', '.join(types)[:200]}"] if learned else []


def entity_types(examples: Iterable[Example | ValueError]) -> list[str]:
    """The types of the entities of good rows, sorted."""
    good = (example for example in examples if isinstance(example, Example))
    return sorted({span.type for example in good for _, span in example.entities() if span.type})


def left_out(part: str, store: TokenStore, labels: list[str], most: float) -> dict:
    """What was left out of a part, see `skipped_facts`. Raises ValueError where it is more than the share `most`."""
    kept = np.bincount(store.labels, minlength=len(labels)).tolist()
    rows = len(store) + len(store.facts["skipped"])
    facts = skipped_facts(store.facts["skipped"], store.facts["lost"], dict(zip(labels, kept, strict=True)), rows)
    if facts["rows"] > most * rows:
        first, *others = skipped_lines(facts)
        raise ValueError(f"data.{part}: {first}, data.max_skipped allows {100 * most:g} %; " + "; ".join(others))
    return facts


def open_sources(config: Config) -> tuple[dict[str, Source | SeveralFiles], list[str], int | None]:
    """The files of train and dev, the labels that they are read for, and which of these is the negative one."""
    learned = config.data.labels == LEARNED
    sources = {"train": open_part(config, "train", config.data.train)}
    labels = learned_labels(sources["train"], config.data.on_bad_row) if learned else label_list(config.data.labels)
    negative = negative_number(config.data.negative_label, labels)
    for line in label_warnings(labels, config.data.negative_label):
        warnings.warn(line, stacklevel=2)
    if config.eval.metric == "semeval":
        require_directions(labels, negative)
    if config.data.dev is not None:
        sources["dev"] = open_part(config, "dev", config.data.dev)
    return {part: with_labels(source, labels, learned) for part, source in sources.items()}, labels, negative


def open_part(
    config: Config, part: str, location: str | list[str], labels: list[str] | None = None
) -> Source | SeveralFiles:
    """The rows of a part; `labels`: the label set, where it is known."""
    source = open_files(location, config.data.format, part, f"data.{part}", reader_options(config.data))
    return source if labels is None else with_labels(source, labels, config.data.labels == LEARNED)


def with_labels(source: Source | SeveralFiles, labels: list[str], learned: bool) -> Source | SeveralFiles:
    return replace(source, classes=Classes(tuple(labels), numbered=not learned))


def read_files(config: Config, sources: dict[str, Source | SeveralFiles]) -> dict[str, dict[str, str]]:
    """Option -> identity of the file it names: the data, and labels and label prior where they are files."""
    files = {f"data.{part}": source.identity for part, source in sources.items()}
    named = {"data.labels": config.data.labels not in (*LABELS, LEARNED)}
    named["eval.label_prior"] = config.has_dev and config.eval.label_prior not in (NONE, UNIFORM, *PRIORS)
    return files | {key: {"sha256": file_identity(config, key)["sha256"]} for key, is_file in named.items() if is_file}


def file_of(config: Config, key: str) -> str | list[str]:
    """What an option such as data.train names: a file or several."""
    section, _, option = key.partition(".")
    return getattr(getattr(config, section), option)


def file_identity(config: Config, key: str) -> dict[str, str]:
    """`Source.identity` of the file that an option names, as it is now. Raises ValueError where there is none."""
    part = key.partition(".")[2]
    return open_files(file_of(config, key), config.data.format, part, key, reader_options(config.data)).identity


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plainloop"
