"""Text to numbers: cleaned, cut into tokens, joined to n-grams, and looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minitrain.engine.symbolic import KerasTensor
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.layers.preprocessing import OUTPUT_MODES, StringLookup, _batches, output_mode_of

PUNCTUATION = re.compile(r"[!\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']")
STANDARDS: dict[Any, Callable[[str], str]] = {
    None: lambda text: text,
    "lower": str.lower,
    "strip_punctuation": lambda text: PUNCTUATION.sub("", text),
    "lower_and_strip_punctuation": lambda text: PUNCTUATION.sub("", text.lower()),
}
SPLITS: dict[Any, Callable[[str], list[str]]] = {None: lambda text: [text], "whitespace": str.split, "character": list}


@REGISTRY.register()
class TextVectorization(Layer):
    """Texts as rows of integers, or as rows over the vocabulary, which is given or learned by `adapt`.

    `standardize`: "lower_and_strip_punctuation", "lower", "strip_punctuation", None, or a function of one text.
    `split`: "whitespace", "character", None for tokens as they are, or a function that makes a list of a text.
    `ngrams`: a number, for runs of up to so many tokens, or a tuple of lengths. `output_mode`: "int" gives the tokens'
    numbers, 0 where a text is shorter than the longest, or than `output_sequence_length`, and 1 for what is unknown;
    "one_hot", "multi_hot", "count" and "tf_idf" are as in StringLookup.

    >>> layer = TextVectorization(vocabulary=["cat", "dog"])
    >>> layer(["A cat!", "Dog and cat"]).numpy().tolist()
    [[1, 2, 0], [3, 1, 2]]
    """

    _takes_any_input = True

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        **kwargs: Any,
    ) -> None:
        kwargs["dtype"] = None if output_mode == "tf_idf" else "int64"
        super().__init__(**kwargs)
        output_mode_of(output_mode, "TextVectorization", (*OUTPUT_MODES, "tf_idf"))
        for value, name, known in ((standardize, "standardize", STANDARDS), (split, "split", SPLITS)):
            if not callable(value) and value not in known:
                raise InvalidArgumentError(
                    f"`{name}` of TextVectorization must be one of {list(known)} or a function, received {value!r}."
                )
        widths = range(1, ngrams + 1) if isinstance(ngrams, int) else (1,) if ngrams is None else ngrams
        if not isinstance(widths, (range, tuple, list)) or not all(isinstance(n, int) and n > 0 for n in widths or [0]):
            raise InvalidArgumentError(
                f"`ngrams` must be None, a positive integer or a tuple of them, received {ngrams!r}."
            )
        if output_sequence_length is not None and (output_mode != "int" or output_sequence_length < 1):
            raise InvalidArgumentError(
                "`output_sequence_length` must be a positive integer, and goes with output_mode='int' alone; received "
                f"{output_sequence_length!r} with {output_mode!r}."
            )
        if ragged:
            raise InvalidArgumentError("`ragged` must be False: there are no ragged tensors here.")
        self.max_tokens = max_tokens
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams
        self.output_mode = output_mode
        self.output_sequence_length = output_sequence_length
        self.pad_to_max_tokens = pad_to_max_tokens
        self.sparse = sparse
        self.ragged = ragged
        self.encoding = encoding
        self._widths = tuple(widths)
        self._lookup = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            name=self.name,  # for its messages
        )

    @property
    def vocabulary(self) -> list[str] | None:
        """The tokens, without the special ones; None before they are known."""
        return self._lookup.vocabulary

    @property
    def idf_weights(self) -> list[float] | None:
        """The weights of the tokens under output_mode="tf_idf"."""
        return self._lookup.idf_weights

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from texts, an array or an iterable of batches of them, of which at most `steps`."""
        self._lookup.adapt(self._padded([row for batch in _batches(data, steps) for row in self._rows(batch)], None))

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary; special tokens at its beginning are taken for what they are."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their numbers."""
        return self._lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of tokens, special ones included."""
        return self._lookup.vocabulary_size()

    def _tokens(self, text: Any) -> list[str]:
        """The tokens of one text, and their runs of each length."""
        said = text.decode(self.encoding) if isinstance(text, bytes) else str(text)
        clean = self.standardize if callable(self.standardize) else STANDARDS[self.standardize]
        cut = self.split if callable(self.split) else SPLITS[self.split]
        found = list(cut(clean(said)))
        return [" ".join(found[at : at + n]) for n in self._widths for at in range(len(found) - n + 1)]

    def _rows(self, texts: Any) -> Iterator[list[str]]:
        """The tokens of each text of an array, or, where nothing is split, of each row of one."""
        texts = np.asarray(texts)
        if self.split is None and texts.ndim == 2:
            yield from ([token for each in row for token in self._tokens(each)] for row in texts.tolist())
            return
        if texts.ndim > 1 and (texts.ndim > 2 or texts.shape[-1] != 1):
            raise ShapeError(
                f"Layer '{self.name}' splits texts of shape (texts,) or (texts, 1), received {texts.shape}. Flatten "
                "them, or give split=None for tokens."
            )
        yield from map(self._tokens, texts.reshape(-1).tolist())

    @staticmethod
    def _padded(rows: Iterable[list[str]], length: int | None) -> Any:
        """Tokens as an array, with "" behind those of a shorter row. (rows, length)"""
        rows = list(rows)
        size = max([len(row) for row in rows] + [1]) if length is None else length
        return np.array([row[:size] + [""] * (size - len(row)) for row in rows], object).reshape(len(rows), size)

    def call(self, inputs: Any) -> Tensor:
        texts = np.asarray(inputs.numpy() if isinstance(inputs, TensorLike) else inputs)
        found = self._lookup(self._padded(self._rows(texts), self.output_sequence_length))
        is_flat = texts.ndim == 0 or (self.split is None and texts.ndim == 1 and self.output_mode == "int")
        return Tensor(found._array.reshape(found.shape[1:] if texts.ndim == 0 else -1)) if is_flat else found

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_mode == "int":
            return tuple(input_shape) if self.split is None else (input_shape[0], self.output_sequence_length)
        size = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()
        return input_shape[0], size

    def compute_output_spec(self, inputs: Any) -> Any:  # text cannot be drawn from examples
        return KerasTensor(self.compute_output_shape(inputs.shape), self.dtype)
