"""Is a finished run what its command would make today? Its options, and what the files hold that it was made from."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import yaml

from data.messages import names_of
from engine.arguments.parse import parse
from engine.checkpoint.folder import finished_report
from engine.compose.data import file_identity, file_of


class OtherRunError(ValueError):
    """A run of that name was made of something else: the same command does not go on."""


Hashes = dict[tuple[str, str], str]  # (option, the file it names) -> SHA-256; a file is read once for all runs


def same_run(folder: Path, command: Sequence[str], hashes: Hashes) -> None:
    """Raises OtherRunError where a finished run has other options, or was made from other content of its files, than
    it would have now; ValueError where such a file is gone. `hashes` takes the files that were read."""
    config = parse(command)[0]
    written = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    wanted = yaml.safe_load(config.to_yaml())
    sections = [section for section in wanted if section not in ("run", "track", "notify")]
    if changed := [
        f"{section}.{key} {written[section].get(key)!r} -> {value!r}"
        for section in sections
        for key, value in wanted[section].items()
        if written[section].get(key) != value
    ]:
        raise OtherRunError(f"{folder} was finished with other options ({', '.join(changed)}); choose another run.name")
    files = files_of(folder)
    if not files:  # accepted: refusing would throw away hours of training, nearly always on the same data
        warnings.warn(
            f"{folder.parent}: a finished run of an older version does not tell what its data files held; it is taken "
            "for what they hold now",
            stacklevel=2,
        )
    for key in files:
        if (place := (key, names_of(file_of(config, key)))) not in hashes:
            hashes[place] = file_identity(config, key)["sha256"]
    same_files(folder, command, hashes)


def same_files(folder: Path, command: Sequence[str], hashes: Hashes) -> None:
    """Raises OtherRunError where a run was made from other content than `hashes` has; adds what it does not have."""
    files = files_of(folder)
    config = parse(command)[0] if files else None
    for key, identity in files.items():
        location = names_of(file_of(config, key))
        if hashes.setdefault((key, location), identity["sha256"]) != identity["sha256"]:
            raise OtherRunError(
                f"{key}: the content of {location} is not what {folder} was made from; put the file back or choose "
                "another run.name"
            )


def files_of(folder: Path) -> dict[str, dict[str, str]]:
    """Option -> identity of the file it named, from the report of a finished run; empty in those of older versions."""
    report = json.loads(finished_report(folder).read_text(encoding="utf-8"))
    return report.get("data", {}).get("files", {})
