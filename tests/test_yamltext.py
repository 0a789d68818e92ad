"""YAML text to plain data: what PyYAML lets pass silently, or answers with a traceback, is an error here."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.yamltext import VariableText, decode, join, load, parse_variable, shown, substitute

BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    + [f"{new}: &{new} [{', '.join(['*' + old] * 10)}]" for old, new in zip("abcde", "bcdef", strict=True)]
)


def refused(text: str) -> str:
    """The error that `text` gives."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    return str(caught.value)


def test_plain_documents_are_read_as_they_stand() -> None:
    """Mappings, lists and scalars of every plain kind; an empty text or a comment is None."""
    assert load("a: [1, 2.5, yes, x, ~]\nb: {c: 'd'}") == {"a": [1, 2.5, True, "x", None], "b": {"c": "d"}}
    assert load("") is None
    assert load("# nothing\n") is None


def test_merge_keys_work_and_may_be_overridden() -> None:
    """`<<` takes another mapping in; a key of its own wins, and that is not the key given twice."""
    assert load("base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}")["own"] == {"a": 1, "b": 3}
    assert load("base: &base {a: 1}\nmore: &more {b: 2}\nown: {<<: [*base, *more]}")["own"] == {
        "a": 1,
        "b": 2,
    }
    assert load("a: {=: 1}") == {"a": {"=": 1}}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: 1\na: 2", "a"),
        ("a: 1\n'a': 2", "a"),
        ("a: {b: [{c: 1}, {d: 1, d: 1}]}", "a.b[1].d"),
        ("a: {<<: {x: 1}, <<: {y: 1}}", "a…"),
    ],
)
def test_a_key_given_twice_is_an_error_with_its_path(text: str, path: str) -> None:
    """YAML 1.2 leaves it undefined and PyYAML takes the last one: one of the two would be lost unseen."""
    expected = path.replace("a…", "a.…")
    assert refused(text) == f"{expected}: the key is given twice"


def test_the_same_key_in_two_places_is_none_given_twice() -> None:
    """Only keys of one mapping can collide."""
    assert load("a: {x: 1}\nb: {x: 1}") == {"a": {"x": 1}, "b": {"x": 1}}


def test_a_key_that_is_no_scalar_is_refused() -> None:
    """A list as a key is YAML, but no configuration."""
    assert refused("a: {? [b] : c}") == "a: a key must be a plain word"


def test_bombs_and_loops_are_refused_before_they_are_built() -> None:
    """Ten aliases of ten aliases of … would be a million values; an alias in itself would never end."""
    assert refused(BOMB) == "the document expands to more than 200000 values"
    assert refused("a: &a [*a]") == "nested deeper than 50 levels, or an alias that contains itself"
    assert refused("a: &a {b: *a, c: *a}") == "nested deeper than 50 levels, or an alias that contains itself"


@pytest.mark.parametrize("depth", [52, 2000])
def test_deep_nesting_is_refused(depth: int) -> None:
    """Nested deeper than any configuration, and so deep that the parser itself gives up."""
    assert refused("[" * depth + "]" * depth).startswith("nested deeper than 50 levels")


def test_fifty_levels_are_fine() -> None:
    """The limit does not bite before it says."""
    assert load("[" * 50 + "]" * 50)


def test_a_text_without_end_is_refused() -> None:
    """A file of more than 8 MiB is none of ours, and PyYAML would take minutes to say so."""
    assert refused("#" * (8 * 1024 * 1024 + 1)) == "longer than 8388608 characters"


@pytest.mark.parametrize(
    "value",
    [
        "2024-13-45",
        "2001-12-14t21:59:43.10-99:30",
        "!!timestamp x",
        "!!bool x",
        "!!int ''",
        "!!int x",
        "!!float ''",
        "!!float x",
    ],
)
def test_a_value_that_is_not_what_its_tag_says_names_its_key(value: str) -> None:
    """PyYAML fails on these with KeyError, AttributeError, IndexError, ValueError: here it is one error."""
    reason = "looks like a date, number or truth value and is none; put it in quotes"
    assert refused(f"a: [{{b: {value}}}]") == f"a[0].b: {reason}"
    assert refused(f"a: {{{value}: 1}}").endswith(reason)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    """Python refuses to convert it, since that takes quadratic time."""
    assert refused("a: " + "9" * 5000).startswith("a: looks like")


