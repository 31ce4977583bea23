"""A pytest plugin for `make sweep`: property tests look for counter-examples for a long time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "sweep",
    max_examples=20_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
