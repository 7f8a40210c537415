"""What the stand-in says, one file a dialect: a turn goes in, JSON bodies and SSE events come out."""
