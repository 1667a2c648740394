"""Files that a reader finds whole or not at all."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Written beside and renamed: whoever opens `path` gets the old content or the new one."""
    temporary = path.with_name(f".{path.name}")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # else a power cut leaves an empty file under the new name
    os.replace(temporary, path)
