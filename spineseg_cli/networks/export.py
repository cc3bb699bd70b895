"""The TFLite exports of a network: the same weights in LiteRT's format, for windows of one size, and the same with eight bits."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import tempfile
from pathlib import Path

from spineseg_cli.core.extras import require
from spineseg_cli.core.files import atomic_path


def write_tflite(network, window: int, path: Path, depth: int = 0) -> None:
    """Write `network`, a `keras.Model` on TensorFlow, to `path` (`.tflite`) for windows of `window` x `window` samples.

    With a `depth`, it sees stacks of so many windows; raises ValueError if it is not one of `networks.export_stacks`.
    """
    import tensorflow

    from spineseg_cli.networks.export_stacks import network_of_slices

    fixed = network_of_slices(network, window, depth) if depth else _network_of_windows(network, window)
    with tempfile.TemporaryDirectory() as folder:
        fixed.export(folder, format="tf_saved_model", verbose=False)
        converted = tensorflow.lite.TFLiteConverter.from_saved_model(folder).convert()
    with atomic_path(path) as temporary:
        temporary.write_bytes(converted)


def _network_of_windows(network, window: int):
    """Return a `keras.Model` that is equivalent to a 2-D network for one window."""
    import keras

    inputs = keras.Input((window, window, 1), batch_size=1)
    fixed = keras.models.clone_model(network, input_tensors=inputs, clone_function=_for_litert)
    fixed.set_weights(network.get_weights())
    return fixed


def _for_litert(layer):
    """Return a copy of a Keras layer, made of other operations where LiteRT is slow with those of Keras."""
    import keras
    import tensorflow

    from spineseg_cli.networks.export_stacks import NearestUpSampling

    class DilatedConvolution(keras.layers.Conv2D):
        def call(self, inputs):
            convolved = tensorflow.nn.conv2d(inputs, self.kernel, 1, "SAME", dilations=self.dilation_rate)
            return self.activation(convolved + self.bias)

    class DoublingConvolution(keras.layers.Conv2DTranspose):
        """Computes the four output samples of each sample as channels, and then rearranges them in space."""

        def call(self, inputs):
            kernel = tensorflow.reshape(tensorflow.transpose(self.kernel, [3, 0, 1, 2]), [1, 1, inputs.shape[-1], -1])
            four = tensorflow.nn.conv2d(inputs, kernel, 1, "SAME")
            return self.activation(tensorflow.nn.depth_to_space(four, 2) + self.bias)

    config, kind = layer.get_config(), type(layer)
    if kind is keras.layers.UpSampling2D and layer.size == (2, 2) and layer.interpolation == "nearest":
        return NearestUpSampling(name=layer.name)
    if kind is keras.layers.Conv2D and max(layer.dilation_rate) > 1 and layer.padding == "same" and layer.use_bias:
        return DilatedConvolution.from_config(config)
    if kind is keras.layers.Conv2DTranspose and layer.kernel_size == layer.strides == (2, 2) and layer.use_bias:
        return DoublingConvolution.from_config(config)
    return layer.__class__.from_config(config)


def write_int8_tflite(tflite: Path, path: Path) -> None:
    """Write a `.tflite` network whose convolutions are computed with eight bits, which takes a third of the time.

    Weights are quantized per filter, and activations by their range in each window, so that no scans are needed for calibration.
    The first and the last convolution stay in float32, since they take little time but would cause most of the error. Remaining
    transposed convolutions stay in float32 because LiteRT is slow with eight bits there.

    `tflite` is the network as `write_tflite` writes it.
    """
    require("eight-bit networks", "ai_edge_quantizer")
    from ai_edge_quantizer import quantizer, recipe

    convolutions = _convolutions(tflite)
    kept = [(".*", "CONV_2D_TRANSPOSE")]
    kept += [(f".*{re.escape(name)}.*", "CONV_2D") for name in (convolutions[0], convolutions[-1])]
    rules = [{"regex": name, "operation": kind, "algorithm_key": "no_quantize", "op_config": {}} for name, kind in kept]
    work = quantizer.Quantizer(str(tflite))
    work.load_quantization_recipe([*recipe.dynamic_wi8_afp32(), *rules])
    with open(os.devnull, "w") as silence, contextlib.redirect_stdout(silence):
        result = work.quantize()
    with atomic_path(path) as temporary:
        temporary.write_bytes(result.quantized_model)


def compress_tflite(tflite: Path) -> Path:
    """Write a `.tflite` network compressed (`.tflite.gz`) beside it, for `LiteRTRuntime`; return the file's path."""
    path = tflite.with_name(f"{tflite.name}.gz")
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(tflite.read_bytes(), mtime=0))
    return path


def _convolutions(tflite: Path) -> list[str]:
    """Return the names of the outputs of the convolutions in a `.tflite` file, from first to last."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite.read_bytes(), 0))
    graph = model.subgraphs[0]
    is_convolution = [code.builtinCode == schema.BuiltinOperator.CONV_2D for code in model.operatorCodes]
    outputs = [operator.outputs[0] for operator in graph.operators if is_convolution[operator.opcodeIndex]]
    return [graph.tensors[output].name.decode().split(";")[0] for output in outputs]
