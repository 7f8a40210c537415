"""What a call used, in tokens: the one shape every dialect is read into and every price is reckoned from."""

import attrs


@attrs.define(slots=True)
class Usage:
    """Token counts of one call, partitioned for pricing: no token stands in two of the priced fields.

    `input` excludes cache reads and writes, whatever the provider includes in its own figure; `reported_input` is the
    provider's own figure, for the audit record. `reasoning` is a part of `output`, for information. Audio counts are
    parts of `input`/`output`/`cache_read` that have a price of their own where the model's rates say so.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    """Cache writes of the standard (5-minute) kind."""
    cache_write_1h: int = 0
    reasoning: int = 0
    reported_input: int = 0
    input_audio: int = 0
    output_audio: int = 0
    cache_read_audio: int = 0
    web_searches: int = 0

    @property
    def total_input(self) -> int:
        """All input tokens, caches included: what context-size tiers go by."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h
