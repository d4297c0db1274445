"""The few figures that matter, in words beside their floors."""

from typing import Any

from tfgen.evaluation.figure import Figure

_SENTENCES = {
    "log_likelihood": "A test image has a log-likelihood of at least {value:.1f} nats.",
    "active_units": "{value} {meaning} carry information about the image.",
    "fid": (
        "The FID of drawn images is {value:.2f}; that of real images in their place is "
        "{floor:.2f} (lower is better)."
    ),
    "frechet_distance": (
        "The Fréchet distance of drawn images from test images is {value:.2f}; that of "
        "real images in their place is {floor:.2f} (lower is better)."
    ),
    "precision": (
        "{value:.0%} of drawn images lie among real ones; of real images in their "
        "place, {floor:.0%} do."
    ),
    "recall": (
        "{value:.0%} of real images lie among drawn ones; among real images in their "
        "place, {floor:.0%} do."
    ),
    "nearest_training_ratio": (
        "Drawn images are {value:.2f} times as far from the nearest training image as "
        "test images are: far below 1, they would be copies."
    ),
    "completeness_on_manifold": (
        "{value:.0%} of images decoded from draws lie among test images; of real "
        "images in their place, {floor:.0%} do."
    ),
    "dci_disentanglement": (
        "The disentanglement of the latent variables (DCI) is {value:.2f}, where "
        "chance gives {floor:.2f} and 1 is the most."
    ),
    "anomaly_auc_negative_elbo": (
        "By its ELBO an unusual image is told from a usual one {value:.0%} of the "
        "time, where chance gives {floor:.0%}."
    ),
    "anomaly_auc_reconstruction_error": (
        "By its reconstruction error an unusual image is told from a usual one "
        "{value:.0%} of the time, where chance gives {floor:.0%}."
    ),
}


def headlines(evaluation: Any) -> list[str]:
    """Returns a sentence for each figure that matters and was measured."""
    sentences = []
    left_out = set()
    if evaluation.find("precision"):
        left_out.add("completeness_on_manifold")  # the same, of the same draws
    if any("full rank" in note for note in evaluation.notes):
        left_out |= {"fid", "frechet_distance"}  # of too few images
    for name, text in _SENTENCES.items():
        figure = evaluation.find(name)
        if figure is None or name in left_out:
            continue
        sentences.append(_say(text, figure))
    return sentences + _translation_headlines(evaluation.translation or {})


def _say(text: str, figure: Figure) -> str:
    return text.format(value=figure.value, floor=figure.floor, meaning=figure.meaning)


def _translation_headlines(translation: dict[str, Any]) -> list[str]:
    sentences = []
    for direction, rows in translation.items():
        way = f"From {' to '.join(direction)}"
        for name, text in (
            ("mean_absolute_error", "translations are {:.3f} off the truth"),
            ("kernel_distance", "translations have a kernel distance of {:.3f}"),
        ):
            values = {row: f[name] for row, f in rows.items() if name in f}
            if "model" not in values:
                continue
            floors = [
                f"{label} {values[row]:.3f}"
                for row, label in (
                    ("copy", "inputs left as they are"),
                    ("fill", "holes filled from their borders"),
                    ("mean_image", "the mean target"),
                    ("real", "real targets"),
                )
                if row in values
            ]
            sentence = f"{way}, {text.format(values['model'])}; {', '.join(floors)}"
            sentences.append(f"{sentence} (lower is better).")
    return sentences
