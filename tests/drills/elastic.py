"""R13, R16: a run that goes on with another number of processes; the same command twice."""

import shutil
from pathlib import Path

from tests.drills import splits, tiny
from tests.drills.processes import isolated, start

WAYS = ((2, 1), (1, 2))  # processes before and after
STOPS = (6, 20, 34)  # updates after which they are killed


def weights(folder: Path) -> dict:
    from safetensors.torch import load_file

    newest = max((folder / "runs" / "run" / "checkpoints").glob("step-*"))
    return load_file(newest / "model.safetensors")


def apart(mine: Path, theirs: Path, first: Path) -> float:
    """Distance of the last weights as a share of the distance that training moved them."""
    from safetensors.torch import load_file

    base = load_file(first)
    mine, theirs = weights(mine), weights(theirs)
    return splits.distance({n: mine[n] for n in base}, {n: theirs[n] for n in base}, base, "key.bias")


def write_first(argv: list[str]) -> int:
    """The weights that a run starts from."""
    from safetensors.torch import save_file

    run = splits.build_run(argv, double=False)
    folder = Path(next(word for word in argv if word.startswith("--run.dir=")).partition("=")[2]).parent
    tensors = {name: p.detach().contiguous() for name, p in run.parts.model.named_parameters()}
    save_file(tensors, folder / "first.safetensors")
    return 0


def drill(base: Path, data: Path, ways=WAYS, stops=STOPS) -> tuple[int, int, list[str]]:
    """Killed on 2 processes, continued on 1, and the other way round; dropout off: the weights are those of one run."""
    options = {"model__dropout": 0, "train__max_updates": 40, "train__epochs": 1}
    straight = base / "elastic-straight"
    running = start(tiny.command(data, straight, **options), straight)
    assert running.wait(120), "does not end"
    assert running.codes() == [0], running.output()[-2000:]
    first = start(tiny.command(data, base / "elastic-first", **options), base / "elastic-first", function=write_first)
    assert first.wait(60), "does not end"
    assert first.codes() == [0], first.output()[-2000:]

    trials, passes, problems = 0, 0, []
    for before, after in ways:
        for stop in stops:
            trials += 1
            folder = base / f"elastic-{before}-{after}-{stop}"
            argv = tiny.command(data, folder, **options)
            problem = kill_at(folder, argv, before, stop) or go_on(folder, argv, after, before)
            if problem is None:
                distance = isolated(apart, folder, straight, base / "elastic-first" / "first.safetensors")
                problem = None if distance < 1e-5 else f"weights are {distance:.1e} apart"
            passes += problem is None
            problems += [f"{before} -> {after} processes at update {stop}: {problem}"] if problem else []
            shutil.rmtree(folder)
    return trials, passes, problems


def kill_at(folder: Path, argv: list[str], processes: int, step: int) -> str | None:
    running = start(argv, folder, processes)
    wanted = folder / "runs" / "run" / "checkpoints" / f"step-{step:08d}"
    while running.alive() and not wanted.exists():
        running.wait(0.005)
    if not running.alive():
        return f"ended before it could be killed: {running.output()[-500:]}"
    running.kill()
    running.wait(10)
    return None


def go_on(folder: Path, argv: list[str], processes: int, before: int) -> str | None:
    running = start(argv, folder, processes)
    if not running.wait(120) or set(running.codes()) != {0}:
        running.kill()
        return f"{running.codes()}: {running.output()[-800:]}"
    if f"processes were {before}, now {processes}" not in running.output():
        return "the other number of processes is not told"
    return None


def twice(base: Path, data: Path, expected: dict, trials: int) -> tuple[int, int, list[str]]:
    """The same command again, half of the times with a warm token cache: bit for bit the same run."""
    passes, problems, warm = 0, [], base / "warm-cache"
    for trial in range(trials):
        folder = base / f"again-{trial}"
        changed = {"data__cache_dir": warm} if trial % 2 else {}
        running = start(tiny.command(data, folder, **changed), folder)
        if not running.wait(120) or running.codes() != [0]:
            problems.append(f"{running.codes()}: {running.output()[-500:]}")
            continue
        wrong = tiny.differences(tiny.result(folder / "runs" / "run"), expected)
        passes += not wrong
        problems += [f"trial {trial}: {', '.join(wrong)} differ"] if wrong else []
        shutil.rmtree(folder)
    return trials, passes, problems
