"""The reference page of the API's operations, from the description that the service gives of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.main import create_app
from app.settings import Settings

_HEAD = """# Operations of the API

Written by `make docs` from the service's own description (`/api/openapi.json`). What they have in common stands in
[api.md](api.md). A filter in brackets may be left out; `after` and `limit` turn pages.
"""


def api_page() -> str:
    """Return the page."""
    settings = Settings(data_dir=Path("never-used"), phone_process=False)
    paths: dict[str, Any] = create_app(settings).openapi()["paths"]
    parts: dict[str, list[str]] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            parts.setdefault(tag, []).append(_line(method, path, operation))
    sections = [
        f"\n## {tag.capitalize()}\n\n| operation | takes | what it does |\n|---|---|---|\n"
        + "\n".join(lines)
        + "\n"
        for tag, lines in sorted(parts.items())
    ]
    return _HEAD + "".join(sections)


def _line(method: str, path: str, operation: dict[str, Any]) -> str:
    query = [
        parameter["name"] if parameter.get("required") else f"[{parameter['name']}]"
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    ]
    kinds = operation.get("requestBody", {}).get("content", {})
    takes = [f"`{'`, `'.join(query)}`"] if query else []
    takes += [", ".join(kinds)] if kinds else []
    words = " ".join(operation.get("description", operation.get("summary", "")).split()).replace("|", "\\|")
    return f"| `{method.upper()} {path}` | {'; '.join(takes)} | {words} |"
