from tests.runs import folder, own_cache  # noqa: F401
