"""A folder of files that is whole or is not one: a manifest with size and SHA-256 of each, written last.

Whatever a crash leaves behind carries another name or is noticed.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

FORMAT = 1


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
        manifest = {
            path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in sorted(temporary.iterdir())
        }
        for name in manifest:
            flush(temporary / name)
        (temporary / "manifest.json").write_text(json.dumps({"format": FORMAT, "files": manifest}, indent=1))
        flush(temporary / "manifest.json")
        flush(temporary)
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
        files = dict(manifest["files"])
        wanted = {name: (entry["bytes"], entry["sha256"]) for name, entry in files.items()}
        version = manifest["format"]
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(f"{folder}: manifest.json does not list files") from None
    if version != FORMAT:
        raise UnreadableError(f"{folder}: manifest.json is of format {version!r}, this version reads {FORMAT}")
    if missing := {"model.safetensors", "optimizer.safetensors", "state.json"} - set(wanted):
        raise CheckpointError(f"{folder}: manifest.json does not list {', '.join(sorted(missing))}")
    for name, (size, digest) in wanted.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointError(f"{folder}: {name} is missing")
        try:
            found, found_digest = path.stat().st_size, sha256(path)
        except OSError as error:
            raise UnreadableError(f"{folder}: {name} cannot be read ({error.strerror or error})") from None
        if found != size:
            raise CheckpointError(f"{folder}: {name} has {found} bytes, expected {size}")
        if found_digest != digest:
            raise CheckpointError(f"{folder}: {name} was changed (SHA-256 differs from the manifest)")


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


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network disks know no fsync of folders
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(handle)
