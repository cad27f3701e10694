"""What was read is kept, but not without end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.memory import Memory

KEYS = st.integers(0, 9)


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    memory = Memory[str, int](2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    assert memory.put("c", 3) == 3
    assert [memory.get(key) for key in "abc"] == [1, None, 3]


@given(st.integers(1, 5), st.lists(st.tuples(KEYS, st.none() | st.integers())))
@settings(deadline=None, max_examples=60)
def test_of_all_that_was_put_the_newest_is_known_and_never_a_wrong_value(
    most: int, steps: list[tuple[int, int | None]]
) -> None:
    memory, truth, used = Memory[int, int](most), dict[int, int](), list[int]()
    for key, value in steps:
        if value is not None:
            truth[key] = memory.put(key, value)
            used = [*(other for other in used if other != key), key]
        elif memory.get(key) is not None:
            used = [*(other for other in used if other != key), key]
        used = used[-most:]
    assert {key: memory.get(key) for key in range(10)} == {
        key: truth[key] if key in used else None for key in range(10)
    }
