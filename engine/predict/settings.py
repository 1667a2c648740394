"""What stands in best/ besides weights and tokenizer: is it whole, and are its values ones that train.py writes."""

import json
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import data.manifest
from data.encode import EncodingOptions
from data.markers import MARKERS, QUERIES, TYPE_WORDS
from data.messages import shown
from data.readers import FORMATS
from data.readers.options import DEFAULT, ReaderOptions
from engine.config import EvalConfig
from engine.scores.prior import NAMES, is_share


@dataclass(frozen=True)
class Settings:
    """What is read from prediction.json, see `config.prediction_settings`.

    `label_prior`: one of `prior.NAMES`, or shares by label.
    """

    format: str = "auto"
    options: ReaderOptions = field(default_factory=ReaderOptions)
    negative_label: str | None = None
    batch_size: int = 64
    precision: str = "fp32"
    label_prior: str | dict[str, float] = "none"
    resamples: int = EvalConfig.resamples
    numbered: bool = False


Check = tuple[Callable[[Any], bool], str]  # whether a value is right, and what is expected


def one_of(*names: str | None) -> Check:
    return lambda value: (value is None or type(value) is str) and value in names, ", ".join(map(str, names))


def whole(least: int, most: int = 2**63 - 1) -> Check:
    return lambda value: type(value) is int and least <= value <= most, f"a whole number, {least} to {most}"


def texts(least: int, most: int) -> Check:
    def right(value: Any) -> bool:
        return (
            type(value) is list
            and all(type(one) is str and one for one in value)
            and least <= len(set(value)) == len(value) <= most
        )

    return right, f"a list of at least {least} texts, no two the same"


def is_prior(value: Any) -> bool:
    if type(value) is dict:
        return any(value.values()) and all(map(is_share, value.values()))
    return type(value) is str


TRUTH: Check = (lambda value: type(value) is bool, "true or false")
TEXT: Check = (lambda value: value is None or type(value) is str, "a text, or null")
COLUMN: Check = (lambda value: TEXT[0](value) or whole(1)[0](value), "a name, a number from 1, or null")
ENCODING: dict[str, Check] = {
    "marker": one_of(*MARKERS), "query": one_of(*QUERIES), "type_words": one_of(*TYPE_WORDS),
    "types": texts(0, 127), "max_length": whole(1, 65536),
}  # fmt: skip
READER: dict[str, Check] = dict.fromkeys(DEFAULT.flat(), COLUMN) | {
    "header": TRUTH, "separator": one_of("auto", "tab", "comma", "semicolon"), "quoting": TRUTH,
    "offsets": one_of("inclusive", "exclusive", "find", None), "negatives": TEXT,
}  # fmt: skip
PREDICTION: dict[str, Check] = {
    "format": one_of("auto", *FORMATS), "reader": (lambda value: type(value) is dict, "an object"),
    "negative_label": TEXT, "batch_size": whole(1), "precision": one_of("fp32", "bf16", "fp16"),
    "label_prior": (is_prior, "a name, or an object of label and share"), "resamples": whole(0), "numbered": TRUTH,
}  # fmt: skip
LATER = ("label_prior", "resamples", "numbered", *READER)  # best/ without a manifest may lack them


def best_folder(path: Path) -> Path:
    """The best/ of a run, or `path` itself where it is one. Raises ValueError."""
    for folder in (path, path / "best"):
        if any((folder / name).is_file() for name in ("encoding.json", "labels.json")):
            return folder
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder; expected a run, or the best/ of one")
    if (path / "config.yaml").is_file():
        raise ValueError(f"{path} has no best/, which a run leaves when it is finished; its command continues it")
    raise ValueError(f"{path} is no run: expected a folder with best/, or with encoding.json and labels.json")


