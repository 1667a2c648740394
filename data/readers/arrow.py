"""Rows that the package `datasets` reads (extra `hub`): Parquet and Arrow files, folders of `save_to_disk`, the hub.

They end as the bytes of a JSON file, so that everything after that is one way. Classes are written by name; -1 is none.
Dates and bytes, which JSON does not have, become texts; a column that nobody reads costs no row.
"""

import datetime
import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data.messages import listed

MAGIC = (b"PAR1", b"ARROW1")
SUFFIXES = (".parquet", ".arrow", ".feather")
SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"  # what save_to_disk leaves
SPLITS = {"train": ("train",), "dev": ("validation", "dev", "valid", "val")}


def is_table(path: Path) -> bool:
    """Whether a path is a Parquet or Arrow file, or a folder of `save_to_disk`."""
    if path.is_dir():
        return (path / SAVED).is_file() or (path / SAVED_SPLITS).is_file()
    if path.suffix.lower() in SUFFIXES:
        return path.is_file()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(6).startswith(MAGIC)


def table_bytes(path: Path, part: str, key: str) -> tuple[bytes, str]:
    """The rows of such a path as JSON, and how they were read. Raises ValueError with the option `key`."""
    datasets = package(str(path), key)
    try:
        if path.is_dir():
            rows = datasets.load_from_disk(str(path))
            how = "a folder of save_to_disk"
        else:
            rows, how = datasets.Dataset(arrow_table(path)), "a Parquet file" if is_parquet(path) else "an Arrow file"
    except Exception as error:  # pyarrow and datasets raise many types; all of them mean: not to be read
        raise ValueError(f"{key}: cannot read {path} ({type(error).__name__}: {error!s:.200})") from None
    if isinstance(rows, Mapping):
        found = [name for name in SPLITS[part] if name in rows]
        if not found:
            raise ValueError(
                f"{key}: {path} has the splits {listed([*rows])}; name one, such as {path / next(iter(rows))}"
            )
        rows, how = rows[found[0]], f"{how}, split {found[0]}"
    return json_bytes(rows.with_format("arrow")[:].to_pylist(), rows.features), how


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == MAGIC[0]


def arrow_table(path: Path) -> Any:
    """The table of a Parquet file, of an Arrow file (Feather), or of an Arrow stream as `datasets` writes."""
    import pyarrow

    if is_parquet(path):
        from pyarrow import parquet

        return parquet.read_table(path)
    with pyarrow.memory_map(str(path)) as file:
        try:
            return pyarrow.ipc.open_file(file).read_all()
        except pyarrow.ArrowInvalid:
            file.seek(0)
            return pyarrow.ipc.open_stream(file).read_all()


def hub_bytes(location: str, part: str, key: str) -> tuple[bytes, str]:
    """A data set of the hub, or what `datasets.load_dataset` takes instead of its name, as `table_bytes`."""
    datasets = package(location, key)
    name, _, rest = location.removeprefix("hub:").partition(":")
    configuration, _, split = rest.partition(":")
    split = split or {"train": "train", "dev": "validation"}[part]
    try:
        rows = datasets.load_dataset(name, configuration or None, split=split)
    except Exception as error:  # the hub client raises many types; all of them mean: not to be had
        raise ValueError(
            f"{key}: cannot load {location} from the hub ({type(error).__name__}: {error!s:.200}); "
            "download the files once and give their path instead"
        ) from None
    content = [*rows]
    builder = getattr(getattr(rows, "info", None), "builder_name", None)
    for line in changed(content, builder):
        warnings.warn(f"{key}: {location}: {line}; the file's own path reads its texts as they are", stacklevel=2)
    return json_bytes(content, rows.features), f"{builder or 'a data set'}, split {split}"


def package(location: str, key: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise ValueError(f'{key}: {location} needs the extra: pip install -e ".[hub]"') from None
    return datasets


def changed(rows: list[dict], builder: str | None) -> list[str]:
    """What `datasets` makes of texts in a CSV or JSON file, to be told."""
    told = []
    for column in rows[0] if rows and builder in ("csv", "json") else ():
        values = [row[column] for row in rows]
        missing = sum(value is None for value in values)
        if builder == "csv" and missing:
            told.append(
                f"{missing:,} of {len(rows):,} rows of {column} are missing, as NA, None, null and the like are"
            )
        if any(isinstance(value, datetime.date) for value in values):
            told.append(f"{column} was read as dates, which are written as {plain(next(filter(None, values)))}")
    return told


def json_bytes(rows: Iterable[dict], features: Mapping[str, Any]) -> bytes:
    converted = [{column: named(value, features.get(column)) for column, value in row.items()} for row in rows]
    return json.dumps(converted, ensure_ascii=False, default=plain).encode("utf-8", "surrogatepass")


def named(value: Any, kind: Any) -> Any:
    """A value with the numbers of classes as their names, also inside lists and objects."""
    if (names := getattr(kind, "names", None)) and (value is None or isinstance(value, int)):
        # -1 is the hub's placeholder for "no label", and names[-1] would be the last class
        return names[value] if value is not None and value >= 0 else None
    inner = getattr(kind, "feature", kind)
    if isinstance(value, list):
        return [named(one, inner) for one in value]
    if isinstance(value, dict):
        return {key: named(one, inner.get(key) if isinstance(inner, Mapping) else None) for key, one in value.items()}
    return value


def plain(value: Any) -> Any:
    """What JSON has no form for."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"bytes": len(value)}  # no text, wherever it is read
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
