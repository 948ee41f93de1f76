"""The rooms of idp/oidc: no cycles, every room says which specification it is, the vocabulary is plain Python."""

from pathlib import Path

import grimp

OIDC = Path(__file__).resolve().parents[2] / "idp" / "oidc"
# Folders of idp/oidc that are not rooms: they hold no specification of their own.
NOT_ROOMS = {"migrations", "management", "templates", "templatetags", "__pycache__"}


def rooms() -> list[Path]:
    return sorted(folder for folder in OIDC.iterdir() if folder.is_dir() and folder.name not in NOT_ROOMS)


def test_no_cycles_between_rooms(graph: grimp.ImportGraph):
    names = {f"idp.oidc.{folder.name}" for folder in rooms()}
    edges: dict[str, set[str]] = {}
    for name in names:
        imported: set[str] = set()
        for module in graph.find_descendants(name) | {name}:
            imported |= {".".join(target.split(".")[:3]) for target in graph.find_modules_directly_imported_by(module)}
        edges[name] = (imported & names) - {name}
    assert cycles(edges) == []


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Every cycle that a depth-first walk meets, as the rooms on it."""
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> None:
        if node in path:
            found.append([*path[path.index(node) :], node])
            return
        if node in done:
            return
        for target in sorted(edges[node]):
            walk(target, [*path, node])
        done.add(node)

    for start in sorted(edges):
        walk(start, [])
    return found


def test_a_cycle_is_noticed():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "a"]]


def test_a_grant_never_imports_a_grant(graph: grimp.ImportGraph):
    folder = "idp.oidc.token.grants"
    if folder not in graph.modules:
        return
    grants = graph.find_children(folder)
    crossing = [(a, b) for a in grants for b in graph.find_modules_directly_imported_by(a) if b in grants and a != b]
    assert crossing == []


def test_the_vocabulary_is_plain_python(graph: grimp.ImportGraph):
    vocabulary = "idp.oidc.protocol"
    if vocabulary not in graph.modules:
        return
    foreign = {
        target
        for module in graph.find_descendants(vocabulary) | {vocabulary}
        for target in graph.find_modules_directly_imported_by(module)
        if target.split(".")[0] in {"django", "oauth2_provider", "oauthlib"}
        or (target.startswith("idp.") and not target.startswith(vocabulary))
    }
    assert sorted(foreign) == []


def test_every_room_names_its_specification():
    silent = [folder.name for folder in rooms() if folder.name != "models" and "Spec:" not in (folder / "__init__.py").read_text()]
    assert silent == [], "the docstring of a room's __init__.py has a line `Spec: ...` (ARCHITECTURE.md, rooms)"
