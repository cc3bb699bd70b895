"""The device of a run, and the messages if it is missing or has too little memory."""

import pytest

from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.errors import InputError, RuntimeUnavailableError
from spineseg_cli.training.device import training_device


def test_hardware_in_words():
    with training_device("cpu") as hardware:
        assert " cores of " in hardware


def test_out_of_memory_is_one_sentence():
    error = import_tensorflow().errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    with pytest.raises(InputError, match="out of memory while training: use a smaller --batch"), training_device("cpu"):
        raise error


def test_a_gpu_that_is_not_there():
    if import_tensorflow().config.list_physical_devices("GPU"):
        pytest.skip("there is one")
    with pytest.raises(RuntimeUnavailableError, match="TensorFlow sees none"), training_device("gpu"):
        pass


def test_more_gpus_than_there_are():
    with training_device("cpu", "all") as hardware:
        assert " cores of " in hardware
    with pytest.raises(RuntimeUnavailableError, match="asked for 99 GPUs, but TensorFlow sees .*: use --gpus all"):
        training_device("auto", 99).__enter__()
    with pytest.raises(RuntimeUnavailableError, match="asked for 2 GPUs, but --device cpu was asked for too"):
        training_device("cpu", 2).__enter__()
