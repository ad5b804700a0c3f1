"""TableEncoder: tables as people have them, to one matrix of numbers that a network trains well on.

Numbers get mean 0 and deviation 1 after a smooth clip of stray ones, which hardly moves the rest: a penalty on weights
means what it does behind a StandardScaler. Where there are rows enough, their ranks stand beside them. What is missing
becomes 0, with a column that says where. Booleans become -1 and 1, dates seconds and the places in day, week and year,
small categories a column a level. Large categories come last, as integers that `Embedded` turns into learned vectors.
Statistics are weighted, so that a weight of two means a row that is there twice. pandas and polars are read through
what they share: `columns`, `[name]` and `to_numpy`.
"""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from minitrain.configuration import register_serializable
from minitrain.engine.convert import as_tensor
from minitrain.errors import DTypeError, InvalidArgumentError, NonFiniteError
from minitrain.initializers import RandomNormal
from minitrain.layers.base import Layer
from minitrain.ops.elementwise import cast
from minitrain.ops.indexing import gather
from minitrain.ops.shaping import concat

Array = Any
DAY, WEEK, YEAR = 86_400.0, 604_800.0, 31_556_952.0  # seconds; the mean Gregorian year
MOST_RANKED = 100  # columns; more would double a wide network's cost
ROWS_A_KNOT = 128  # fewer let networks learn single rows: measured on tables of some hundred
WIDTH = np.sqrt(3.0)  # ranks within it have deviation 1
MONDAY = 345_600.0  # 1970-01-05, the first Monday after the epoch
KIND_WORDS = {
    "number": "numbers",
    "boolean": "booleans",
    "category": "categories or text",
    "date": "dates",
    "duration": "durations",
    "empty": "nothing but missing values",
}


def is_frame(x: Any) -> bool:
    """Whether this is a DataFrame, of pandas, polars or their like. Raises DTypeError for other tables."""
    is_lazy = hasattr(x, "collect_schema") and not hasattr(x, "shape")
    if is_lazy or hasattr(x, "to_reader"):  # polars's and pyarrow's
        way = "collect" if is_lazy else "to_pandas"
        raise DTypeError(f"Expected a DataFrame, received a {type(x).__name__}: give what its `{way}()` returns.")
    return hasattr(x, "columns") and hasattr(x, "__getitem__") and hasattr(x, "shape") and not hasattr(x, "nnz")


def is_sparse(x: Any) -> bool:
    """Whether this is a matrix or an array of scipy.sparse."""
    return hasattr(x, "nnz") and hasattr(x, "tocsr")


def need_table(x: Any) -> None:
    """Raise DTypeError for what can be neither a table nor a matrix, though it holds columns or rows."""
    if getattr(getattr(x, "dtype", None), "names", None):
        raise DTypeError("Expected a DataFrame or a matrix, received an array of records: give `pandas.DataFrame(X)`.")
    if getattr(getattr(x, "dtype", None), "kind", "") in ("m", "M"):
        raise DTypeError("Expected a matrix of numbers, received one of dates: give a DataFrame, or count from a day.")
    if isinstance(x, (dict, set, str, bytes, Iterator)) and not is_sparse(x):  # one kind is a dict
        raise DTypeError(f"Expected a DataFrame or a matrix, received a {type(x).__name__}.")


def need_no_dates(table: Any) -> None:
    """Raise DTypeError for dates, which become numbers of microseconds where nothing encodes them."""
    held = zip(table.columns, getattr(table, "dtypes", ()), strict=False)
    dates = [name for name, dtype in held if str(dtype).lower().startswith(("date", "time", "duration", "period"))]
    if dates:
        raise DTypeError(f"{dates} holds text or dates, which are encoded in DataFrames and with encoding='auto'.")


def unmasked(x: Any) -> Any:
    """A masked array of numbers with NaN for what is masked; anything else as it is."""
    if not np.ma.isMaskedArray(x) or x.dtype.kind not in "fiub":
        return x
    return x.astype(x.dtype if x.dtype.kind == "f" else np.float64).filled(np.nan)


# ------------------------------------------------------------------------------------------------- reading a column


