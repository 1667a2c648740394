"""What one process does while the others wait, so that all of them hear of its failure."""

from collections.abc import Callable

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast


class FailedElsewhereError(RuntimeError):
    """The main process failed and says why; this one only has to end, with the same exit code."""

    def __init__(self, code: int):
        super().__init__("the main process failed")
        self.code = code


def exit_code(error: Exception) -> int:
    """What a process ends with: the error's own `code`, 2 for bad input, 1 for any other failure."""
    return getattr(error, "code", 2 if isinstance(error, ValueError) else 1)


def on_main(accelerator: Accelerator, action: Callable[[], None]) -> None:
    """Run `action` on the main process; all wait for it. Raises its error there and FailedElsewhereError elsewhere."""
    error = None
    if accelerator.is_main_process:
        try:
            action()
        except Exception as caught:  # told to the others first: they would wait for ever
            error = caught
    code = torch.tensor(0 if error is None else exit_code(error), device=accelerator.device)
    code = int(broadcast(code)) if accelerator.num_processes > 1 else int(code)
    if error is not None:
        raise error
    if code:
        raise FailedElsewhereError(code)
