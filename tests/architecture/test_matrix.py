"""The matrix of clauses promises nothing that no test shows. New tests enter it with the next `make docs`."""

from tests.support.matrix import PAGE, page


def test_every_row_of_the_matrix_is_shown_by_its_tests():
    """Rows may be missing until then; a row, or a test in a row, that the tests no longer back is a lie."""

    def rows(text):
        cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and "](" in line]
        return {(clause, test) for clause, tests in cells for test in tests.split(", ")}

    assert rows(PAGE.read_text()) - rows(page()) == set(), "run `make docs`"
