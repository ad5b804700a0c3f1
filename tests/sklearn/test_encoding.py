"""TableEncoder: what a table is turned into, and what is said of a table that is not the one that was learned."""

import datetime
import types

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from minitrain.sklearn import MLPClassifier, MLPRegressor, TableEncoder

RNG = np.random.RandomState(0)
N = 60
COLUMNS = {
    "size": RNG.randn(N),
    "rooms": RNG.randint(1, 9, N),
    "sold": RNG.rand(N) > 0.5,
    "kind": np.array(["flat", "house", "hut"])[RNG.randint(0, 3, N)],
    "city": np.array([f"c{i}" for i in range(20)])[RNG.randint(0, 20, N)],
    "day": np.datetime64("2024-01-01T05:00:00", "us") + RNG.randint(0, 10**7, N) * np.timedelta64(1, "s"),
}
FRAMES = [pd.DataFrame, pl.DataFrame]
TARGET = COLUMNS["size"] + COLUMNS["sold"]


def without(column, values=None, frame=pd.DataFrame):
    changed = dict(COLUMNS)
    del changed[column]
    return frame(changed | (values or {}))


@pytest.mark.parametrize("frame", FRAMES)
def test_every_kind_of_column_is_read(frame):
    encoder = TableEncoder().fit(frame(COLUMNS))
    assert [each.kind for each in encoder.columns_] == ["number", "number", "boolean", "category", "category", "date"]
    out = encoder.transform(frame(COLUMNS))
    names = list(encoder.get_feature_names_out())
    assert out.shape == (N, len(names))
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(out[:, names.index("sold")], np.where(COLUMNS["sold"], 1.0, -1.0))
    np.testing.assert_array_equal(out[:, names.index("kind_flat")], COLUMNS["kind"] == "flat")
    assert names[-1] == "city"
    assert encoder.embedded_sizes_ == [len(set(COLUMNS["city"])) + 1]
    assert {"day_day_sin", "day_week_cos"} <= set(names)


def test_pandas_and_polars_are_encoded_alike():
    one, other = (TableEncoder().fit_transform(frame(COLUMNS)) for frame in FRAMES)
    np.testing.assert_array_equal(one, other)


def test_numbers_are_centred_scaled_and_clipped_smoothly():
    x = np.array([[0.0], [1.0], [2.0], [3.0], [1e30]])  # quartiles 1 and 3; their distance counts four times
    out = TableEncoder().fit_transform(x)[:, 0]
    clipped = np.append((x[:4, 0] - 2.0) / (4.0 * 2.0 / 1.3489795), 1e9)
    clipped /= (1.0 + (clipped / 4.5) ** 4) ** 0.25
    assert clipped[4] == pytest.approx(4.5)
    np.testing.assert_allclose(out, (clipped - clipped.mean()) / clipped.std(), rtol=0.02)
    np.testing.assert_array_equal(TableEncoder().fit_transform(np.full((5, 2), 7.0)), np.zeros((5, 2)))


@pytest.mark.parametrize("draw", [RNG.standard_normal, RNG.random_sample, lambda n: RNG.choice([-1.0, 1.0, 3.0], n)])
def test_numbers_without_strays_become_what_a_standard_scaler_makes_of_them(draw):
    x = 50.0 + 7.0 * draw(2000)[:, None]
    out = TableEncoder(knots=None).fit_transform(x)
    np.testing.assert_allclose([out.mean(), out.std()], [0.0, 1.0], atol=0.01)
    middle = np.abs(x - x.mean()) < 2.5 * x.std()
    np.testing.assert_allclose(out[middle], ((x - x.mean()) / x.std())[middle], atol=0.05)


def test_a_few_strays_are_kept_near():
    x = np.append(RNG.standard_normal(300), [1e6, -1e300, 1.7e308])[:, None]
    assert np.abs(TableEncoder(knots=None).fit_transform(x)).max() < 6.0
    assert np.abs(TableEncoder(knots=None).fit_transform(np.eye(1000)[:, :1])).max() < 10.0
    huge = pd.DataFrame({"x": np.where(x[:, 0] > 0, 1.7e308, -1.7e308)})
    np.testing.assert_allclose(np.abs(TableEncoder(knots=None).fit_transform(huge)), 1.0, rtol=0.1)


