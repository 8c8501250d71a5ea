"""A bad network delays, stalls and repeats, and loses, reorders or changes nothing."""

from __future__ import annotations

import asyncio
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.testing import RETRANSMIT_S, SEGMENT_BYTES, BadNetwork, LossyLink, LossyProxy


def delays(network: BadNetwork, times: np.ndarray) -> np.ndarray:
    link = LossyLink(network, 0)
    return np.array([link.arrival(at) for at in times]) - times


@given(
    jitter=st.floats(0, 0.5),
    loss=st.floats(0, 0.5),
    stall=st.floats(0, 2),
    gaps=st.lists(st.floats(0, 0.3), min_size=1, max_size=60),
)
def test_segments_arrive_in_order_and_never_before_they_are_sent(
    jitter: float, loss: float, stall: float, gaps: list[float]
) -> None:
    times = np.cumsum(gaps)
    waited = delays(BadNetwork(jitter_s=jitter, loss=loss, stall_s=stall), times)
    assert (waited >= -1e-9).all()
    assert (np.diff(times + waited) >= -1e-9).all()


def test_jitter_alone_is_its_range_and_the_seed_decides_it() -> None:
    times = np.arange(0, 1000, 1.0)
    waited = delays(BadNetwork(jitter_s=0.25, seed=3), times)
    assert 0.11 < waited.mean() < 0.14
    assert waited.max() <= 0.25
    np.testing.assert_array_equal(waited, delays(BadNetwork(jitter_s=0.25, seed=3), times))
    assert not np.array_equal(waited, delays(BadNetwork(jitter_s=0.25, seed=4), times))


def test_a_lost_segment_comes_after_a_timeout_that_doubles_and_holds_up_what_follows() -> None:
    waited = delays(BadNetwork(loss=0.02, seed=1), np.arange(0, 20_000, 10.0))
    assert set(waited.round(6)) <= {0.0, RETRANSMIT_S, round(3 * RETRANSMIT_S, 6)}
    assert 0.01 < (waited > 0).mean() < 0.03
    close = delays(BadNetwork(loss=0.02, seed=1), np.arange(0, 10, 0.01))
    lost = int(np.argmax(close))
    np.testing.assert_allclose(close[lost : lost + 10], close[lost] - 0.01 * np.arange(10))


def test_nothing_arrives_during_a_stall_and_all_of_it_right_after() -> None:
    times = np.arange(0, 11, 0.05)
    arrivals = times + delays(BadNetwork(stall_s=0.8, stall_every_s=5.0), times)
    for begin in (5.0, 10.0):
        assert not ((arrivals >= begin) & (arrivals < begin + 0.8 - 1e-9)).any()
        during = arrivals[(times >= begin) & (times < begin + 0.8)]
        np.testing.assert_allclose(during, begin + 0.8)
    before = times < 5
    np.testing.assert_array_equal(arrivals[before], times[before])


@pytest.mark.parametrize("wrong", [{"loss": 1.0}, {"jitter_s": -1.0}, {"stall_s": 5.0}])
def test_a_network_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BadNetwork(**wrong)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------- proxy
async def echoed(network: BadNetwork, sent: bytes) -> bytes:
    """What comes back through the proxy from a server that echoes until its client is done."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(1000):
            writer.write(part)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, LossyProxy(f"127.0.0.1:{port}", network) as proxy:
        host, _, proxy_port = proxy.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(proxy_port))
        writer.write(sent)
        writer.write_eof()
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
    return received


def test_every_byte_comes_through_in_order_both_ways() -> None:
    sent = np.random.default_rng(0).bytes(40 * SEGMENT_BYTES + 17)
    network = BadNetwork(jitter_s=0.01, loss=0.02, stall_s=0.01, stall_every_s=0.1)
    received = asyncio.run(echoed(network, sent))
    assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()


def test_a_server_that_is_not_there_closes_the_connection() -> None:
    async def ask() -> bytes:
        async with LossyProxy("127.0.0.1:1", BadNetwork()) as proxy:
            host, _, port = proxy.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(ask()) == b""


def test_leaving_the_proxy_cuts_connections_that_are_open() -> None:
    async def cut() -> bytes:
        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(wait, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            async with LossyProxy(f"127.0.0.1:{port}", BadNetwork()) as proxy:
                host, _, proxy_port = proxy.address.rpartition(":")
                reader, writer = await asyncio.open_connection(host, int(proxy_port))
                writer.write(b"hello")
                await writer.drain()
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(cut()) == b""
