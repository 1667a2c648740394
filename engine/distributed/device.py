"""Where a run computes: threads, precision, and accelerate's view of devices and processes."""

import os

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import DistributedType, DynamoBackend, GradientAccumulationPlugin

from engine.distributed.sharded import ShardedAccelerator, sharding


def choose_precision(wanted: str | None) -> str:
    """fp32, bf16 or fp16: the configuration's, else the launcher's. A conflict of the two is an error."""
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if wanted and launcher in ("bf16", "fp16", "fp8") and wanted != launcher:
        raise ValueError(
            f"train.precision: got {wanted!r}, but the launcher was started with --mixed_precision {launcher}"
        )
    precision = wanted or ("fp32" if launcher == "no" else launcher)
    if precision == "fp8":
        raise ValueError("train.precision: the launcher says fp8, expected fp32, bf16 or fp16")
    on_cpu = not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    if precision == "bf16" and not on_cpu and torch.cuda.get_device_capability()[0] < 8:
        raise ValueError("train.precision: this GPU computes bf16 only by emulation, slower than fp32; use fp16")
    if precision == "fp16" and on_cpu:
        raise ValueError(
            "train.precision: fp16 needs a GPU (accelerate would train in fp32 without saying so); use bf16"
        )
    return precision


def set_threads(wanted: int | None) -> int:
    """CPU threads of this process: launchers set one a process, which leaves the other cores idle."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = wanted or max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    torch.set_num_threads(threads)
    return threads


def make_accelerator(precision: str) -> Accelerator:
    """Devices, processes and mixed precision. What the launcher may ask for beyond that is refused, not ignored."""
    # looked for before accelerate does, which would ignore some of them on a CPU
    for name in ("DEEPSPEED", "MEGATRON_LM", "PARALLELISM_CONFIG"):
        if asked_for(name):
            raise ValueError(f"the launcher asks for {name}, expected one process, several, or FSDP2")
    options = {
        "mixed_precision": {"fp32": "no"}.get(precision, precision),
        # given here, because accelerate would read the launcher's number and divide every loss by it once more
        "gradient_accumulation_plugin": GradientAccumulationPlugin(num_steps=1),
        "kwargs_handlers": [DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)],
        # said aloud, because processes that find no GPU would each train alone; mps has no float64
        "cpu": not torch.cuda.is_available(),
    }
    accelerator = ShardedAccelerator(sharding(precision), **options) if asked_for("FSDP") else Accelerator(**options)
    known = (DistributedType.NO, DistributedType.MULTI_GPU, DistributedType.MULTI_CPU, DistributedType.FSDP)
    if accelerator.distributed_type not in known:
        raise ValueError(
            f"the launcher asks for {accelerator.distributed_type.value}, expected one process, several, or FSDP2"
        )
    if accelerator.state.dynamo_plugin.backend != DynamoBackend.NO:
        raise ValueError("the launcher asks for torch.compile (--dynamo_backend), which this loop does not use")
    return accelerator


def asked_for(engine: str) -> bool:
    """Whether the launcher switched an engine of accelerate on."""
    return os.environ.get(f"ACCELERATE_USE_{engine}", "").lower() in ("1", "true", "yes")
