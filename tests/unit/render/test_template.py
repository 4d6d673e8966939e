"""Templates of the integrator's own, and settings as JSON: what values cannot make them do."""

from __future__ import annotations

import json
import resource

import pytest
from cardd.render.output import Output, PlanError
from cardd.render.settings_file import settings_file
from cardd.render.template import MAX_BYTES, template_file
from cardd.tree import ManagementTree
from omadm.nodes import leaf
from unit.render.trees import snapshot

TREE: dict[str, str | bytes] = {
    "./NAP/1/Addr": "one.example",
    "./NAP/2/Addr": "two.example",
    "./Service/News/URL": "https://news.example/?a='b'&c",
    "./Trust/CA": "line 1\nline 2\n",
    "./Bin": b"\xff\xfe",
}


def render(template: str, values: dict[str, str | bytes] = TREE) -> str:
    output = template_file(template, "f")(snapshot(values))
    return b"".join(file.content for file in output.files).decode()


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("apn={{ value('./NAP/1/Addr') }}\n", "apn=one.example\n"),
        ("{% for n in children('./NAP') %}{{ n }}={{ value('./NAP/' ~ n ~ '/Addr') }}\n"
         "{% endfor %}", "1=one.example\n2=two.example\n"),
        ("{% if exists('./NAP/9') %}yes{% else %}no{% endif %}", "no"),
        ("{{ value('./NAP/9/Addr', default='none') }}", "none"),
        ("url={{ value('./Service/News/URL') | shell }}", "url='https://news.example/?a='\"'\"'b'"
         "\"'\"'&c'"),
        ("{{ value('./Service/News/URL') | tojson }}", '"https://news.example/?a=\\u0027b\\u0027'
         '\\u0026c"'),
        ("{{ value('./Trust/CA') | lines }}", "line 1\nline 2\n"),
    ],
)  # fmt: skip
def test_a_template_says_what_the_tree_says(template: str, wanted: str) -> None:
    assert render(template) == wanted


def test_a_template_that_says_nothing_makes_no_file() -> None:
    plan = template_file("{% if exists('./No') %}x{% endif %}\n", "f")
    assert plan(snapshot(TREE)) == Output(())


@pytest.mark.parametrize("value", ["x\nroot=yes", "x\ry", "x\x00y", "x\x1by"])
def test_a_value_cannot_begin_a_line_of_its_own(value: str) -> None:
    with pytest.raises(PlanError) as caught:
        render("a={{ value('./V') }}\n", {"./V": value})
    assert "root" not in str(caught.value)
    with pytest.raises(PlanError):
        render("a={{ 'b' ~ value('./V') }}\n", {"./V": value})


@pytest.mark.parametrize(
    "template",
    ["{{ value(value('./V')) }}", "{{ children(value('./V')) }}", "{{ value('./V')() }}"],
)
def test_an_error_names_the_line_and_quotes_no_value(template: str) -> None:
    with pytest.raises(PlanError, match="in line 2") as caught:
        render(f"first line\n{template}\n", {"./V": "a/secret//value"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ value('./Missing') }}",
        "{{ value('no path/../x') }}",
        "{{ value('./Bin') }}",
        "{{ unknown }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ value.__globals__ }}",
        "{{ value.func.__globals__['__builtins__'] }}",
        "{% for i in range(10000000) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ lipsum(n=1) }}",
        "{{ [1, 2] | random }}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_an_error(template: str) -> None:
    with pytest.raises(PlanError):
        render(template)


def test_a_result_without_end_is_cut_off() -> None:
    with pytest.raises(PlanError, match=str(MAX_BYTES)):
        render("{% for i in range(9999) %}{{ 'x' * 1000 }}{% endfor %}")


@pytest.mark.parametrize("character", ["x", "\N{EURO SIGN}", "\N{GRINNING FACE}", '"', "\t"])
def test_a_result_is_bounded_by_its_bytes_whatever_characters_it_has(character: str) -> None:
    said = character.encode()
    template = f"{{{{ ('{character}' * value('./Number') | int) | lines }}}}"
    template += "{{ 'x' * (value('./More') | int) }}"
    number, rest = divmod(MAX_BYTES - 1, len(said))
    values: dict[str, str | bytes] = {"./Number": str(number), "./More": str(rest + 1)}
    assert render(template, values).encode() == said * number + b"x" * (rest + 1)
    with pytest.raises(PlanError, match=f"longer than {MAX_BYTES} bytes"):
        render(template, values | {"./More": str(rest + 2)})


def test_a_result_that_is_no_text_is_an_error() -> None:
    with pytest.raises(PlanError, match="UnicodeEncodeError"):
        render(r"{{ '\ud800' }}")
    with pytest.raises(PlanError, match="UnicodeEncodeError"):
        render(r"{{ value('./\ud800') }}")


