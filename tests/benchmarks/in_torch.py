"""The workloads in eager PyTorch, channels last, in idiomatic code.

`training_step(name)` returns a function of a batch that takes one step. Layers have the
sizes of tfgen's networks (`count_parameters` says so); padding is symmetric.
"""

import itertools
import math

import torch
from torch import nn
from torch.nn import functional
from workloads import (
    CONV_LATENT_DIM,
    DISCRIMINATOR_STEPS,
    GAN_LATENT_DIM,
    HIDDEN_UNITS,
    MLP_LATENT_DIM,
    WORKLOADS,
)


def build_networks(name):
    """Returns the networks of a workload, in the order of `workloads`."""
    work = WORKLOADS[name]
    if name == "mlp_vae":
        pixels = math.prod(work.image_shape)
        shape = (work.channels, work.size, work.size)
        return [
            nn.Sequential(
                nn.Flatten(), *dense(pixels, *HIDDEN_UNITS, 2 * MLP_LATENT_DIM)
            ),
            nn.Sequential(
                *dense(MLP_LATENT_DIM, *HIDDEN_UNITS[::-1], pixels),
                nn.Unflatten(1, shape),
            ),
        ]
    if name == "conv_vae":
        grid = (64, work.size // 4, work.size // 4)
        return [
            nn.Sequential(
                down(1, 32),
                nn.ReLU(),
                down(32, 64),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(math.prod(grid), 2 * CONV_LATENT_DIM),
            ),
            nn.Sequential(
                nn.Linear(CONV_LATENT_DIM, math.prod(grid)),
                nn.ReLU(),
                nn.Unflatten(1, grid),
                up(64, 32),
                nn.ReLU(),
                up(32, 1),
            ),
        ]
    if work.kind in ("gan", "wgan_gp"):
        return dcgan(work)
    if work.kind == "pix2pix":
        return [UNet(work.size), patchgan(6)]
    return [resnet(), resnet(), patchgan(3), patchgan(3)]


def dense(*sizes):
    layers = []
    for one, other in itertools.pairwise(sizes):
        layers += [nn.Linear(one, other), nn.ReLU()]
    return layers[:-1]


def down(one, other, bias=True):
    return nn.Conv2d(one, other, 4, stride=2, padding=1, bias=bias)


def up(one, other, bias=True):
    return nn.ConvTranspose2d(one, other, 4, stride=2, padding=1, bias=bias)


def instance_norm(width):
    return nn.InstanceNorm2d(width, affine=True)


def dcgan(work):
    filters, start = (64, 4) if work.size == 64 else (32, 7)
    stages = int(math.log2(work.size // start))
    width = filters * 2 ** (stages - 1)
    generator = [
        nn.Linear(GAN_LATENT_DIM, start * start * width, bias=False),
        nn.Unflatten(1, (width, start, start)),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    for stage in range(1, stages):
        one, other = width // 2 ** (stage - 1), width // 2**stage
        generator += [up(one, other, False), nn.BatchNorm2d(other), nn.ReLU()]
    generator += [up(filters, work.channels), nn.Tanh()]
    discriminator, one = [], work.channels
    for stage in range(stages):
        other = filters * 2**stage
        discriminator += [down(one, other), nn.LeakyReLU(0.2)]
        one = other
    discriminator += [nn.Flatten(), nn.Linear(one * start * start, 1)]
    return [nn.Sequential(*generator), nn.Sequential(*discriminator)]


class UNet(nn.Module):
    """pix2pix's generator, with instance normalisation and without dropout."""

    def __init__(self, size, filters=64):
        super().__init__()
        stages = min(8, int(math.log2(size)))
        widths = [filters * min(2**stage, 8) for stage in range(stages)]
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        one = 3
        for stage, width in enumerate(widths):
            is_normalized = 0 < stage < stages - 1
            layers = [nn.LeakyReLU(0.2)] if stage else []
            layers.append(down(one, width, bias=not is_normalized))
            layers += [instance_norm(width)] if is_normalized else []
            self.downs.append(nn.Sequential(*layers))
            one = width
        for width in widths[-2::-1]:
            layers = [nn.ReLU(), up(one, width, False), instance_norm(width)]
            self.ups.append(nn.Sequential(*layers))
            one = 2 * width
        self.last = nn.Sequential(nn.ReLU(), up(one, 3), nn.Tanh())

    def forward(self, features):
        grids = []
        for layer in self.downs:
            features = layer(features)
            grids.append(features)
        grids.pop()
        for layer in self.ups:
            features = torch.cat([layer(features), grids.pop()], 1)
        return self.last(features)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=False),
            instance_norm(width),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=False),
            instance_norm(width),
        )

    def forward(self, features):
        return features + self.layers(features)


def resnet(filters=64, num_blocks=9):
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, filters, 7, bias=False)]
    layers += [instance_norm(filters), nn.ReLU()]
    for width in (2 * filters, 4 * filters):
        layers += [nn.Conv2d(width // 2, width, 3, 2, 1, bias=False)]
        layers += [instance_norm(width), nn.ReLU()]
    layers += [Residual(4 * filters) for _ in range(num_blocks)]
    for width in (2 * filters, filters):
        layers += [nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1, bias=False)]
        layers += [instance_norm(width), nn.ReLU()]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(filters, 3, 7), nn.Tanh()]
    return nn.Sequential(*layers)


