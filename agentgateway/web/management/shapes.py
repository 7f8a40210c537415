"""The shapes of the management API's answers, as JSON Schema: part of its OpenAPI document."""

from typing import Any, Final, get_args

from agentgateway.config.schema import CAP_KEYS
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.exchange import Outcome
from agentgateway.web.management.problems import Code

Schema = dict[str, Any]

STRING: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
DOLLARS: Final[Schema] = {"type": "number", "minimum": 0, "description": "US dollars, exact to the nano-dollar."}
STRINGS: Final[Schema] = {"type": "array", "items": STRING}


def or_null(schema: Schema) -> Schema:
    """Also null."""
    return {**schema, "type": [schema["type"], "null"]}


def record(**properties: Schema) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


CAP: Final[Schema] = {
    "description": "US dollars, as a number or a decimal string; null: no cap.",
    "oneOf": [
        {"type": "number", "minimum": 0, "exclusiveMaximum": 1_000_000_000},
        {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$"},
        {"type": "null"},
    ],
}
CAPS: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": dict.fromkeys(CAP_KEYS.values(), CAP)
    | {"set_by": {"const": "file", "description": "Caps left out are those of the configuration again."}},
    "example": {"max_cost_per_hour": 5, "max_cost_total": None},
}
REASON: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"reason": {"type": ["string", "null"], "maxLength": 500}},
    "example": {"reason": "too dear"},
}

STORE: Final[Schema] = {
    "enum": ["ok", "degraded"],
    "description": "degraded: what several processes share does not answer.",
}
HEALTH: Final = record(
    status={"enum": ["ok", "draining"]},
    version=STRING,
    uptime_s=NUMBER,
    agents=WHOLE,
    in_flight=WHOLE,
)
HEALTH["properties"]["store"] = STORE  # only where there are several
GATEWAY: Final = record(
    **HEALTH["properties"],
    started=TIME,
    config=STRING,
    listen=STRINGS,
    timezone=STRING,
    workers={**WHOLE, "description": "Processes that this answer is of."},
    cost_this_hour=DOLLARS,
    cost_today=DOLLARS,
    total_cost=DOLLARS,
    paused=WHOLE,
)
BUDGET: Final = record(
    max_cost_per_hour=or_null(DOLLARS),
    max_cost_per_day=or_null(DOLLARS),
    max_cost_total=or_null(DOLLARS),
    set_by={"enum": ["file", "operator"], "description": "Whose caps these are."},
    enforcement={"enum": ["estimate", "hard"]},
    reserved={**DOLLARS, "description": "Held by calls in flight."},
    remaining={**or_null(DOLLARS), "description": "Left of the tightest cap; null: no cap."},
    resets_at={"type": "object", "additionalProperties": TIME, "description": "By cap: hour, day."},
)
CIRCUIT: Final = record(state={"enum": ["closed", "open", "half_open"]}, errors=WHOLE, retry_at=or_null(TIME))
AGENT: Final = record(
    id=STRING,
    status={"enum": ["active", "paused", "idle"]},
    pause_reason=or_null(STRING),
    model=or_null(STRING),
    provider=or_null(STRING),
    tags=STRINGS,
    cost_this_hour=DOLLARS,
    cost_today=DOLLARS,
    total_cost=DOLLARS,
    calls_this_hour=WHOLE,
    call_count=WHOLE,
    error_count=WHOLE,
    error_rate={"type": "number", "minimum": 0, "maximum": 1},
    input_tokens=WHOLE,
    output_tokens=WHOLE,
    in_flight=WHOLE,
    last_call=or_null(TIME),
    budget={"$ref": "#/components/schemas/Budget"},
    rate_limit={**or_null(record(limit=STRING, available=WHOLE))},
    circuit_breaker={
        **record(**CIRCUIT["properties"], providers={"type": "object", "additionalProperties": CIRCUIT}),
        "description": "The worst of the agent's circuits, and each by provider.",
    },
)

_TEXTS = ("id", "ts", "method", "path", "outcome", "usage")
_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_SPECIAL: Final[dict[str, Schema]] = {
    **dict.fromkeys(_TEXTS, STRING),
    **dict.fromkeys(_COUNTS, WHOLE),
    "ts": TIME,
    "status": WHOLE,
    "outcome": {"enum": list(get_args(Outcome))},
    "usage": {"enum": ["exact", "estimated", "none"]},
    "stream": {"type": "boolean"},
    "tags": STRINGS,
    "cost_usd": DOLLARS,
    "latency_ms": NUMBER,
    "ttfb_ms": or_null(NUMBER),
}
RECORD: Final = {
    **record(**{name: _SPECIAL.get(name, or_null(STRING)) for name in AuditRecord.__struct_fields__}),
    "description": "One call. A change by an operator is one, too: `provider` is null, `reason` says who changed what.",
}

_NAMES: Final[Schema] = record(added=STRINGS, changed=STRINGS, removed=STRINGS)
CHANGES: Final = record(
    agents=_NAMES,
    providers=_NAMES,
    prices=_NAMES,
    policies=_NAMES,
    gateway=STRINGS,
    needs_restart=STRINGS,
    kept_caps={**STRINGS, "description": "Changed agents whose caps stay as an operator has set them."},
)
MISTAKE: Final = record(file=STRING, line=WHOLE, path=STRING, expected=STRING, got=STRING, message=STRING)
PROBLEM: Final = record(
    error={
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"enum": list(get_args(Code))},
            "message": STRING,
            "mistakes": {"type": "array", "items": MISTAKE},
        },
    }
)

SCHEMAS: Final = {
    "Agent": AGENT,
    "Budget": BUDGET,
    "Caps": CAPS,
    "Changes": CHANGES,
    "Error": PROBLEM,
    "Gateway": GATEWAY,
    "Health": HEALTH,
    "Reason": REASON,
    "Record": RECORD,
    "Status": record(
        gateway={"$ref": "#/components/schemas/Gateway"},
        agents={"type": "array", "items": {"$ref": "#/components/schemas/Agent"}},
    ),
}
