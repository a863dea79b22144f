"""What OpenAPI says beside the routes themselves: problems of each operation, with the headers that they carry."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.problems import MEDIA_TYPE

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457. `errors` names each parameter or member that is wrong.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "message"],
                "properties": {"where": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
SECURITY: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of an account, within its permissions.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "dutyring_session",
        "description": "The session of a browser; requests that change something carry X-CSRF-Token.",
    },
}
_WORDS = {
    400: "No JSON, or no place in this list",
    401: "No session and no token that holds",
    403: "Not for this role or person, not from another site, or not without an approval",
    404: "There is no such thing",
    409: "Not possible as things stand",
    413: "The body is too large",
    415: "The body is of another type",
    422: "What was given cannot be right",
}
_READS = (400, 401, 403, 404, 409, 422)
_WRITES = tuple(_WORDS)
_METHODS = ("get", "put", "post", "patch", "delete")
DESCRIPTION = (
    "Spot checks of duty lines (值班电话抽查). What the machine proposes counts nowhere until a named person has "
    "confirmed it. Coming moments of random checks are in no answer."
)


def describe(app: FastAPI) -> None:
    """Let the service's OpenAPI document name its problems."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
            )
            for operations in document["paths"].values():
                for method in _METHODS:
                    if method in operations:
                        _add_problems(operations[method], method)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = PROBLEM
            document["components"]["securitySchemes"] = SECURITY
            document["security"] = [{name: []} for name in SECURITY]
            # FastAPI's own form of a refusal is given nowhere.
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _add_problems(operation: dict[str, Any], method: str) -> None:
    responses = operation.setdefault("responses", {})
    for status in _READS if method == "get" else _WRITES:
        responses[str(status)] = {
            "description": _WORDS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