def patchgan(channels, filters=64):
    layers = [down(channels, filters), nn.LeakyReLU(0.2)]
    for width in (2 * filters, 4 * filters):
        layers += [down(width // 2, width, False), instance_norm(width)]
        layers += [nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(4 * filters, 8 * filters, 4, padding=1, bias=False)]
    layers += [instance_norm(8 * filters), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * filters, 1, 4, padding=1))


# ---- Steps ---------------------------------------------------------------------


def training_step(name):
    """Returns a function of a batch, `(images,)` or pairs, NCHW in [0, 1]."""
    torch.manual_seed(0)
    networks = [n.to(memory_format=torch.channels_last) for n in build_networks(name)]
    steps = {
        "vae": vae,
        "gan": gan,
        "wgan_gp": wgan_gp,
        "pix2pix": pix2pix,
        "cyclegan": cyclegan,
    }
    return steps[WORKLOADS[name].kind](*networks)


def count_parameters(name):
    """Returns the trainable parameters of each network."""
    return [sum(p.numel() for p in n.parameters()) for n in build_networks(name)]


def make_adam(*networks):
    weights = [weight for network in networks for weight in network.parameters()]
    return torch.optim.Adam(weights, 2e-4, betas=(0.5, 0.999))


def descend(optimizer, loss):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def charge(network, is_charged):
    """Sets whether the weights of a network get gradients."""
    network.requires_grad_(is_charged)


def entropy(logits, target):
    return functional.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, target)
    )


def square(logits, target):
    return functional.mse_loss(logits, torch.full_like(logits, target))


def vae(encoder, decoder):
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, 1e-3)

    def step(images):
        mean, log_var = encoder(images).chunk(2, dim=-1)
        latents = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        reconstruction = functional.binary_cross_entropy_with_logits(
            decoder(latents), images, reduction="sum"
        )
        kl = -0.5 * torch.sum(1 + log_var - mean**2 - log_var.exp())
        descend(optimizer, (reconstruction + kl) / len(images))

    return step


def gan(generator, discriminator):
    g_optimizer, d_optimizer = make_adam(generator), make_adam(discriminator)

    def step(images):
        fake = generator(torch.randn(len(images), GAN_LATENT_DIM))
        both = torch.cat([fake.detach(), 2.0 * images - 1.0])
        fake_logits, real_logits = discriminator(both).chunk(2)
        loss = (entropy(fake_logits, 0.0) + entropy(real_logits, 1.0)) / 2.0
        descend(d_optimizer, loss)
        charge(discriminator, False)
        descend(g_optimizer, entropy(discriminator(fake), 1.0))
        charge(discriminator, True)

    return step


