"""Small talk for the stand-in: sentences that mean little, the same ones for the same seed."""

import random
from functools import lru_cache

_WHO = ("the gateway", "a patient agent", "our ledger", "the quiet reviewer", "each token", "a small proxy")
_DOES = ("counts", "carries", "forgets", "weighs", "answers", "follows", "settles", "measures")
_WHAT = ("every call", "a long stream", "the last cent", "nothing twice", "its neighbours", "the open question")
_HOW = ("in the morning", "without a hurry", "before it is too late", "once and for all", "on one core")
_BLOCK = 4096


@lru_cache(maxsize=64)
def prose(seed: int, size: int) -> str:
    """Exactly `size` ASCII characters of sentences; beyond a few thousand they repeat."""
    dice = random.Random(seed)
    sentences: list[str] = []
    length = 0
    while length < min(size, _BLOCK):
        words = [dice.choice(part) for part in (_WHO, _DOES, _WHAT, _HOW)]
        sentences.append(" ".join(words).capitalize() + ". ")
        length += len(sentences[-1])
    block = "".join(sentences)
    return (block * (size // len(block) + 1))[:size] if block else ""
