"""No code in the guides goes unnoticed: each block says how it is run, or why not."""

import pytest

from .guide import DOCS, blocks

PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if path.parent.name != "decisions")
KINDS = ("provider", "file ", "app", "serve", "not executed: ")
CODE = {"sh", "python", "js", "jsx", "ini", "toml", "apache", "nginx", "json"}


@pytest.mark.parametrize("page", PAGES)
def test_a_block_of_code_says_how_it_is_run(page: str):
    silent = [block.text for block in blocks(page) if block.language in CODE and not block.label.startswith(KINDS)]
    assert silent == []
