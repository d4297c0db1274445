"""What a card says, in words."""

from collections.abc import Mapping
from typing import Any

_SHORT = {
    "log_likelihood": "log p(x) ≥ {:.1f} nats",
    "kernel_distance": "kernel distance {:.3f}",
    "mean_absolute_error": "error {:.3f}",
    "loss": "loss {:.4g}",
    "reconstruction_loss": "reconstruction {:.4g}",
}


def headline_of(card: Mapping[str, Any]) -> str:
    """Returns the one figure of a card that tells most, in words."""
    figure = card["headline"]
    return _SHORT[figure["name"]].format(figure["value"])


def card_lines(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns rows of name and text: the card, without its figures."""
    training, weights, data = card["training"], card["weights"], card["data"]
    rows = [
        ("what", card["summary"]),
        ("model", f"tfgen.{card['model']} ({card['paper']})"),
        ("data", f"{data['name']}: {data['num_train']:,} for training, "
         f"{data['num_test']:,} for tests"),
        ("licence", data["licence"] or "see the data"),
        ("command", training["command"]),
        ("trained", f"{training['epochs']} epochs, {training['minutes']:g} minutes, "
         f"{training['machine']}"),
        ("versions", ", ".join(f"{k} {v}" for k, v in training["versions"].items())),
        ("weights", f"{weights['count']:,} in {weights['bytes'] / 1e6:.1f} MB of "
         f"{weights['dtype']}, SHA-256 {weights['sha256']}"),
    ]  # fmt: skip
    if edge := card.get("tflite"):
        times = ", ".join(
            f"{row['endpoint']} {row['median_ms']:.2f} ms on {row['threads']} thread(s)"
            for row in edge["latency"]
        )
        rows.append((".tflite", f"{edge['bytes'] / 1e6:.1f} MB: {times}"))
    return [*rows, ("limits", card["limits"])]
