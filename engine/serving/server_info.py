"""Server info: what a server says of itself at any time, and what several are together.

Knows the host and one message; no socket.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
from contrapose.v1 import server_info_pb2

from engine.body.shape import SHAPE_COUNT
from engine.bundle import ScheduleSpec
from engine.motion.motion import FRAME_RATE
from engine.sampling.loaded import LoadedBundle
from engine.serving import wire
from engine.serving.host import Host
from engine.serving.load_watch import resident_mb

PROTOCOL_MINOR = 10


def server_info(host: Host) -> server_info_pb2.GetServerInfoResponse:
    """Also while the bundle loads."""
    config, loaded = host.config, host.loaded
    info = server_info_pb2.GetServerInfoResponse(
        server_version=version("contrapose"),
        protocol_minor=PROTOCOL_MINOR,
        is_ready=loaded is not None and not (host.is_draining or host.is_stalled),
        default_steps=config.session.steps,
        frame_rate=FRAME_RATE,
        default_horizon_frames=config.session.horizon_frames,
        max_sessions=0 if loaded is None else host.capacity(config.session),
        active_sessions=len(host.slots),
        max_motion_frames=config.max_motion_frames,
    )
    if loaded is not None:
        manifest, betas = loaded.bundle.manifest, np.zeros(SHAPE_COUNT, np.float32)
        info.bundle = loaded.name
        info.backend, info.precision = loaded.backend, loaded.precision
        info.has_generator = manifest.generator is not None
        info.has_text = manifest.text is not None
        info.animator_takes_text = loaded.animator_takes_text
        info.schedules.extend(map(_schedule, manifest.animator.schedules))
        info.skeleton.CopyFrom(wire.skeleton_to_wire(loaded.body.rest_joints(betas), betas))
        info.load.CopyFrom(_load(host, loaded))
        if loaded.kinds is not None:
            info.kinds.extend(map(_known_kind, loaded.kinds.names, loaded.kinds.plainest))
    return info


def _load(host: Host, loaded: LoadedBundle) -> server_info_pb2.ServerLoad:
    status = loaded.executor.figures()
    session = host.load_watch.level.applied(host.config.session)
    return server_info_pb2.ServerLoad(
        engine_busy=status.busy,
        mean_batch=status.mean_batch,
        loop_lag_ms=1000 * host.load_watch.event_loop_lag.peak(time.monotonic()),
        late_windows=status.late_windows,
        windows=status.windows,
        steps=session.steps,
        revision_frames=session.revision_frames,
        resident_mb=resident_mb(),
    )


def _known_kind(name: str, text: str) -> server_info_pb2.KnownKind:
    return server_info_pb2.KnownKind(name=name, text=text)


def _schedule(spec: ScheduleSpec) -> server_info_pb2.StepSchedule:
    if spec.quality is None:
        return server_info_pb2.StepSchedule(steps=spec.steps)
    quality = server_info_pb2.StepQuality(**asdict(spec.quality))
    return server_info_pb2.StepSchedule(steps=spec.steps, quality=quality)


def merged(
    infos: Sequence[server_info_pb2.GetServerInfoResponse],
) -> server_info_pb2.GetServerInfoResponse:
    """What several engines with one bundle are together; not ready if there is none.

    Sessions, windows and memory are summed; how busy they are is the mean; of the lag, and of what
    sessions get, it is the worst.
    """
    if not infos:
        return server_info_pb2.GetServerInfoResponse(
            server_version=version("contrapose"), protocol_minor=PROTOCOL_MINOR
        )
    whole = server_info_pb2.GetServerInfoResponse()
    whole.CopyFrom(infos[0])
    whole.is_ready = any(info.is_ready for info in infos)
    whole.max_sessions = sum(info.max_sessions for info in infos)
    whole.active_sessions = sum(info.active_sessions for info in infos)
    loads = [info.load for info in infos if info.HasField("load")]
    if loads:
        windows = sum(load.windows for load in loads)
        batches = sum(load.mean_batch * load.windows for load in loads)
        whole.load.CopyFrom(
            server_info_pb2.ServerLoad(
                engine_busy=sum(load.engine_busy for load in loads) / len(loads),
                mean_batch=batches / max(windows, 1),
                loop_lag_ms=max(load.loop_lag_ms for load in loads),
                late_windows=sum(load.late_windows for load in loads),
                windows=windows,
                steps=min(load.steps for load in loads),
                revision_frames=max(load.revision_frames for load in loads),
                resident_mb=sum(load.resident_mb for load in loads),
            )
        )
    return whole
