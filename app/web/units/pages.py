"""Every page of the directory. Those with a name of their own stand before those of one unit."""

from __future__ import annotations

from fastapi import APIRouter

from app.web.imports import routes as import_pages
from app.web.units import (
    change_pages,
    confirmation_page,
    line_forms,
    people_forms,
    roster_form,
    roster_pages,
    routes,
    unit_forms,
    unit_page,
    whereabouts_page,
)

router = APIRouter(include_in_schema=False)
for part in (
    routes,
    import_pages,
    confirmation_page,
    change_pages,
    roster_pages,
    unit_forms,
    line_forms,
    people_forms,
    roster_form,
    whereabouts_page,
    unit_page,
):
    router.include_router(part.router)
