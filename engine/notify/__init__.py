"""Word to a person that something ended: `from engine.notify import notify`, `python -m engine.notify -- command`."""

from engine.notify.message import notify

__all__ = ["notify"]
