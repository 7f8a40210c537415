"""Reading JSON that a typed decoder will not take: odd values, torn bodies, broken text.

A count that is no count (negative, a fraction, a string, a boolean, huge) is dropped and the reading marked odd; a body
that is no JSON is searched for the members that matter. Nothing here raises, whatever it is given.
"""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from agentgateway.providers.dialect import Reading

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)] | None
"""A number of tokens as a provider may say it."""

T = TypeVar("T", bound=msgspec.Struct)

_USAGE = re.compile(r'"(usage|usageMetadata|meta)"\s*:\s*(?=\{)')
_NAMES = re.compile(r'"(model|modelVersion|type|service_tier|finishReason)"\s*:\s*"([^"\\]{1,200})"')
_TEXTS = re.compile(
    r'"(?:text|content|thinking|reasoning|reasoning_content|refusal|arguments|partial_json|delta)"\s*:\s*'
    r'"((?:[^"\\]++|\\.)*+)'
)
_TRIES = 8
_DEPTH = 64


class Counts(msgspec.Struct):
    """Base of structs that hold usage: what is odd in one of them makes the answer's usage odd."""


def decoded(decode: Callable[[bytes], T], kind: type[T], data: bytes, reading: Reading) -> T | None:
    """`data` as `kind`; read leniently where the typed decoder refuses; None where there is nothing in it.

    Of a torn body the texts are counted here: they were sent, though nobody can say in which member.
    """
    try:
        return decode(data)
    except (ValueError, RecursionError):
        plain = _loads(data)
    if isinstance(plain, dict):
        return _built(plain, kind, reading, issubclass(kind, Counts))
    reading.sent_chars += sum(len(match[1]) for match in _TEXTS.finditer(data.decode("utf-8", "replace")))
    value = salvage(data)
    return _built(value, kind, reading, issubclass(kind, Counts))


def parsed(decode: Callable[[bytes], T], kind: type[T], body: bytes) -> T | None:
    """A request's `body` as `kind`, whose members are all `Any`; None where it is no JSON object."""
    try:
        return decode(body)
    except (ValueError, RecursionError):
        plain = _loads(body)
    return msgspec.convert(plain, kind) if isinstance(plain, dict) else None


def written(value: object, depth: int = 0) -> int:
    """Characters of all the texts in a decoded JSON value."""
    if isinstance(value, str):
        return len(value)
    if depth > _DEPTH:
        return 0
    if isinstance(value, dict):
        return sum(written(item, depth + 1) for item in value.values())
    return sum(written(item, depth + 1) for item in value) if isinstance(value, list) else 0


def salvage(data: bytes) -> dict[str, Any]:
    """The last usage and the first names found in what is no whole JSON text, as a flat object."""
    text = data.decode("utf-8", "replace")
    found: dict[str, Any] = {}
    for match in list(_USAGE.finditer(text))[-_TRIES:]:
        value = _loads_at(text, match.end())
        if isinstance(value, dict):
            found[match[1]] = value
    for match in _NAMES.finditer(text):
        found.setdefault(match[1], match[2])
        if len(found) > _TRIES:
            break
    return found


def _loads(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8", "replace"), parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _loads_at(text: str, start: int) -> object:
    try:
        return json.JSONDecoder(parse_int=_whole).raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | float:
    """An integer, unless it is so long that making one would cost more than it is worth."""
    return int(digits) if len(digits) < 20 else float("inf")


def _built(value: object, kind: type[T], reading: Reading, counting: bool) -> T | None:
    """`value` as the struct `kind`, without the members that do not fit it."""
    if not isinstance(value, dict):
        reading.odd |= counting and value is not None
        return None
    fitting: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in value:
            continue
        given = value[field.encode_name]
        inner = _struct_in(field.type)
        try:
            fitting[field.name] = msgspec.convert(given, field.type)
        except (ValueError, RecursionError):
            of_counts = counting or (inner is not None and issubclass(inner, Counts))
            if inner is not None and isinstance(given, list) and _is_list(field.type):
                fitting[field.name] = [_built(item, inner, reading, of_counts) or inner() for item in given]
            elif inner is None or _is_list(field.type):
                reading.odd |= of_counts
            elif (built := _built(given, inner, reading, of_counts)) is not None:
                fitting[field.name] = built
    return kind(**fitting)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(get_origin(arg) is list for arg in get_args(annotation))


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct an annotation speaks of: itself, or in a union or list."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _struct_in(arg)) is not None), None)
