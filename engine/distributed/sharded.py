"""FSDP2: weights, gradients and moments cut into one part a process, and whole again for files.

Everything here does nothing to plain tensors, so that checkpoints are the same files however a run computed.
"""

import os
from collections.abc import Mapping

import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin, PartialState
from accelerate.utils import DistributedType
from torch import Tensor, nn


class ShardedAccelerator(Accelerator):
    """accelerate with FSDP2 on CPUs, too, and a gradient norm that is a plain tensor, the same on all processes."""

    def __init__(self, plugin: FullyShardedDataParallelPlugin, **options):
        super().__init__(fsdp_plugin=plugin, **options)
        if self.distributed_type == DistributedType.MULTI_CPU:
            # accelerate knows FSDP on GPUs only and would train whole copies on CPUs without saying so
            self.state.distributed_type, self.state.fsdp_plugin = DistributedType.FSDP, plugin
            PartialState().distributed_type = DistributedType.FSDP  # else it comes back from there

    def clip_grad_norm_(self, parameters, max_norm, norm_type=2) -> Tensor:
        return full(super().clip_grad_norm_(parameters, max_norm, norm_type))


def sharding(precision: str) -> FullyShardedDataParallelPlugin:
    """What the launcher's environment says about FSDP. Raises ValueError for all that this loop does not do."""
    version = os.environ.get("FSDP_VERSION", "1")
    if version != "2":
        raise ValueError(f"the launcher asks for FSDP {version}, expected FSDP2 (fsdp_version: 2)")
    for variable, key, instead in (
        ("FSDP_OFFLOAD_PARAMS", "fsdp_offload_params", "a smaller train.micro_batch_size"),
        ("FSDP_ACTIVATION_CHECKPOINTING", "fsdp_activation_checkpointing", "model.gradient_checkpointing"),
        ("FSDP_IGNORED_MODULES", "fsdp_ignored_modules", "none: their gradients would differ between processes"),
    ):
        if os.environ.get(variable, "false").lower() not in ("false", "0", "no", "none", ""):
            raise ValueError(f"the launcher asks for {key}, which this loop does not use; use {instead}")
    if torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes"):
        raise ValueError("FSDP2 on CPUs takes a GPU where it sees one: set CUDA_VISIBLE_DEVICES= (empty), too")
    from torch.distributed.fsdp import MixedPrecisionPolicy  # here, because most runs do without

    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        # every process reads the weights: with this, transformers would leave them empty on all but one
        cpu_ram_efficient_loading=False,
        # gradients are summed in float32, as without sharding; accelerate would sum them in half
        mixed_precision_policy=MixedPrecisionPolicy(param_dtype=half, reduce_dtype=half and torch.float32),
    )


def name_units(accelerator: Accelerator, model: nn.Module) -> None:
    """Tell accelerate which modules are gathered at a time: each numbered layer of the backbone, and its embedding.

    Its own choice, `_no_split_modules`, is missing for ELECTRA and fails for BERT, where it cuts the embedding twice.
    """
    plugin = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is None:
        return
    if plugin.transformer_cls_names_to_wrap is None:  # the launcher may name them
        lists = [module for module in model.backbone.modules() if isinstance(module, nn.ModuleList)]
        plugin.transformer_cls_names_to_wrap = sorted({type(layer).__name__ for layers in lists for layer in layers})
    # asked for by accelerate; transformers finds it in models of its own shapes only
    model.get_input_embeddings = model.backbone.get_input_embeddings


def full(tensor: Tensor) -> Tensor:
    """The whole of a tensor. Where it is sharded all processes must call this together."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def own_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that the optimizer holds, by name."""
    model.state_dict()  # FSDP2 leaves gathered ones in the model after an evaluation, until this is asked for
    return dict(model.named_parameters())


def gathered(tensors: Mapping[str, Tensor], keep: bool) -> dict[str, Tensor]:
    """Whole tensors on the CPU. All processes call it together; those that do not `keep` them get none."""
    whole, held = {}, set()
    for name, tensor in tensors.items():
        value = full(tensor.detach())
        if keep:
            value = value.cpu().contiguous()
            tied = value.untyped_storage().data_ptr() in held and value.numel()  # safetensors takes no shared memory
            whole[name] = value.clone() if tied else value
            held.add(value.untyped_storage().data_ptr())
    return whole


def like(tensor: Tensor, target: Tensor) -> Tensor:
    """A whole tensor that every process holds, cut as `target` is where that is sharded, else as it came."""
    if not hasattr(target, "full_tensor") or tensor.shape != target.shape:  # AdamW's step counts stay whole
        return tensor
    from torch.distributed.tensor import distribute_tensor

    # src_data_rank None: each process cuts its part out of its own copy, nothing is sent
    return distribute_tensor(tensor.to(target.device), target.device_mesh, target.placements, src_data_rank=None)
