"""What the package promises, in the order of its folders."""

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

# How long an example takes depends on what else the machine does; no test asserts a time. And `trust/test_fuzz.py` runs
# other cases' properties, each time on a fresh case, as trial does. On a machine that calls itself CI hypothesis would
# try the same examples every time and keep none that fail; and trial deletes the folder in which it would keep them.
settings.register_profile(
    "any machine",
    deadline=None,
    derandomize=False,
    print_blob=True,
    database=DirectoryBasedExampleDatabase(Path(__file__).resolve().parents[1] / ".hypothesis" / "examples"),
    suppress_health_check=[HealthCheck.differing_executors],
)
settings.load_profile("any machine")
