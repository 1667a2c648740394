"""A checkpoint that is whole or is not one: `data/manifest.py` of its files, written last.

Whatever a crash leaves behind carries another name or is noticed.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import data.manifest
from data.manifest import FORMAT, flush


class CheckpointError(ValueError):
    """A checkpoint that is not whole, or could not be written."""

    code = 1


class UnreadableError(CheckpointError):
    """A checkpoint that may be whole: the disk does not give it, or another version wrote it."""


def write(folder: Path, tensors: dict[str, dict], content: dict) -> None:
    """All files into a temporary folder, the manifest last, everything on disk, then the final name.

    A whole checkpoint of the same update stays as it is: it holds the same weights, and it may be the only one.
    """
    if folder.exists():
        with contextlib.suppress(CheckpointError):
            verify(folder)
            return
        remove(folder)
    temporary = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for name, values in tensors.items():
            save_file(values, temporary / name)
        (temporary / "state.json").write_text(json.dumps(content, indent=1))
        data.manifest.write(temporary)
        os.replace(temporary, folder)
        flush(folder.parent)
    except (OSError, SafetensorError):
        shutil.rmtree(temporary, ignore_errors=True)  # on a full disk it is what fills it
        raise


def remove(folder: Path) -> None:
    """Take the name first, so that a crash half way leaves no damaged checkpoint under it."""
    if not folder.name.startswith(".tmp-"):
        with contextlib.suppress(OSError):
            folder = folder.replace(folder.with_name(f".tmp-old-{folder.name}"))
    shutil.rmtree(folder, ignore_errors=True)


def verify(folder: Path) -> None:
    """Raises CheckpointError unless every file is there with the size and SHA-256 of the manifest."""
    manifest = read_json(folder / "manifest.json")
    try:
        files = {name: {key: entry[key] for key in ("bytes", "sha256")} for name, entry in manifest["files"].items()}
        version = manifest["format"]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CheckpointError(f"{folder}: manifest.json does not list files") from None
    if version != FORMAT:
        raise UnreadableError(f"{folder}: manifest.json is of format {version!r}, this version reads {FORMAT}")
    if missing := {"model.safetensors", "optimizer.safetensors", "state.json"} - set(files):
        raise CheckpointError(f"{folder}: manifest.json does not list {', '.join(sorted(missing))}")
    try:
        problem = data.manifest.problem(folder, files)
    except (TypeError, ValueError):
        raise CheckpointError(f"{folder}: manifest.json does not list files") from None
    except OSError as error:
        raise UnreadableError(f"{folder}: {error.filename} cannot be read ({error.strerror})") from None
    if problem:
        raise CheckpointError(f"{folder}: {problem}")


def is_whole(folder: Path) -> bool:
    try:
        verify(folder)
    except CheckpointError:
        return False
    return True


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
        raise CheckpointError(f"{path.parent}: {path.name} cannot be read ({type(error).__name__})") from None
    except OSError as error:
        raise UnreadableError(f"{path.parent}: {path.name} cannot be read ({error.strerror or error})") from None


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path.parent}: {path.name} cannot be read ({error})") from None
