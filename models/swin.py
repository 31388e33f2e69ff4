"""Swin transformer blocks: attention within windows that shift from block to block.

Shape suffixes: N items, C channels, H rows, W columns, K tokens of all items (N * H * W), B windows of all
items, L tokens of a window, A attention heads, D channels of a head.

Sources: Liu et al., "Swin Transformer", ICCV 2021, sections 3.1-3.2; residual groups after Liang et al.,
"SwinIR", ICCVW 2021, section 3.2.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layout = Literal["rows", "windows", "shifted"]
"""How tokens stand in memory: row by row, window by window, or window by window of the shifted picture."""

_KEPT_APART = -100.0  # the original's; e^-100 is nothing, and no row of a softmax can become NaN
# Windows that inference takes at a time, so that memory does not grow with the frame: 128 windows of 64
# tokens by 192 channels in bf16 are 3 MB. On two cores 32 at a time took a sixth longer, 300 were no faster.
_WINDOWS_AT_ONCE = 128


@dataclass(frozen=True)
class SwinSizes:
    """What a stack of residual Swin groups is made of."""

    channels: int
    """Channels of every token; a multiple of `heads`."""
    groups: int
    """Residual groups, one after the other."""
    blocks: int
    """Blocks in a group; every second one works on shifted windows."""
    heads: int
    """Attention heads."""
    window_px: int = 8
    """Side of a window, in pixels of the features; even. Heights and widths must be multiples of it."""
    mlp_ratio: float = 2.0
    """Hidden channels of the two-layer perceptron, of `channels`."""

    def __post_init__(self) -> None:
        if self.channels % self.heads:
            raise ValueError(f"{self.channels} channels do not divide among {self.heads} heads")
        if self.window_px < 2 or self.window_px % 2:
            raise ValueError(f"window_px is {self.window_px}; it must be even")


class _Span(NamedTuple):
    """Windows [start, stop) that share a mask."""

    start: int
    stop: int
    mask: int
    """0 nothing kept apart; 1, 2, 3: the picture's bottom, right, and both ends meet the opposite ones."""


