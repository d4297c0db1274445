"""A folder of image files as a source: single images, pairs, or two domains."""

from pathlib import Path

from tfgen.data import files, images, pair_layout
from tfgen.data.layout import find_files, list_classes
from tfgen.data.sources import Source, no_such_images
from tfgen.errors import UserError


def open_folder(
    folder: Path,
    split: str,
    fit: images.Fit,
    labels: bool,
    skip_bad_images: bool,
    classes: tuple[int, ...] | None = None,
) -> Source:
    """Returns the images of one split of a folder, its files checked.

    Raises:
        UserError: No such split, no images, no classes or none of those asked for, a
            damaged file, or images that differ in size or channels where `fit` does
            not settle it.
    """
    base, paths = find_files(folder, split)
    class_ids = None
    if labels or classes is not None:
        names = list_classes(folder)
        class_ids = [_class_of(path, base, folder, names) for path in paths]
    if classes is not None:
        kept = [i for i, class_id in enumerate(class_ids) if class_id in classes]
        if not kept:
            raise no_such_images(str(folder), split)
        paths, class_ids = [paths[i] for i in kept], [class_ids[i] for i in kept]
    examples = [(path,) for path in paths]
    class_ids = class_ids if labels else None
    return files.open_files(
        str(folder), examples, fit, skip_bad_images, class_ids=class_ids
    )


def open_pair_folder(
    folder: Path, split: str, fit: images.Fit, skip_bad_images: bool
) -> Source:
    """Returns the pairs of one split of a folder, its files checked.

    Raises:
        UserError: As of `open_folder`; or there are no pairs.
    """
    pairs, parts = pair_layout.find_pairs(folder, split)
    return files.open_files(
        str(folder), list(pairs.values()), fit, skip_bad_images, parts
    )


def open_domain_folder(
    folder: Path, split: str, fit: images.Fit, skip_bad_images: bool
) -> list[Source]:
    """Returns the domains A and B of one split of a folder, or its pairs as one source.

    Pairs for training are divided: one half gives A, the other gives B.

    Raises:
        UserError: As of `open_folder`; or there are neither domains nor pairs.
    """
    if pair_layout.kind_of(folder) == pair_layout.DOMAINS:
        return [
            files.open_files(
                str(paths[0].parent), [(path,) for path in paths], fit, skip_bad_images
            )
            for paths in pair_layout.find_domains(folder, split)
        ]
    if not split.startswith("train"):
        return [open_pair_folder(folder, split, fit, skip_bad_images)]
    pairs, parts = pair_layout.find_pairs(folder, split)
    domains = []
    for i, half in enumerate(pair_layout.halve(folder, pairs)):
        if len(parts) == 2:  # side by side
            examples, part = [pairs[name] for name in half], parts[i]
        else:
            examples, part = [(pairs[name][i],) for name in half], images.WHOLE
        domains.append(
            files.open_files(str(folder), examples, fit, skip_bad_images, (part,))
        )
    return domains


def describe_pair_folder(folder: Path) -> tuple:
    """Returns the fields of `loading.Description` after the name."""
    splits = ("train", "test")
    parts = (images.WHOLE,)
    if pair_layout.kind_of(folder) == pair_layout.DOMAINS:
        train, test = (pair_layout.find_domains(folder, split) for split in splits)
        counts, first = [max(map(len, x)) for x in (train, test)], train[0][0]
    else:
        (train, parts), (test, _) = (pair_layout.find_pairs(folder, x) for x in splits)
        counts, first = [len(train), len(test)], next(iter(train.values()))[0]
    return (*counts, files.part_shape(first, parts), None, None)


def _class_of(path: Path, base: Path, folder: Path, names: list[str]) -> int:
    if not names:
        raise UserError(
            f"{folder} has no labels: labels=True needs one sub-folder a class"
        )
    top = path.relative_to(base).parts[0]
    if top not in names:
        raise UserError(
            f"{path} has no label: labels=True needs every image in a class's "
            f"sub-folder of {base}"
        )
    return names.index(top)
