"""What the package promises, in the order of its folders."""

from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does; no test asserts a time. And `trust/test_fuzz.py` runs
# other cases' properties, each time on a fresh case, as trial does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.differing_executors])
settings.load_profile("any machine")