@pytest.mark.parametrize("value", ["!!map x", "!!seq x", "!!set x", "!!omap x", "!!int [1]", "!!binary x"])
def test_a_tag_of_another_kind_is_refused_with_its_place(value: str) -> None:
    """A list tagged as a number: line and column tell where."""
    assert refused(f"a: {value}").startswith("not YAML: ")
    assert refused(f"a: {value}").endswith("(line 1, column 4)")


def test_no_tag_makes_objects() -> None:
    """PyYAML's tags for Python objects are unknown here: nothing in a file can run."""
    assert refused("a: !!python/object/apply:os.getcwd []") == (
        "not YAML: could not determine a constructor for the tag (line 1, column 4)"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [b", "expected ',' or ']', but got '<stream end>' (line 1, column 6)"),
        ("a: {b: c: d}", "expected ',' or '}', but got ':' (line 1, column 9)"),
        ("- a\nb: c", "expected <block end>, but found '?' (line 2, column 1)"),
        ("a: 1\n--- \nb: 2", "expected a single document in the stream, but found another document"),
        ("a: *secret", "found undefined alias (line 1, column 4)"),
        ("a: !secret b", "could not determine a constructor for the tag (line 1, column 4)"),
        ("a: !<%3Csecret%3E> b", "could not determine a constructor for the tag (line 1, column 4)"),
        ("a: !it's'secret' b", "could not determine a constructor for the tag (line 1, column 4)"),
        ("a: !x!secret b", "found undefined tag handle (line 1, column 4)"),
        ('a: "\\secret"', "found unknown escape character (line 1, column 6)"),
        ("%TAG !x! a\n%TAG !x! b\n--- c", "duplicate tag handle (line 2, column 1)"),
        ("a: 'secret", "found unexpected end of stream (line 1, column 11)"),
        ("a: %secret", "found character that cannot start any token (line 1, column 4)"),
        ("a:\n\tc: d", "found character that cannot start any token (line 2, column 1)"),
        ("a: b: secret", "mapping values are not allowed here (line 1, column 5)"),
        ("a: 1\nb: x\0y", "a character that YAML does not allow (line 2)"),
        ("a: 1\n\n\x07", "a character that YAML does not allow (line 3)"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place_and_without_its_text(text: str, said: str) -> None:
    """What is wrong, line and column, and the parser's own tokens; never what the file says there."""
    assert refused(text).startswith(f"not YAML: {said}")
    assert "secret" not in refused(text)


def test_a_variable_inside_braces_is_explained() -> None:
    """`{token: ${TOKEN}}` looks right and is no YAML: the error says what to do."""
    assert refused("token: {token: ${TOKEN}}").endswith(
        '; inside { } and [ ] a variable stands in quotes: "${NAME}"'
    )
    assert "quotes" not in refused("token: {token: {}")


@pytest.mark.parametrize("escape", ["\\ud800", "\\udfff", "x\\udc00"])
def test_half_a_surrogate_pair_is_refused(escape: str) -> None:
    """A double-quoted text can hold one; no label, header or log line can."""
    assert refused(f'a: {{b: "{escape}"}}') == "a.b: half of a surrogate pair, which is no character"
    assert "half of a surrogate pair" in refused(f'a: {{"{escape}": 1}}')


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("interval", "interval"),
        ("max-age.x_1", "max-age.x_1"),
        ("größe", "größe"),
        ("password:hunter2", "password…"),
        ("password hunter2", "password…"),
        ("a\nb", "a…"),
        ("", ""),
        ("=", "…"),
        ("x" * 65, "x" * 64 + "…"),
        (60, "60"),
    ],
)
def test_a_key_is_shown_as_a_word(key: object, name: str) -> None:
    """What follows the first word of a key may be a secret whose blank after the colon is missing."""
    assert shown(key) == name


def test_paths_join_keys_and_indices() -> None:
    """`projects[0].auth`."""
    assert join(join(join("", "projects"), 0), "auth") == "projects[0].auth"


def test_bytes_are_utf_8_with_or_without_a_mark() -> None:
    """A byte order mark is no content; anything but UTF-8 is an error that says where."""
    assert decode(b"\xef\xbb\xbfa: \xc3\xa4") == "a: ä"
    for data in (b"ab\xff", "ab\ud800".encode("utf-8", "surrogatepass")):
        with pytest.raises(ConfigError, match=r"^not UTF-8 \(byte 2\)$"):
            decode(data)
    with pytest.raises(ConfigError, match="not UTF-8"):
        decode("a: b".encode("utf-16"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("x${A}y${B}", "x1ytwo"),
        ("$${A}", "${A}"),
        ("$$", "$"),
        ("$$$$", "$$"),
        ("$$${A}", "$1"),
        ("cost: 5$", "cost: 5$"),
        ("$A", "$A"),
        ("}{", "}{"),
        ("${EMPTY}", ""),
        ("${NESTED}", "${A}"),
        ("${ODD}", "a: b"),
    ],
)
def test_variables_are_replaced(text: str, value: str) -> None:
    """`${A}` anywhere in a text, `$$` for a plain `$`, nothing else; a value is not looked into again."""
    environment = {"A": "1", "B": "two", "EMPTY": "", "NESTED": "${A}", "ODD": "a: b"}
    assert substitute({"k": [text]}, environment) == {"k": [value]}


@pytest.mark.parametrize(
    ("text", "only"), [("${A}", True), (" ${A}", False), ("${A}${A}", False), ("$$", False), ("a", False)]
)
def test_a_scalar_that_is_only_a_variable_is_told_apart(text: str, *, only: bool) -> None:
    """Only such a one is read as YAML later, where its key takes no text."""
    assert isinstance(substitute(text, {"A": "1"}), VariableText) is only


def test_what_is_no_text_passes_and_keys_are_left_alone() -> None:
    """Numbers, dates and keys stay as they are."""
    assert substitute({"${A}": [1, None, True, 2.5]}, {}) == {"${A}": [1, None, True, 2.5]}


@pytest.mark.parametrize("text", ["${", "a${", "${}", "${A", "${A B}", "${A:-x}", "${1}", "${ä}", "${\n}"])
def test_what_begins_like_a_variable_and_is_none_is_an_error(text: str) -> None:
    """A password with `${` in it must say so (`$${`): taken as it stands it would be another one."""
    with pytest.raises(ConfigError) as caught:
        substitute({"k": [0, text]}, {"A": "x"})
    assert str(caught.value) == ("k[1]: `${` begins a variable such as ${NAME}; a plain `$` is written `$$`")


def test_an_unset_variable_is_an_error_with_its_key() -> None:
    """An unset variable is not empty: the key and the variable are named."""
    with pytest.raises(ConfigError) as caught:
        substitute({"a": [{"b": "x${NOPE}"}]}, {"A": "x"})
    assert str(caught.value) == "a[0].b: the environment variable NOPE is not set"


def test_a_variable_that_is_not_utf_8_is_an_error() -> None:
    """`os.environ` shows such bytes as half surrogates, which no header or label could carry later."""
    with pytest.raises(ConfigError) as caught:
        substitute({"a": "${A}"}, {"A": b"\xff".decode("utf-8", "surrogateescape")})
    assert str(caught.value) == "a: the environment variable A is not UTF-8"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("true", True),
        ("[a, 1]", ["a", 1]),
        ("{a: b}", {"a": "b"}),
        ("90s", "90s"),
        ("", None),
        ("{", "{"),
        ("a: b: c", "a: b: c"),
        ("!!bool x", "!!bool x"),
        ("*a", "*a"),
    ],
)
def test_a_variable_is_read_as_yaml_and_stays_text_where_it_is_none(text: str, value: object) -> None:
    """Numbers and lists come from the environment as such."""
    parsed = parse_variable(VariableText(text))
    assert parsed == value
    assert type(parsed) is type(value)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="$"), max_size=40))
def test_a_text_without_a_dollar_sign_is_never_changed(text: str) -> None:
    """Substitution touches nothing else."""
    assert substitute(text, {}) == text


@given(st.text(max_size=30))
def test_doubling_every_dollar_sign_gives_the_text_back(text: str) -> None:
    """Any password can be written."""
    assert substitute(text.replace("$", "$$"), {}) == text


_YAML = st.lists(
    st.sampled_from([*"ab: {}[]&*!<>|-?%@`'\"\\\n\t#,=~0123", "<<", "!!", "!!bool ", "!!int ", "&a ", "*a "])
)


@given(_YAML.map("".join) | st.text(max_size=60))
@example("!!set {a: b}")
@example("? !!timestamp a\n: b")
def test_any_text_is_data_or_one_line_of_error(text: str) -> None:
    """No text gives a traceback, and no error has more than one line."""
    try:
        load(text)
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most texts give no error
