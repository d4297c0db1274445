"""Two logical CPUs for the replica tests, and fixed seeds: before TensorFlow starts."""

import gc
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As the command line: what starts here and goes on there is the same to the bit.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# First, so that no process is left with one of them at the end.
_LONGEST_FILES = ("test_contracts.py", "test_preset_exports.py", "test_translation.py")
_LONGEST_FILES += ("test_estimate.py",)


def pytest_configure(config):
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # it starts those that run tests, which would wait for TensorFlow here
    if config.option.markexpr == "not large":
        # What XLA compiles runs for a few steps: LLVM may leave it slow.
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    import keras  # noqa: F401
    import tensorflow as tf

    # Full collections look through all of TensorFlow, ever again, and through each
    # graph that a test made: up to a minute each. Below, what is new is looked at.
    gc.disable()
    gc.freeze()
    # On a GPU, products would be rounded to 10 bits.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    if config.option.markexpr == "not large":
        # The graphs would be rewritten for longer than they then run. Processes
        # that tests start, C++ and Python, rewrite them, as large tests do.
        options = {"disable_meta_optimizer": True}
        tf.config.optimizer.set_experimental_options(options)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in _LONGEST_FILES)


_NEW_OBJECTS = 300_000


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    """Collects garbage, and never looks at what survives it again."""
    if gc.get_count()[0] > _NEW_OBJECTS:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _fixed_seed():
    import keras

    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session", autouse=True)
def _forked_runner(request):
    """Exported files run in processes that need not import TensorFlow first.

    By default: large tests, and those of tests/export/test_check.py, start new ones.
    """
    if request.config.option.markexpr != "not large":
        yield
        return
    from export.verify import child
    from tests.forked import ForkedRunner

    runner = ForkedRunner(child.start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "start", runner)
        yield
    runner.close()