def test_ranks_stand_beside_numbers_where_rows_are_many():
    x = RNG.lognormal(0.0, 3.0, (1000, 1))
    encoder = TableEncoder().fit(x)
    assert encoder.get_feature_names_out().tolist() == ["x0", "x0_rank"]
    ranks = encoder.transform(x)[:, 1]
    assert (np.diff(ranks[x[:, 0].argsort()]) >= 0).all()
    np.testing.assert_allclose([ranks.mean(), ranks.std()], [0.0, 1.0], atol=0.1)
    assert TableEncoder(knots=None).fit_transform(x).shape == (1000, 1)


def test_missing_numbers_become_the_mean_and_are_told():
    x = np.array([[1.0, 0.0], [np.nan, 1.0], [3.0, 2.0], [2.0, 3.0]])
    encoder = TableEncoder().fit(x)
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1", "x0_missing"]
    np.testing.assert_array_equal(encoder.transform(x)[1, [0, 2]], [0.0, 1.0])


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, None, 3, 4], "Int64"),
        pd.array([True, None, False, True], "boolean"),
        pd.Series(["a", None, "b", "a"]),
        pd.Series(["a", None, "b", "a"], dtype="category"),
        pd.Series(pd.to_datetime(["2024-01-01", None, "2024-05-05", "2025-01-01"])),
        pd.Series(pd.to_datetime(["2024-01-01", None, "2024-05-05", "2025-01-01"]).tz_localize("Europe/Berlin")),
        pd.Series([datetime.date(2024, 1, 1), None, datetime.date(2024, 5, 5), datetime.date(2025, 1, 1)]),
        pd.Series(pd.to_timedelta([1, None, 3, 4], unit="h")),
        pd.Series([None, None, None, None], dtype=object),
        pl.Series([1, None, 3, 4]),
        pl.Series([True, None, False, True]),
        pl.Series(["a", None, "b", "a"], dtype=pl.Categorical),
        pl.Series([datetime.datetime(2024, 1, 1), None, datetime.datetime(2024, 5, 5), datetime.datetime(2025, 1, 1)]),
        pl.Series([datetime.time(1), None, datetime.time(13), datetime.time(23, 59)]),
        pd.Series(pd.PeriodIndex(["2024-01", None, "2024-05", "2025-01"], freq="M")),
    ],
    ids=lambda values: f"{type(values).__module__.split('.')[0]} {values.dtype}",
)
def test_what_is_missing_in_a_column_is_no_obstacle(values):
    frame = (pl if isinstance(values, pl.Series) else pd).DataFrame({"column": values, "other": [1.0, 2.0, 3.0, 4.0]})
    out = TableEncoder().fit_transform(frame)
    assert np.isfinite(out).all()
    assert len(out) == 4
    net = MLPRegressor(max_iter=3, random_state=0, n_iter_no_change=1, tol=10.0).fit(frame, [1.0, 2.0, 3.0, 4.0])
    assert np.isfinite(net.predict(frame)).all()
    all_missing = type(frame)({"column": np.full(4, np.nan), "other": [1.0, 2.0, 3.0, 4.0]})  # as files are read
    nothing = type(frame)({"column": [None] * 4, "other": [1.0, 2.0, 3.0, 4.0]})
    np.testing.assert_array_equal(net.predict(all_missing), net.predict(nothing))


def test_weights_mean_repeated_rows():
    weight = RNG.randint(0, 4, N)
    table = pd.DataFrame(COLUMNS)
    weighted = TableEncoder().fit(table, sample_weight=weight)
    repeated = TableEncoder().fit(table.loc[np.repeat(np.arange(N), weight)])
    np.testing.assert_array_equal(weighted.transform(table), repeated.transform(table))


def test_unknown_categories_are_counted_and_get_no_level():
    encoder = TableEncoder().fit(pd.DataFrame(COLUMNS))
    table = pd.DataFrame(COLUMNS).assign(kind=["tent"] * 3 + ["flat"] * (N - 3), city="nowhere")
    out = encoder.transform(table)
    assert encoder.n_unknown_ == {"kind": 3, "city": N}
    names = list(encoder.get_feature_names_out())
    assert not out[:3, [names.index(each) for each in ("kind_flat", "kind_house", "kind_hut")]].any()
    assert not out[:, names.index("city")].any()


