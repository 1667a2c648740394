"""Files that a reader finds whole or not at all."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Written beside and renamed: whoever opens `path` gets the old content or the new one."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary, path)
