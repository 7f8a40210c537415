"""The scripts that run inside Redis, each put together from the Lua files beside this one."""

from hashlib import sha1
from importlib.resources import files
from typing import Final, Self

import attrs


@attrs.frozen
class Script:
    """A text of Lua, and the digest that EVALSHA names it by."""

    text: str
    digest: str

    @classmethod
    def of(cls, *names: str) -> Self:
        """The files of these names, one after the other."""
        folder = files("agentgateway.stores.live")
        text = "\n".join(folder.joinpath(f"{name}.lua").read_text() for name in names)
        return cls(text, sha1(text.encode()).hexdigest())


SYNC: Final = Script.of("server", "sums", "gone", "bucket", "sync")
ARRIVE: Final = Script.of("server", "arrive")
TELL: Final = Script.of("tell")
MISSED: Final = Script.of("missed")
