"""Training throughput in float32, mixed_bfloat16 and mixed_float16.

    python tests/benchmarks/precision.py [MODEL ...] [--rounds 3] [--seconds 8]

`fit` on noise that lies in memory. Each measurement is a process of its own; rounds are
interleaved in random order. The table gives the median images per second, and the
median and range of the ratio to float32 within a round. Whether a half precision is
worth it is a matter of the processor, so the flags that decide are printed: without
AVX512_BF16 or AMX, bfloat16 is emulated by conversions. On a GPU float32 itself may be
TensorFloat-32.
"""

import argparse
import os
import re
import statistics
from pathlib import Path

from rounds import EpochClock, run_round

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MODELS = ("mlp_vae", "conv_vae", "dcgan_64", "pix2pix_64")
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
BATCH_SIZES = {"mlp_vae": 128, "conv_vae": 128, "dcgan_64": 32, "pix2pix_64": 4}
NUM_BATCHES = 8  # an epoch
FLAGS = ("f16c", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16")


def build_model(name):
    from train import build_vae_networks

    import tfgen
    from tfgen import networks
    from tfgen.optimizers import FusedAdam

    if name.endswith("vae"):
        model = tfgen.VAE(*build_vae_networks(name), seed=0)
        model.compile(FusedAdam(1e-3))
        return model, [(28, 28, 1)]
    shape = (64, 64, 3)
    if name == "dcgan_64":
        model = tfgen.GAN(
            networks.build_dcgan_generator(64, shape, 32),
            networks.build_dcgan_discriminator(shape, 32),
            seed=0,
        )
        shapes = [shape]
    else:
        discriminator = networks.build_patchgan_discriminator((64, 64, 6), 32)
        generator = networks.build_unet_generator(shape, filters=32)
        model = tfgen.Pix2Pix(generator, discriminator, seed=0)
        shapes = [shape, shape]
    model.compile(*(FusedAdam(2e-4, beta_1=0.5) for _ in range(2)))
    return model, shapes


def measure(name, policy, seconds):
    """Prints the images per second of the epochs after the first."""
    import keras
    import numpy as np
    import tensorflow as tf
    from train import fit

    keras.config.set_dtype_policy(policy)
    model, shapes = build_model(name)
    num_images = NUM_BATCHES * BATCH_SIZES[name]
    rng = np.random.default_rng(0)
    arrays = tuple(rng.random((num_images, *shape), "float32") for shape in shapes)
    arrays = arrays if len(arrays) > 1 else arrays[0]
    data = tf.data.Dataset.from_tensor_slices(arrays).batch(BATCH_SIZES[name])
    clock = EpochClock(seconds)
    fit(model, clock, data.cache(), shuffle=False)
    print(clock.rate(num_images))


def describe_machine():
    """Returns lines: the processor with the flags that matter, and the GPUs."""
    import tensorflow as tf

    file = Path("/proc/cpuinfo")
    info = file.read_text() if file.exists() else ""
    name = re.search(r"model name\s*:\s*(.*)", info)
    found = set(re.findall(r"\w+", (re.search(r"flags\s*:(.*)", info) or [""])[0]))
    flags = [f"{flag} {'yes' if flag in found else 'no'}" for flag in FLAGS]
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    names = [detail.get("device_name", "unknown") for detail in details]
    processor = name[1] if name else "unknown"
    return [
        f"processor: {processor}, {os.cpu_count()} threads; {', '.join(flags)}",
        f"GPU: {', '.join(names) or 'none'}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        measure(options.models[0], options.worker, options.seconds)
        return
    print(*describe_machine(), sep="\n")
    for name in options.models:
        rounds = [
            run_round(__file__, name, POLICIES, options.seconds)
            for _ in range(options.rounds)
        ]
        print(f"{name}, batch {BATCH_SIZES[name]}: {options.rounds} rounds")
        for policy in POLICIES:
            rate = statistics.median(rates[policy] for rates in rounds)
            ratios = [rates[policy] / rates["float32"] for rates in rounds]
            print(
                f"  {policy:14} {rate:9.1f} images/s   {statistics.median(ratios):.2f} "
                f"of float32's ({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