def wgan_gp(generator, discriminator):
    g_optimizer, d_optimizer = make_adam(generator), make_adam(discriminator)

    def penalty(real, fake):
        weight = torch.rand(len(real), 1, 1, 1)
        between = (real + weight * (fake - real)).requires_grad_()
        logits = discriminator(between).sum()
        (gradient,) = torch.autograd.grad(logits, between, create_graph=True)
        return ((gradient.flatten(1).norm(dim=1) - 1.0) ** 2).mean()

    def step(images):
        for part in images.chunk(DISCRIMINATOR_STEPS):
            real = 2.0 * part - 1.0
            fake = generator(torch.randn(len(real), GAN_LATENT_DIM))
            stopped = fake.detach()
            both = torch.cat([stopped, real])
            fake_logits, real_logits = discriminator(both).chunk(2)
            loss = fake_logits.mean() - real_logits.mean()
            descend(d_optimizer, loss + 10.0 * penalty(real, stopped))
        charge(discriminator, False)
        descend(g_optimizer, -discriminator(fake).mean())
        charge(discriminator, True)

    return step


def pix2pix(generator, discriminator):
    g_optimizer, d_optimizer = make_adam(generator), make_adam(discriminator)

    def step(images, targets):
        images, targets = 2.0 * images - 1.0, 2.0 * targets - 1.0
        fake = generator(images)
        fake_logits = discriminator(torch.cat([images, fake.detach()], 1))
        real_logits = discriminator(torch.cat([images, targets], 1))
        loss = 0.5 * (entropy(fake_logits, 0.0) + entropy(real_logits, 1.0))
        descend(d_optimizer, loss)
        charge(discriminator, False)
        logits = discriminator(torch.cat([images, fake], 1))
        l1 = functional.l1_loss(fake, targets)
        descend(g_optimizer, entropy(logits, 1.0) + 100.0 * l1)
        charge(discriminator, True)

    return step


def cyclegan(ab, ba, discriminator_a, discriminator_b):
    g_optimizer = make_adam(ab, ba)
    d_optimizer = make_adam(discriminator_a, discriminator_b)
    l1 = functional.l1_loss

    def step(a, b):
        a, b = 2.0 * a - 1.0, 2.0 * b - 1.0
        fake_b, fake_a = ab(a), ba(b)
        cycled_a, cycled_b, same_a, same_b = ba(fake_b), ab(fake_a), ba(a), ab(b)
        charge(discriminator_a, False)
        charge(discriminator_b, False)
        loss = square(discriminator_a(fake_a), 1.0)
        loss += square(discriminator_b(fake_b), 1.0)
        loss += 10.0 * (l1(cycled_a, a) + l1(cycled_b, b))
        loss += 5.0 * (l1(same_a, a) + l1(same_b, b))
        descend(g_optimizer, loss)
        charge(discriminator_a, True)
        charge(discriminator_b, True)
        loss = 0.0
        for discriminator, real, fake in (
            (discriminator_a, a, fake_a),
            (discriminator_b, b, fake_b),
        ):
            loss += 0.5 * square(discriminator(real), 1.0)
            loss += 0.5 * square(discriminator(fake.detach()), 0.0)
        descend(d_optimizer, loss)

    return step


def training_loop(name, arrays):
    """Returns a function that trains until its argument says so, asked every epoch."""
    step = training_step(name)
    batch_size = WORKLOADS[name].batch_size
    tensors = [
        torch.from_numpy(array)
        .permute(0, 3, 1, 2)
        .to(memory_format=torch.channels_last)
        for array in arrays
    ]

    def loop(stop):
        while not stop():
            order = torch.randperm(len(tensors[0]))
            for rows in order.split(batch_size):
                parts = [tensor[rows] for tensor in tensors]
                step(*(p.contiguous(memory_format=torch.channels_last) for p in parts))

    return loop
