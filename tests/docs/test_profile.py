"""The file of docs/profile.md declares what the page says."""

from idp.accounts import attributes
from tests.docs.guide import blocks


def test_the_file_of_the_guide(tmp_path):
    [block] = [block for block in blocks("profile.md") if block.label == "file profile.json"]
    file = tmp_path / "profile.json"
    file.write_text(block.text)
    declared = attributes.load(file)
    assert declared["shoe_size"].scope == "profile"
    assert declared["employee_number"].encrypted
    assert "person" not in declared["employee_number"].write
    assert "gender" not in declared
