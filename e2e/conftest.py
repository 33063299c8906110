"""Servers that are started once, and the mark for what one of them is known to do unlike AWS."""

from collections.abc import Iterator

import pytest
from servers import Server, ministack, moto, simulated_account


@pytest.fixture(scope="session")
def ministack_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("ministack")
    with ministack(directory / "log", directory) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with moto(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def simulated_server() -> Iterator[Server]:
    with simulated_account() as server:
        yield server


@pytest.fixture(params=["simulated", "moto", "ministack"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the three in turn. `unlike_aws` names what an emulator does otherwise; the simulated account has no such excuse."""
    for mark in request.node.iter_markers("unlike_aws"):
        if reason := mark.kwargs.get(request.param):
            request.applymarker(pytest.mark.xfail(reason=f"{request.param} {reason}", strict=True))
    return request.getfixturevalue(f"{request.param}_server")
