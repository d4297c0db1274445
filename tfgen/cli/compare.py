"""`tfgen compare REAL FAKE`: two sets of images, by every figure of samples."""

import json

import click

from tfgen.cli.options import PATH, SIZE
from tfgen.sizes import Size


@click.command("compare", short_help="Compare two folders of images.")
@click.argument("real")
@click.argument("fake")
@click.option(
    "--features",
    default="random",
    show_default=True,
    metavar="data|random|inception_v3|mobilenet_v2|FILE",
    help="What images are compared by: a .keras or .onnx file takes images in [0, 1].",
)
@click.option("--image-size", type=SIZE, help="[default: as they are]")
@click.option(
    "--num-images", type=click.IntRange(20), default=10_000, show_default=True
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--data-dir", help="Where TFDS keeps its data.")
@click.option("--out", type=PATH, help="A JSON file of the figures.")
def command(
    real: str,
    fake: str,
    features: str,
    image_size: Size | None,
    num_images: int,
    seed: int,
    data_dir: str | None,
    out: str | None,
) -> None:
    """Compare the images FAKE with the images REAL, both a folder or a data name.

    Of a folder all images are taken, of data the test images. Half of the real images
    are what both FAKE and the other half, for the floors, are compared with.
    """
    from tfgen.cli.tables import print_table
    from tfgen.evaluation import compare
    from tfgen.evaluation.figure import format_figure
    from tfgen.files import replaced

    result = compare(
        real,
        fake,
        features=features,
        image_size=image_size,
        data_dir=data_dir,
        num_images=num_images,
        seed=seed,
    )
    rows = [
        (
            name,
            format_figure(value, result.scores.get(f"{name}_error")),
            format_figure(result.floors[name]),
        )
        for name, value in result.scores.items()
        if not name.endswith("_error")
    ]
    title = f"{result.num_samples} images of each, features of {result.feature_network}"
    print_table(title, ("figure", "value", "floor"), rows)
    if out is not None:
        figures = {"feature_network": result.feature_network}
        figures |= {"num_samples": result.num_samples, "scores": result.scores}
        with replaced(out) as temporary:
            text = json.dumps({**figures, "floors": result.floors}, indent=2)
            temporary.write_text(text + "\n")
        click.echo(out)
