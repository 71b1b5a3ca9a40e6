"""Abbreviations have a long form; the text around them is escaped."""

from visibility.templatetags.abbreviations import spell_out, spell_out_inside_control

P90 = (
    '<span class="term" tabindex="0" data-long="90th percentile: 90% are at most this">P90'
    '<span class="visually-hidden"> (90th percentile: 90% are at most this)</span></span>'
)


def test_abbreviation_has_its_long_form_for_the_focus_and_for_screen_readers() -> None:
    assert spell_out("median <b>, P90 5 d") == f"median &lt;b&gt;, {P90} 5 d"


def test_inside_of_a_control_there_is_no_second_stop_of_the_focus() -> None:
    text = spell_out_inside_control("OCEL 2.0 (JSON)")
    assert 'data-long="Object-Centric Event Log"' in text
    assert "tabindex" not in text


def test_other_words_and_pieces_of_words_are_left_as_they_are() -> None:
    assert spell_out("PROMISE, SP90, Web, 3PLs") == "PROMISE, SP90, Web, 3PLs"
