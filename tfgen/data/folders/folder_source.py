"""A folder of image files as a source: single images, pairs, or two domains."""

from pathlib import Path

from tfgen.data.decode import printable
from tfgen.data.folders import pairs as pair_layout
from tfgen.data.folders.image_files import ImageFiles
from tfgen.data.folders.listing import Listing, scan
from tfgen.data.folders.splits import find_split, list_classes
from tfgen.data.loading import Source, no_such_images
from tfgen.data.pixels import WHOLE, Fit
from tfgen.errors import UserError
from tfgen.progress import Progress


def open_folder(
    folder: Path,
    split: str,
    fit: Fit,
    labels: bool,
    skip_bad_images: bool,
    classes: tuple[int, ...] | None,
    progress: Progress,
) -> Source:
    """Returns the images of one split of a folder, its files checked.

    Raises:
        UserError: No such split, no images, no classes or none of those asked for, a
            damaged file, or images that differ in size or channels where `fit` does
            not settle it.
    """
    listing = scan(folder)
    chosen = find_split(listing, split)
    class_ids = None
    if labels or classes is not None:
        class_ids = _number_classes(chosen, list_classes(listing))
    if classes is not None:
        numbered = zip(chosen.names, class_ids, strict=True)
        numbered = [(name, number) for name, number in numbered if number in classes]
        if not numbered:
            raise no_such_images(str(folder), split)
        chosen = chosen.choose(name for name, _ in numbered)
        class_ids = [number for _, number in numbered]
    examples = [(path,) for path in chosen.paths]
    files = ImageFiles(folder, examples, fit, (WHOLE,), skip_bad_images, progress)
    return files.as_source(class_ids if labels else None)


def open_pair_folder(
    folder: Path, split: str, fit: Fit, skip_bad_images: bool, progress: Progress
) -> Source:
    """Returns the pairs of one split of a folder, its files checked.

    Raises:
        UserError: As in `open_folder`; or there are no pairs.
    """
    pairs, parts = pair_layout.find_pairs(scan(folder), split)
    examples = list(pairs.values())
    return ImageFiles(
        folder, examples, fit, parts, skip_bad_images, progress
    ).as_source()


def open_domain_folder(
    folder: Path, split: str, fit: Fit, skip_bad_images: bool, progress: Progress
) -> list[Source]:
    """Returns the domains A and B of one split of a folder, or its pairs as one source.

    Pairs for training are divided: one half gives A, the other gives B.

    Raises:
        UserError: As in `open_folder`; or there are neither domains nor pairs.
    """
    listing, options = scan(folder), (fit, (WHOLE,), skip_bad_images, progress)
    kind = pair_layout.kind_of(listing)
    if kind == pair_layout.DOMAINS:
        domains = pair_layout.find_domains(listing, split)
        return [
            ImageFiles(x.folder, [(path,) for path in x.paths], *options).as_source()
            for x in domains
        ]
    if kind == pair_layout.SIDE_BY_SIDE:
        raise UserError(
            f"{folder} does not hold two domains: put the images of A into trainA/ and "
            "those of B into trainB/ (and testA/, testB/ if there are any), or pairs "
            "into a/ and b/ under equal names"
        )
    if not split.startswith("train"):
        return [open_pair_folder(folder, split, fit, skip_bad_images, progress)]
    pairs, _ = pair_layout.find_pairs(listing, split)
    return [
        ImageFiles(folder, [(pairs[name][i],) for name in half], *options).as_source()
        for i, half in enumerate(pair_layout.halve(folder, pairs))
    ]


def _number_classes(chosen: Listing, names: list[str]) -> list[int]:
    """Returns the number of each image's class, which its top folder is."""
    if not names:
        raise UserError(
            f"{chosen.folder} has no labels: labels=True needs one sub-folder a class"
        )
    numbers = []
    for name, path in zip(chosen.names, chosen.paths, strict=True):
        top = name.partition("/")[0]
        if top not in names:
            raise UserError(
                f"{printable(path)} has no label: labels=True needs every image "
                f"in a class's sub-folder of {chosen.folder}"
            )
        numbers.append(names.index(top))
    return numbers
