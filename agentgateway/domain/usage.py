"""What a call used, in tokens: the one shape every dialect is read into and every price is reckoned from."""

import msgspec


class Usage(msgspec.Struct, gc=False):
    """Token counts of one call, none negative.

    `input`, `output`, `cache_read`, `cache_write` and `cache_write_1h` share no token: `input` excludes cache reads and
    writes, whatever the provider includes in its own figure, which is kept as `reported_input` for the audit record.
    The other token counts are parts of one of those five and never exceed it; they have a price of their own where the
    model's rates say so, and otherwise cost what the whole costs.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    """Cache writes of the standard (5-minute) kind."""
    cache_write_1h: int = 0
    reasoning: int = 0
    """Part of `output`."""
    reported_input: int = 0
    input_audio: int = 0
    output_audio: int = 0
    cache_read_audio: int = 0
    web_searches: int = 0
    """Searches the provider made on its own and bills one by one."""
    input_image: int = 0
    output_image: int = 0
    cache_read_image: int = 0
    input_video: int = 0
    output_video: int = 0

    @property
    def total_input(self) -> int:
        """All input tokens, caches included: what context-size tiers go by."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h

    @property
    def total(self) -> int:
        """All tokens, in and out."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h + self.output
