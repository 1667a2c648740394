"""The bytes of a large file, read when they are asked for."""

import hashlib
import os
import stat
import weakref
from pathlib import Path

LARGE = 64 << 20  # bytes; smaller files are read at once, and nobody can change them after that


class FileBytes:
    """A file that stands for its bytes: it has a length, slices, and `bytes(it)`, and takes no memory.

    Raises ValueError where it cannot be read, or is not any more what it was when it was opened.
    """

    def __init__(self, path: Path):
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.descriptor)
        self.state = self.status()

    def status(self) -> tuple[int, int]:
        found = os.fstat(self.descriptor)
        return found.st_size, found.st_mtime_ns

    def __len__(self) -> int:
        return self.state[0]

    def __getitem__(self, part: slice) -> bytes:
        start, stop, step = part.indices(len(self))
        assert step == 1
        blocks = []
        try:
            while start < stop and (block := os.pread(self.descriptor, stop - start, start)):
                blocks.append(block)
                start += len(block)
        except OSError as error:
            raise ValueError(f"{self.path}: cannot be read ({error.strerror})") from None
        if self.status() != self.state:
            raise ValueError(f"{self.path}: the file was changed while it was read; start again")
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def __bytes__(self) -> bytes:
        return self[:]


def read(path: Path) -> bytes | FileBytes:
    """The bytes of a file, at once or when they are asked for. Raises OSError where it cannot be opened."""
    found = path.stat()
    return FileBytes(path) if stat.S_ISREG(found.st_mode) and found.st_size >= LARGE else path.read_bytes()


def sha256(raw: bytes | FileBytes) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(raw), LARGE):
        digest.update(raw[start : start + LARGE])
    return digest.hexdigest()