@pytest.mark.parametrize("frame", FRAMES)
def test_networks_learn_from_a_table_as_it_is(frame):
    net = MLPRegressor(max_iter=150, learning_rate_init=0.01, tol=0.0, random_state=0, n_iter_no_change=np.inf)
    with pytest.warns(match="Maximum iterations"):
        net.fit(frame(COLUMNS), TARGET)
    assert net.score(frame(COLUMNS), TARGET) > 0.9
    assert net.n_features_in_ == 6
    assert list(net.feature_names_in_) == list(COLUMNS)
    assert next(each.shape for each in net.model_.weights) == (len(set(COLUMNS["city"])) + 1, 9)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (lambda frame: without("rooms", frame=frame), "yet now missing:\n- rooms"),
        (lambda frame: without("rooms", {"ROOMS": COLUMNS["rooms"]}, frame), "unseen at fit time:\n- ROOMS"),
        (lambda frame: without("size", {"size": COLUMNS["size"]}, frame), "Column 0 is 'rooms', and was 'size'"),
        (lambda frame: frame(COLUMNS | {"rooms": COLUMNS["kind"]}), "Column 'rooms' held numbers .* holds categories"),
        (lambda frame: frame(COLUMNS | {"kind": COLUMNS["rooms"]}), "Column 'kind' held categories"),
        (lambda frame: frame(COLUMNS | {"day": COLUMNS["size"]}), "Column 'day' held dates"),
        (lambda frame: frame(COLUMNS | {"size": np.full(N, np.inf)}), "Column 'size' holds an infinity in row 0"),
        (lambda frame: pd.concat([pd.DataFrame(COLUMNS)] * 2, axis=1), "several columns called 'size'|'rooms'"),
        (lambda frame: frame(COLUMNS)[:0], "0 sample"),
        (lambda frame: COLUMNS["size"][:, None], "Give a DataFrame with these columns|X has 1 features"),
    ],
    ids=["missing", "renamed", "reordered", "text", "numbers", "no dates", "infinite", "twice", "no rows", "no table"],
)
def test_another_table_than_the_learned_one_is_named(frame, table, message):
    net = MLPRegressor(max_iter=1, n_iter_no_change=1)
    with pytest.warns(match="Maximum iterations"):
        net.fit(frame(COLUMNS), TARGET)
    with pytest.raises((ValueError, TypeError), match=message):
        net.predict(table(frame))


def test_moments_of_any_time_zone_are_the_same_moments():
    hours = [datetime.timezone(datetime.timedelta(hours=each)) for each in (0, 2)]
    aware = [datetime.datetime(2024, 5, 5, 10 + n, tzinfo=hours[n % 2]) for n in range(6)]
    naive = [each.astimezone(datetime.UTC).replace(tzinfo=None) for each in aware]
    one, other = (pd.DataFrame({"t": pd.Series(each, dtype=object)}) for each in (aware, naive))
    np.testing.assert_array_equal(TableEncoder().fit_transform(one), TableEncoder().fit_transform(other))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([[1], [2, 3]], "'t' holds several values a row"),
        ([{"a": 1}, {"a": 2}], "'t' holds several values a row"),
        ([np.ones(2), np.ones(2)], "'t' holds several values a row"),
        (pd.Series([10**400, 1], dtype=object), "'t' holds an integer beyond all floats"),
        ([1j, 2j], "'t' holds complex numbers"),
        (np.array([np.inf, 1.0], dtype=object), "'t' holds an infinity in row 0"),
    ],
    ids=["lists", "dicts", "arrays", "huge", "complex", "infinite"],
)
def test_columns_that_no_network_takes_are_named(column, message):
    with pytest.raises((ValueError, TypeError), match=message):
        TableEncoder().fit(pd.DataFrame({"t": column}))


def test_polars_columns_that_no_network_takes_are_named():
    for column in (pl.Series([[1], [2]]), pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)), pl.Series([{"a": 1}])):
        with pytest.raises(TypeError, match="'t' holds several values a row"):
            TableEncoder().fit(pl.DataFrame({"t": column}))


