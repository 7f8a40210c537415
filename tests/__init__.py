"""What the package promises, in the order of its folders."""

from hypothesis import settings

# How long an example takes depends on what else the machine does; no test asserts a time.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
