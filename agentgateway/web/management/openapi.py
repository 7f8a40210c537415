"""The description of the management API."""

DOCUMENT: dict[str, object] = {}
