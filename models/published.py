"""What published RTN checkpoints call the weights that we call otherwise."""

from collections.abc import Mapping

from torch import Tensor

# The flow estimator, which we choose ourselves, and what follows from the window's size.
_DROPPED_START, _DROPPED_END = "spynet.", ("attn_mask", "relative_position_index")
# Ours to theirs; the first that a name starts with counts.
_MODULES = {
    "backward_pass.encoder.": "Backward_Aggregation.conv2d_projection_head.",
    "backward_pass.mask_in.": "Backward_Aggregation.conv2d_1.",
    "backward_pass.mask_out.": "Backward_Aggregation.conv2d_2.",
    "backward_pass.refiner.": "backward_resblocks.",
    "forward_pass.encoder.": "Forward_Aggregation.conv2d_projection_head.",
    "forward_pass.mask_in.": "Forward_Aggregation.conv2d_1.",
    "forward_pass.mask_out.": "Forward_Aggregation.conv2d_2.",
    "forward_pass.refiner.": "forward_resblocks.",
    "decoder.conv_in.": "concate.",
    "decoder.body.0.": "up1.up_conv.",
    "decoder.body.1.": "up2.up_conv.",
    "decoder.body.2.": "conv_hr.",
    "decoder.conv_out.": "conv_last.",
}
_IN_REFINER = {
    "conv_in.": "conv_first.",
    "conv_down.": "conv_second.",
    "swin.norm_in.": "patch_embed.norm.",
    "swin.norm_out.": "norm.",
    "swin.conv.": "conv_after_body.",
    "swin.groups.": "layers.",
    "conv_wide.": "conv_before_upsample.0.",
    "conv_up.": "conv_up1.",
    "conv_out.": "conv_last.",
}
_IN_GROUP = (
    (".blocks.", ".residual_group.blocks."),
    (".attention.offset_bias", ".attn.relative_position_bias_table"),
    (".attention.", ".attn."),
    (".fc1.", ".mlp.fc1."),
    (".fc2.", ".mlp.fc2."),
)


def from_published(state: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a published checkpoint under our names.

    `ours` is the network's own state, whose names and shapes are wanted. The flow estimator and derived
    buffers are dropped. Raises ValueError, in one line, for what is missing, unexpected or of
    another shape.
    """
    theirs = {
        name: weight
        for name, weight in state.items()
        if not name.startswith(_DROPPED_START) and not name.endswith(_DROPPED_END)
    }
    wanted = {_published_name(name): name for name in ours}
    troubles = []
    if missing := [name for name in wanted if name not in theirs]:
        troubles.append(f"missing: {_some(missing)}")
    if unexpected := [name for name in theirs if name not in wanted]:
        troubles.append(f"unexpected: {_some(unexpected)}")
    misshaped = [
        f"{name} is {_shape(theirs[name])} instead of {_shape(ours[own])}"
        for name, own in wanted.items()
        if name in theirs and _shape(theirs[name]) != _shape(ours[own])
    ]
    if misshaped:
        troubles.append(f"of another shape: {_some(misshaped)}")
    if troubles:
        raise ValueError(f"not the weights of this RTN; {'; '.join(troubles)}")
    return {own: theirs[name] for name, own in wanted.items()}


def _published_name(name: str) -> str:
    module = next(start for start in _MODULES if name.startswith(start))
    rest = name.removeprefix(module)
    if module.endswith(".refiner."):
        part = next(start for start in _IN_REFINER if rest.startswith(start))
        rest = _IN_REFINER[part] + rest.removeprefix(part)
        if part == "swin.groups.":
            for own, theirs in _IN_GROUP:
                rest = rest.replace(own, theirs)
    return _MODULES[module] + rest


def _shape(weight: Tensor) -> tuple[int, ...]:
    return tuple(weight.shape)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
