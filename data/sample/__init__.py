"""The bundled sample: `python -m data.sample FOLDER` writes it; `corpus.py` makes it of `facts.py` and `names.py`."""

from data.sample.corpus import LABELS, json_bytes, rows, vocabulary

__all__ = ["LABELS", "json_bytes", "rows", "vocabulary"]
