"""README's table of the zoo, written from the cards."""

from tfgen.presets import presets
from tfgen.presets.cards import is_trained, read_card
from tfgen.presets.words import headline_of

BEGIN, END = "<!-- zoo: python -m tests.benchmarks.zoo -->", "<!-- /zoo -->"
# The first that was measured tells most.
TELLING = ("log_likelihood", "kernel_distance", "reconstruction_loss", "loss")


def headline(figures, direction="ab"):
    """Returns the one figure that tells most, as it stands on a card."""
    if translation := figures.get("translation"):
        key = direction if direction in translation else next(iter(translation))
        rows = translation[key]
        name = "mean_absolute_error"
        return {
            "name": name,
            "value": rows["model"][name],
            "floor": rows["copy"][name],
        }
    name = next(name for name in TELLING if name in figures)
    keys = {"error": f"{name}_error", "floor": f"{name}_floor"}
    more = {key: figures[k] for key, k in keys.items() if k in figures}
    return {"name": name, "value": figures[name], **more}


def table():
    """Returns the lines of the table: all presets, trained or not."""
    lines = ["| preset | what it does | trained | test set | size |", "|---" * 5 + "|"]
    for preset in presets().values():
        cells = [f"`{preset.name}`", preset.summary, "", "", ""]
        if is_trained(preset.name):
            card = read_card(preset.name)
            minutes = f"{card['training']['minutes']:g} min"
            size = f"{card['weights']['bytes'] / 1e6:.1f} MB"
            cells[2:] = [minutes, headline_of(card), size]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def write(path, names):
    """Replaces what stands between the two comments of a file."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join([BEGIN, *table(), END])
    path.write_text(f"{before}{body}{after}", encoding="utf-8")
    print(f"{path.name}: {len(names)} trained presets")