def test_tables_that_are_no_data_frames_are_named():
    lazy = pl.LazyFrame({"t": [1, 2]})
    arrow = types.SimpleNamespace(columns=[], shape=(2, 1), to_reader=None)  # pyarrow is none of the tests' needs
    for use in (TableEncoder().fit, lambda table: MLPRegressor().fit(table, [0.0, 1.0])):
        with pytest.raises(TypeError, match=r"LazyFrame: give what its `collect\(\)` returns"):
            use(lazy)
        with pytest.raises(TypeError, match=r"give what its `to_pandas\(\)` returns"):
            use(arrow)


@pytest.mark.parametrize("encoding", ["auto", None])
@pytest.mark.parametrize("kind", [dict, str, iter, "records"])
def test_what_is_neither_table_nor_matrix_is_named(kind, encoding):
    wrong = np.array([(1.0, 2)], dtype=[("a", "f8"), ("b", "i8")]) if kind == "records" else kind([])
    with pytest.raises(TypeError, match=r"Expected a DataFrame or a matrix, received a"):
        MLPRegressor(encoding=encoding).fit(wrong, [1.0])


def test_masked_numbers_are_missing_ones():
    x = np.arange(12).reshape(6, 2)
    masked = np.ma.masked_array(x, x % 5 == 0)
    np.testing.assert_array_equal(
        TableEncoder().fit_transform(masked), TableEncoder().fit_transform(np.where(x % 5, x, np.nan))
    )
    with pytest.raises(ValueError, match=r"NaN: fill or drop it, or ask for encoding='auto'"):
        MLPRegressor(encoding=None).fit(masked, np.arange(6))


def test_columns_called_alike_and_no_columns_are_refused():
    with pytest.raises(ValueError, match="several columns called 'x'"):
        TableEncoder().fit(pd.DataFrame(np.eye(2), columns=["x", "x"]))
    with pytest.raises(ValueError, match="0 feature"):
        MLPRegressor().fit(pd.DataFrame(index=[0, 1]), [0.0, 1.0])


def test_column_names_need_not_be_text():
    table = pd.DataFrame({0: [1.0, 2.0], 1: ["a", "b"]})
    encoder = TableEncoder().fit(table)
    assert encoder.get_feature_names_out().tolist() == ["0", "1_a", "1_b"]
    with pytest.raises(ValueError, match="yet now missing:\n- 1"):
        encoder.transform(table[[0]])
    pairs = pd.DataFrame(np.eye(2), columns=pd.MultiIndex.from_tuples([("p", "q"), ("p", "r")]))
    assert TableEncoder().fit(pairs).get_feature_names_out().tolist() == ["('p', 'q')", "('p', 'r')"]


