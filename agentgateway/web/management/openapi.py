"""The OpenAPI 3.1 document of the management API, at `/api/openapi.json`; a test holds the API to it."""

from typing import Any, Final, get_args

from agentgateway import __version__
from agentgateway.domain.exchange import Outcome
from agentgateway.domain.logquery import MAX_LIMIT
from agentgateway.web.management.shapes import SCHEMAS

Json = dict[str, Any]

_PROBLEMS: Final[dict[int, str]] = {
    400: "The request cannot be understood.",
    401: "The admin token is wrong or missing, or too many wrong ones came before.",
    404: "No such agent.",
    405: "The path does not take this method.",
    413: "The body is larger than 64 KiB.",
    422: "Understood, but it cannot be done: a value is wrong, or what it depends on does not allow it.",
    503: "The log's index cannot answer now, or too many callers follow already.",
}
_ALL: Final = (400, 401, 405, 413)


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Json, what: str) -> Json:
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def _operation(name: str, summary: str, answer: Json, *problems: int, body: str = "", **more: Any) -> Json:
    """An operation: its good answer, and the problems it may have beside those of all."""
    answers: Json = {"200": answer}
    for status in sorted({*_ALL, *problems}):
        answers[str(status)] = {"$ref": f"#/components/responses/{status}"}
    operation: Json = {"operationId": name, "summary": summary, "responses": answers, **more}
    if body:
        content = {"application/json": {"schema": _ref(body)}}
        operation["requestBody"] = {"required": body == "Caps", "content": content}
    return operation


def _argument(name: str, schema: Json, what: str) -> Json:
    return {"name": name, "in": "query", "description": what, "schema": schema}


_AGENT: Final[Json] = {
    "name": "agent",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
}
_TIME: Final[Json] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0, "maximum": 253_402_300_799}]
}
_LOGS: Final[list[Json]] = [
    _argument("agent", {"type": "string"}, "Only this agent's."),
    _argument("since", _TIME, "From this time on (ISO-8601, or seconds since the epoch)."),
    _argument("until", _TIME, "Before this time."),
    _argument("status", {"type": "integer", "minimum": 100, "maximum": 599}, "Only with this HTTP status."),
    _argument("outcome", {"type": "string", "enum": list(get_args(Outcome))}, "Only those that ended so."),
    _argument(
        "limit", {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "default": 100}, "At most so many, the newest."
    ),
    _argument("format", {"type": "string", "enum": ["json", "jsonl", "csv"], "default": "json"}, "How to write them."),
    _argument(
        "follow",
        {"type": "boolean", "default": False},
        "Then go on with new records as they come, an object a line; whoever does not read is cut off.",
    ),
]
_RECORDS: Final[Json] = {
    "description": "The records, newest last.",
    "content": {
        "application/json": {"schema": {"type": "array", "items": _ref("Record")}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "A Record a line."}},
        "text/csv": {"schema": {"type": "string"}},
    },
}
_METRICS: Final[Json] = {
    "description": "Prometheus' text format.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}

_PATHS: Final[Json] = {
    "/health": {
        "get": {
            "operationId": "health",
            "summary": "Whether the gateway takes calls",
            "security": [],
            "responses": {
                "200": _json(_ref("Health"), "It does."),
                "405": {"$ref": "#/components/responses/405"},
                "413": {"$ref": "#/components/responses/413"},
                "503": _json(_ref("Health"), "It is stopping."),
            },
        }
    },
    "/metrics": {"get": _operation("metrics", "Metrics for Prometheus", _METRICS)},
    "/api/status": {"get": _operation("status", "The gateway and its agents", _json(_ref("Status"), "As of now."))},
    "/api/logs": {"get": _operation("logs", "The audit log", _RECORDS, 503, parameters=_LOGS)},
    "/api/reload": {
        "post": _operation("reload", "Re-read the configuration", _json(_ref("Changes"), "What changed."), 422)
    },
    "/api/openapi.json": {"get": _operation("openapi", "This document", _json({"type": "object"}, "OpenAPI 3.1."))},
    "/api/agents/{agent}": {
        "parameters": [_AGENT],
        "get": _operation("agent", "One agent", _json(_ref("Agent"), "As of now."), 404),
    },
    "/api/agents/{agent}/pause": {
        "parameters": [_AGENT],
        "post": _operation(
            "pause", "Refuse its calls until resumed", _json(_ref("Agent"), "Paused."), 404, 422, body="Reason"
        ),
    },
    "/api/agents/{agent}/resume": {
        "parameters": [_AGENT],
        "post": _operation(
            "resume",
            "Let it call again; 422 where a spent budget is in the way",
            _json(_ref("Agent"), "Resumed, if nothing else pauses it."),
            404,
            422,
            body="Reason",
        ),
    },
    "/api/budget/{agent}": {
        "parameters": [_AGENT],
        "get": _operation("budget", "Its caps", _json(_ref("Budget"), "As of now."), 404),
        "put": _operation(
            "setBudget",
            "Other caps, at once; those left out stay. Or the file's again",
            _json(_ref("Budget"), "In force, until changed again, over restarts and reloads."),
            404,
            422,
            body="Caps",
        ),
    },
}

DOCUMENT: Final[Json] = {
    "openapi": "3.1.0",
    "info": {
        "title": "agentgateway",
        "version": __version__,
        "description": "What runs, what it costs, and the switches. Reading is open on the gateway's own machine, unless "
        "that is switched off; everything else wants the admin token. GET paths take HEAD, too.",
    },
    "security": [{"admin": []}],
    "paths": _PATHS,
    "components": {
        "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}},
        "responses": {str(status): _json(_ref("Error"), what) for status, what in _PROBLEMS.items()},
        "schemas": SCHEMAS,
    },
}
