"""Few images: a GAN that goes on from trained weights beside one that starts anew.

    python -m tests.benchmarks.finetune [gan|pix2pix] [--seeds 3] [--steps 300 1000]
                                        [--base-epochs 20] [--out DIR]

People, which are the emoji that come in five skin tones, are left out of the training
of the network that is fine-tuned. 200 of them are then all that is trained on, by three
ways with equal steps: anew, from the trained weights, and from them with the first
stages of the discriminator frozen (FreezeD). People drawn alike are never both trained
on and measured with. Prints, for each number of steps, the kernel distance of
samples to people that were not trained on: the median of the seeds, and each.
"""

import argparse
import collections
import os
import pathlib
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import tfgen

NUM_TRAINED, BATCH_SIZE, SIZE = 200, 20, 32
DCGAN = {  # of Radford et al.
    "loss": "non_saturating",
    "normalization": "batch",
    "gradient_penalty": None,
    "augment": "color,translation,cutout",
    "learning_rate": 2e-4,
    "beta_1": 0.5,
    "beta_2": 0.999,
}
PRESETS = {
    "gan": ("dcgan_openmoji_64", DCGAN),
    "pix2pix": ("pix2pix_openmoji_64", {}),
}
FEW_STEPS = {"gan": {"ema_decay": 0.99}, "pix2pix": {}}  # 0.999 keeps the first weights
SKIN_TONES = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}
FROZEN = ("discriminator/conv2d", "discriminator/conv2d_1")  # next to the images


def read_emoji():
    """Returns the emoji without people, and people by what is drawn alike.

    Each is a line drawing and, to the right of it, the same in colour.
    """
    import tensorflow_datasets as tfds

    import tfgen.data.builders.openmoji  # noqa: F401 (tells TFDS of it)

    dataset = tfds.load(f"openmoji/{SIZE}", split="train+test")
    examples = list(dataset.as_numpy_iterator())
    names = {x["group"] for x in examples if SKIN_TONES & codes(x)}
    for example in examples:
        pair = [example["line"], example["color"]]
        example["pair"] = np.concatenate(pair, axis=1)
    rest = [x["pair"] for x in examples if x["group"] not in names]
    groups = [[x["pair"] for x in examples if x["group"] == y] for y in sorted(names)]
    return rest, groups


def codes(example):
    return set(example["hexcode"].decode().split("-"))


def divide(groups, rng):
    """Returns 200 people to train on, and people of other drawings to measure with."""
    order = rng.permutation(len(groups))
    images, count = [], 0
    while len(images) < NUM_TRAINED:
        images += groups[order[count]]
        count += 1
    held_out = [image for group in order[count:] for image in groups[group]]
    return images[:NUM_TRAINED], np.stack(held_out) / np.float32(255.0)


def write_images(pairs, folder, kind):
    """Writes pairs, or the colour images alone for a GAN."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number, pair in enumerate(pairs):
        image = pair if kind == "pix2pix" else pair[:, SIZE:]
        Image.fromarray(image).save(folder / f"{number:04}.png")
    return folder


def measure(run, held_out, seed, kind):
    from tfgen.evaluation import compare

    count = len(held_out) // 2
    if kind == "pix2pix":
        fake = tfgen.inference.translate(run.model, held_out[:count, :, :SIZE])
    else:
        fake = run.sample(count, seed=seed)
    return compare(held_out[:, :, SIZE:], fake, seed=0).scores


def train_thrice(base, images, held_out, seed, steps, kind):
    """Returns the scores of the three ways after so many steps."""
    ways = {"anew": {}, "fine-tuned": {"init_from": base}}
    ways["fine-tuned, FreezeD"] = {"init_from": base, "freeze": FROZEN}
    preset, arguments = PRESETS[kind]
    scores = {}
    for name, way in ways.items():
        out = images.parent / f"{name.replace(', ', '-')}-{steps}"
        way |= {"image_size": SIZE, "batch_size": BATCH_SIZE, "seed": seed}
        way |= arguments | FEW_STEPS[kind]
        epochs = steps * BATCH_SIZE // NUM_TRAINED
        run = tfgen.train(preset, images, out, epochs=epochs, **way)
        scores[name] = measure(run, held_out, seed, kind)
        print(name, steps, seed, scores[name], flush=True)
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", nargs="?", choices=PRESETS, default="gan")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="+", default=(300, 1000))
    parser.add_argument("--base-epochs", type=int, default=20)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    out = options.out or pathlib.Path(tempfile.mkdtemp(prefix="finetune_"))
    rest, groups = read_emoji()
    folder = write_images(rest, out / "rest", options.kind)
    base = out / "base"
    preset, arguments = PRESETS[options.kind]
    arguments = arguments | {"epochs": options.base_epochs, "image_size": SIZE}
    tfgen.train(preset, folder, base, **arguments)
    print(
        f"{len(rest)} emoji without people, {sum(map(len, groups))} people", flush=True
    )
    rows = collections.defaultdict(list)
    for seed in range(options.seeds):
        images, held_out = divide(groups, np.random.default_rng(seed))
        images = write_images(images, out / f"seed_{seed}" / "people", options.kind)
        for steps in options.steps:
            ways = train_thrice(base, images, held_out, seed, steps, options.kind)
            for name, scores in ways.items():
                rows[name, steps].append(float(scores["kernel_distance"]))
    for (name, steps), values in rows.items():
        every = ", ".join(f"{value:.4f}" for value in values)
        print(f"| {name} | {steps} | {statistics.median(values):.4f} | {every} |")


if __name__ == "__main__":
    main()
