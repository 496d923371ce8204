"""Python's search for garbage, left alone while many objects are in use."""

import gc

import pytest

from loyalty import garbage


def test_is_searched_for_again_after_a_block_that_fails():
    with pytest.raises(ValueError, match="never mind"), garbage.left_alone():
        raise ValueError("never mind")
    assert gc.isenabled()


def test_is_left_alone_until_the_outer_block_ends():
    with garbage.left_alone():
        with garbage.left_alone():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