class SwinStack(nn.Module):
    """LayerNorm, `groups` residual groups, LayerNorm, 3x3 convolution, plus the input.

    features_NCHW in, the same shape out; any floating type, any H and W that are multiples of `window_px`,
    best in channels-last. A ValueError tells of other sizes.
    """

    def __init__(self, sizes: SwinSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.norm_in = nn.LayerNorm(sizes.channels)
        self.groups = nn.ModuleList(SwinGroup(sizes) for _ in range(sizes.groups))
        self.norm_out = nn.LayerNorm(sizes.channels)
        self.conv = nn.Conv2d(sizes.channels, sizes.channels, 3, padding=1)

    def forward(self, features_NCHW: Tensor) -> Tensor:
        normed_NCHW = self.norm_in(features_NCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        for group in self.groups:
            normed_NCHW = group(normed_NCHW)
        normed_NCHW = self.norm_out(normed_NCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        added_NCHW: Tensor = self.conv(normed_NCHW) + features_NCHW
        return added_NCHW


class SwinGroup(nn.Module):
    """Swin blocks, regular and shifted in turn, and a 3x3 convolution, plus the input."""

    def __init__(self, sizes: SwinSizes) -> None:
        super().__init__()
        self.window_px = sizes.window_px
        self.blocks = nn.ModuleList(SwinBlock(sizes) for _ in range(sizes.blocks))
        self.conv = nn.Conv2d(sizes.channels, sizes.channels, 3, padding=1)

    def forward(self, features_NCHW: Tensor) -> Tensor:
        """features_NCHW in, the same shape out; H and W multiples of `window_px`, else a ValueError."""
        count, channels, height, width = features_NCHW.shape
        if height % self.window_px or width % self.window_px:
            raise ValueError(
                f"features are {width}x{height}: pad both sides to multiples of {self.window_px} pixels"
            )
        size = (count, height, width)
        # Everything in a block but attention works token by token, so that tokens stay in the order of the
        # block's windows, and one gather leads from each order to the next.
        tokens_KC = features_NCHW.permute(0, 2, 3, 1).reshape(-1, channels)
        layout: Layout = "rows"
        for number, block in enumerate(self.blocks):
            wanted: Layout = "shifted" if number % 2 else "windows"
            tokens_KC = _rearrange(tokens_KC, size, self.window_px, layout, wanted)
            spans = _spans(size, self.window_px, wanted)
            tokens_KC = block(tokens_KC.view(-1, self.window_px**2, channels), spans).view(-1, channels)
            layout = wanted
        tokens_KC = _rearrange(tokens_KC, size, self.window_px, layout, "rows")
        mixed_NCHW: Tensor = self.conv(tokens_KC.view(count, height, width, channels).permute(0, 3, 1, 2))
        return mixed_NCHW + features_NCHW


class SwinBlock(nn.Module):
    """LayerNorm, window attention, plus the input; LayerNorm, perceptron with GELU, plus its input."""

    def __init__(self, sizes: SwinSizes) -> None:
        super().__init__()
        hidden = int(sizes.channels * sizes.mlp_ratio)
        self.norm1 = nn.LayerNorm(sizes.channels)
        self.attention = WindowAttention(sizes.channels, sizes.heads, sizes.window_px)
        self.norm2 = nn.LayerNorm(sizes.channels)
        self.fc1 = nn.Linear(sizes.channels, hidden)
        self.fc2 = nn.Linear(hidden, sizes.channels)

    def forward(self, windows_BLC: Tensor, spans: tuple[_Span, ...]) -> Tensor:
        """The same shape. Without gradients the windows are changed in place, a few at a time."""
        bias_4ALL = self.attention.bias(windows_BLC.device)
        if not torch.is_grad_enabled():
            for span in spans:
                for start in range(span.start, span.stop, _WINDOWS_AT_ONCE):
                    part_BLC = windows_BLC[start : min(start + _WINDOWS_AT_ONCE, span.stop)]
                    part_BLC.add_(self.attention(self.norm1(part_BLC), bias_4ALL[span.mask]))
                    part_BLC.add_(self.fc2(F.gelu(self.fc1(self.norm2(part_BLC)))))
            return windows_BLC
        normed_BLC = self.norm1(windows_BLC)
        attended = [self.attention(normed_BLC[s.start : s.stop], bias_4ALL[s.mask]) for s in spans]
        windows_BLC = windows_BLC + (torch.cat(attended) if len(attended) > 1 else attended[0])
        added_BLC: Tensor = windows_BLC + self.fc2(F.gelu(self.fc1(self.norm2(windows_BLC))))
        return added_BLC


class WindowAttention(nn.Module):
    """Multi-head self-attention within each window, with a learnt bias for every offset of two tokens."""

    offset_LL: Tensor
    apart_4LL: Tensor

    def __init__(self, channels: int, heads: int, window_px: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.offset_bias = nn.Parameter(torch.empty((2 * window_px - 1) ** 2, heads))
        nn.init.trunc_normal_(self.offset_bias, std=0.02)
        self.register_buffer("offset_LL", _offsets(window_px), persistent=False)
        self.register_buffer("apart_4LL", _apart(window_px), persistent=False)

    def bias(self, device: torch.device) -> Tensor:
        """What is added to the attention of two tokens, by kind of window: (4, A, L, L)."""
        tokens = len(self.offset_LL)
        bias_ALL = self.offset_bias[self.offset_LL.view(-1)].view(tokens, tokens, -1).permute(2, 0, 1)
        return bias_ALL[None] + self.apart_4LL[:, None]

    def forward(self, windows_BLC: Tensor, bias_ALL: Tensor) -> Tensor:
        windows, tokens, channels = windows_BLC.shape
        qkv_BL3AD = self.qkv(windows_BLC).view(windows, tokens, 3, self.heads, -1)
        query_BALD, key_BALD, value_BALD = qkv_BL3AD.permute(2, 0, 3, 1, 4)
        bias_1ALL = bias_ALL[None].to(query_BALD.dtype)
        if bias_1ALL.requires_grad:
            # torch's own has no fast way for a bias that learns, and takes twice as long as this.
            with torch.autocast(windows_BLC.device.type, enabled=False):
                likeness_BALL = (query_BALD * query_BALD.shape[-1] ** -0.5) @ key_BALD.transpose(-2, -1)
                found_BALD = (likeness_BALL + bias_1ALL).softmax(-1) @ value_BALD
        else:
            found_BALD = F.scaled_dot_product_attention(query_BALD, key_BALD, value_BALD, attn_mask=bias_1ALL)
        mixed_BLC: Tensor = self.proj(found_BALD.transpose(1, 2).reshape(windows, tokens, channels))
        return mixed_BLC


def _offsets(window_px: int) -> Tensor:
    """The row of the bias table for two tokens of a window: by rows apart, then columns apart."""
    row_L, column_L = torch.meshgrid(torch.arange(window_px), torch.arange(window_px), indexing="ij")
    rows_LL = row_L.reshape(-1, 1) - row_L.reshape(1, -1) + window_px - 1
    columns_LL = column_L.reshape(-1, 1) - column_L.reshape(1, -1) + window_px - 1
    return rows_LL * (2 * window_px - 1) + columns_LL


def _apart(window_px: int) -> Tensor:
    """Masks for windows of a shifted picture, by `_Span.mask`: what only its wrapping brought together."""
    wrapped_l = torch.arange(window_px) >= window_px // 2
    bottom_L = wrapped_l[:, None].expand(window_px, window_px).reshape(-1)
    right_L = wrapped_l[None, :].expand(window_px, window_px).reshape(-1)
    region_4L = torch.stack([torch.zeros_like(bottom_L), bottom_L, right_L, bottom_L + 2 * right_L])
    return torch.where(region_4L[:, :, None] == region_4L[:, None, :], 0.0, _KEPT_APART)


def _spans(size_NHW: tuple[int, int, int], window_px: int, layout: Layout) -> tuple[_Span, ...]:
    """Which windows of a layout need which mask; the order is that of `_order`."""
    count, height, width = size_NHW
    down, across = height // window_px, width // window_px
    if layout != "shifted":
        return (_Span(0, count * down * across, 0),)
    counts = ((down - 1) * (across - 1), across - 1, down - 1, 1)
    spans, start = [], 0
    for mask, windows in enumerate(counts):
        if windows:
            spans.append(_Span(start, start + windows * count, mask))
            start += windows * count
    return tuple(spans)


def _order(size_NHW: tuple[int, int, int], window_px: int, layout: Layout) -> Tensor:
    """For each place of a layout, the token (counted by rows) that stands there; int64 (K,)."""
    count, height, width = size_NHW
    token_NHW = torch.arange(count * height * width).view(count, height, width)
    if layout == "rows":
        return token_NHW.reshape(-1)
    if layout == "shifted":
        token_NHW = token_NHW.roll((-(window_px // 2), -(window_px // 2)), dims=(1, 2))
    down, across = height // window_px, width // window_px
    token_hwNL = (
        token_NHW.view(count, down, window_px, across, window_px)
        .permute(1, 3, 0, 2, 4)
        .reshape(down, across, count, window_px**2)
    )
    if layout == "windows":
        return token_hwNL.reshape(-1)
    inner, bottom = token_hwNL[:-1, :-1], token_hwNL[-1, :-1]
    right, corner = token_hwNL[:-1, -1], token_hwNL[-1, -1]
    return torch.cat([part.reshape(-1) for part in (inner, bottom, right, corner)])


@lru_cache(maxsize=24)
def _moves(
    size_NHW: tuple[int, int, int], window_px: int, old: Layout, new: Layout, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Where each place of `new` finds its token in `old`, and the way back; int32 (K,) each."""
    # Kept tensors outlive the call: made in inference mode they would be refused by a later training step.
    with torch.inference_mode(False), torch.no_grad():
        place_K = torch.argsort(_order(size_NHW, window_px, old))
        there_K = place_K[_order(size_NHW, window_px, new)]
        back_K = torch.argsort(there_K)
        return there_K.to(device, torch.int32), back_K.to(device, torch.int32)


class _Rearranged(torch.autograd.Function):
    """index_select by a permutation; its gradient is one too, where autograd would add row by row."""

    @staticmethod
    def forward(ctx: Any, tokens_KC: Tensor, there_K: Tensor, back_K: Tensor) -> Tensor:
        ctx.save_for_backward(back_K)
        return tokens_KC.index_select(0, there_K)

    @staticmethod
    def backward(ctx: Any, *gradients_KC: Tensor) -> tuple[Tensor, None, None]:
        (back_K,) = ctx.saved_tensors
        return gradients_KC[0].index_select(0, back_K), None, None


def _rearrange(
    tokens_KC: Tensor, size_NHW: tuple[int, int, int], window_px: int, old: Layout, new: Layout
) -> Tensor:
    """The tokens in another layout, always a copy."""
    there_K, back_K = _moves(size_NHW, window_px, old, new, tokens_KC.device)
    if not torch.is_grad_enabled():
        return tokens_KC.index_select(0, there_K)
    moved_KC: Tensor = _Rearranged.apply(tokens_KC, there_K, back_K)
    return moved_KC
