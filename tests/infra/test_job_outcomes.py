"""What is kept of a step is JSON, read back as the type that its function declares."""

import msgspec
import pytest

from flyball.infra.jobs.outcomes import StepFailedError, kept, kept_failure, read, result_type
from flyball.kit.errors import ConflictError


class Cut(msgspec.Struct, frozen=True):
    rows: int
    names: tuple[str, ...] = ()


async def cut(rows: int) -> Cut | None:
    return Cut(rows) if rows else None


@pytest.mark.parametrize("result", [Cut(3, ("a", "b")), Cut(0), None])
def test_a_result_comes_back_as_the_type_that_the_function_declares(result):
    assert read(kept(result), result_type(cut)) == result


def test_a_result_that_json_cannot_say_is_refused_when_it_is_kept():
    with pytest.raises(TypeError, match="object"):
        kept(object())


def test_a_text_of_another_type_is_refused_and_never_guessed():
    with pytest.raises(msgspec.ValidationError):
        read(kept({"rows": "many"}), result_type(cut))


def test_a_failure_comes_back_with_its_words_and_its_code():
    error = ConflictError("the dataset 'x' exists already", next_step="choose another name")

    with pytest.raises(StepFailedError) as raised:
        read(kept_failure(error), result_type(cut))

    assert str(raised.value) == "the dataset 'x' exists already. Next: choose another name"
    assert raised.value.code == "conflict"


def test_a_failure_that_nobody_foresaw_names_its_kind_and_where_to_read_on():
    with pytest.raises(StepFailedError, match=r"ZeroDivisionError: division by zero\. Next: the worker's log"):
        read(kept_failure(ZeroDivisionError("division by zero")), int)
