"""Expressions of `screen`: what they mean, and that whatever is typed ends in a table or in one sentence."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spinscreen.kernels import InputError
from spinscreen.storage.catalog.screening import select

CATALOG = xr.Dataset(
    {
        "name": ("material", np.array(["MoS2", "", "=1+1", "WS2"], dtype=object)),
        "gap": ("material", np.array([1.7, 0.0, np.nan, 1.8])),
        "known": ("material", np.array([True, False, True, True])),
    },
    {"material": np.array(["a", "b", "c", "d"], dtype=object)},
)


def found(where: str | None = None, sort: str | None = None, top: int | None = None) -> str:
    return "".join(select(CATALOG, where, sort, top)["material"].values)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("1 / 0 > 5", "abcd"),
        ("gap / 0 > 5", "ad"),
        ("2 ** 10 == 1024", "abcd"),
        ("gap ** -1 < 0.57", "d"),
        ("((9 ** 9) ** 9) ** 9 > 1e300", "abcd"),
        ("sqrt(-1) == sqrt(-1)", ""),
        ("0 <= gap < 1.75", "ab"),
        ("not gap < 1.75", "cd"),
        ("gap == gap", "abd"),
        ("name < 'N'", "abc"),
        ("known and gap", "ad"),
        ("(" * 50 + "gap" + " < 1)" * 50 + " == 1", "acd"),
        ("(not (1 + " * 20 + "gap" + "))" * 20, ""),
        (" or ".join(f"name == 'WS{i}'" for i in range(500)), "d"),
    ],
)
def test_conditions_mean_what_they_say(where, expected):
    assert found(where) == expected


def test_rows_are_sorted_and_cut():
    assert found(sort="gap") == "dabc"
    assert found("known == True", "-gap", 2) == "ad"
    assert found(sort="name", top=1) == "d"


SEVERAL = xr.Dataset(
    {
        "dimension": ("material", [3.0, 2.0, 3.0, 2.0]),
        "gap": ("material", [0.0, 1.0, 2.0, 3.0]),
        "conserved_xy_z": ("material", [100.0, 2e-4, 300.0, 1e-4]),
    },
    {
        "material": np.array(["a", "b", "c", "d"], dtype=object),
        "formula": ("material", np.array(["Pt", "MoSi2N4", "GaAs", "MoS2"], dtype=object)),
    },
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('has("Pt")', "a"),
        ('has("S")', "d"),
        ('"Mo" in elements', "bd"),
        ('"Mo" not in elements and gap < 1', "a"),
        ('not has("Mo")', "ac"),
        ('"Mo" in formula', "bd"),
        ('"S2" in formula', "d"),
        ('"S2" not in formula', "abc"),
        ('formula in ("Pt", "GaAs")', "ac"),
        ("dimension in [2]", "bd"),
        ("gap not in (0, 1)", "cd"),
        ("elements == 'Ga As'", "c"),
        ("formula in ()", ""),
    ],
)
def test_elements_and_parts_of_texts(where, expected):
    assert "".join(select(SEVERAL, where, None, None)["material"].values) == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ('"Mo" in gap', "'gap' is a number, expected a text on either side of `in`"),
        ("gap in formula", "'gap' is a number, expected a text on either side of `in`"),
        ('"MoS2" in elements', "expected the symbol of an element such as 'Pt', found"),
        ('"pt" in elements', "expected the symbol of an element"),
        ('formula in ("Pt", 1)', "'1' is a number, expected a text"),
        ("has(formula)", "'has\\(formula\\)' is not allowed"),
        ('has("Pt", "S")', "is not allowed"),
        ("'a' in formula in formula", "is not allowed"),
    ],
)
def test_what_is_no_element_or_part_is_refused(where, message):
    with pytest.raises(InputError, match=message):
        select(SEVERAL, where, None, None)


def test_dimensions_are_ranked_apart_unless_asked():
    def ranked(sort, **settings):
        return "".join(select(SEVERAL, None, sort, **{"top": None} | settings)["material"].values)

    assert ranked("abs(conserved_xy_z)") == "cabd"
    assert ranked("-conserved_xy_z", top=1) == "ad"
    assert ranked("conserved_xy_z", mixed=True, top=3) == "cab"
    assert ranked("conserved_xy_z", mixed=True) == "cabd"
    # What has one unit for all is one ranking.
    assert ranked("gap") == "dcba"
    assert ranked("gap", top=1) == "d"
    assert select(SEVERAL, None, "conserved_xy_z", 1).attrs["ranked_apart"] == 2
    assert "ranked_apart" not in select(SEVERAL, None, "gap", 1).attrs
    # Of results of the first versions nobody knows it: they are no less there.
    unknown = SEVERAL.assign(dimension=("material", [3.0, np.nan, 3.0, np.nan]))
    assert "".join(select(unknown, None, "conserved_xy_z", None)["material"].values) == "cabd"
    layers = select(SEVERAL, "dimension == 2", "conserved_xy_z", 1)
    assert layers["material"].values.tolist() == ["b"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("'a' * 10 ** 9 == name", "\"'a'\" is a text, expected a number there"),
        ("9 ** 9 ** 9 > 1", r"expected a power of at most 10, a number, found '9 \*\* 9'"),
        ("gap < " + "9" * 400, "expected numbers of at most 1.8e"),
        ("gap < " + "9" * 5000, "where: cannot be read"),
        ("gap < 0x" + "f" * 9000, "found a whole number of thousands of digits"),
        ("[0x" + "f" * 9000 + "]", "a part is not allowed"),
        ("gap < 1e999", "expected numbers of at most"),
        ("gap < nan", "'nan' is not a column"),
        ("name > 5", "'5' is a number, expected a text"),
        ("gap == 'large'", "'large'\" is a text, expected a number there"),
        ("sqrt(name) > 1", "'name' is a text"),
        ("-name == 'a'", "'name' is a text"),
        ("name and gap > 1", "'name' is a text"),
        ("gap", "expected a condition"),
        ("-" * 100 + "gap > 1", "deep in each other"),
        ("(" * 3000 + "gap" + ")" * 3000, "cannot be read"),
        ("+".join(["gap"] * 100) + " > 1", "deep in each other"),
        (" or ".join(["gap > 1"] * 1500), "expected at most 4,000 parts"),
        ("gap > 1 or " * 3000 + "gap > 1", "expected at most 20,000 characters"),
        ("", "cannot be read"),
        ("gap > 1\0", "cannot be read"),
        ("gap is 1", "is not allowed"),
        ("lambda: 1", "is not allowed"),
        ("\ud800 > 1", "cannot be read"),
        (5, "expected a text such as"),
    ],
)
def test_what_makes_no_sense_is_one_short_sentence(where, message):
    with pytest.raises(InputError, match=message) as caught:
        found(where)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("top", [0, -1, 2.5, True, "2"])
def test_a_number_of_rows_is_a_number(top):
    with pytest.raises(InputError, match="top: expected a number of rows of at least 1"):
        found(top=top)


# fmt: off
WORDS = st.sampled_from([
    "gap", "name", "known", "'a'", "1", "0", "1e308", "-", "+", "*", "/", "**", "<", "==", "!=",
    "and", "or", "not", "(", ")", "abs(", "sqrt(", "log(", "[", "]", ",", ".", "f'{gap}'", "if",
    "else", ":=",
])
# fmt: on


@given(st.one_of(st.lists(WORDS, max_size=25).map(" ".join), st.text(max_size=40)))
@hypothesis_settings(max_examples=400)
@example("gap:=1")
@example("*gap")
def test_anything_typed_ends_in_a_table_or_in_an_input_error(text):
    for argument in ("where", "sort"):
        with suppress(InputError):
            assert set(found(**{argument: text})) <= set("abcd")
