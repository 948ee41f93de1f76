"""A file of places in the format of MaxMind (maxmind.github.io/MaxMind-DB), just large enough for tests."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Tree = list[Any]


def write(path: Path, networks: Mapping[str, dict[str, Any]]) -> Path:
    """A file in which these IPv4 networks have these records."""
    root: Tree = [None, None]
    data = b""
    for network, record in networks.items():
        net = ipaddress.ip_network(network)
        node, bits = root, int(net.network_address)
        for depth in range(net.prefixlen - 1):
            side = bits >> (31 - depth) & 1
            if node[side] is None:
                node[side] = [None, None]
            node = node[side]
        node[bits >> (32 - net.prefixlen) & 1] = len(data)
        data += _encoded(record)
    nodes: list[Tree] = []
    _number(root, nodes)
    count, numbers = len(nodes), {id(node): number for number, node in enumerate(nodes)}
    tree = b"".join(_pointer(side, numbers, count).to_bytes(3, "big") for node in nodes for side in node)
    about = {
        "node_count": count, "record_size": 24, "ip_version": 4, "database_type": "Test", "languages": ["en"],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1, "description": {"en": "test"},
    }  # fmt: skip
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encoded(about))
    return path


def _number(node: Tree, nodes: list[Tree]) -> None:
    nodes.append(node)
    for side in node:
        if isinstance(side, list):
            _number(side, nodes)


def _pointer(side: Any, numbers: Mapping[int, int], count: int) -> int:
    if side is None:
        return count
    return numbers[id(side)] if isinstance(side, list) else count + 16 + side


def _encoded(value: Any) -> bytes:
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(_encoded(key) + _encoded(member) for key, member in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_encoded, value))
    if isinstance(value, str):
        raw = value.encode()
        return bytes([2 << 5 | len(raw)]) + raw
    return bytes([6 << 5 | 4]) + value.to_bytes(4, "big")  # uint32
