import pytest

import tfgen
from tfgen.errors import UserError
from tfgen.presets import get_preset


@pytest.mark.parametrize("name", tfgen.list_presets())
def test_every_preset_builds_compiled(name):
    model = tfgen.create_model(name, filters=4, seed=0)
    assert model.compiled
    preset = get_preset(name)
    values = preset.resolve({})
    size, channels = values["image_size"], values["channels"]
    name = "image_shape_a" if preset.kind == "domains" else "image_shape"
    assert getattr(model, name) == (size, size, channels)
    assert preset.summary
    assert preset.paper
    assert all(argument.help for argument in preset.arguments.values())


@pytest.mark.parametrize("name", ["pix2pix_256", "cyclegan_256"])
def test_the_papers_settings_are_defaults_of_the_preset(name):
    """Isola et al., 2017, sec. 3.3; Zhu et al., 2017, sec. 4 and app. 7."""
    preset = get_preset(name)
    values = preset.resolve({})
    assert (preset.batch_size, preset.epochs) == (1, 200)
    assert (values["learning_rate"], values["beta_1"]) == (2e-4, 0.5)
    assert (values["initial_stddev"], values["filters"]) == (0.02, 64)
    assert values["patch_layers"] == 3
    assert round(preset.load_scale * values["image_size"]) == 286
    model = tfgen.create_model(name, filters=4, num_steps=10)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        rates = [float(optimizer._learning_rate(step)) for step in (0, 5, 10)]
        assert rates == pytest.approx([2e-4, 2e-4, 0.0])


def test_overrides_reach_the_model():
    model = tfgen.create_model("vae_mnist_5k", latent_dim=5, beta=4.0, filters=4)
    assert model.latent_dim == 5
    assert model.beta == 4.0
    assert tfgen.create_model("conditional_vae_mnist_5k", filters=4).num_classes == 10


def test_same_seed_same_weights():
    models = [tfgen.create_model("vae_mnist_5k", filters=4, seed=s) for s in (1, 1, 2)]
    one, two, three = (model.encoder.get_weights()[0] for model in models)
    assert (one == two).all()
    assert (one != three).any()


def test_mistakes():
    with pytest.raises(UserError, match="did you mean vae_mnist_5k"):
        tfgen.create_model("vae_mnist5k")
    with pytest.raises(UserError, match="did you mean latent_dim"):
        tfgen.create_model("vae_mnist_5k", latent_dims=3)
    with pytest.raises(UserError, match="divisible by 4"):
        tfgen.create_model("vae_mnist_5k", image_size=30)