ROUNDS = "{% for a in range(50000) %}{% for b in range(50000) %}BODY{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    "template",
    [
        ROUNDS.replace("BODY", ""),
        "{% if false %}{% else %}" + ROUNDS.replace("BODY", "{% set x = b %}") + "{% endif %}",
        "{% macro two(n) %}{% if n %}{{ two(n - 1) }}{{ two(n - 1) }}{% endif %}{% endmacro %}"
        "{{ two(50) }}",
        "{% macro all() %}{{ caller() }}{% endmacro %}" + ROUNDS.replace(
            "BODY", "{% call all() %}{% endcall %}"),
        "{% for n in [0] * 99 recursive %}{{ loop([0] * 99) if loop.depth < 9 }}{% endfor %}",
        "{% block b %}" + ROUNDS.replace("BODY", "") + "{% endblock %}",
    ],
)  # fmt: skip
def test_template_that_would_not_end_is_cut_off(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.render.template.MAX_STEPS", 5000)
    with pytest.raises(PlanError, match="in line 1: takes more than 5000 steps"):
        render(template)


LARGE = "{% set n = value('./Number') | int %}"


@pytest.mark.parametrize(
    "body",
    [
        "{{ 'x' * n }}",
        "{{ 'x' * 10 ** 10 }}",
        "{{ ('%' ~ n ~ 'd') % 1 }}",
        "{{ 'x' | center(n) }}",
        "{{ 'x'.ljust(n) }}",
        "{{ 'a\\nb' | indent(n) }}",
        "{{ [0] | batch(n, 0) | first | length }}",
        "{{ ([1] * 30000) | join('x' * 30000) }}",
        "{{ ('a' * 30000) | replace('a', 'b' * 30000) }}",
        "{% set ns = namespace(x='x') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}"
        "{% endfor %}{{ ns.x | length }}",
    ],
)  # fmt: skip
def test_a_template_that_takes_all_memory_fails_and_takes_none_of_the_daemons(body: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PlanError, match="needs more than 128 MiB"):
        render(LARGE + body, {"./Number": "1000000000"})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_template_that_takes_all_time_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cardd.render.template.CPU_S", 1)
    with pytest.raises(PlanError, match="takes more than 1 s"):
        render(LARGE + "{{ (7 ** n) % 2 }}", {"./Number": "30000000"})


@pytest.mark.parametrize(
    ("program", "problem"),
    [("/bin/true", "has ended before its time"), ("/no/such", "cannot be started")],
)
def test_a_process_that_ends_without_a_word_is_an_error(
    program: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = template_file("{{ value('./V') }}", "f")
    monkeypatch.setattr("cardd.render.template.sys.executable", program)
    with pytest.raises(PlanError, match=problem):
        plan(snapshot({"./V": "v"}))


def test_steps_are_counted_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cardd.render.template.MAX_STEPS", 5000)
    plan = template_file("{% for a in range(4000) %}{% endfor %}x", "f")
    for _ in range(3):
        assert plan(snapshot(TREE)).files


@pytest.mark.parametrize("text", ["{{", "{% if %}", "{% nonsense %}", "{{ x | no_filter }}"])
def test_a_text_that_is_no_template_is_refused_at_once(text: str) -> None:
    with pytest.raises(PlanError):
        template_file(text, "f")


def test_a_subtree_is_a_json_file() -> None:
    tree = snapshot(TREE | {"./Service/Port": "80", "./Service/On": "true"})
    (file,) = settings_file("./Service", "settings.json")(tree).files
    assert json.loads(file.content) == {
        "News": {"URL": "https://news.example/?a='b'&c"}, "Port": "80", "On": "true",
    }  # fmt: skip
    assert settings_file("./None", "settings.json")(tree) == Output(())


@pytest.mark.parametrize(
    ("format", "value", "wanted"),
    [
        ("int", b"-60", -60),
        ("int", b"1_000", "1_000"),
        ("int", "\u0661".encode(), "\u0661"),
        ("int", b"9" * 4000, "9" * 4000),
        ("bool", b"true", True),
        ("bool", b"TRUE", "TRUE"),
        ("chr", b"60", "60"),
        ("bin", b"60", "NjA="),
        ("chr", b"\xff", "/w=="),
    ],
)
def test_a_leaf_is_of_its_format_or_a_string(format: str, value: bytes, wanted: object) -> None:
    """What a card brings is not held against formats."""
    tree = ManagementTree()
    tree.adopt("card", "1", [leaf("./S/V", value, format=format)], 1)
    (file,) = settings_file("./S", "settings.json")(tree.snapshot).files
    assert json.loads(file.content) == {"V": wanted}
