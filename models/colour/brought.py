"""A user's own model for stills, by what names it: a function, an ONNX file or a TorchScript file.

A function's module and a TorchScript file are programs, which run here with all that the user may do. Nothing
is fetched, and no pickle is opened: TorchScript's reader makes tensors and its own code, no Python objects.
Models are run on the processor.
"""

import hashlib
import io
import pkgutil
import re
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from models.colour.automatic import Float, Maker, StillColouriser, StillModelError, in_a_line
from models.names import plain_name

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_ONNX, _TORCHSCRIPT = (".onnx",), (".pt", ".pth", ".ts", ".torchscript")


def load_still_colouriser(name: str) -> StillColouriser:
    """The model, tried out on a grey ramp.

    name: `module:function`, where Python finds modules; or a file, by its suffix ONNX (.onnx; needs
    onnxruntime) or TorchScript (.pt, .pth, .ts, .torchscript). Raises StillModelError.
    """
    suffix = Path(name).suffix.lower()
    if suffix in _ONNX:
        found = _onnx(Path(name))
    elif suffix in _TORCHSCRIPT:
        found = _torchscript(Path(name))
    elif _FUNCTION.fullmatch(name):
        found = _function(name)
    else:
        raise StillModelError(
            f"{name}: name a function as module:function, an ONNX file (.onnx) or a TorchScript file (.pt)"
        )
    found.try_out()
    return found


def _function(name: str) -> StillColouriser:
    try:
        with redirect_stdout(sys.stderr):
            found = pkgutil.resolve_name(name)
    except (Exception, SystemExit) as error:  # importing runs the module
        told = f"{name}: cannot be imported ({in_a_line(error)})"
        raise StillModelError(f"{told}; is its folder on PYTHONPATH?") from error
    if not callable(found):
        raise StillModelError(f"{name}: is no function")
    file = getattr(sys.modules[name.partition(":")[0]], "__file__", None)
    if file is None:
        raise StillModelError(f"{name}: its module has no file that could be put on record; name another")
    return StillColouriser(Maker(name, "function", _sha256(_read(Path(file)))), found)


def _torchscript(path: Path) -> StillColouriser:
    import torch

    data = _read(path)
    load: Any = torch.jit.load
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch would have its users export otherwise
            network = load(io.BytesIO(data), map_location="cpu").eval()
    except RuntimeError as error:
        raise StillModelError(
            f"{path}: is no TorchScript file, or damaged; write it by torch.jit.save, not weights alone"
        ) from error

    def run(luma_11hw: Float) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(luma_11hw)).numpy()

    return StillColouriser(Maker(plain_name(path.name), "TorchScript", _sha256(data)), run)


def _onnx(path: Path) -> StillColouriser:
    data = _read(path)
    try:
        import onnxruntime
    except ImportError as error:
        raise StillModelError(
            f"{path}: ONNX files need onnxruntime; run `pip install 'answerprint[onnx]'`"
        ) from error
    try:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a kind for each cause, none of them public
        raise StillModelError(f"{path}: cannot be loaded as ONNX ({in_a_line(error)})") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        told = ", ".join(f"{each.name} {each.shape}" for each in inputs)
        raise StillModelError(f"{path}: takes {told}; one input of (1, 1, H, W) is wanted")

    def run(luma_11hw: Float) -> Any:
        return session.run(None, {inputs[0].name: luma_11hw})[0]

    height, width = inputs[0].shape[2:]  # what is not fixed has a name, None, 0 or -1
    fixed = (height, width) if all(isinstance(side, int) and side > 0 for side in (height, width)) else None
    return StillColouriser(Maker(plain_name(path.name), "ONNX", _sha256(data)), run, fixed)


def _read(path: Path) -> bytes:
    """Whole: what is put on record and what is run are the same bytes."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StillModelError(f"{path}: cannot be read ({error.strerror or error})") from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