def verify(folder: Path) -> None:
    """Raises ValueError where a file of best/ is not the one that train.py wrote; warns where no manifest tells."""
    try:
        problem = data.manifest.check(folder)
    except FileNotFoundError:
        warnings.warn(f"{folder} has no {data.manifest.NAME}, so that nothing says whether it is whole", stacklevel=1)
        return
    if problem:
        raise ValueError(
            f"{folder}: {problem}; --unverified (from Python: verified=False) takes the folder as it is, for who "
            "changed it on purpose"
        )


def read(path: Path) -> Any:
    """The content of a JSON file of best/."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)
    except FileNotFoundError:
        raise ValueError(f"{path.parent} has no {path.name}; expected the best/ of a finished run") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None


def once(pairs: list[tuple[str, Any]]) -> dict:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return content


def labels_of(folder: Path) -> list[str]:
    """The names of the classes, by number."""
    labels = read(folder / "labels.json")
    right, expected = texts(2, 2**31)
    if not right(labels):
        raise ValueError(f"{folder / 'labels.json'}: found {shown(labels)}, expected {expected}")
    return labels


def encoding_of(folder: Path) -> EncodingOptions:
    path = folder / "encoding.json"
    values = checked(read(path), str(path), ENCODING)
    return EncodingOptions(**values | {"types": tuple(values["types"])})


def settings_of(folder: Path) -> Settings:
    """prediction.json; for a run that was made before there was one, the same from the run's config.yaml."""
    path, written = folder / "prediction.json", folder.parent / "config.yaml"
    optional = () if (folder / data.manifest.NAME).is_file() else LATER
    if optional and not path.is_file():
        if not written.is_file():
            return Settings()
        path, values = written, from_configuration(written)
    else:
        values = read(path)
    values = checked(values, str(path), PREDICTION, optional)
    options = ReaderOptions.from_flat(checked(values.pop("reader"), f"{path}: reader", READER, optional))
    negative, prior, labels = values["negative_label"], values.get("label_prior", "none"), labels_of(folder)
    if negative is not None and negative not in labels:
        raise ValueError(f"{path}: negative_label is {shown(negative)}, which labels.json does not list")
    if isinstance(prior, dict) and {*prior} != {*labels}:
        [name, *_] = sorted({*prior} ^ {*labels})
        raise ValueError(f"{path}: label_prior and labels.json have other labels, {shown(name)} is in one of them")
    if isinstance(prior, str) and prior not in NAMES:  # of earlier versions: no file outside the folder is read
        warnings.warn(
            f"{path}: label_prior names the file {shown(prior)}, which is not read; no scores ending in prior",
            stacklevel=1,
        )
        values["label_prior"] = "none"
    return Settings(options=options, **values)


def from_configuration(path: Path) -> dict:
    """What prediction.json would say, of a run's config.yaml."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        reading, scoring = values["data"], values["eval"]
        flat = reading | {f"columns.{name}": value for name, value in reading.get("columns", {}).items()}
        return {
            "format": reading["format"],
            "reader": {name: flat[name] for name in READER if name in flat},
            "negative_label": reading["negative_label"],
            "batch_size": scoring["batch_size"],
            "precision": values["train"]["precision"] or "fp32",
        } | {name: scoring[name] for name in ("label_prior", "resamples") if name in scoring}
    except (AttributeError, KeyError, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: cannot be read as the configuration of a run ({reason})") from None


def checked(values: Any, name: str, wanted: Mapping[str, Check], optional: Collection[str] = ()) -> dict:
    """The object of a file, every key of `wanted` with a value that is expected there. Raises ValueError."""
    if type(values) is not dict:
        raise ValueError(f"{name}: found {shown(values)}, expected an object with {', '.join(wanted)}")
    if missing := [key for key in wanted if key not in values and key not in optional]:
        raise ValueError(f"{name}: {missing[0]} is missing")
    for key, value in values.items():
        if key not in wanted:
            raise ValueError(f"{name}: {shown(key)} is no key that is read; expected {', '.join(wanted)}")
        right, expected = wanted[key]
        if not right(value):
            raise ValueError(f"{name}: {key} is {shown(value)}, expected {expected}")
    return dict(values)
