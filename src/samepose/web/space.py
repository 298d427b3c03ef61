"""`/api/lift`: keypoints in space."""

from __future__ import annotations

from fastapi import APIRouter, Request

from samepose.lifting import lift
from samepose.web.answers import Lifted
from samepose.web.figures import pose_of
from samepose.web.requests import Lift
from samepose.web.service import service_of

router = APIRouter(tags=["search"])


@router.post("/api/lift")
async def in_space(request: Request, asked: Lift) -> Lifted:
    """The 3D pose of one person's keypoints, and what else it could be."""
    return await service_of(request).work("search", _lifted, asked)


def _lifted(asked: Lift) -> Lifted:
    found = lift(pose_of(asked.keypoints, asked.skeleton), height=asked.height)
    return Lifted.model_validate(found.to_json())
