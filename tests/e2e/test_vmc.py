"""`contrapose vmc` before a real server, its packets read from the socket by python-osc."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pythonosc.osc_bundle import OscBundle

from engine.body.rotations import rotmat_from_quat
from engine.body.shape import load_body
from engine.commands.recorded_player import DEMO_PLAYER
from engine.commands.server_process import ServerAddress
from engine.commands.vmc_stream import perform
from engine.devices.foreign import rotmats_from_unity
from engine.formats import read_motion
from engine.vmc import PartnerPackets
from tests.engine.formats.random_motion import standing_pair

LOOPBACK = "127.0.0.1"
FRAMES = 30
"""Of the plan: 3 s."""


@dataclass
class Marionette:
    """A receiver: all that came, parsed."""

    sock: socket.socket = field(default_factory=lambda: socket.socket(type=socket.SOCK_DGRAM))
    frames: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Marionette:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)  # none is dropped
        self.sock.bind((LOOPBACK, 0))
        self.sock.settimeout(0.2)
        self._is_over = threading.Event()
        self._packets: list[bytes] = []
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()
        return self

    def _receive(self) -> None:
        while True:
            try:
                self._packets.append(self.sock.recv(4096))
            except TimeoutError:
                if self._is_over.is_set():
                    return

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self.sock.close()
        for packet in self._packets:
            for message in OscBundle(packet):
                if message.address == "/VMC/Ext/T":
                    self.frames.append({"time": message.params[0]})
                elif message.address in ("/VMC/Ext/Bone/Pos", "/VMC/Ext/Root/Pos"):
                    self.frames[-1][message.params[0]] = np.array(message.params[1:])

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.sock.getsockname()
        return host, port


def test_a_recordings_partner_arrives_60_times_a_second(server: Any) -> None:
    with Marionette() as marionette:
        asyncio.run(
            perform(
                ServerAddress(address=server.address),
                player=read_motion(DEMO_PLAYER),
                listens_at=None,
                sends_to=marionette.address,
                frames=FRAMES,
                seed=7,
            )
        )
    times = np.array([frame["time"] for frame in marionette.frames])
    # Time codes are the session's: steps of a sixtieth, whatever the load of this machine.
    np.testing.assert_allclose(np.diff(times).min(), 1 / 60, atol=1e-4)
    assert FRAMES / 2 < len(times) <= 6 * FRAMES
    for frame in marionette.frames:
        turns = np.stack([frame[bone][3:] for bone in frame if bone != "time"])
        np.testing.assert_allclose(np.linalg.norm(turns, axis=-1), 1, atol=1e-4)
        assert len(turns) == 53  # 22 bones, 30 of the fingers, and the root
    hips = rotmats_from_unity(rotmat_from_quat(marionette.frames[0]["Hips"][3:]))
    assert hips[1, 1] > 0.9  # upright
    bends = np.stack([frame["RightMiddleProximal"][3:] for frame in marionette.frames])
    assert np.abs(bends[:, :3]).max() > 0.05  # no hand is straight for long


def test_a_performer_drives_the_player(server: Any) -> None:
    motion = standing_pair(frames=1, apart=1.0)
    packets = PartnerPackets(load_body().all_rest_joints(np.zeros(10)))
    is_over = threading.Event()

    def performs(sock: socket.socket, port: int) -> None:
        begun = time.monotonic()
        while not is_over.wait(1 / 30):
            aside = np.array([0.3 * np.sin(time.monotonic() - begun), 0, 0])
            transl = motion.transl[0, 0] + aside
            for packet in packets.frame(0.0, motion.quats_xyzw[0, 0], transl):
                sock.sendto(packet, (LOOPBACK, port))
            sock.sendto(b"#bundle\0 and then nonsense", (LOOPBACK, port))

    with Marionette() as marionette, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))  # before a port is sought, which it could take
        port = free_port()
        performer = threading.Thread(target=performs, args=(sock, port))
        performer.start()
        try:
            asyncio.run(
                perform(
                    ServerAddress(address=server.address),
                    player=None,
                    listens_at=(LOOPBACK, port),
                    sends_to=marionette.address,
                    frames=20,
                    seed=7,
                )
            )
        finally:
            is_over.set()
            performer.join()
    last = marionette.frames[-1]
    assert 0.5 < last["Hips"][1] < 1.3  # the partner stands, its hips at a person's height
    assert 0.3 < abs(last["root"][2]) < 4.0  # in front of the player


def free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
