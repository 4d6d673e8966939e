"""A reader's queue as a message."""

from __future__ import annotations

from cardea.v1 import cards_pb2 as pb

from cardd.reader.events import Queue
from cardd.sharing.ticket import Priority

from .card_leases import reader_name
from .convert import duration

__all__ = ["queue_message"]

_PRIORITIES = {
    Priority.NORMAL: pb.QUEUE_PRIORITY_NORMAL,
    Priority.PROVISIONING: pb.QUEUE_PRIORITY_PROVISIONING,
    Priority.INTERACTIVE: pb.QUEUE_PRIORITY_INTERACTIVE,
}


def queue_message(queue: Queue, cached_reads: int) -> pb.CardQueue:
    """Times are told from the queue's `now` on."""
    message = pb.CardQueue(
        reader=reader_name(queue.reader),
        kept_out=queue.kept_out,
        leases=queue.leases,
        apdus=queue.apdus,
        cached_reads=cached_reads,
        waiting=(
            pb.CardWaiter(
                caller=ticket.caller,
                purpose=ticket.purpose,
                priority=_PRIORITIES[ticket.priority],
                waited=duration(queue.now - ticket.requested_at),
                left=duration(max(0.0, ticket.deadline - queue.now)),
            )
            for ticket in queue.waiting
        ),
    )
    if queue.holder is not None:
        held_s = queue.now - queue.granted_at
        message.holder.CopyFrom(
            pb.CardHolder(
                caller=queue.holder.caller,
                purpose=queue.holder.purpose,
                priority=_PRIORITIES[queue.holder.priority],
                held=duration(held_s),
                left=duration(max(0.0, queue.max_hold_s - held_s)),
                working=queue.working,
            )
        )
    return message
