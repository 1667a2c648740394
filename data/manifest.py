"""What makes a folder of files whole: a manifest with size and SHA-256 of each, written last and compared when it is
opened. It tells damage and edits; whoever may write to the folder can write another manifest, too."""

import errno
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from data.messages import shown

NAME = "manifest.json"
FORMAT = 1
READ = (".safetensors", ".bin", ".json", ".txt", ".model", ".jinja", ".py")  # of saved models and tokenizers
PIECE = 32 << 20  # bytes: large files are hashed in pieces, by all cores


def write(folder: Path, large: bool = False) -> None:
    """Write the manifest of all files in and below `folder`, everything on the disk before it; `large`: with pieces."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    files = {path.relative_to(folder).as_posix(): described(path, large) for path in paths}
    for name in files:
        flush(folder / name)
    (folder / NAME).write_text(json.dumps({"format": FORMAT, "files": files}, indent=1), encoding="utf-8")
    flush(folder / NAME)
    flush(folder)


def described(path: Path, large: bool = False) -> dict:
    """What the manifest says of a file: bytes, and SHA-256 of all of it or of each of its pieces."""
    size = path.stat().st_size
    if not large:
        return {"bytes": size, "sha256": sha256(path)}
    return {"bytes": size, "sha256": [sha256(path, start, PIECE) for start in range(0, max(size, 1), PIECE)]}


def listed(folder: Path) -> dict[str, dict]:
    """The entries of a folder's manifest. Raises ValueError where it is none that `write` made, OSError where it cannot
    be read, FileNotFoundError where there is none."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        files = {name: {key: entry[key] for key in ("bytes", "sha256")} for name, entry in content["files"].items()}
        kept = all(type(one["bytes"]) is int and type(one["sha256"]) in (str, list) for one in files.values())
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        kept = False
    if not kept:
        raise ValueError(f"{NAME} does not list files")
    if content.get("format") != FORMAT:
        raise ValueError(f"{NAME} is of format {content.get('format')!r}, this version reads {FORMAT}")
    return files


def check(folder: Path) -> str:
    """What is wrong with a folder, empty where nothing is: the first file that differs from its manifest, or that a
    library would read and the manifest does not list. Raises FileNotFoundError where there is no manifest."""
    try:
        found = problem(folder, files := listed(folder))
    except FileNotFoundError:
        raise
    except OSError as error:
        return f"{error.filename} cannot be read ({error.strerror})"
    except (KeyError, TypeError, ValueError) as error:
        return str(error)
    more = {path.name for path in folder.iterdir() if path.suffix in READ} - {*files, NAME}
    return found or (f"{min(more)} was added ({NAME} does not list it)" if more else "")


def problem(folder: Path, files: dict[str, dict]) -> str:
    """What is wrong with the first file that differs from the manifest's `files`, empty where none does. Raises OSError
    with the name of a file that cannot be read, and KeyError or TypeError where an entry is none."""
    pieces = []  # (name, start, bytes or None for all, SHA-256)
    for name, entry in files.items():
        path, size, digests = folder / name, entry["bytes"], entry["sha256"]
        if Path(name).is_absolute() or ".." in Path(name).parts:
            return f"{NAME} names {shown(name)}, which lies outside the folder"
        if not path.is_file():
            return f"{name} is missing"
        if (found := path.stat().st_size) != size:
            return f"{name} has {found} bytes, expected {size}"
        if isinstance(digests, str):
            pieces.append((name, 0, None, digests))
        elif len(digests) != max(1, -(-size // PIECE)):
            return f"{NAME} has {len(digests)} digests of {name}"
        else:
            pieces += [(name, number * PIECE, PIECE, digest) for number, digest in enumerate(digests)]
    with ThreadPoolExecutor() as pool:
        changed = next((name for name in pool.map(partial(changed_file, folder), pieces) if name), "")
    return f"{changed} was changed (SHA-256 differs from the manifest)" if changed else ""


def changed_file(folder: Path, piece: tuple[str, int, int | None, str]) -> str:
    """The name of a piece's file where the piece is another one, else nothing."""
    name, start, size, digest = piece
    try:
        return name if sha256(folder / name, start, size) != digest else ""
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), name) from None


def sha256(path: Path, start: int = 0, size: int | None = None) -> str:
    """Of a file, or of `size` bytes of it from `start`."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        buffer = memoryview(bytearray(1 << 20))
        left = float("inf") if size is None else size
        while left and (read := file.readinto(buffer[: int(min(left, len(buffer)))])):
            digest.update(buffer[:read])
            left -= read
    return digest.hexdigest()


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
