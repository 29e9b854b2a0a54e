"""What a part of the gateway brings along when it changes hands, and what is to be done before it goes."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone

from gateway import leaving, queries
from gateway.leaving import Home
from gateway.models import Conversation
from gateway.quarantine import SUSPECT_FEEDINGS
from gateway.transcript import Recover

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

Parts = frozenset[int]


async def recover(engine: "Engine", parts: Parts, running: set[int] | None) -> None:
    """What the process that had these parts had not finished. `running`: the rows that were with handlers, if known."""
    read = engine.read_at_leisure
    died_with = [found for found in await read(queries.in_hand, parts) if running is None or found[0] in running]
    left = await read(queries.left_in_hand, parts)
    found = await asyncio.gather(*(engine.submit(Recover(pk, running)) for pk in left))
    in_hand, sending = sum(fed for fed, _ in found), sum(sent for _, sent in found)
    if in_hand or sending:
        logger.warning(
            "A process died with %d events in hand (fed again, marked redelivered) and %d sends under way "
            "(nobody knows whether they were done).",
            in_hand,
            sending,
        )
    engine.quarantine.begin(died_with, await read(queries.received, SUSPECT_FEEDINGS, parts))


@dataclass(frozen=True, slots=True)
class Found:
    queued: Sequence[Home]
    waiting: Sequence[Conversation]
    clocks: Sequence[tuple[int, datetime]]
    orphans: Sequence[UUID]


async def look(engine: "Engine", parts: Parts) -> Found:
    read = engine.read_at_leisure
    return Found(
        await read(leaving.homes, parts),
        await read(queries.unsettled_conversations, parts),
        await read(queries.running_clocks, parts),
        await read(queries.orphans, parts),
    )


def begin(engine: "Engine", parts: Parts, found: Found) -> None:
    for lane in engine.lanes.all():
        if lane.part in parts:
            lane.stay()
    engine.outbox.stay(parts)
    engine.outbox.adopt(found.queued)
    set_clocks(engine, found.clocks)  # Before anything is fed, which sets them anew.
    for conversation in found.waiting:
        if conversation.protocol in engine.protocols:
            engine.lanes.get(conversation).put_all_from_rows()


def set_clocks(engine: "Engine", clocks: Sequence[tuple[int, datetime]]) -> None:
    for pk, deadline in clocks:
        lane = engine.lanes.known(pk)
        if pk not in engine.deadlines and not (lane is not None and lane.at_work):
            left = (deadline - timezone.now()).total_seconds()
            engine.deadlines.set(pk, engine.time() + min(max(left, 0.0), engine.timeout))


async def let_go(engine: "Engine", parts: Parts, seconds: float) -> Parts:
    """Lets what is in hand finish and begins nothing. Returns the parts in which something has not finished."""
    lanes = [lane for lane in engine.lanes.all() if lane.part in parts]
    for lane in lanes:
        lane.leave()
    at_work = [asyncio.ensure_future(lane.until_settled()) for lane in lanes if lane.at_work]
    if at_work:
        await asyncio.wait(at_work, timeout=seconds)
    late = frozenset(lane.part for lane in lanes if lane.at_work)
    gone = [lane for lane in lanes if lane.part not in late]
    await asyncio.gather(*(lane.shut_down() for lane in gone))
    for lane in gone:
        engine.lanes.forget(lane)
    return late | await engine.outbox.let_go(parts - late, seconds)
