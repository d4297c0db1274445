"""Second outputs of a discriminator: ACGAN's and InfoGAN's terms beside SciPy's."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

from tfgen import auxiliary
from tfgen.auxiliary import Classes, Codes

RNG = np.random.default_rng(0)
ROWS = 50


def outputs_of(head, num_classes=None):
    size = (ROWS, head.num_outputs(num_classes))
    return RNG.normal(size=size).astype("float32")


def noise(count=ROWS, dim=12):
    return RNG.normal(size=(count, dim)).astype("float32")


def reference(outputs, latents):
    """`log Q(c|x)` of codes of 3 and 4 values and of two numbers, `(rows, 4)`."""
    outputs, latents = outputs.astype("float64"), np.asarray(latents, "float64")
    columns = []
    for start, stop in ((0, 3), (3, 7)):
        log_q = scipy.special.log_softmax(outputs[:, start:stop], axis=1)
        codes = latents[:, start:stop].argmax(axis=1)
        columns.append(log_q[np.arange(len(codes)), codes])
    for i in range(2):
        scale = np.log1p(np.exp(outputs[:, 9 + i])) + 1e-3
        normal = scipy.stats.norm(outputs[:, 7 + i], scale)
        columns.append(normal.logpdf(latents[:, 7 + i]))
    return np.stack(columns, axis=1)


def test_codes_are_bounded_as_scipy_says():
    head = Codes((3, 4), 2, weight=0.7, continuous_weight=0.2)
    outputs, latents = outputs_of(head), head.latents(noise())
    assert outputs.shape[1] == 11
    log_q = reference(outputs, latents)
    np.testing.assert_allclose(
        np.stack(head.log_probs(outputs, latents), axis=1), log_q, rtol=1e-5, atol=1e-5
    )
    expected = -log_q.mean(axis=0) @ [0.7, 0.7, 0.2, 0.2]
    loss, terms = head.discriminator(outputs, outputs, latents)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(head.generator(outputs, latents), expected, rtol=1e-5)
    # The entropies of the codes: log(3) + log(4) + 2 log(2), of width 2.
    bound = log_q.sum(axis=1).mean() + np.log(3 * 4 * 2 * 2)
    np.testing.assert_allclose(terms["mutual_information"], bound, rtol=1e-5)


def test_the_bound_is_the_mutual_information_where_q_is_the_posterior():
    """A channel of 3 codes and 4 images, with probabilities in eighths."""
    eighths = np.array([[5, 1, 1, 1], [0, 6, 1, 1], [2, 2, 2, 2]])
    joint = eighths / 24
    outer = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    expected = scipy.special.rel_entr(joint, outer).sum()
    codes, images = np.nonzero(eighths)
    repeats = eighths[codes, images]
    codes, images = np.repeat(codes, repeats), np.repeat(images, repeats)
    latents = np.eye(3, dtype="float32")[codes]
    posterior = np.maximum(joint / joint.sum(0), 1e-12).T[images]
    head = Codes((3,), 0)
    terms = head.discriminator(None, np.log(posterior).astype("float32"), latents)[1]
    np.testing.assert_allclose(terms["mutual_information"], expected, rtol=1e-5)
    other = np.roll(np.log(posterior), 1, axis=1).astype("float32")
    other_terms = head.discriminator(None, other, latents)[1]
    assert float(other_terms["mutual_information"]) < expected


def test_latents_of_normal_noise_begin_with_codes():
    head, drawn = Codes((3, 4), 2), noise(30_000)
    latents = head.latents(drawn).numpy()
    for start, stop in ((0, 3), (3, 7)):
        codes = latents[:, start:stop]
        np.testing.assert_array_equal(np.sort(codes, axis=1)[:, :-1], 0.0)
        np.testing.assert_array_equal(codes.max(axis=1), 1.0)
        counts = codes.sum(axis=0)
        assert scipy.stats.chisquare(counts).pvalue > 1e-3
    uniform = scipy.stats.uniform(-1, 2)
    for column in (7, 8):
        assert scipy.stats.kstest(latents[:, column], uniform.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(latents[:, 9:], drawn[:, 9:])


def test_error_function_needs_no_operation_of_its_own():
    points = np.linspace(-6, 6, 4001).astype("float32")
    expected = scipy.special.erf(points.astype("float64"))
    np.testing.assert_allclose(auxiliary._erf(points), expected, atol=6e-7)


def test_truncation_keeps_categories():
    head = Codes((3, 4), 2)
    latents = head.latents(noise())
    centre = head.centre(latents).numpy()
    np.testing.assert_array_equal(centre[:, :7], latents[:, :7])
    np.testing.assert_array_equal(centre[:, 7:], 0.0)


def test_means_lie_as_the_codes_do_in_latents():
    head = Codes((3, 4), 2)
    outputs = outputs_of(head)
    means = head.means(outputs).numpy()
    assert means.shape == (ROWS, head.dim)
    expected = scipy.special.softmax(outputs[:, 3:7], axis=1)
    np.testing.assert_allclose(means[:, 3:7], expected, rtol=1e-5)
    np.testing.assert_array_equal(means[:, 7:], outputs[:, 7:9])
    assert head.names == ["category_0", "category_1", "number_0", "number_1"]


def test_classes_are_charged_their_cross_entropies():
    head = Classes(weight=0.6)
    real, fake = outputs_of(head, 5), outputs_of(head, 5)
    labels = np.arange(ROWS) % 5
    real_loss, fake_loss = (
        -scipy.special.log_softmax(x.astype("float64"), axis=1)[np.arange(ROWS), labels]
        for x in (real, fake)
    )
    loss, terms = head.discriminator(real, fake, labels)
    np.testing.assert_allclose(terms["real_class_loss"], real_loss.mean(), rtol=1e-5)
    np.testing.assert_allclose(terms["fake_class_loss"], fake_loss.mean(), rtol=1e-5)
    total = 0.6 * (real_loss.mean() + fake_loss.mean())
    np.testing.assert_allclose(loss, total, rtol=1e-5)
    expected = 0.6 * fake_loss.mean()
    np.testing.assert_allclose(head.generator(fake, labels), expected, rtol=1e-5)


@pytest.mark.parametrize("head", [Classes(0.5), Codes((2, 5), 3, 0.5, 0.25)])
def test_heads_are_saved(head):
    serialize = keras.saving.serialize_keras_object
    config = serialize(head)
    assert serialize(keras.saving.deserialize_keras_object(config)) == config


def test_names_and_mistakes():
    assert isinstance(auxiliary.get("codes"), Codes)
    assert auxiliary.get(None) is None
    with pytest.raises(ValueError, match="`auxiliary` must be one of"):
        auxiliary.get("labels")
    with pytest.raises(ValueError, match="2 values or more"):
        Codes((1,))
    with pytest.raises(ValueError, match="must be a code"):
        Codes((), 0)
