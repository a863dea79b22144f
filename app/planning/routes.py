"""Every route of planning that belongs to plans, prompts, checks by hand and coverage."""

from __future__ import annotations

from fastapi import APIRouter

from app.planning import coverage_routes, designated_routes, manual_routes, plan_routes, prompts_routes

router = APIRouter()
for part in (plan_routes, prompts_routes, designated_routes, manual_routes, coverage_routes):
    router.include_router(part.router)
