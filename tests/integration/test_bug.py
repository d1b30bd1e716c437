"""What a bug of ours looks like from outside."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import ADMIN_TOKEN

from hookrack.app import open_app
from hookrack.entrypoints.http.asgi import Front
from hookrack.settings import load_settings


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_bug_is_one_problem_document(short_dir: Path, method: str) -> None:
    """Where a part is not what it should be, on the hot route or in the framework: one whole
    answer, INTERNAL, that tells nothing of it.
    """
    environ = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN}
    settings = load_settings({"data_dir": short_dir / "data"}, environ=environ)
    nothing: Any = None
    async with open_app(settings) as app:
        broken = replace(app, store=nothing, headroom=nothing)
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Hookrack-Account": "acme"}
        async with httpx.AsyncClient(
            base_url="http://x", headers=headers, transport=httpx.ASGITransport(Front(broken, []))
        ) as client:
            await client.put("/v1/accounts/acme", json={})
            answer = await client.request(method, "/v1/keys/deploys", json={})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "NoneType" not in answer.text
