"""Arrays that grow on disk: ordinary .npy files, of which only the newest part is ever in memory."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0


class GrowingArrays:
    """A folder of arrays. Rows are appended to them; `close` writes how many there are into their headers.

    numpy leaves room in a header for the first dimension to grow, so the files are those that `np.save` would write.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: dict[str, BinaryIO] = {}
        self.shapes: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}

    def __enter__(self) -> "GrowingArrays":
        return self

    def __exit__(self, *_) -> None:
        for file in self.files.values():
            file.close()

    def append(self, name: str, rows: np.ndarray) -> None:
        """Add `rows` (n, ...) to the array `name`; they have the type and trailing shape of those before."""
        if name not in self.files:
            self.files[name] = (self.folder / f"{name}.npy").open("wb")
            self.shapes[name] = (rows.dtype, (0, *rows.shape[1:]))
            self.write_header(name)
        dtype, shape = self.shapes[name]
        assert (rows.dtype, rows.shape[1:]) == (dtype, shape[1:]), name
        self.files[name].write(np.ascontiguousarray(rows).tobytes())
        self.shapes[name] = (dtype, (shape[0] + len(rows), *shape[1:]))

    def rows(self, name: str) -> int:
        """How many were appended to the array `name`."""
        return self.shapes[name][1][0]

    def write_header(self, name: str) -> int:
        """Write the header at the file's start; returns its length."""
        dtype, shape = self.shapes[name]
        file = self.files[name]
        file.seek(0)
        write_array_header_1_0(file, {"descr": dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
        return file.tell()

    def close(self) -> None:
        """Finish all files. Raises OSError where the disk is full."""
        for name, file in self.files.items():
            dtype, shape = self.shapes[name]
            file.seek(0, 2)
            end = file.tell()
            length = self.write_header(name)
            assert end == length + dtype.itemsize * int(np.prod(shape, dtype=np.int64)), name
            file.close()
