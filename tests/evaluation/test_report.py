"""The report: one file, its pictures first, the figures that matter in words."""

import html.parser
import json

import pytest

from tests.runs import read_metrics
from tfgen.evaluation import evaluate


class Page(html.parser.HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, text):
        self.texts.append(text)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def test_a_report_is_one_file_that_tells_all(quick_run):
    page = Page((quick_run / "report.html").read_text())
    for name in read_metrics(quick_run):
        if not name.endswith(("_floor", "_error")) and name not in (
            "notes",
            "commands",
        ):
            assert name in page.text, name
    pictures = [marks for tag, marks in page.tags if tag == "img"]
    titles = [marks["alt"] for marks in pictures]
    assert titles == [
        *("Samples", "Reconstructions", "Latent variables", "Interpolations"),
        *("Nearest training images", "Truncation", "Training"),
    ]
    assert all(marks["src"].startswith("data:image/png;base64,") for marks in pictures)
    assert not {"script", "link"} & {tag for tag, _ in page.tags}
    assert "viewport" in {m.get("name") for tag, m in page.tags if tag == "meta"}


def test_pictures_and_sentences_come_before_tables(quick_run):
    page = (quick_run / "report.html").read_text()
    places = [page.index(x) for x in ("<img", "In short", "More pictures", "<table")]
    assert places == sorted(places)
    text, figures = Page(page).text, read_metrics(quick_run)
    likelihood = f"log-likelihood of at least {figures['log_likelihood']:.1f} nats"
    precision, floor = figures["precision"], figures["precision_floor"]
    assert likelihood in text
    words = f"{precision:.0%} of drawn images lie among real ones; of real images in"
    assert f"{words} their place, {floor:.0%} do." in text


def test_other_models_stand_beside_and_text_is_escaped(vae_run, tmp_path):
    evaluation = evaluate(vae_run, metrics="losses")
    evaluation.subject.note("<script>alert(1)</script>")
    path = tmp_path / "deep" / "page.html"
    beside = {"<b>other</b>": {"loss": 12.34567}}
    assert evaluation.write_report(path, beside=beside) == path
    page = Page(path.read_text())
    assert "12.3457" in page.text
    assert "<b>other</b>" in page.text
    assert "<script>alert(1)</script>" in page.text
    assert not {"script", "b"} & {tag for tag, _ in page.tags}
    assert not list(path.parent.glob(".*"))


def test_figures_are_written_as_json(vae_run, tmp_path):
    evaluation = evaluate(vae_run, metrics="losses")
    path = evaluation.write(tmp_path / "metrics.json")
    assert json.loads(path.read_text()) == evaluation.as_dict()


@pytest.mark.parametrize("name", ["gan_run", "autoencoder_run", "pix2pix_run"])
def test_every_model_has_a_report(name, request, tmp_path):
    run = request.getfixturevalue(name)
    group = "translation" if name == "pix2pix_run" else "losses"
    page = tmp_path / "page.html"
    evaluate(run, metrics=group).write_report(page)
    expected = {
        "gan_run": ["Samples", "Interpolations", "Training"],
        "autoencoder_run": [
            *("Reconstructions", "Latent variables", "Interpolations", "Training")
        ],
        "pix2pix_run": ["Translations", "Training"],
    }
    tags = Page(page.read_text()).tags
    assert [marks["alt"] for tag, marks in tags if tag == "img"] == expected[name]
    if name == "pix2pix_run":
        text = Page(page.read_text()).text
        assert "From b to a, translations are" in text
        assert "inputs left as they are" in text