@pytest.mark.parametrize("clip", [0.01, 4.5, None])
def test_float32_is_encoded_as_float64_is(clip):
    x = np.append(RNG.randn(300, 2) * 20 + 1000, [[1e30, -1e30]], axis=0).astype(np.float32)
    one, other = (TableEncoder(clip=clip).fit_transform(x.astype(dtype)) for dtype in (np.float32, np.float64))
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("clip", [4.5, None])
@pytest.mark.parametrize("size", [3e38, 1e-45])
def test_quartiles_that_float32_cannot_hold_the_distance_of_are_no_obstacle(clip, size):
    x = np.array([[size], [-size], [size], [-size], [0.0]], np.float32)
    one, other = (TableEncoder(clip=clip).fit_transform(x.astype(dtype)) for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_plain_matrix_is_left_alone_on_request():
    x = RNG.randn(30, 3) * 1000
    net = MLPClassifier(encoding=None, max_iter=1000, tol=1e9, n_iter_no_change=1).fit(x, RNG.randint(0, 2, 30))
    assert net.encoder_ is None
    assert net.coefs_[0].shape == (3, 100)
    with pytest.raises(ValueError, match="NaN"):
        net.predict(np.full((1, 3), np.nan))


@pytest.mark.parametrize("frame", FRAMES)
def test_text_that_is_not_encoded_is_named(frame):
    table = frame({"size": COLUMNS["size"], "kind": COLUMNS["kind"]})
    with pytest.raises(ValueError, match=r"\['kind'\] holds text.*encoding='auto'"):
        MLPRegressor(encoding=None).fit(table, TARGET)
    dates = pd.DataFrame({"size": COLUMNS["size"], "day": pd.Series(COLUMNS["day"]).dt.tz_localize("UTC")})
    naive = dates.assign(day=dates["day"].dt.tz_localize(None))
    levels = pd.DataFrame({"kind": pd.Categorical(COLUMNS["kind"])})
    alone = frame({"day": COLUMNS["day"]})
    for other, name in ((dates, "day"), (naive, "day"), (alone, "day"), (levels, "kind")):
        with pytest.raises(ValueError, match=rf"\['{name}'\] holds text or dates"):
            MLPRegressor(encoding=None).fit(other, TARGET)
    with pytest.raises(ValueError, match=r"X holds text.*DataFrames"):
        MLPRegressor().fit(np.asarray(table.to_numpy(), dtype=object), TARGET)


def test_sparse_matrices_pass_untouched():
    x = sparse.random_array((20, 5), density=0.3, random_state=0)
    assert (TableEncoder().fit_transform(x) != x).nnz == 0


def test_frames_of_float32_stay_so():
    table = pd.DataFrame({"a": np.arange(5, dtype="float32"), "b": np.ones(5, "float32")})
    assert TableEncoder().fit_transform(table).dtype == np.float32
    assert TableEncoder().set_output(transform="pandas").fit_transform(table).columns.tolist() == ["a", "b"]


def test_sparse_tables_are_encoded_as_the_dense_ones_that_were_learned():
    x = np.random.default_rng(0).normal(size=(40, 3)) * 100 + 500
    x[3, 1] = np.nan
    encoder = TableEncoder().fit(x)
    np.testing.assert_array_equal(encoder.transform(sparse.csr_array(x[4:9])), encoder.transform(x[4:9]))
    net = MLPRegressor(hidden_layer_sizes=(3,), tol=1e9, random_state=0).fit(x, x[:, 0])
    np.testing.assert_array_equal(net.predict(sparse.csr_array(x[4:9])), net.predict(x[4:9]))
    of_sparse = MLPRegressor(tol=1e9).fit(sparse.csr_array(x[4:]), x[4:, 0])
    with pytest.raises(ValueError, match="NaN"):
        of_sparse.predict(x[:4])


def test_durations_are_no_numbers_and_matrices_hold_no_dates():
    lengths = pd.to_timedelta(np.arange(40.0), unit="s")
    for column in (pd.Series(lengths), pd.Series(list(lengths), dtype=object)):
        table, numbers = pd.DataFrame({"a": column}), pd.DataFrame({"a": np.arange(40.0)})
        learned = TableEncoder().fit(table)
        np.testing.assert_allclose(learned.transform(table), TableEncoder().fit_transform(numbers))
        with pytest.raises(TypeError, match="'a' held durations"):
            learned.transform(numbers)
    with pytest.raises(TypeError, match="0 holds dates"):
        TableEncoder().fit(np.ones((4, 1))).transform(pd.DataFrame({0: pd.to_datetime(["2020-01-01"] * 4)}))
    with pytest.raises(TypeError, match="dates"):
        TableEncoder().fit(np.array([["2020-01-01"], ["NaT"]] * 20, "M8[D]"))


@pytest.mark.parametrize("as_table", [lambda x: x, lambda x: pd.DataFrame(x, columns=["a", "b"])])
def test_what_was_never_seen_in_a_column_changes_nothing(as_table):
    x = np.column_stack([np.arange(40.0), np.full(40, np.nan)])
    encoder = TableEncoder().fit(as_table(x))
    filled = np.column_stack([np.arange(40.0), np.full(40, 7.0)])
    np.testing.assert_array_equal(encoder.transform(as_table(filled)), encoder.transform(as_table(x)))


@pytest.mark.parametrize("wrong", [{"clip": 0}, {"clip": np.nan}, {"max_one_hot": -1}, {"knots": 2.5}, {"knots": "a"}])
def test_parameters_that_are_none_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TableEncoder(**wrong).fit(np.ones((4, 1)))
