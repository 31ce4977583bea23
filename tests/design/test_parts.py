"""What the macros promise to the pages that use them, and to assistive technology."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from wtforms import (
    FieldList,
    Form,
    FormField,
    IntegerField,
    RadioField,
    SelectMultipleField,
    StringField,
)
from wtforms.validators import InputRequired, Length, NumberRange
from wtforms.widgets import CheckboxInput, ListWidget

from marketplace.icons import icon


@pytest.fixture
def draw(design_app: Flask):
    """Renders a line of template that may use the macros named before it."""

    def render(macros: str, line: str, **context: Any) -> str:
        name, _, names = macros.partition(": ")
        source = f'{{% from "{name}" import {names} %}}{line}'
        with design_app.test_request_context():
            return " ".join(design_app.jinja_env.from_string(source).render(**context).split())

    return render


class Gig(Form):
    title = StringField("Title", [InputRequired("Give it a title.")])


def test_an_error_is_tied_to_its_field(draw):
    form = Gig()
    form.validate()
    html = draw("_forms.html: field", "{{ field(form.title, hint='Short') }}", form=form)
    assert 'aria-describedby="title-hint title-error"' in html
    assert 'aria-invalid="true"' in html
    assert re.search(r'id="title-error">.*Give it a title\.', html)


class Row(Form):
    points = IntegerField("Points", [NumberRange(1, 9, "Give 1 to 9.")])


class Asking(Form):
    title = StringField("Title")
    kind = RadioField("Kind", choices=["a"])
    places = SelectMultipleField(
        "Places", choices=["b"], option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False)
    )
    questions = FieldList(StringField("Question", [Length(max=3, message="Too long.")]), min_entries=2)
    rubric = FieldList(FormField(Row), min_entries=2)


def faulty() -> Asking:
    form = Asking(
        questions=["abc", "too long"], rubric=[{"points": 1}, {"points": 11}], kind="x", places=["y"]
    )
    form.validate()
    form.title.errors = ["Give it a title.", "Say about what."]
    form.kind.errors, form.places.errors = ["Choose one."], ["Choose another."]
    form.rubric.errors = [*form.rubric.errors, "The points make no hundred."]
    form.form_errors.append("It is too late.")
    return form


def test_the_summary_lists_every_error_with_the_way_to_it(draw):
    html = draw(
        "_forms.html: error_summary", "{{ error_summary(form, ids={'kind': 'kind-2'}) }}", form=faulty()
    )
    assert re.findall(r"<li>(.*?)</li>", html) == [
        '<a href="#title">Title: Give it a title.</a>',
        '<a href="#title">Title: Say about what.</a>',
        '<a href="#kind-2">Kind: Choose one.</a>',
        '<a href="#places">Places: Choose another.</a>',
        '<a href="#questions-1">Question 2: Too long.</a>',
        '<a href="#rubric-1-points">Points 2: Give 1 to 9.</a>',
        '<a href="#rubric">Rubric: The points make no hundred.</a>',
        "It is too late.",
    ]


def test_each_field_says_all_of_its_errors_and_only_its_own(draw):
    form = faulty()
    title = draw("_forms.html: field", "{{ field(form.title) }}", form=form)
    assert re.findall(r'<p class="error">.*?<span>(.*?)</span></p>', title) == [
        "Give it a title.",
        "Say about what.",
    ]
    assert title.count('id="title-error"') == 1
    rubric = draw("_forms.html: hint_and_errors", "{{ hint_and_errors(form.rubric, none) }}", form=form)
    assert "The points make no hundred." in rubric
    assert "Give 1 to 9." not in rubric
    assert "rubric-error" not in draw(
        "_forms.html: hint_and_errors", "{{ hint_and_errors(form.questions, none) }}", form=form
    )


def test_a_group_that_is_wrong_says_so_where_it_may(draw):
    form = faulty()
    kind = draw("_forms.html: field", "{{ field(form.kind) }}", form=form)
    assert 'role="radiogroup" aria-invalid="true" aria-describedby="kind-error"' in kind
    assert kind.count("aria-invalid") == 1
    places = draw("_forms.html: field", "{{ field(form.places) }}", form=form)
    assert 'aria-describedby="places-error"' in places
    assert re.search(r'<input[^>]* aria-invalid="true"[^>]* type="checkbox"', places)


def test_a_field_without_errors_claims_none(draw):
    html = draw("_forms.html: field", "{{ field(form.title) }}", form=Gig())
    assert "aria-" not in html.replace("aria-hidden", "")


def test_what_people_typed_is_escaped(draw):
    hostile = "<script>x</script>"
    html = draw(
        "_ui.html: callout, person_line, stat",
        "{{ callout(x) }}{{ person_line(x, x) }}{{ stat(x, x) }}",
        x=hostile,
    )
    assert hostile not in html
    assert html.count("&lt;script&gt;") == 5


def test_a_post_button_carries_its_token_and_names_its_row(draw):
    html = draw(
        "_actions.html: post_button", "{{ post_button('/a', 'Approve', fields={'line': 7}, describe='Ana') }}"
    )
    assert re.search(r'name="csrf_token" value="[^"]{20,}"', html)
    assert '<input type="hidden" name="line" value="7">' in html
    assert '<span class="visually-hidden">Ana</span>' in html


def test_a_state_is_a_word_and_a_shape(draw):
    html = draw("_state.html: state_word", "{{ state_word('expired') }}")
    assert "tone-negative" in html
    assert "<svg" in html
    assert "Expired" in html


def test_a_state_that_the_house_does_not_know_is_still_a_word(draw):
    assert "Info requested" in draw("_state.html: state_word", "{{ state_word('info_requested') }}")


def test_cells_say_their_column_and_money_lines_up(draw):
    column = {"label": "Amount", "kind": "money"}
    html = draw("_tables.html: cell", "{{ cell(column, '$1.00') }}", column=column)
    assert html == '<td class="num" data-label="Amount"><span>$1.00</span></td>'


def test_a_zero_is_shown(draw):
    assert ">0<" in draw("_tables.html: cell", "{{ cell('Hours', 0) }}")


def test_bars_stay_within_their_chart(draw):
    points = [
        {"label": str(n), "value": value, "text": "x"} for n, value in enumerate([5, 0, 100000, 250000])
    ]
    html = draw("_charts.html: bar_chart", "{{ bar_chart('T', points, 'Week', 'Paid') }}", points=points)
    bars = re.findall(r'<rect class="chart-bar" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', html)
    assert len(bars) == 4
    assert all(int(x) + int(w) <= 480 and int(y) + int(h) == 160 and int(y) >= 10 for x, y, w, h in bars)


@pytest.mark.parametrize("macro", ["bar_chart", "line_chart"])
@pytest.mark.parametrize("points", [[], [{"label": "1", "value": 0, "text": "0"}]])
def test_a_chart_of_nothing_is_drawn(draw, macro: str, points: list[dict[str, Any]]):
    assert "<svg" in draw(
        f"_charts.html: {macro}", f"{{{{ {macro}('T', points, 'a', 'b') }}}}", points=points
    )


def test_an_icon_is_decoration_and_an_unknown_one_a_mistake():
    assert 'aria-hidden="true"' in icon("check")
    with pytest.raises(LookupError, match="no-such-icon"):
        icon("no-such-icon")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503])
def test_each_refusal_has_words_and_a_way_on(design_app: Flask, status: int):
    with design_app.test_request_context():
        html = design_app.jinja_env.get_template("errors/error.html").render(status=status, request_id="01J9")
    heading = re.search(r"<h1>(.+?)</h1>", html)
    assert heading
    assert (heading[1] == "Something broke on our side") == (status == 500)
    assert "01J9" in html
    assert 'href="/"' in html
