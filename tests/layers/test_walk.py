"""Walks: the variables of a layer are those in its attributes at this moment, however often they were asked for."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import minitrain as mt
from minitrain import layers


class Holder(layers.Layer):
    def __init__(self):
        super().__init__()
        self.part = dense()
        self._hidden = None
        self.listed = [dense()]
        self.named = {"a": dense(), "deep": [dense()]}
        self.fixed = (dense(), [dense()])
        self.plain = 1


def dense():
    made = layers.Dense(2)
    made.build((None, 3))
    return made


def expected(layer):
    """The variables as a walk over fresh eyes finds them: a copy has walked nowhere yet."""
    return [each.path for each in copy.deepcopy(layer).weights]


CHANGES = {
    "another": lambda x: setattr(x, "part", dense()),
    "none": lambda x: setattr(x, "part", None),
    "a number": lambda x: setattr(x, "part", 3.0),
    "private": lambda x: setattr(x, "_hidden", dense()),
    "gone": lambda x: delattr(x, "part"),
    "a variable": lambda x: setattr(x, "plain", mt.Variable(1.0)),
    "append": lambda x: x.listed.append(dense()),
    "replace in a list": lambda x: x.listed.__setitem__(0, dense()),
    "clear": lambda x: x.listed.clear(),
    "key": lambda x: x.named.update(b=dense()),
    "deep in a dict": lambda x: x.named["deep"].append(dense()),
    "deep in a tuple": lambda x: x.fixed[1].append(dense()),
    "below": lambda x: setattr(x.part, "more", dense()),
    "hidden in a model": lambda x: setattr(x, "_parts", [dense()]),
    "another state": lambda x: x.__setstate__(vars(x) | {"part": dense()}),
    "another state below": lambda x: x.part.__setstate__(vars(dense())),
    "add_weight": lambda x: x.add_weight((2,)),
    "add_weight below": lambda x: x.listed[0].add_weight((2,)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_walk_is_kept_until_something_changes(change):
    layer = Holder()
    before = [each.path for each in layer.weights]
    assert before == expected(layer)
    assert len(before) == 12
    change(layer)
    after = [each.path for each in layer.weights]
    assert after == expected(layer)
    assert after != before


def test_trainable_is_asked_anew():
    layer = Holder()
    assert len(layer.trainable_weights) == 12
    layer.part.trainable = False
    assert len(layer.trainable_weights) == 10
    layer.weights[2].trainable = False
    assert len(layer.trainable_weights) == 9
    assert len(layer.weights) == len(expected(layer)) == 12


def test_copies_walk_over_their_own():
    layer = Holder()
    mine = {id(each) for each in layer.weights}
    for each in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert not mine & {id(weight) for weight in each.weights}
        np.testing.assert_array_equal(each.weights[0], layer.weights[0])


def test_a_walk_keeps_nothing_alive():
    layer = Holder()
    assert layer.weights
    assert not layer.losses
    gone = weakref.ref(layer)
    gc.disable()
    try:
        del layer
        assert gone() is None
    finally:
        gc.enable()


def test_what_stood_in_an_attribute_is_let_go():
    layer = Holder()
    assert layer.weights
    gone = weakref.ref(layer.part), weakref.ref(layer.listed[0])
    gc.disable()
    try:
        layer.part = None
        del layer.listed
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


def test_a_walk_in_the_midst_of_a_change_does_not_hold():
    """As that of another thread; here what walks is a property that is being set."""

    class Watched(layers.Layer):
        @property
        def part(self):
            return self.__dict__.get("kept")

        @part.setter
        def part(self, value):
            assert not self.weights
            self.__dict__["kept"] = value

    layer = Watched()
    layer.part = dense()
    assert len(layer.weights) == 2
