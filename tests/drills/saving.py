"""R3, R4, R5: a crash at every boundary of saving, damage of every byte, a disk that is full."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.drills import tiny
from tests.drills.processes import start


def tiny_checkpoints(folder: Path):
    """A model of 15 numbers with its optimizer, and its checkpoints."""
    import torch
    from accelerate import Accelerator

    from engine.checkpoint.checkpoints import Checkpoints

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    facts = {"fixed": {}, "threads": 1, "processes": 1, "code": {}}
    return model, optimizer, Checkpoints(folder, Accelerator(cpu=True), facts)


def save_steps(folder: Path, steps: list[int], best: int) -> None:
    import torch

    from engine.state import State

    model, optimizer, checkpoints = tiny_checkpoints(folder)
    for step in steps:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        checkpoints.save(State(step=step, best_step=best), model, optimizer)


class Boundaries:
    """Counts what a save asks of the file system, and dies before or after request number `last`, or in half of it."""

    def __init__(self, last: int, how: str):
        self.last, self.how, self.count = last, how, 0

    def install(self) -> None:
        import engine.checkpoint.manifest as module

        module.save_file = self.around(module.save_file, lambda tensors, path: path)
        for name in ("mkdir", "replace", "fsync", "unlink", "rmdir"):
            setattr(os, name, self.around(getattr(os, name), None))
        Path.write_text = self.around(Path.write_text, lambda path, *rest: path)

    def around(self, function: Callable, file: Callable | None) -> Callable:
        def call(*args, **kwargs):
            self.count += 1
            mine = self.count == self.last
            if mine and self.how == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **kwargs)
            if mine:
                if self.how == "half" and file is not None:
                    path = Path(file(*args))
                    os.truncate(path, path.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call


def crash_drill(base: Path, how: str) -> tuple[int, int, list[str]]:
    """Die at each boundary of the save of step 8, which prunes step 4: points, passes, problems."""
    points, passes, problems = 0, 0, []
    prepared = base / "prepared"
    save_steps(prepared, [2, 4, 6], best=2)
    while True:
        folder = base / f"crash-{how}-{points}"
        shutil.copytree(prepared, folder)

        def save(argv, folder=folder, point=points + 1):
            Boundaries(point, how).install()
            save_steps(folder, [8], best=6)
            return 0

        running = start([], folder / "child", function=save)
        assert running.wait(60), running.output()
        [code] = running.codes()
        if code == 0:  # past the last boundary
            return points, passes, problems
        assert code == -signal.SIGKILL, running.output()
        points += 1
        _, _, checkpoints = tiny_checkpoints(folder)
        newest, skipped = checkpoints.newest()
        whole = newest is not None and newest.name in ("step-00000006", "step-00000008")
        checkpoints.drop_after(int(newest.name[-8:]) if whole else 0)
        save_steps(folder, [10], best=10)  # the leftovers are in nobody's way
        left = {path.name for path in folder.iterdir()} - {"child"}
        clean = left <= {"step-00000002", "step-00000006", "step-00000008", "step-00000010"}
        if whole and clean and not skipped:
            passes += 1
        else:
            problems.append(f"{how} boundary {points}: newest {newest}, skipped {skipped}, left {sorted(left)}")
        shutil.rmtree(folder)


def damage_drill(base: Path, stride: int = 1) -> tuple[int, int, list[str]]:
    """Each file of the newest of two checkpoints truncated, emptied, zeroed, deleted, and each byte flipped."""
    from engine.checkpoint.manifest import CheckpointError, verify

    folder = base / "damage"
    save_steps(folder, [2, 4], best=4)
    _, _, checkpoints = tiny_checkpoints(folder)
    newest, before = checkpoints.all()
    trials, passes, problems = 0, 0, []

    def noticed(what: str) -> None:
        nonlocal trials, passes
        trials += 1
        try:
            verify(newest)
        except CheckpointError as error:
            passes += str(newest) in str(error)
        else:
            problems.append(what)

    for path in sorted(newest.iterdir()):
        content = path.read_bytes()
        for kind, damaged in {
            "truncated": content[: len(content) // 2], "one byte short": content[:-1], "one byte long": content + b"\0",
            "empty": b"", "zeros": bytes(len(content)), "deleted": None,
        }.items():  # fmt: skip
            path.unlink() if damaged is None else path.write_bytes(damaged)
            noticed(f"{path.name} {kind}")
            taken, [reason] = checkpoints.newest()
            if taken != before or path.name not in reason:
                problems.append(f"{path.name} {kind}: took {taken}, said {reason}")
            path.write_bytes(content)
        for place in range(0, len(content), stride):
            flipped = bytearray(content)
            flipped[place] ^= 1 << random.Random(place).randrange(8)
            path.write_bytes(bytes(flipped))
            noticed(f"{path.name} byte {place} flipped")
        path.write_bytes(content)
    verify(newest)
    return trials, passes, problems


class SmallDisk:
    """A file system of some megabytes, in memory (needs the right to mount)."""

    def __init__(self, folder: Path, size: int):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.mounted = self.mount(f"size={size}")

    def mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def grow(self) -> None:
        self.mount("remount,size=1g")

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True)


def full_disk_drill(base: Path, data: Path, expected: dict, trials: int) -> tuple[int, int, list[str]]:
    """A run on a disk that fills up ends with one message and a whole checkpoint, and goes on when there is room."""
    passes, problems = 0, []
    for trial in range(trials):
        # three checkpoints take 7.4 MB, the fourth one that is being written does not fit; later other files do not
        size = 5_000_000 + trial * 600_000
        disk = SmallDisk(base / f"disk-{trial}", size)
        if not disk.mounted:
            return 0, 0, ["no right to mount a file system here"]
        try:
            problem = full_disk(disk, data, expected, base / f"disk-{trial}-log")
        finally:
            disk.close()
        passes += problem is None
        problems += [f"{size} bytes: {problem}"] if problem else []
    return trials, passes, problems


def full_disk(disk: SmallDisk, data: Path, expected: dict, log: Path) -> str | None:
    argv = tiny.command(data, disk.folder, data__cache_dir=log / "cache")
    running = start(argv, log)
    if not running.wait(120):
        return "does not end"
    [code] = running.codes()
    output, folder = running.output(), disk.folder / "runs" / "run"
    if code == 0:
        return "the disk was large enough"
    last = output.strip().splitlines()[-1]
    if code != 1 or not last.startswith("error: ") or "No space left" not in last or "Traceback" in output:
        return f"code {code}, last line {last!r}"
    if not whole_checkpoint(folder / "checkpoints"):
        return "no whole checkpoint is left"
    disk.grow()
    running = start(argv, log)
    if not running.wait(120) or running.codes() != [0]:
        return f"does not go on: {running.output()[-500:]}"
    return ", ".join(tiny.differences(tiny.result(folder), expected)) or None


def whole_checkpoint(folder: Path) -> bool:
    from engine.checkpoint.manifest import CheckpointError, verify

    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            verify(path)
            return True
        except CheckpointError:
            continue
    return False
