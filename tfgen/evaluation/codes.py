"""What a discriminator's second output tells: codes of an InfoGAN, classes of an ACGAN.

Codes that images were generated with are known; those of real images are compared with
their classes, which training did not see.
"""

import numpy as np

from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.subject import Subject
from tfgen.latent.finding import draw_latents

_MOST_GENERATED = 2000


def measure_codes(subject: Subject) -> Figures | None:
    """Measures the second output; None for a model that has none."""
    if "recognize" in subject.endpoints:
        return _generated_codes(subject) + _real_codes(subject)
    if "classify" in subject.endpoints:
        return _classes(subject)
    return None


def _generated_codes(subject: Subject) -> Figures:
    """Returns how well each code is read from the images that were made with it."""
    endpoints, codes = subject.endpoints, subject.model.codes
    count = min(subject.num_generated, _MOST_GENERATED)
    latents = draw_latents(endpoints, count, subject.seed)
    labels = endpoints.labels(count)
    images = endpoints.run("generate", latents, labels)["images"]
    told = endpoints.run("recognize", images)["codes"]
    figures = []
    for name, columns in zip(codes.names, codes.columns(), strict=True):
        true, read = latents[:, columns], told[:, columns]
        if name.startswith("category"):
            right = float(np.mean(true.argmax(1) == read.argmax(1)))
            floor = 1.0 / true.shape[1]
            meaning = "share of generated images whose category is told"
            figures.append(Figure(f"{name}_accuracy", right, meaning, floor=floor))
        else:
            r = float(np.corrcoef(true[:, 0], read[:, 0])[0, 1])
            meaning = "of a code with what is told of it, of generated images"
            figures.append(Figure(f"{name}_correlation", r, meaning, floor=0.0))
    return figures


def _real_codes(subject: Subject) -> Figures:
    """Returns what the categories of test images know of their classes."""
    if not subject.run.class_names or not subject.model.codes.categorical:
        return []
    from tfgen.metrics import mutual_information

    told, classes = _tell(subject, "recognize", "codes")
    if len(np.unique(classes)) < 2:
        return []
    floor = np.bincount(classes).max() / len(classes)
    codes, figures = subject.model.codes, []
    for name, columns in zip(codes.names, codes.columns(), strict=True):
        if not name.startswith("category"):
            continue
        category = told[:, columns].argmax(axis=1)
        pairs = [np.stack([x, x], axis=1) for x in (category, classes)]
        figures += [
            Figure(
                f"{name}_class_accuracy",
                match_classes(category, classes),
                "share of test images of the class that is most frequent in their "
                "category: classes that were uncovered without labels",
                floor=float(floor),
            ),
            Figure(
                f"{name}_class_information",
                float(mutual_information(*pairs, num_bins=len(category))[0, 0]),
                "I(category; class) of test images, nats",
                floor=0.0,
            ),
        ]
    return figures


def _classes(subject: Subject) -> Figures:
    """Returns how often the class is told, of test images and of generated ones."""
    told, classes = _tell(subject, "classify", "probabilities")
    count = min(subject.num_generated, _MOST_GENERATED)
    labels = subject.endpoints.labels(count)
    images = subject.endpoints.sample(count, subject.seed, labels)
    generated = subject.endpoints.run("classify", images)["probabilities"].argmax(1)
    return [
        Figure(
            "class_accuracy",
            float(np.mean(told.argmax(axis=1) == classes)),
            "share of test images whose class the discriminator tells",
            floor=float(np.bincount(classes).max() / len(classes)),
        ),
        Figure(
            "generated_class_accuracy",
            float(np.mean(generated == labels)),
            "the same, of the classes that generated images were made with",
            floor=1.0 / subject.model.num_classes,
        ),
    ]


def _tell(subject: Subject, endpoint: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns an output of an endpoint for all test images, and their classes."""
    outputs, classes = [], []
    for images, labels in subject.batches("codes of test images", labels=True):
        outputs.append(subject.endpoints.run(endpoint, np.asarray(images))[key])
        classes.append(np.asarray(labels))
    return np.concatenate(outputs), np.concatenate(classes)


def match_classes(categories: np.ndarray, classes: np.ndarray) -> float:
    """Returns the share of examples that are of their category's commonest class.

    Args:
        categories, classes: Integers `(n,)` from 0.

    Reference: [Chen et al., 2016](https://arxiv.org/abs/1606.03657), sec. 7.2.
    """
    width = classes.max() + 1
    joint = np.bincount(categories * width + classes)
    joint = np.pad(joint, (0, -len(joint) % width)).reshape(-1, width)
    return float(joint.max(axis=1).sum() / len(classes))
