"""Questions to the user: Alerts 1100 to 1104 and what answers them (DM Protocol 1.2 §10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from omadm.errors import FormatError
from omadm.status import AlertCode, StatusCode

if TYPE_CHECKING:
    from omadm.messages import Alert

__all__ = [
    "USER_ALERTS",
    "Outcome",
    "Question",
    "QuestionError",
    "Reply",
    "read_question",
    "write_question",
]

USER_ALERTS: Final = frozenset(
    {
        AlertCode.DISPLAY,
        AlertCode.CONFIRM,
        AlertCode.TEXT_INPUT,
        AlertCode.SINGLE_CHOICE,
        AlertCode.MULTIPLE_CHOICE,
    }
)
_CHOOSING = (AlertCode.SINGLE_CHOICE, AlertCode.MULTIPLE_CHOICE)
# What still fits a screen; more is 416 (DM Representation §4.1.6.2).
_LONGEST_TEXT, _LONGEST_CHOICE, _MOST_CHOICES = 2000, 200, 64
_MOST_OPTIONS = 32
_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
# §10.3.5: what each input type lets a user type in.
_INPUT: Final[Mapping[str, re.Pattern[str]]] = {
    "A": re.compile(r".*", re.DOTALL),
    "N": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII),
    "D": re.compile(r"(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])\d{4}", re.ASCII),
    "T": re.compile(r"([01]\d|2[0-3])[0-5]\d[0-5]\d", re.ASCII),
    "P": re.compile(r"\+?[0-9pws]+", re.ASCII),
    "I": re.compile(rf"{_OCTET}(\.{_OCTET}){{3}}", re.ASCII),
}


class QuestionError(Exception):
    """An alert that is no question anybody could answer; ``status`` says so to the server."""

    def __init__(self, status: StatusCode) -> None:
        super().__init__(f"not a question ({status.value})")
        self.status = status


class Outcome(Enum):
    """How a question came to its end."""

    ANSWERED = "answered"
    """Shown, confirmed, typed or chosen."""
    DECLINED = "declined"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    NOBODY = "nobody"
    """There is no program that could ask."""
    REFUSED = "refused"
    """The device asks no more of what this server wants to know."""
    WITHDRAWN = "withdrawn"
    """What it was about is no more."""


# DM Representation §4.1.6.2 for Alert; DM Protocol §10.2.2 for "No".
_STATUS: Final[Mapping[Outcome, StatusCode]] = {
    Outcome.ANSWERED: StatusCode.OK,
    Outcome.DECLINED: StatusCode.NOT_MODIFIED,
    Outcome.CANCELLED: StatusCode.CANCELLED,
    Outcome.TIMED_OUT: StatusCode.TIMEOUT,
    Outcome.NOBODY: StatusCode.NOT_SUPPORTED,
    Outcome.REFUSED: StatusCode.RANGE_NOT_SATISFIABLE,
    Outcome.WITHDRAWN: StatusCode.TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a question. ``values``: the text typed, or the numbers of the choices."""

    outcome: Outcome
    values: tuple[str, ...] = field(default=(), repr=False)

    @property
    def status(self) -> StatusCode:
        """The status of the alert."""
        return _STATUS[self.outcome]


@dataclass(frozen=True, slots=True)
class Question:
    """One user interaction. ``choices`` are numbered from 1; times are in seconds.

    ``default`` is what the control shows at first, and never an answer by itself (§10.3.3).
    ``input`` is one of A, N, D, T, P, I (§10.3.5); ``hidden``: typed like a password (§10.3.6).
    """

    kind: AlertCode
    text: str
    choices: tuple[str, ...] = ()
    min_s: int | None = None
    max_s: int | None = None
    default: str = ""
    max_length: int | None = None
    input: str = "A"
    hidden: bool = False

    def takes(self, values: tuple[str, ...]) -> bool:
        """Whether these can be the values of a positive answer."""
        match self.kind:
            case AlertCode.TEXT_INPUT:
                return len(values) == 1 and self._takes_text(values[0])
            case AlertCode.SINGLE_CHOICE:
                return len(values) == 1 and self._numbers(values)
            case AlertCode.MULTIPLE_CHOICE:
                return len(set(values)) == len(values) and self._numbers(values)
        return not values

    def _takes_text(self, text: str) -> bool:
        longest = min(self.max_length or _LONGEST_TEXT, _LONGEST_TEXT)
        return (
            len(text) <= longest
            and all(letter.isprintable() or letter == "\n" for letter in text)
            and _INPUT[self.input].fullmatch(text) is not None
        )

    def _numbers(self, values: tuple[str, ...]) -> bool:
        known = {str(number) for number in range(1, len(self.choices) + 1)}
        return known.issuperset(values)


def read_question(alert: Alert) -> Question:
    """The question in an alert of `USER_ALERTS`. Raises QuestionError."""
    try:
        texts = [item.text for item in alert.items]
    except (UnicodeDecodeError, FormatError):
        raise QuestionError(StatusCode.UNSUPPORTED_FORMAT) from None
    kind = AlertCode(alert.code)
    options, text, choices = texts[:1], texts[1:2], tuple(texts[2:] if kind in _CHOOSING else ())
    if not text or not text[0] or (kind in _CHOOSING and not choices):
        raise QuestionError(StatusCode.INCOMPLETE)
    too_long = len(text[0]) > _LONGEST_TEXT or len(choices) > _MOST_CHOICES
    if too_long or any(len(choice) > _LONGEST_CHOICE for choice in choices):
        raise QuestionError(StatusCode.RANGE_NOT_SATISFIABLE)
    given = _options(options[0])
    input_type = given.get("IT", "A") if kind is AlertCode.TEXT_INPUT else "A"
    return Question(
        kind=kind,
        text=text[0],
        choices=choices,
        min_s=_positive(given.get("MINDT")),
        max_s=_positive(given.get("MAXDT")),
        default="" if kind is AlertCode.DISPLAY else given.get("DR", "")[:_LONGEST_TEXT],
        max_length=_positive(given.get("MAXLEN")) if kind is AlertCode.TEXT_INPUT else None,
        input=input_type if input_type in _INPUT else "A",
        hidden=kind is AlertCode.TEXT_INPUT and given.get("ET") == "P",
    )


def write_question(question: Question, cmd_id: int) -> Alert:
    """The alert that asks it."""
    # Questions are known to many that speak no DM: those do not wait for its messages to load.
    from omadm.messages import Alert, Item

    options = {
        "MINDT": question.min_s,
        "MAXDT": question.max_s,
        "DR": question.default or None,
        "MAXLEN": question.max_length,
        "IT": None if question.input == "A" else question.input,
        "ET": "P" if question.hidden else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    first = Item(data=urlencode(given)) if given else Item()
    texts = (Item(data=text) for text in (question.text, *question.choices))
    return Alert(cmd_id, question.kind, (first, *texts))


def _options(text: str) -> dict[str, str]:
    """§10.3: as in a query; what cannot be processed is skipped without an error."""
    try:
        found = parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=_MOST_OPTIONS)
    except ValueError:
        return {}
    return dict(reversed(found))


def _positive(text: str | None) -> int | None:
    if text is None or not re.fullmatch(r"0*[1-9]\d{0,8}", text, re.ASCII):
        return None
    return int(text)