def is_missing(value: Any) -> bool:
    """Whether a value of an object column stands for none: None, NaN, pandas's NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def _holds_only(values: Iterable[Any], kinds: tuple[type, ...]) -> bool:
    return all(isinstance(each, kinds) for each in values)


def read_column(series: Any, name: Any) -> tuple[str, Array]:
    """The kind of a column and its values (n,): floats with NaN for what is missing, or objects with None for it.

    The kind is "number", "boolean" (0.0 and 1.0), "date" (seconds since 1970), "duration" (seconds), "category", or
    "empty".
    """
    said = str(series.dtype)
    if said.startswith("period["):
        series = series.dt.to_timestamp()
        said = str(series.dtype)
    if said == "category" or said.startswith(("Categorical", "Enum")):
        return "category", _objects(series)
    if said.startswith("datetime64["):
        return "date", _seconds(series.to_numpy("datetime64[us]"))  # time zones become UTC
    try:
        values = np.asarray(series.to_numpy())
    except Exception as error:  # polars has types that NumPy has not
        raise DTypeError(f"Column {name!r} ({said}) is nothing that NumPy holds; cast it before. {error}") from error
    if values.ndim != 1:
        raise _nested(name, said)
    kind = values.dtype.kind
    if kind == "M":
        return "date", _seconds(values)
    if kind == "m":
        return "duration", np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "s"))
    if kind == "b":
        return "boolean", values.astype(np.float64)
    if kind in "iuf":
        return "number", _need_no_infinity(values.astype(np.float64), name)
    if kind == "c":
        raise DTypeError(f"Complex data not supported: column {name!r} holds complex numbers.")
    return _read_objects(_objects(series), name)


def _read_objects(values: Array, name: Any) -> tuple[str, Array]:
    present = [each for each in values if each is not None]
    if not present:
        return "empty", np.full(len(values), np.nan)
    if _holds_only(present, (bool, np.bool_)):
        return "boolean", np.array([np.nan if each is None else float(each) for each in values])
    if _holds_only(present, (datetime.date, np.datetime64, datetime.time)):
        return "date", _seconds(np.array([_moment(each) for each in values], "M8[us]"))
    if _holds_only(present, (datetime.timedelta, np.timedelta64)):
        lengths = [np.timedelta64("NaT" if each is None else each) / np.timedelta64(1, "s") for each in values]
        return "duration", np.array(lengths)
    if not _holds_only(present, (Hashable,)):
        raise _nested(name, next(type(each).__name__ for each in present if not isinstance(each, Hashable)))
    if not _holds_only(present, (str, bytes)):
        try:
            numbers = np.array([np.nan if each is None else float(each) for each in values])
        except OverflowError as error:
            raise NonFiniteError(f"Column {name!r} holds an integer beyond all floats: take its logarithm.") from error
        except (TypeError, ValueError):
            pass
        else:
            return "number", _need_no_infinity(numbers, name)
    return "category", values


def _objects(series: Any) -> Array:
    """The values as objects (n,), None for each that is missing."""
    present = (None if is_missing(each) else each for each in series.to_numpy())
    return np.fromiter(present, dtype=object, count=len(series))


def _nested(name: Any, said: str) -> DTypeError:
    return DTypeError(f"Column {name!r} holds several values a row ({said}): make a column of each, or drop it.")


def _moment(value: Any) -> Any:
    """A date, a moment of any time zone as UTC, or a time of day as one on the first of January 1970."""
    if isinstance(value, datetime.time):
        value = datetime.datetime.combine(datetime.date(1970, 1, 1), value)
    if getattr(value, "tzinfo", None) is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64("NaT") if value is None else np.datetime64(value)


def _seconds(values: Array) -> Array:
    moments = values.astype("datetime64[us]")
    return np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 1e6)


def _need_no_infinity(values: Array, name: Any) -> Array:
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise NonFiniteError(f"Column {name!r} holds an infinity in row {row}. Replace or drop it; NaN may stay.")
    return values


# -------------------------------------------------------------------------------------------------------- statistics


def weighted_quantiles(values: Array, weight: Array, levels: Array) -> Array:
    """For each level q the smallest value up to which q of the weight lies: the inverted distribution function."""
    wanted = levels * (1.0 - 1e-12)  # sums of weights round
    if (weight == weight[0]).all():  # sorting alone takes a quarter of the time
        places = np.ceil(wanted * len(values)) - 1.0
        return np.sort(values)[np.clip(places, 0, len(values) - 1).astype(np.int64)]
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    places = np.searchsorted(below, wanted * below[-1])
    return values[order[np.minimum(places, len(order) - 1)]]


def _ranked(values: Array, knots: Array) -> Array:
    """Where numbers lie between quantiles, from -WIDTH to WIDTH."""
    return np.interp(values, knots, np.linspace(-WIDTH, WIDTH, len(knots)))


QUARTILES, PERCENTILES = 1.3489795, 4.6526957  # how far apart they are for a normal number of deviation 1
LEVELS = np.array([0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0])
MIDDLES = (np.arange(256) + 0.5) / 256.0  # of equal shares of the weight: what is there stands for all values
LINE = 16  # numbers of float32
BLOCK = 32_768  # numbers that are scaled at once: a quarter of a megabyte
LEAST_DEVIATION = 0.5  # of clipped numbers; less means that a few are far from the others, and far enough


def median_and_scale(quantiles: Array) -> tuple[float, float]:
    """The median, and the deviation that a normal number with these quartiles, or 1st and 99th percentiles, has.

    `quantiles`: at LEVELS. The larger of both counts: the percentiles where most values are about the same, as of
    pixels, but at most four times the quartiles', which stray values cannot move. Where the quartiles meet, the
    percentiles alone; where these do, a quarter of the range; 1 for a constant.

    Source: Holzmüller et al. (2024), section 2, but for the percentiles, which measured better.
    """
    low, first, lower, median, upper, last, high = map(float, quantiles)
    between, wide = (upper - lower) / QUARTILES, (last - first) / PERCENTILES
    scale = (min(max(between, wide), 4.0 * between) if between else wide) or (high - low) / 4.0
    return median, scale if scale > 0 and np.isfinite(scale) else 1.0


@dataclass
class Column:
    """What was learned about a column of a table."""

    name: Any
    kind: str
    dtype: str
    low: float = np.nan
    high: float = np.nan
    levels: list[Any] = field(default_factory=list)  # of a category, the missing one as None
    is_embedded: bool = False
    places: dict[Any, int] = field(default_factory=dict)  # level -> its place in `levels`

    def codes(self, values: Array) -> Array:
        """The place of each value's level, from 1; 0 for an unknown one."""
        find = self.places.get
        return np.array([find(each, -1) + 1 for each in values], np.int64)


