"""Commands about questions to people."""

from __future__ import annotations

from collections.abc import Sequence

import click
from cardea.v1 import provisioning_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from .asking import answer_of, ask_person
from .cli import cli
from .context import Output, command
from .plain import plain
from .screen import NOTHING, new_table

__all__ = ["question"]


@cli.group()
@click.option("--json", "as_json", is_flag=True, help="Output for programs.")
@click.pass_obj
def question(output: Output, as_json: bool) -> None:
    """See what cards and servers ask people, and answer."""
    output.as_json = output.as_json or as_json


@command(question, "list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_(output: Output, limit: int) -> None:
    """Show who asked what, and what became of it, newest first."""
    with output.connect() as client:
        found = client.questions(limit)
    output.show({"questions": [plain(q) for q in found]}, _table(found))


@command(question)
@click.argument("name", metavar="QUESTION")
@click.argument("answer", nargs=-1, required=True)
def answer(output: Output, name: str, answer: tuple[str, ...]) -> None:
    """Answer an open QUESTION.

    ANSWER is yes or no, a text, the numbers of choices, or cancel. One that is not to be seen is
    better given to cardctl question agent.
    """
    wanted = "questions/" + name.removeprefix("questions/")
    with output.connect() as client:
        known = (each for each in client.questions() if each.name == wanted)
        # Of one that is not there the daemon will say so.
        found = next(known, pb.Question(name=wanted, kind=pb.QUESTION_KIND_TEXT))
        client.answer_question(found, answer_of(found, list(answer)))
    output.show({"answered": wanted}, Text("Answered.", style="green"))


@command(question)
def agent(output: Output) -> None:
    """Ask here what cards and servers want to know. Ctrl-C ends it."""
    with output.connect() as client:
        client.serve_questions(
            lambda asked: ask_person(output.console, asked),
            ready=lambda: output.line({"serving": True}, Text("Waiting for questions.", "dim")),
            closed=lambda name: output.line({"closed": name}, Text(f"{name} is closed.", "dim")),
        )


def _table(questions: Sequence[pb.Question]) -> RenderableType:
    if not questions:
        return Text("Nobody was asked anything.", style="dim")
    table = new_table("Question", "Asked (UTC)", "By", "Text", "Outcome", "Answer", "Answered by")
    for each in questions:
        word = pb.QuestionOutcome.Name(each.outcome).removeprefix("QUESTION_OUTCOME_")
        table.add_row(
            each.name.removeprefix("questions/"),
            f"{each.asked_at.ToDatetime():%Y-%m-%d %H:%M:%S}",
            each.asker,
            # As Text: what servers and cards say is nothing that could format itself.
            Text(each.text),
            "open" if not each.outcome else word.lower().replace("_", " "),
            Text(" ".join(each.answer)) if each.answer else NOTHING,
            each.answered_by or NOTHING,
        )
    return table
