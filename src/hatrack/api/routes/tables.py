"""/v1/tables: predictions of table models and their reasons. Rows are checked cell by cell; one bad cell and nothing is predicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatrack.api.context import Context, InContext, InTrace, Trace, served_name
from hatrack.api.errors import Refusal, error_object
from hatrack.api.keys import Caller
from hatrack.api.shapes.tables import ExplainBody, RowsBody
from hatrack.core.errors import AdapterNotFound, DataError
from hatrack.core.lineage import Manifest
from hatrack.core.names import closest
from hatrack.tabular.explaining.counterfactual import counterfactuals
from hatrack.tabular.explaining.reasons import explain_rows
from hatrack.tabular.faults import CellFaults
from hatrack.tabular.model import TableModel

__all__ = ["find_table", "router"]

router = APIRouter()


@router.get("/v1/tables", summary="All table models")
async def tables(context: InContext, trace: InTrace) -> Response:
    """What the caller's key may use: name, version, target, classes, and the columns that a row must have."""
    return JSONResponse({"object": "list", "data": await run_in_threadpool(_listed, context, trace)})


@router.post("/v1/tables/{name}/predict", summary="Predict rows")
async def predict(name: str, body: RowsBody, context: InContext, trace: InTrace) -> Response:
    """A label with probabilities, or a value, for each row; notes on cells that training never saw."""

    def work(manifest: Manifest, model: TableModel) -> dict[str, Any]:
        found = model.predict(model.table(body.rows, body.history, context.texts))
        notes = [{"row": note.row, "column": note.column, "note": note.note} for note in found.notes]
        return {"predictions": model.answers(found), "notes": notes}

    return await run_in_threadpool(_answered, name, context, trace, work)


@router.post("/v1/tables/{name}/explain", summary="Explain rows")
async def explain(name: str, body: ExplainBody, context: InContext, trace: InTrace) -> Response:
    """SHAP values of each row, the largest first; ``start`` and all contributions add up to ``margin``."""

    def work(manifest: Manifest, model: TableModel) -> dict[str, Any]:
        table = model.table(body.rows, body.history, context.texts)
        found = [one.as_dict(body.reasons) for one in explain_rows(model, table)]
        if body.changes:
            for one, sets in zip(found, counterfactuals(model, table, most=body.changes), strict=True):
                one["changes"] = [[{"column": c.column, "now": c.now, "instead": c.instead} for c in change] for change in sets]
        return {"explanations": found}

    return await run_in_threadpool(_answered, name, context, trace, work)


def _answered(name: str, context: Context, trace: Trace, work: Callable[[Manifest, TableModel], dict[str, Any]]) -> Response:
    manifest = find_table(name, context, trace.caller)
    headers = trace.uses(context, manifest)
    try:
        content = work(manifest, context.tables.get(manifest))
    except CellFaults as error:
        return _refused(error, headers)
    except DataError as error:
        raise Refusal(
            400, error.what, code="invalid_rows", param="rows", given=error.given, allowed=error.allowed, fix=error.fix
        ) from error
    return JSONResponse({"object": "table", "model": served_name(manifest), **content}, headers=headers)


def find_table(name: str, context: Context, caller: Caller) -> Manifest:
    """The version that a table's name means now.

    Raises:
        AdapterNotFound: there is none. Refusal: the caller's key may not use it.
    """
    bare = name.partition("@")[0]
    if not caller.may_use(bare):
        if "use:*" not in caller.scopes and bare not in context.tables.names():
            usable = [known for known in context.tables.names() if caller.may_use(known)]
            near = closest(bare, usable, 1)
            raise AdapterNotFound(
                f"the table {bare!r} has no version yet",
                given=name,
                allowed=", ".join(usable),
                fix=f"did you mean {near[0]}?" if near else "ask /v1/tables",
            )
        raise Refusal(
            403,
            f"this key may not use {bare}",
            code="model_not_allowed",
            param="name",
            given=name,
            allowed=", ".join(sorted(scope for scope in caller.scopes if scope.startswith("use:"))),
            fix=f"use a key with the scope use:{bare}",
        )
    return context.tables.resolve(name)


def _refused(error: CellFaults, headers: dict[str, str]) -> JSONResponse:
    """Every bad cell by row (from 1) and column, beside the sentence that all refusals have."""
    refusal = Refusal(
        400, error.what, code="invalid_rows", param="rows", given=error.given, allowed=error.allowed, fix="correct the cells under `rows`"
    )
    rows = [{"row": f.row, "column": f.column, "reason": f.reason, "given": f.given} for f in error.faults]
    return JSONResponse({"error": {**error_object(refusal), "rows": rows}}, 400, headers)


def _listed(context: Context, trace: Trace) -> list[dict[str, Any]]:
    found = []
    for name in filter(trace.caller.may_use, context.tables.names()):
        manifest = context.tables.resolve(name)
        config = manifest.config
        found.append(
            {
                "id": name,
                "object": "table",
                "version": manifest.version,
                "digest": manifest.digest,
                "model": config["method"],
                "task": config["task"],
                "target": config["target"],
                "classes": config["classes"],
                "columns": config["inputs"],
                "adapters": [reading["adapter"] for reading in config.get("readings", ()) if "adapter" in reading],
            }
        )
    return found