# ----------------------------------------------------------------------------------------------------------- encoder


def _need_unique(names: list[Any]) -> None:
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise InvalidArgumentError(f"The table has several columns called {twice!r}: names must be unique.")


def note_columns(table: Any, estimator: Any, reset: bool) -> None:
    """Set an estimator's `feature_names_in_` and `n_features_in_`, or check them as scikit-learn does."""
    names = list(table.columns)
    if not names:
        raise InvalidArgumentError(
            f"Found array with 0 feature(s) (shape={table.shape}) while a minimum of 1 is required."
        )
    _need_unique(names)
    if not len(table):
        raise InvalidArgumentError("Found array with 0 sample(s): the table has no rows.")
    if reset:
        validate_data(estimator, table, skip_check_array=True)
        if all(isinstance(each, str) for each in table.columns):  # scikit-learn may not know this kind of table
            estimator.feature_names_in_ = np.asarray(list(table.columns), dtype=object)
    elif list(getattr(estimator, "feature_names_in_", ())) != list(table.columns):
        validate_data(estimator, table, skip_check_array=True, reset=False)


class TableEncoder(TransformerMixin, BaseEstimator):
    """A table, or a matrix of numbers with NaN for what is missing, as a matrix of floats: (n, columns) -> (n, f)

    `max_one_hot`: categories of up to so many levels get a column a level; larger ones an integer each, in the last
    columns, for `Embedded`, or with `embed=False` a column a level all the same. `clip`: numbers beyond so many
    robust deviations are drawn in smoothly, x / (1 + (x / clip)**4)**(1/4); None leaves them. `knots`: a number's
    rank is drawn straight between so many quantiles, one for every 128 rows at most, in tables of up to 100 numbers a
    row; None for no ranks.

    `columns_` says what was learned of each column; `n_unknown_` counts, by column, the values met by `transform` that
    `fit` had not seen: these get zeros, or the vector of unknown levels. After a `fit` on a sparse matrix all pass
    untouched.

    >>> encoder = TableEncoder().fit([[1.0], [2.0], [3.0], [np.nan]])
    >>> encoder.transform([[2.0], [np.nan]]).tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """

    def __init__(
        self, max_one_hot: int = 10, embed: bool = True, clip: float | None = 4.5, knots: int | None = 64
    ) -> None:
        self.max_one_hot = max_one_hot
        self.embed = embed
        self.clip = clip
        self.knots = knots

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> TableEncoder:  # noqa: N803
        """Learn the columns: kinds, quantiles, means, deviations, levels."""
        self._check_parameters()
        X = self._validated(X, reset=True)  # noqa: N806
        self.n_unknown_: dict[Any, int] = {}
        self.columns_: list[Column] | None = None
        self.is_sparse_ = is_sparse(X)
        self.embedded_sizes_: list[int] = []
        if self.is_sparse_:
            self._names = self._input_names()
            return self
        weight = _check_sample_weight(sample_weight, X if not is_frame(X) else np.empty((len(X), 0)), dtype=np.float64)
        kept = weight > 0
        if not kept.any():
            raise InvalidArgumentError("`sample_weight` is 0 for every row: there is nothing to learn from.")
        numbers = self._learn_columns(X, kept) if is_frame(X) else X
        self._learn_numbers(numbers if kept.all() else numbers[kept], weight[kept])
        self._names = self._output_names()
        return self

    def transform(self, X: Any) -> Array:  # noqa: N803
        """The matrix, in float32 where X is, else in float64."""
        check_is_fitted(self)
        return self.encoded(self._validated(X, reset=False))

    def encoded(self, X: Any) -> Array:  # noqa: N803
        """What `transform` gives for a table that an estimator has checked already, as it checks them."""
        if self.is_sparse_:
            return X
        if not is_frame(X):
            return self._scaled(X.toarray() if is_sparse(X) else X)
        if self.columns_ is None:
            X = np.column_stack([_number_column(X[name], name) for name in X.columns])  # noqa: N806
            return self._scaled(X)
        numbers, plain, codes = self._split(X)
        dtype = np.float32 if all(str(X[name].dtype).lower() == "float32" for name in X.columns) else np.float64
        return np.column_stack([self._scaled(numbers), *plain, *codes]).astype(dtype)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the columns that `transform` gives."""
        check_is_fitted(self)
        if input_features is not None:
            known = self._input_names()
            if len(input_features) != len(known):
                raise ValueError(f"input_features should have length equal to {len(known)}, got {len(input_features)}")
            if hasattr(self, "feature_names_in_") and list(input_features) != known:
                raise ValueError("input_features is not equal to feature_names_in_")
        return np.asarray(self._names, dtype=object)

    # ------------------------------------------------------------------------------------------------------- checks

    def _check_parameters(self) -> None:
        for name in ("max_one_hot", "knots"):
            value = getattr(self, name)
            is_count = isinstance(value, Integral) and not isinstance(value, bool) and value >= 0
            if not (is_count or (value is None and name == "knots")):
                raise InvalidArgumentError(f"`{name}` must be an integer of 0 or more, received {value!r}.")
        if self.clip is not None and not (isinstance(self.clip, Real) and 0 < self.clip < np.inf):
            raise InvalidArgumentError(f"`clip` must be a positive number or None, received {self.clip!r}.")

    def _validated(self, X: Any, reset: bool) -> Any:  # noqa: N803
        if not reset:
            self.need_same_columns(X)
        if is_frame(X):
            note_columns(X, self, reset)
            return X
        need_table(X)
        return validate_data(
            self,
            unmasked(X),
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite=True if is_sparse(X) else "allow-nan",
        )

    def need_same_columns(self, X: Any) -> None:  # noqa: N803
        """Raise, naming them, where columns are missing, new, or in another order than in `fit`."""
        if not is_frame(X):
            if any(each.kind not in ("number", "empty") for each in self.columns_ or ()):
                raise DTypeError(
                    f"This model was fitted on a table with the columns {self._input_names()}, received a "
                    f"{type(X).__name__}. Give a DataFrame with these columns."
                )
            return
        known, given = self._input_names(), list(X.columns)
        _need_unique(given)
        if known == given or not (self.columns_ or hasattr(self, "feature_names_in_")):
            return
        missing = [each for each in known if each not in given]
        strange = [each for each in given if each not in known]
        lines = ["The feature names should match those that were passed during fit."]
        if strange:
            lines += ["Feature names unseen at fit time:", *(f"- {each}" for each in strange)]
        if missing:
            lines += ["Feature names seen at fit time, yet now missing:", *(f"- {each}" for each in missing)]
        if not missing and not strange:
            place = next((n for n, pair in enumerate(zip(known, given, strict=False)) if pair[0] != pair[1]), 0)
            lines.append("Feature names must be in the same order as they were in fit.")
            lines.append(f"Column {place} is {given[place]!r}, and was {known[place]!r}: select X[{known}].")
        raise InvalidArgumentError("\n".join([*lines, ""]))

    def _input_names(self) -> list[Any]:
        if hasattr(self, "feature_names_in_"):
            return list(self.feature_names_in_)
        if self.columns_:
            return [each.name for each in self.columns_]
        return [f"x{place}" for place in range(self.n_features_in_)]

    # ------------------------------------------------------------------------------------------------------ learning

    def _learn_columns(self, table: Any, kept: Array) -> Array:
        """Learn the columns of a table, and give the numbers in it, (n, p)."""
        self.columns_ = []
        for name in table.columns:
            kind, values = read_column(table[name], name)
            column = Column(name, kind, str(table[name].dtype))
            seen = values[kept]
            if kind == "category":
                column.levels = sorted({each for each in seen if each is not None}, key=lambda each: (str(each),))
                column.levels += [None] * any(each is None for each in seen)
                column.places = {level: place for place, level in enumerate(column.levels)}
                column.is_embedded = self.embed and len(column.levels) > self.max_one_hot
                if column.is_embedded:
                    self.embedded_sizes_.append(len(column.levels) + 1)
            elif np.isnan(seen).all():
                column.kind = "empty"  # whatever its dtype: nothing can be learned about what may come
            else:
                column.low, column.high = float(np.nanmin(seen)), float(np.nanmax(seen))
            self.columns_.append(column)
        return self._split(table)[0]

    def _learn_numbers(self, numbers: Array, weight: Array) -> None:
        count = numbers.shape[1]
        self.median_, self.scale_ = np.zeros(count), np.ones(count)
        self.mean_, self.deviation_ = np.zeros(count), np.ones(count)  # of the clipped numbers
        self.knots_ = [np.empty(0)] * count
        self.has_missing_ = np.zeros(count, bool)
        self.is_empty_ = np.zeros(count, bool)  # where nothing but missing values was seen
        typical = np.full((count, len(MIDDLES)), np.nan)
        for place in range(count):
            if place % LINE == 0:  # memory is fetched a line at a time
                columns = np.ascontiguousarray(numbers[:, place : place + LINE].T)
            column, its_weight = columns[place % LINE], weight
            missing = np.isnan(column)
            if missing.any():
                self.has_missing_[place] = True
                column, its_weight = column[~missing], weight[~missing]
                if not len(column):
                    self.is_empty_[place] = True
                    continue
            parts = self._parts(its_weight.sum(), count)
            ranks = np.linspace(0.0, 1.0, parts + 1) if parts > 1 else np.empty(0)
            found = weighted_quantiles(column, its_weight, np.concatenate([LEVELS, MIDDLES, ranks])).astype(np.float64)
            few = len(LEVELS)
            self.median_[place], self.scale_[place] = median_and_scale(found[:few])
            typical[place] = found[few : few + len(MIDDLES)]
            if parts > 1 and len(knots := np.unique(found[few + len(MIDDLES) :])) > 2:
                self.knots_[place] = knots
        known = ~np.isnan(typical[:, 0])
        clipped = self._clipped(typical[known], self.median_[known, None], self.scale_[known, None])
        self.mean_[known], self.deviation_[known] = clipped.mean(1), np.maximum(clipped.std(1), LEAST_DEVIATION)

    def _parts(self, rows: float, columns: int) -> int:
        """Into how many parts a number's ranks are divided; below 2 there are none."""
        return min(self.knots, int(rows // ROWS_A_KNOT)) if self.knots and columns <= MOST_RANKED else 0

    # ------------------------------------------------------------------------------------------------------ encoding

    def _split(self, table: Any) -> tuple[Array, list[Array], list[Array]]:
        """The numbers (n, p), the columns that need no scaling, and the integers of large categories."""
        numbers: list[Array] = []
        plain: list[Array] = []
        codes: list[Array] = []
        for column in self.columns_:
            kind, values = read_column(table[column.name], column.name)
            values = self._as_learned(column, kind, values)
            if column.kind == "boolean":
                plain.append(np.nan_to_num(2.0 * values - 1.0))
            elif column.kind == "category":
                found = self._codes(column, values)
                if column.is_embedded:
                    codes.append(found)
                else:
                    plain.append((found[:, None] == np.arange(1, len(column.levels) + 1)).astype(np.float64))
            else:
                numbers.append(values)
                plain += [part(values) for part, _ in _parts_of(column)]
        return (np.column_stack(numbers) if numbers else np.empty((len(table), 0))), plain, codes

    def _as_learned(self, column: Column, kind: str, values: Array) -> Array:
        """The values of a column, if they are of the kind that was learned."""
        if kind == column.kind or (column.kind == "number" and kind == "boolean"):
            return values
        if kind == "empty" or (kind != "category" and np.isnan(values).all()):  # as files without a value are read
            return np.full(len(values), None) if column.kind == "category" else values
        if column.kind == "empty":
            return np.full(len(values), np.nan)
        if column.kind == "boolean" and kind == "number" and set(values[~np.isnan(values)]) <= {0.0, 1.0}:
            return values
        raise DTypeError(
            f"Column {column.name!r} held {KIND_WORDS[column.kind]} ({column.dtype}) when the model was fitted, and "
            f"now holds {KIND_WORDS[kind]}. Convert it, or fit again."
        )

    def _codes(self, column: Column, values: Array) -> Array:
        codes = column.codes(values)
        unknown = int((codes == 0).sum())
        if unknown:
            self.n_unknown_[column.name] = self.n_unknown_.get(column.name, 0) + unknown
        return codes

    def _scaled(self, numbers: Array) -> Array:
        """Numbers of mean 0, that for what is missing, and a column that says where: (n, p) -> (n, p + m)"""
        count, ranked = numbers.shape[1], [place for place, knots in enumerate(self.knots_) if len(knots)]
        width = count + len(ranked) + int(self.has_missing_.sum())
        encoded = np.empty((len(numbers), width), numbers.dtype)
        moved = encoded[:, :count]
        statistics = np.stack([self.median_, self.scale_, self.mean_, self.deviation_])
        limits, sizes = np.finfo(numbers.dtype), np.abs(statistics)
        fit = sizes[1::2].min(initial=1.0) > limits.tiny and sizes.max(initial=0.0) < limits.max / 4
        kind = numbers.dtype if fit else np.float64  # float32 takes half the time, and has few exponents
        median, scale, mean, deviation = statistics.astype(kind)
        rows = max(1, BLOCK // max(1, count))
        for start in range(0, len(numbers), rows):  # blocks that stay in the cache
            at = slice(start, start + rows)
            part = self._clipped(numbers[at].astype(kind), median, scale)
            part -= mean
            part /= deviation
            moved[at] = part
        missing = np.isnan(numbers)
        if self.is_empty_.any():
            missing |= self.is_empty_
        np.copyto(moved, 0.0, where=missing)
        for place, column in enumerate(ranked, count):
            encoded[:, place] = np.nan_to_num(_ranked(numbers[:, column], self.knots_[column]))
        encoded[:, count + len(ranked) :] = missing[:, self.has_missing_]
        return encoded

    def _clipped(self, numbers: Array, median: Any, scale: Any) -> Array:
        """Numbers in robust deviations from their median, the stray ones drawn in. Changes `numbers`."""
        with np.errstate(over="ignore"):  # the differences of huge numbers
            numbers -= median
            numbers /= scale
        if self.clip is None:
            return numbers
        most = 1e9 * self.clip  # the fourth powers are finite
        np.minimum(numbers, most, out=numbers)
        np.maximum(numbers, -most, out=numbers)
        powers = np.square(numbers / self.clip)
        powers *= powers
        powers += 1.0
        np.sqrt(powers, out=powers)
        np.sqrt(powers, out=powers)
        numbers /= powers
        return numbers

    def _output_names(self) -> list[Any]:
        inputs = self._input_names()
        if self.columns_ is None:
            numbers = inputs
        else:
            numbers = [each.name for each in self.columns_ if each.kind not in ("boolean", "category")]
        names = [*numbers, *(f"{name}_rank" for name, knots in zip(numbers, self.knots_, strict=True) if len(knots))]
        names += [*(f"{name}_missing" for name, has in zip(numbers, self.has_missing_, strict=True) if has)]
        for column in self.columns_ or ():
            if column.kind == "boolean":
                names.append(column.name)
            elif column.kind == "category" and not column.is_embedded:
                names += [f"{column.name}_{level}" for level in column.levels]
            else:
                names += [f"{column.name}_{said}" for _, said in _parts_of(column)]
        names += [each.name for each in self.columns_ or () if each.is_embedded]
        return [str(each) for each in names]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _number_column(series: Any, name: Any) -> Array:
    kind, values = read_column(series, name)
    if kind in ("category", "date", "duration"):
        raise DTypeError(f"Column {name!r} holds {KIND_WORDS[kind]}; the model was fitted on a matrix of numbers.")
    return values


def _parts_of(column: Column) -> list[tuple[Any, str]]:
    """Functions of seconds to places on a circle, for those periods that a date column's range tells apart."""
    if column.kind != "date" or not column.high > column.low:
        return []
    found: list[tuple[Any, str]] = []
    for period, start, name in ((DAY, 0.0, "day"), (WEEK, MONDAY, "week"), (YEAR, 0.0, "year")):
        if (column.low % DAY or column.high % DAY) if period == DAY else column.high - column.low >= period / 4:
            for function, said in ((np.sin, "sin"), (np.cos, "cos")):
                found.append((_Circle(function, period, start), f"{name}_{said}"))
    return found


@dataclass
class _Circle:
    """sine or cosine of the place in a period; 0 for what is missing."""

    function: Any
    period: float
    start: float

    def __call__(self, seconds: Array) -> Array:
        return np.nan_to_num(self.function((seconds - self.start) % self.period * (2.0 * np.pi / self.period)))


# --------------------------------------------------------------------------------------------------------- embedding


def embedding_width(levels: int) -> int:
    """How many numbers stand for a level: 1.6 * levels**0.56, at most 50. Source: Howard and Gugger (2020), 9."""
    return min(50, round(1.6 * levels**0.56))


@register_serializable("minitrain")
class Embedded(Layer):
    """The last columns of a matrix hold integers: a learned vector in the place of each, (n, f + k) -> (n, f + ...)

    `sizes`: how many levels each of these columns has, the unknown one, 0, included, whose vector stays at 0.
    """

    def __init__(self, sizes: Any, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = [int(each) for each in sizes]
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        self.tables = []
        for place, size in enumerate(self.sizes):
            start = RandomNormal(0.0, 0.3, seed=None if self.seed is None else self.seed + place)
            table = self.add_weight((size, embedding_width(size)), start, name=f"table_{place}")
            table.assign(np.concatenate([np.zeros_like(table.numpy()[:1]), table.numpy()[1:]]))
            self.tables.append(table)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = as_tensor(inputs)
        first = x.shape[-1] - len(self.sizes)
        found = [gather(table, cast(x[:, first + place], "int64")) for place, table in enumerate(self.tables)]
        return concat([x[:, :first], *found], axis=-1)
