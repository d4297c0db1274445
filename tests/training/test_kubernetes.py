"""The manifest of a training on several machines, against the schema of the API."""

import pathlib

import pytest
import yaml

import tfgen

kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason='needs: pip install "tfgen[test]"'
)
MANIFEST = pathlib.Path(tfgen.__file__).parent / "training" / "kubernetes.yaml"


@pytest.fixture
def resources():
    return {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text())}


def validate(resource):
    kubernetes_validate.validate(
        resource, kubernetes_validate.latest_version(), strict=True
    )


def test_the_manifest_fits_the_schema(resources):
    assert set(resources) == {"Service", "Job"}
    for resource in resources.values():
        validate(resource)


def test_a_misspelt_field_does_not(resources):
    job = resources["Job"]
    job["spec"]["parallel"] = job["spec"].pop("parallelism")
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(job)


def test_the_pods_find_each_other(resources):
    """The addresses of TF_CONFIG are those that the Service gives to the pods."""
    service, job = resources["Service"], resources["Job"]
    name, pods = job["metadata"]["name"], job["spec"]["template"]["spec"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert pods["subdomain"] == service["metadata"]["name"]
    (container,) = pods["containers"]
    (port,) = container["ports"]
    for index in range(job["spec"]["completions"]):
        address = f"{name}-{index}.{pods['subdomain']}:{port['containerPort']}"
        assert address in container["args"][0]
