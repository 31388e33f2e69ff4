"""Names of what networks compute in; no engine is needed to speak of them."""

from typing import Literal

Precision = Literal["auto", "fp32", "bf16", "fp16"]
