"""Where a network runs and in what precision."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from models.colour.redye import Redye
from models.neural.precision import Precision
from models.neural.reweave import Reweave
from models.rtn import RTN

NetworkT = TypeVar("NetworkT", bound=RTN | Reweave | Redye)


@dataclass(frozen=True)
class Compute:
    """A device, and the type that its convolutions and products work in."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def chosen(cls, precision: Precision = "auto") -> "Compute":
        """The GPU if there is one, else the CPU; `auto`: half precision wherever the chip computes in it.

        That is fp16 on GPUs, bf16 on CPUs that have it (AVX-512 BF16 or AMX), else fp32: without those
        instructions bf16 is emulated, and slower than fp32.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Else GPUs compute float32 convolutions with ten bits of mantissa, and pictures have sixteen.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        if precision == "auto":
            precision = "fp16" if device.type == "cuda" else "bf16" if _has_bf16() else "fp32"
        dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        return cls(device, dtypes[precision])

    @property
    def name(self) -> str:
        """For the record, like `cpu bfloat16`."""
        kind = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        return f"{kind} {str(self.dtype).removeprefix('torch.')}"

    def ready(self, network: NetworkT) -> NetworkT:
        """The network on this device, for inference in this precision, with its weights in the order that
        convolutions like."""
        network.eval().requires_grad_(False).to(self.device)
        network.compute_in(self.dtype)
        ordered: Any = network
        ordered.to(memory_format=torch.channels_last)
        return network

    def taken(self, array_NCHW: Tensor) -> Tensor:
        """A tensor on this device, in channels-last, its type as it is."""
        return array_NCHW.to(self.device).contiguous(memory_format=torch.channels_last)


def _has_bf16() -> bool:
    told = torch.cpu.get_capabilities()
    return bool(told.get("avx512_bf16") or told.get("amx_bf16") or told.get("arm_bf16"))
