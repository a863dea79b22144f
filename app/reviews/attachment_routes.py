"""Files of cases: received as the body of a request, given back only as downloads."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import FileResponse, Response

from app.accounts import service as audit
from app.api.actor import Actor
from app.api.text import Title
from app.errors import NotFoundError
from app.reviews import attachments, repository
from app.reviews.schemas import AttachmentOut
from app.reviews.serving import PathKey, Service

router = APIRouter(prefix="/api/v1", tags=["review"])
_BODY = {
    "requestBody": {
        "required": True,
        "description": f"The file itself, at most {attachments.MOST_BYTES // 2**20} MB",
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in attachments.TYPES},
    }
}


@router.post("/cases/{case_id}/attachments", status_code=201, openapi_extra=_BODY)
async def attach(
    request: Request,
    given: Service,
    case_id: PathKey,
    name: Annotated[Title, Query(description="Name of the file, as it is shown")],
    who: Actor,
    content_type: Annotated[str, Header(max_length=200)] = "",
) -> AttachmentOut:
    """Add a file to a case, e.g. to a dispute. The body is the file; its type stands in `Content-Type`."""
    database, settings = given
    media_type = attachments.check_type(content_type)
    async with database.reading() as session:
        if await repository.case(session, case_id) is None:
            raise NotFoundError(f"没有事项 {case_id} (no such case)")
    draft = await attachments.receive(settings.data_dir, request.stream(), media_type)
    try:
        async with database.unit_of_work() as session:
            row = await attachments.attach(session, case_id, who, draft, name, media_type, settings.data_dir)
            return AttachmentOut.model_validate(row)
    finally:
        attachments.discard(draft)


@router.get("/attachments/{attachment_id}", response_class=FileResponse)
async def download(given: Service, attachment_id: PathKey, who: Actor) -> Response:
    """A file of a case, as a download. Each is put on record with the person who asks."""
    database, settings = given
    async with database.reading() as session:
        row = await repository.attachment(session, attachment_id)
    path = None if row is None else attachments.file_of(row, settings.data_dir)
    if row is None or path is None:
        raise NotFoundError(f"没有附件 {attachment_id} (no such attachment)")
    async with database.unit_of_work() as session:
        await audit.record(session, "download", f"attachment:{row.id}", f"case:{row.case_id}", who)
    plain, own = f"attachment-{row.id}", quote(row.name, safe="")
    headers = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{own}"}
    return FileResponse(path, media_type=row.media_type, headers=headers)
