"""What one process does while the others wait, so that all hear of its failure; and whether all are of one run."""

import json
from collections.abc import Callable
from typing import Any

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


def agree_on(accelerator: Accelerator, facts: dict) -> None:
    """Raises ValueError on all processes where one of them has other `facts` (plain values, nested by key), which names
    the first key that differs: gradients of other rows, rates or code would be averaged without a word."""
    if accelerator.num_processes == 1:
        return
    own = json.dumps(flat(facts)).encode()
    length = torch.tensor([len(own)], device=accelerator.device)
    lengths = accelerator.gather(length).tolist()
    padded = torch.zeros(1, max(lengths), dtype=torch.uint8, device=accelerator.device)
    padded[0, : len(own)] = torch.frombuffer(bytearray(own), dtype=torch.uint8)
    rows = accelerator.gather(padded).cpu().numpy()
    texts = [row[:size].tobytes() for row, size in zip(rows, lengths, strict=True)]
    if len({*texts}) == 1:
        return
    every = [json.loads(text) for text in texts]
    for key in dict.fromkeys(key for one in every for key in one):
        values = [one.get(key, "nothing") for one in every]
        if other := next((number for number, value in enumerate(values) if value != values[0]), 0):
            raise ValueError(
                f"{key}: process 0 has {values[0][:80]}, process {other} has {values[other][:80]}; all processes "
                "of a run need the same options, data and code"
            )


def flat(facts: Any, key: str = "") -> dict[str, str]:
    """Dotted key -> JSON, in the order of the keys."""
    if isinstance(facts, dict) and facts:
        return {
            name: text
            for part, value in facts.items()
            for name, text in flat(value, f"{key}.{part}" if key else part).items()
        }
    return {key: json.dumps(facts, ensure_ascii=False)}
